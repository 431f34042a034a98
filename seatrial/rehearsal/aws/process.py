"""Follows one job's process to its end: output, time limit, stop requests, exit code."""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from seatrial.rehearsal.aws.running import Running

_TICK_S = 0.05
_TAIL_LINES = 20


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    ``why`` is None when it ended by itself, else the reason given to `Watched.stop`. ``out_of_memory`` is true only
    when that is known.
    """

    exit_code: int
    why: str | None
    tail: tuple[str, ...]
    out_of_memory: bool = False


class Watched:
    """A running job process that another thread may stop."""

    def __init__(
        self,
        running: Running,
        *,
        log: Callable[[list[str]], None],
        limit_s: float | None,
        grace_s: float,
        gather_s: float = 0.0,
    ) -> None:
        """Give each line to ``log``; after ``limit_s`` or a stop send SIGTERM, and SIGKILL ``grace_s`` later.

        ``gather_s``: lines may wait so long for others, to be logged together.
        """
        self._running = running
        self._log = log
        self._deadline = None if limit_s is None else time.monotonic() + limit_s
        self._grace_s = grace_s
        self._gather_s = gather_s
        self._why: str | None = None
        self._kill_at: float | None = None
        self._lock = threading.Lock()

    def stop(self, why: str, *, grace_s: float | None = None) -> None:
        """Ask the process to end. The first reason stays."""
        with self._lock:
            if self._why is not None:
                return
            self._why = why
            self._kill_at = time.monotonic() + (self._grace_s if grace_s is None else grace_s)
        self._running.ask_to_end()

    def kill(self) -> None:
        """End the process at once."""
        self._running.end_now()

    def abandon(self) -> None:
        """End the process at once, and wait until every holder of its output is gone: nobody writes after that."""
        self.kill()
        pipe = self._running.process.stdout
        assert pipe is not None
        while os.read(pipe.fileno(), 65536):
            pass
        pipe.close()
        self._running.process.wait()

    def wait(self) -> Ended:
        """Read until every holder of the output is gone, then return the exit code."""
        pipe = self._running.process.stdout
        assert pipe is not None
        tail: deque[str] = deque(maxlen=_TAIL_LINES)
        rest, held, due = b"", list[str](), 0.0
        while True:
            readable, _, _ = select.select([pipe], [], [], _TICK_S)
            if readable:
                chunk = os.read(pipe.fileno(), 65536)
                *complete, rest = (rest + chunk).split(b"\n")
                if not chunk and rest:
                    complete, rest = [rest], b""
                lines = [line.decode("utf-8", "replace").rstrip("\r") for line in complete]
                tail.extend(line for line in lines if line.strip())
                if lines and not held:
                    due = time.monotonic() + self._gather_s
                held += lines
                if held and not chunk:
                    self._log(held)
                if not chunk:
                    break
            if held and time.monotonic() >= due:
                self._log(held)
                held = []
            self._enforce_limits()
        pipe.close()
        code = self._running.process.wait()
        out_of_memory = self._why is None and self._running.out_of_memory()
        return Ended(128 - code if code < 0 else code, self._why, tuple(tail), out_of_memory)

    def _enforce_limits(self) -> None:
        now = time.monotonic()
        if self._deadline is not None and now > self._deadline:
            self.stop("MaxRuntimeExceeded")
        with self._lock:
            overdue = self._kill_at is not None and now > self._kill_at
        if overdue:
            self._running.end_now()
