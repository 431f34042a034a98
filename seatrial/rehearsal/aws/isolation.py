"""Runs a job's command isolated: in a container where its image has one, else in namespaces of its own.

On both ways /opt/ml is the job's, and no process outlives the job.

The namespaces: a user, mount and PID namespace each (util-linux `unshare`), no network or root file system of its own:
jobs reach the loopback servers and see this machine's files. A container hides more; this proves the paths, the exit
codes and the ending. The command is not process 1 of its namespace, as with ``docker run --init``: process 1 ignores
signals that it does not handle, SIGKILL of itself included, so a job that killed itself would look as if it had
succeeded.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from seatrial.errors import ResourceError
from seatrial.execute.keeper import oom_kills
from seatrial.rehearsal.aws.containers import start_container
from seatrial.rehearsal.aws.image import Image
from seatrial.rehearsal.aws.running import YIELDING, Running, children, family

# $1: the folder that becomes /opt (its entries are empty, one for each of the real /opt), $2: working folder, then
# the command. `wait` is interrupted by the trap, so it is asked again until the command is gone; bash remembers its
# status.
_INIT = r"""
set -e
child= asked=
trap 'asked=1; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null' TERM
new=$1; workdir=$2; shift 2
for entry in "$new"/*; do
  name=${entry##*/}
  if [ -L "$entry" ] || [ "$name" = ml ]; then continue; fi
  source=$new/../mounts/$name/
  [ -e "$source" ] || source=/opt/$name
  mount --rbind "$source" "$entry"
done
mount --rbind "$new" /opt
cd "$workdir"
set +e
"$@" &
child=$!
[ -z "$asked" ] || kill -TERM "$child" 2>/dev/null
exec 2>/dev/null  # what bash says about a killed child would look like the job's own last line
while kill -0 "$child" 2>/dev/null; do wait "$child"; code=$?; done
wait "$child"; last=$?
[ "$last" = 127 ] && exit "${code:-127}"
exit "$last"
"""

_UNSHARE = ("unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--")


def require_namespaces() -> None:
    """Check that this machine lets us make namespaces.

    Raises:
        ResourceError: it does not, with the reason that `unshare` gave.
    """
    refusal = _refusal()
    if refusal is not None:
        raise ResourceError(
            f"Jobs cannot be isolated on this machine: {refusal}",
            why="A job writes to /opt/ml; without a mount namespace two jobs would share one, and this machine's.",
            todo="Allow user namespaces (sysctl kernel.unprivileged_userns_clone=1 or user.max_user_namespaces) "
            "and install util-linux.",
        )


@functools.cache
def _refusal() -> str | None:
    for program in ("unshare", "setpriv", "bash"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    if not Path("/opt").is_dir():
        return "there is no folder /opt to mount over"
    probe = 'mount -t tmpfs none "$1" && exit 42'
    with tempfile.TemporaryDirectory(prefix="seatrial-probe-") as folder:
        done = subprocess.run(
            [*_UNSHARE, "bash", "-c", probe, "probe", folder], capture_output=True, text=True, check=False
        )
    return None if done.returncode == 42 else done.stderr.strip() or f"unshare ended with {done.returncode}"


class Namespaced(Running):
    """The `unshare` around a command."""

    def __init__(self, process: subprocess.Popen[bytes], oom_kills_before: int) -> None:
        """``oom_kills_before`` is the kernel's count when the command had not started."""
        super().__init__(process)
        self._oom_kills_before = oom_kills_before

    def ask_to_end(self) -> None:
        """Send SIGTERM to the job's process 1, which hands it to the command. `unshare` itself would not pass it on.

        Its first act is to catch the signal. Where it has not yet, the command has not begun, and all is killed.
        """
        ready = [each for each in children(self.process.pid) if _catches(each, signal.SIGTERM)]
        if not ready:
            self.end_now()
        for each in ready:
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGTERM)

    def end_now(self) -> None:
        """Kill the whole process group: what `unshare` has only just forked would not yet end with it."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def programs(self) -> list[int]:
        """Everything below the job's process 1."""
        inits = children(self.process.pid)
        return [each for init in inits for program in children(init) for each in family(program)]

    def out_of_memory(self) -> bool:
        """Whether it was killed by SIGKILL while the kernel killed something on this machine for its memory."""
        return self.process.returncode == 128 + signal.SIGKILL and oom_kills() > self._oom_kills_before


def _catches(pid: int, number: signal.Signals) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    (caught,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught, 16) >> (number - 1) & 1)


def start_isolated(
    command: Sequence[str],
    *,
    image: Image,
    folder: Path,
    environment: Mapping[str, str],
    entry_point: bool = True,
    instance: str,
    yields: bool = False,
) -> Running:
    """Start ``command`` with ``folder``/opt/ml at /opt/ml. Standard output and error come back on one pipe.

    The thread that calls this must live as long as the job: the kernel ends the job when that thread, or the whole
    server, ends.

    Args:
        command: what runs.
        image: where it runs.
        folder: the job's.
        environment: variables besides the image's.
        entry_point: whether the command stands in place of the image's own entry point, or is handed to it.
        instance: the instance type, whose limits a container gets.
        yields: whether it leaves the processors to whatever does not yield: jobs do, servers do not.
    """
    if image.engine is not None:
        return start_container(
            command,
            entry_point=entry_point,
            image=image,
            folder=folder,
            environment={**image.environment, **environment},
            instance=instance,
            yields=yields,
        )
    assert image.workdir is not None
    opt = folder / "opt"
    (opt / "ml").mkdir(parents=True, exist_ok=True)
    mounts = folder / "mounts"
    mounts.mkdir(exist_ok=True)
    for path, source in image.mounts.items():
        name = Path(path).name
        (opt / name).mkdir(exist_ok=True)
        if not (mounts / name).is_symlink():
            (mounts / name).symlink_to(source.resolve(), target_is_directory=True)
    for entry in Path("/opt").iterdir():
        _stand_in(entry, opt / entry.name)
    scratch = folder / "tmp"
    scratch.mkdir(exist_ok=True)
    before = oom_kills()
    process = subprocess.Popen(
        [
            *(YIELDING if yields else ()),
            "setpriv",
            "--pdeathsig",
            "KILL",
            *_UNSHARE,
            "bash",
            "-c",
            _INIT,
            "seatrial-job",
            str(opt),
            str(image.workdir),
            *command,
        ],
        # an instance's /tmp goes with it; this machine's would keep what jobs leave there
        env={"TMPDIR": str(scratch), **image.variables(), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    return Namespaced(process, before)


def _stand_in(entry: Path, stand_in: Path) -> None:
    if stand_in.exists() or stand_in.is_symlink():
        return
    if entry.is_symlink():
        stand_in.symlink_to(entry.readlink())
    elif entry.is_dir():
        stand_in.mkdir()
    else:
        stand_in.touch()
