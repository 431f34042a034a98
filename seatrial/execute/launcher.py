"""The runner's side of the fork server: start a task's process, hear what it says, learn how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seatrial.errors import TaskError

Json = Any
# what keeps the preloaded libraries from starting threads in the fork server
_SINGLE_THREADED = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
Listener = Callable[[Mapping[str, Json]], None]


@dataclass(frozen=True)
class Ended:
    """How a process ended and what it used."""

    status: int
    """As ``os.wait4`` gives it."""
    user_s: float
    system_s: float
    max_rss_kb: int

    @property
    def code(self) -> int:
        """The exit code; minus the signal's number when a signal ended it."""
        return os.waitstatus_to_exitcode(self.status)

    def describe(self) -> str:
        """``exit code 3`` or ``killed by SIGKILL``."""
        if self.code >= 0:
            return f"exit code {self.code}"
        name = signal.Signals(-self.code).name if -self.code in set(signal.Signals) else f"signal {-self.code}"
        return f"killed by {name}"


class Launcher:
    """Starts the fork server on entry and ends it, with every task, on exit.

    Args:
        log: where the server's own messages go.
        preload: modules that tasks need and that take long to import; none of the project's own.
        environment: more environment variables for the server; tasks have their own.
    """

    def __init__(self, log: Path, preload: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> None:
        self._log = log
        self._preload = tuple(preload)
        self._environment = dict(environment or {})
        self._waiting: dict[int, asyncio.Future[Ended]] = {}
        self._next = 0
        self._gone: str | None = None

    async def __aenter__(self) -> Launcher:
        ours, theirs = socket.socketpair()
        environment = {**os.environ, **_SINGLE_THREADED, **self._environment}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "seatrial.execute.forkserver", str(theirs.fileno()), *self._preload],
                pass_fds=[theirs.fileno()],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        theirs.close()
        self._control = ours
        self._control.setblocking(False)
        self._buffered = b""
        asyncio.get_running_loop().add_reader(self._control.fileno(), self._readable)
        return self

    async def __aexit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._control.fileno())
        self._control.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    async def run(self, spec: Path, log: Path, listener: Listener) -> Ended:
        """Run one task to its end.

        Args:
            spec: the task's specification, a JSON file (see `forkserver`).
            log: the file that receives its standard output and error.
            listener: called with each event that the task emits, while it runs.

        Raises:
            TaskError: the fork server itself is gone.
        """
        if self._gone is not None:
            raise self._lost()
        self._next += 1
        request = self._next
        ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self._waiting[request] = ended
        events_read, events_write = os.pipe()
        events = _Events(events_read, listener)
        try:
            log_descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                message = json.dumps({"id": request, "spec": str(spec)}).encode() + b"\n"
                socket.send_fds(self._control, [message], [log_descriptor, events_write])
            except OSError as exc:
                raise self._lost() from exc
            finally:
                os.close(log_descriptor)
                os.close(events_write)
            try:
                return await asyncio.shield(ended)
            except asyncio.CancelledError:
                self._kill(request)
                raise
        finally:
            events.close()
            self._waiting.pop(request, None)

    def _kill(self, request: int) -> None:
        with contextlib.suppress(OSError):
            self._control.sendall(json.dumps({"kill": request}).encode() + b"\n")

    def _readable(self) -> None:
        try:
            data = self._control.recv(65536)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            self._gone = "closed"
            asyncio.get_running_loop().remove_reader(self._control.fileno())
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(self._lost())
            return
        *lines, self._buffered = (self._buffered + data).split(b"\n")
        for line in lines:
            answer = json.loads(line)
            waiting = self._waiting.get(answer["id"])
            if "status" in answer and waiting is not None and not waiting.done():
                waiting.set_result(Ended(answer["status"], answer["user_s"], answer["system_s"], answer["max_rss_kb"]))

    def _lost(self) -> TaskError:
        return TaskError(
            "the process that starts tasks is gone",
            why=f"Its log is {self._log}; the kernel's out-of-memory killer or a kill by hand are the usual reasons.",
            todo="Run the same command again: finished tasks are kept.",
        )


class _Events:
    """Reads the JSON lines that a task writes into its event pipe."""

    def __init__(self, descriptor: int, listener: Listener) -> None:
        self._descriptor = descriptor
        self._listener = listener
        self._buffered = b""
        os.set_blocking(descriptor, False)
        asyncio.get_running_loop().add_reader(descriptor, self._readable)

    def _readable(self) -> bool:
        try:
            data = os.read(self._descriptor, 65536)
        except BlockingIOError:
            return False
        if not data:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            return False
        *lines, self._buffered = (self._buffered + data).split(b"\n")
        for line in lines:
            with contextlib.suppress(json.JSONDecodeError):  # a task may write what it likes there
                event = json.loads(line)
                if isinstance(event, dict):
                    self._listener(event)
        return True

    def close(self) -> None:
        while self._readable():
            pass
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)
