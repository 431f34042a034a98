"""What faults do to a job's processes: a disk that is too small, a memory that is."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from seatrial.rehearsal.aws.running import Running

_LOOK_S = 0.02

# $1: size, then the folders, '--', and the command. Each folder becomes a file system of that size; at the end what
# was written goes to the real folder, which an open descriptor still reaches below the mount.
_SMALL_DISK = r"""
size=$1; shift
beneath=()
while [ "$1" != -- ]; do
  exec {fd}<"$1"
  beneath+=("$1" "$fd")
  mount -t tmpfs -o "size=${size}m" tmpfs "$1" || exit 125
  cp -a "/proc/self/fd/$fd/." "$1"
  shift
done
shift
"$@" &
child=$!
trap 'kill -TERM "$child" 2>/dev/null' TERM
while kill -0 "$child" 2>/dev/null; do wait "$child"; code=$?; done
for ((i = 0; i < ${#beneath[@]}; i += 2)); do
  cp -a "${beneath[i]}/." "/proc/self/fd/${beneath[i + 1]}/"
done
exit "${code:-127}"
"""


def on_small_disk(command: Sequence[str], folders: Sequence[str], megabytes: int) -> list[str]:
    """``command``, with ``folders`` on file systems of their own that hold so much each."""
    return ["bash", "-c", _SMALL_DISK, "small-disk", str(megabytes), *folders, "--", *command]


class Limit:
    """Whether a memory limit has killed something."""

    exceeded = False


@contextmanager
def memory_limit(running: Running, megabytes: int) -> Iterator[Limit]:
    """Kill the largest of a job's processes once all together have more resident memory than that."""
    over = threading.Event()
    limit = Limit()

    def watch() -> None:
        while not over.wait(_LOOK_S):
            used = {each: _resident(each) for each in running.programs()}
            if sum(used.values()) > megabytes * 1024 * 1024:
                limit.exceeded = True
                with contextlib.suppress(ProcessLookupError):
                    os.kill(max(used, key=lambda each: used[each]), signal.SIGKILL)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield limit
    finally:
        over.set()
        thread.join()


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return 0


def stop_programs(running: Running) -> bool:
    """Halt every process of it, as a deadlock would; False when there is none."""
    found = running.programs()
    for each in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGSTOP)
    return bool(found)
