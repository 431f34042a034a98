"""One process per endpoint: it owns the public port, starts model servers behind it, and outlives whoever deployed.

The listening socket belongs to the supervisor, and every server inherits it; a server accepts on it only once it is
told to. So a new version takes over without a moment in which nobody listens, and a crashed server's waiting callers
are answered by the next one. Servers die with their supervisor. Standard library only: this has to stay up, so it waits
for nothing but events, and neither a full disk nor a vanished folder nor a program that cannot be started ends it.

The life of a server: *challenger* (listens on a private port; belongs to the deployment that started it), *arriving*
(told to accept on the public port), *serving* (it said that it does), *leaving* (told to finish what it has).

What is so is written to ``state.json``; see ``endpoint_state`` for when that is believed.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from seatrial.clouds.local.control import SOCKET, Caller
from seatrial.clouds.local.endpoint_state import LOCK, STATE, read_record, take_lock

Json = Any
FIRST_PORT, PORTS = 8080, 200
_BACKLOG = 1024
_QUICK_RESTARTS = 5
_RESTART_WINDOW_S = 600.0
_LONGEST_PAUSE_S = 60.0
_WAITED_FOR_S = 2.0
"""Callers wait in the queue for a server that is to come this soon; otherwise they are turned away at once."""
_SWITCH_S = 10.0
_RESTART_S = 60.0
_LEAVE_S = 25.0
"""Longer than a server takes for its own orderly end (``server.DRAIN_S`` and uvicorn's 10 s for running requests)."""
_CLOSE_S = 5.0
"""How long a leaving server may take to stop accepting before the deployment is answered anyway."""
_IDLE_S = 10.0
"""A supervisor without any server, and with nobody connected, ends after this."""
_LOOK_S = 1.0
_BEFORE = 20
"""Versions remembered to go back to."""
_LOGS = 10
"""Servers' log files that are kept."""

_log = logging.getLogger("supervisor")


@dataclass(eq=False)
class Server:
    """One model server's process."""

    number: int
    spec: Mapping[str, Json]
    """``version``, ``digest``, ``package`` and limits, as ``deploy`` gave them."""
    process: subprocess.Popen[bytes]
    check_port: int
    log: Path
    caller: Caller | None
    """The deployment to which a challenger belongs, or that waits for the answer to its ``switch``."""
    role: Literal["challenger", "arriving", "serving", "leaving"] = "challenger"
    deadline: float | None = None
    """When it is killed, unless it has taken its next step."""
    back: bool = False
    """Whether it comes by a rollback, so that going back once more goes further back."""
    closed: bool = False
    """Whether a leaving server said that it accepts no more."""


class Supervisor:
    """The state of one endpoint, and the loop that keeps it."""

    def __init__(self, folder: Path, public: socket.socket, control: socket.socket, lock: int) -> None:
        """Take over a folder. The process's working directory has to be ``folder`` already."""
        self.folder, self.public, self.control, self.lock = folder, public, control, lock
        self.servers: dict[int, Server] = {}
        self.port = int(public.getsockname()[1])
        record = read_record(Path())
        self.last: Mapping[str, Json] | None = next(_specs([record.get("last")]), None)
        """What serves, or served last."""
        self.before: list[Mapping[str, Json]] = list(_specs(record.get("before")))
        """What served before that, oldest first."""
        self.failures: list[float] = []
        self.restart_at: float | None = None
        self.stopping = False
        self._terminated = False
        self._abandoned = False
        self._written = ""
        self._count = 0
        self._idle_since: float | None = None
        self._callers: set[Caller] = set()
        self._waiting: Caller | None = None
        self._selector = selectors.DefaultSelector()
        self._turning_away = False

    def run(self) -> None:
        """Run until told to stop, and until the last server has ended after that."""
        wake, woken = socket.socketpair()
        for end in (wake, woken):
            end.setblocking(False)
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "_terminated", True))
        self._on(wake, lambda: self._drained(wake))
        self._on(self.control, self._welcome)
        self.look_after()
        while not (self.stopping and not self.servers):
            for key, _ in self._selector.select(self._patience()):
                key.data()
            self.look_after()
        self._write()

    # What deployments ask for

    def start(self, spec: Mapping[str, Json], caller: Caller | None) -> Server:
        """Start a server that listens on a private port only.

        Raises:
            OSError: the machine refuses.
        """
        log = Path(f"server-v{spec['version']}.log")
        self._prune_logs()
        with socket.create_server(("127.0.0.1", 0)) as check, log.open("ab") as stream:
            told = {
                **spec,
                "public": self.public.fileno(),
                "check": check.fileno(),
                "name": self.folder.name,
                "log": str(log),
            }
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "seatrial.clouds.local.server", json.dumps(told)],
                pass_fds=[self.public.fileno(), check.fileno()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
            )
            port = check.getsockname()[1]
        self._count += 1
        server = Server(self._count, spec, process, port, self.folder / log, caller)
        self.servers[server.number] = server
        assert process.stdout is not None
        self._on(process.stdout, lambda: self._heard(server))
        _log.info("started v%s as process %d", spec["version"], process.pid)
        return server

    def let_in(self, server: Server, patience_s: float) -> None:
        """Tell a server to accept on the public port. ``_arrived`` is called when it says that it does."""
        server.role, server.deadline = "arriving", time.monotonic() + patience_s
        self._turn_away(wanted=False)
        assert server.process.stdin is not None
        with contextlib.suppress(OSError):  # it is gone: look_after finds that out
            server.process.stdin.write(b"accept\n")
            server.process.stdin.flush()

    def leave(self, server: Server) -> None:
        """Let a server finish what it has; it ends by itself, or is ended."""
        server.role, server.deadline = "leaving", time.monotonic() + _LEAVE_S
        server.process.terminate()

    def stop(self) -> None:
        """Begin the end: nobody new is accepted, running requests are answered."""
        if self.stopping:
            return
        _log.info("stopping")
        self.stopping = True
        self.restart_at = None
        self._turn_away(wanted=False)
        self.public.close()
        for server in self.servers.values():
            if server.role == "challenger":
                server.process.kill()
            elif server.role != "leaving":
                self.leave(server)

    def handle(self, command: Json, caller: Caller) -> dict[str, Json] | None:
        """Answer one command; None when the answer comes later.

        Raises:
            LookupError, TypeError, OSError: it cannot be done; the text says why.
        """
        do = command["do"]
        if do == "stop":
            self.stop()
        elif do == "alive":
            found = self.servers.get(command["server"])
            return {"alive": found is not None and found.process.poll() is None}
        elif do in ("start", "switch") and self.stopping:
            raise LookupError("it is being stopped")
        elif do == "start":
            server = self.start(command["spec"], caller)
            return {"server": server.number, "check_port": server.check_port, "log": str(server.log)}
        elif do == "switch":
            challenger = self.servers.get(command["server"])
            if challenger is None or challenger.role != "challenger":
                raise LookupError("the challenger ended before it could take over")
            challenger.back = bool(command.get("back"))
            self.let_in(challenger, _SWITCH_S)
            return None
        return self.status()

    # What servers do

    def serving(self) -> Server | None:
        """The server that accepts on the public port."""
        return next((s for s in self.servers.values() if s.role == "serving"), None)

    def look_after(self) -> None:
        """Reap what ended, end what takes too long, restart what is due, say what is so."""
        now = time.monotonic()
        if self._terminated:
            self.stop()
        for server in list(self.servers.values()):
            if server.process.poll() is not None:
                self._ended(server, now)
            elif server.deadline is not None and now > server.deadline:
                _log.warning("v%s (process %d) takes too long: killed", server.spec["version"], server.process.pid)
                server.process.kill()
                server.deadline = None
        if self._waiting is not None and not any(self._may_still_accept(s, now) for s in self.servers.values()):
            self._switched()
        if self.restart_at is not None and now >= self.restart_at and self.last is not None:
            self.restart_at = None
            try:
                self.let_in(self.start(self.last, None), _RESTART_S)
            except OSError as exc:
                _log.warning("cannot start v%s: %s", self.last["version"], exc)
                self._plan_restart(now)
        self._notice_the_end(now)
        nobody = not self.stopping and self.serving() is None and not self._somebody_arrives()
        self._turn_away(wanted=nobody and (self.restart_at is None or self.restart_at - now > _WAITED_FOR_S))
        self._write()

    def status(self) -> dict[str, Json]:
        """What ``state.json`` says."""
        serving = self.serving()
        return {
            "name": self.folder.name,
            "pid": os.getpid(),
            "port": self.port,
            "serving": None if serving is None else dict(serving.spec),
            "server_pid": None if serving is None else serving.process.pid,
            "previous": dict(self.before[-1]) if self.before else None,
            "last": self.last,
            "before": self.before,
            "status": self._word(serving),
            "restarts": len(self.failures),
        }

    def _word(self, serving: Server | None) -> str:
        if self.stopping:
            return "stopping"
        if serving is not None:
            return "serving"
        if self.restart_at is None and not self._somebody_arrives():
            return "empty"
        return "failing" if len(self.failures) > _QUICK_RESTARTS else "restarting"

    def _somebody_arrives(self) -> bool:
        return any(s.role == "arriving" for s in self.servers.values())

    def _heard(self, server: Server) -> None:
        assert server.process.stdout is not None
        said = os.read(server.process.stdout.fileno(), 4096)
        if not said:
            self._selector.unregister(server.process.stdout)
        if b"accepting" in said and server.role == "arriving":
            self._arrived(server)
        server.closed = server.closed or b"closed" in said

    def _may_still_accept(self, server: Server, now: float) -> bool:
        """Whether a leaving server could answer a new connection. One that hangs is not waited for."""
        if server.role != "leaving" or server.closed or server.deadline is None:
            return False
        return server.deadline - now > _LEAVE_S - _CLOSE_S

    def _arrived(self, server: Server) -> None:
        """It accepts: from here on it is the version that serves, and what served or was to be restarted leaves."""
        leaving = ("serving", "arriving") if server.caller is not None else ("serving",)
        gone = [s for s in self.servers.values() if s.role in leaving and s is not server]
        server.role, server.deadline = "serving", None
        _log.info("v%s serves", server.spec["version"])
        if self.last is not None and self.last["version"] != server.spec["version"]:
            if server.back and self.before and self.before[-1]["version"] == server.spec["version"]:
                self.before.pop()
            else:
                self.before = [*self.before, self.last][-_BEFORE:]
        self.last = server.spec
        self.restart_at = None
        if server.caller is not None:
            self.failures.clear()
            self._waiting, server.caller = server.caller, None
        for other in gone:
            self.leave(other)

    def _switched(self) -> None:
        """Nobody but the new version accepts any more: tell the deployment."""
        caller, self._waiting = self._waiting, None
        if caller is not None:
            self._write()
            caller.answer(self.status())

    def _ended(self, server: Server, now: float) -> None:
        del self.servers[server.number]
        for stream in (server.process.stdin, server.process.stdout):
            if stream is not None:
                with contextlib.suppress(KeyError, ValueError):
                    self._selector.unregister(stream)
                with contextlib.suppress(OSError):
                    stream.close()
        _log.info("v%s (%s) ended with %s", server.spec["version"], server.role, server.process.returncode)
        if server.role == "arriving" and server.caller is not None:
            server.caller.answer({"error": "the challenger ended while it was to take over; nothing was switched"})
        elif server.role in ("serving", "arriving") and not self.stopping and self.serving() is None:
            self._plan_restart(now)

    def _plan_restart(self, now: float) -> None:
        """Restart after a pause that grows with the number of recent failures. It never gives up for good."""
        self.failures = [t for t in self.failures if now - t < _RESTART_WINDOW_S] + [now]
        self.restart_at = now + min(_LONGEST_PAUSE_S, 0.05 * 3.0 ** min(len(self.failures) - 1, 10))

    def _notice_the_end(self, now: float) -> None:
        """End when the folder is deleted or somebody else's, or when there is nothing to look after."""
        try:
            ours = Path(LOCK).stat().st_ino == os.fstat(self.lock).st_ino
        except OSError:
            ours = False
        if not ours and not self._abandoned:
            _log.warning("the endpoint's folder was deleted")
            self._abandoned = True  # whoever deletes it must not find a new file in it
            self.stop()
        if self.servers or self._callers or self.restart_at is not None:
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = now
        elif now - self._idle_since > _IDLE_S:
            self.stop()

    # Sockets and files

    def _on(self, source: Any, callback: Callable[[], None]) -> None:
        self._selector.register(source, selectors.EVENT_READ, callback)

    def _patience(self) -> float:
        now = time.monotonic()
        due = [s.deadline for s in self.servers.values() if s.deadline is not None]
        due += [self.restart_at] if self.restart_at is not None else []
        return max(0.0, min([_LOOK_S, *(d - now for d in due)]))

    def _drained(self, wake: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            wake.recv(4096)

    def _welcome(self) -> None:
        with contextlib.suppress(OSError):
            caller = Caller(self.control.accept()[0])
            self._callers.add(caller)
            self._on(caller.socket, lambda: self._listen_to(caller))

    def _listen_to(self, caller: Caller) -> None:
        lines = caller.commands()
        if lines is None:
            self._part_with(caller)
            return
        for line in lines:
            try:
                answer = self.handle(json.loads(line), caller)
            except (LookupError, TypeError, ValueError, OSError) as exc:
                _log.warning("refused %s: %r", line[:200], exc)
                answer = {"error": str(exc.args[-1]) if exc.args else repr(exc)}
            if answer is not None:
                self._write()
                caller.answer(answer)

    def _part_with(self, caller: Caller) -> None:
        """A deployment ended. Its challenger goes with it, unless it was already told to take over."""
        self._selector.unregister(caller.socket)
        caller.socket.close()
        self._callers.discard(caller)
        for server in self.servers.values():
            if server.caller is caller and server.role == "challenger":
                server.process.kill()

    def _turn_away(self, *, wanted: bool) -> None:
        """While nobody serves and nobody is about to, a caller learns it at once instead of waiting in the queue."""
        if wanted and not self._turning_away:
            self.public.setblocking(False)
            self._on(self.public, self._close_one)
        elif self._turning_away and not wanted:
            self._selector.unregister(self.public)
        self._turning_away = wanted

    def _close_one(self) -> None:
        if self._turning_away:
            with contextlib.suppress(OSError):
                self.public.accept()[0].close()

    def _write(self) -> None:
        """Write ``state.json`` by rename when it changed. What could not be written is tried again a moment later."""
        text = json.dumps(self.status(), indent=2, sort_keys=True)
        if text == self._written or self._abandoned:
            return
        try:
            partial = Path(f".{STATE}")
            partial.write_text(text)
            partial.replace(STATE)
            self._written = text
        except OSError as exc:
            _log.warning("%s is not up to date: %s", STATE, exc)

    def _prune_logs(self) -> None:
        with contextlib.suppress(OSError):
            logs = sorted(Path().glob("server-v*.log"), key=lambda p: p.stat().st_mtime)
            for old in logs[: -_LOGS + 1]:
                old.unlink()
                Path(f"{old}.1").unlink(missing_ok=True)


def _specs(found: Json) -> Iterator[Mapping[str, Json]]:
    """The versions in a part of a former supervisor's record that are complete; a damaged record loses the rest."""
    for spec in found if isinstance(found, list) else []:
        if isinstance(spec, dict) and {"version", "digest", "package", "max_rows", "max_body_bytes"} <= spec.keys():
            yield spec


def _listen(wanted: int | None, last: int | None) -> socket.socket:
    """The public socket: the wanted port, else the last one, else the first free one.

    Raises:
        OSError: the wanted port is taken, or none is free.
    """
    if wanted is not None:
        return socket.create_server(("127.0.0.1", wanted), backlog=_BACKLOG)
    for port in (*([last] if last else []), *range(FIRST_PORT, FIRST_PORT + PORTS)):
        try:
            return socket.create_server(("127.0.0.1", port), backlog=_BACKLOG)
        except OSError as exc:
            if exc.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
    raise OSError(errno.EADDRINUSE, f"no free port from {FIRST_PORT} to {FIRST_PORT + PORTS - 1}")


def _run(folder: Path, wanted: int | None, ready: int) -> None:
    """The supervisor's life, in the detached process. Tells ``{"port": …}`` or ``{"errno": …}`` to ``ready``."""
    os.umask(0o077)
    try:
        os.chdir(folder)  # a Unix socket's path holds 107 characters; the name alone always fits
        lock = take_lock(Path())
        last = None
        with contextlib.suppress(OSError, ValueError):
            last = int(Path("port").read_text())
        public = _listen(wanted, last)
        Path("port").write_text(str(public.getsockname()[1]))
        Path(SOCKET).unlink(missing_ok=True)
        control = socket.socket(socket.AF_UNIX)
        control.bind(SOCKET)
        control.listen(16)
    except OSError as exc:
        os.write(ready, json.dumps({"errno": exc.errno, "text": exc.strerror or str(exc)}).encode())
        return
    supervisor = Supervisor(folder, public, control, lock)
    os.write(ready, json.dumps({"port": public.getsockname()[1]}).encode())
    os.close(ready)
    supervisor.run()


def main() -> None:
    """``python -m seatrial.clouds.local.supervisor FOLDER [PORT]``: detach, then print what became of it.

    Whoever starts it lets it inherit nothing but the three standard streams (``subprocess`` does).
    """
    folder = Path(sys.argv[1]).resolve()
    wanted = int(sys.argv[2]) if len(sys.argv) > 2 else None
    read, write = os.pipe()
    if os.fork() == 0:
        os.close(read)
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        log = os.open(folder / "supervisor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for source, target in ((null, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
        _run(folder, wanted, write)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        sys.stdout.write(stream.read().decode() or json.dumps({"errno": 0, "text": "it ended at once"}))


if __name__ == "__main__":
    main()
