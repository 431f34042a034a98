"""Runs one container as if it were an ordinary process: whoever kills this process has killed the container.

``python -I -S keeper.py REPORT ENGINE NAME run ...`` is two processes. The one in front is what others see: it ends
with the container's exit code, hands SIGTERM on, and dies with its parent. An engine's client cannot be that process:
killed, it leaves its container running. So the second one, in a session of its own, holds a pipe whose other end is the
front's alone; when that closes, for whatever reason, it removes the container. Only a SIGKILL of the second itself can
leave a container; that one carries a label by which `seatrial.execute.engine.sweep` finds it.

REPORT is where ``{"exit_code": 137, "out_of_memory": true}`` is written at the end; the engine knows it, and only
until the container is removed. Only the standard library: this starts once for each container.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

LABEL = "seatrial.keeper"
_PR_SET_PDEATHSIG = 1
_TICK_S = 0.1
_CLIENT_S = 30
"""How long the engine's client may take to notice that its container is gone."""


def identity(pid: int) -> str:
    """What names a process for good: boot, process namespace, number and start time.

    Raises:
        FileNotFoundError: there is no such process.
    """
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    # after the name, which may hold anything in its brackets: the 20th field is the start time
    started = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return f"{boot}/{namespace}/{pid}/{started}"


def oom_kills() -> int:
    """How often the kernel has killed a process of this machine for its memory since it started; 0 where unknown."""
    try:
        counters = Path("/proc/vmstat").read_text().split()
        return int(counters[counters.index("oom_kill") + 1])
    except (OSError, ValueError):
        return 0


def main() -> int:
    """See the module."""
    report, engine, name, *words = sys.argv[1:]
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        return 70
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    front_read, front_write = os.pipe()
    keeper = os.fork()
    if keeper == 0:
        os.setsid()
        os.close(front_write)
        code = 70
        try:
            code = _Keeper(engine, name, words, Path(report), front_read).keep()
        finally:
            os._exit(code)
    os.close(front_read)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(keeper, signal.SIGTERM))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    code = os.waitstatus_to_exitcode(os.waitpid(keeper, 0)[1])
    return code if code >= 0 else 128 - code


class _Keeper:
    def __init__(self, engine: str, name: str, words: list[str], report: Path, front: int) -> None:
        self._engine, self._name, self._report, self._front = engine, name, report, front
        self._asked = self._passed_on = False
        self._oom_kills = oom_kills()
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        command = [engine, words[0], "--label", f"{LABEL}={identity(os.getpid())}", *words[1:]]
        try:
            # there: where memory ran out, podman's monitor leaves an empty file "oom" in its working folder
            self._client = subprocess.Popen(command, stdin=subprocess.DEVNULL, cwd=report.parent)
        except OSError as exc:
            sys.stderr.write(f"{engine}: {exc.strerror}\n")
            os._exit(127)

    def _ask(self, *_: object) -> None:
        self._asked = True

    def keep(self) -> int:
        """Wait for the container's end, or for the end of the process in front."""
        while self._client.poll() is None:
            if select.select([self._front], [], [], _TICK_S)[0]:
                self._end()
                return 128 + signal.SIGKILL
            if self._asked and not self._passed_on:
                # fails as long as the container has not started: then it is told the next time
                self._passed_on = self._tell("kill", "--signal", "TERM", self._name) is not None
        code = self._client.wait()
        code = code if code >= 0 else 128 - code
        state = self._tell("inspect", "--format", "{{.State.OOMKilled}} {{.State.ExitCode}}", self._name)
        oom, _, own = (state or "false 0").partition(" ")
        code = code or int(own)  # some clients lose an exit code; the container's own record does not
        # podman does not see it with the first version of control groups; the kernel's own counter does
        killed = code == 128 + signal.SIGKILL and oom_kills() > self._oom_kills
        out_of_memory = oom == "true" or killed
        temporary = self._report.with_name(self._report.name + ".part")
        try:
            temporary.write_text(json.dumps({"exit_code": code, "out_of_memory": out_of_memory}))
            temporary.replace(self._report)
        except OSError:  # whoever wanted to know is gone, and its folder too
            pass
        self._tell("rm", "--force", self._name)
        return code

    def _end(self) -> None:
        """Remove the container, also one that the client is about to create."""
        give_up = time.monotonic() + _CLIENT_S
        while self._client.poll() is None and time.monotonic() < give_up:
            self._tell("kill", self._name)  # first, since some engines' `rm --force` waits for an orderly end
            self._tell("rm", "--force", self._name)
            time.sleep(_TICK_S)
        self._client.kill()
        self._tell("rm", "--force", self._name)

    def _tell(self, *words: str) -> str | None:
        """What the engine answers; None when it refuses."""
        done = subprocess.run([self._engine, *words], capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else None


if __name__ == "__main__":
    sys.exit(main())
