"""One process per endpoint: it owns the public port, starts model servers behind it, and outlives whoever deployed.

The listening socket belongs to the supervisor, and every server inherits it; a server accepts on it only once it is
told to. So a new version takes over without a moment in which nobody listens, and a crashed server's waiting callers
are answered by the next one. Servers die with their supervisor. Standard library only: this has to stay up.

Commands arrive as one JSON line on a Unix socket in the endpoint's folder, and are answered with one. What is so is
written to ``state.json``; ``lock`` is held as long as the supervisor lives, so a stale file is never believed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = Any
FIRST_PORT, PORTS = 8080, 200
_BACKLOG = 1024
_RESTARTS, _RESTART_WINDOW_S = 5, 60.0
_DRAIN_S = 15.0
_ACK_S = 10.0


@dataclass
class Server:
    """One model server's process."""

    spec: Mapping[str, Json]
    """``version``, ``digest``, ``package`` and limits, as ``deploy`` gave them."""
    process: subprocess.Popen[bytes]
    check_port: int
    log: Path
    accepting: bool = False
    draining_since: float | None = None


@dataclass
class Supervisor:
    """The state of one endpoint."""

    name: str
    folder: Path
    public: socket.socket
    servers: dict[int, Server] = field(default_factory=dict)
    serving: int | None = None
    previous: Mapping[str, Json] | None = None
    restarts: list[float] = field(default_factory=list)
    restart_at: float | None = None
    to_restart: Mapping[str, Json] | None = None
    count: int = 0
    stopping: bool = False

    def start(self, spec: Mapping[str, Json]) -> int:
        """Start a server that listens on a private port only; returns its number."""
        self.count += 1
        check = socket.create_server(("127.0.0.1", 0))
        log = self.folder / f"server-v{spec['version']}.log"
        with log.open("ab") as stream:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "seatrial.clouds.local.server"),
                    json.dumps({**spec, "public": self.public.fileno(), "check": check.fileno(), "name": self.name}),
                ],
                pass_fds=[self.public.fileno(), check.fileno()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
            )
        self.servers[self.count] = Server(spec, process, check.getsockname()[1], log)
        check.close()
        return self.count

    def switch(self, number: int) -> None:
        """Let a server accept on the public port, then drain the one that did so far.

        Raises:
            RuntimeError: the server is gone or does not answer.
        """
        self.accept(number)
        old = self.serving
        self.serving = number
        if old is not None and old in self.servers:
            if self.servers[old].spec["version"] != self.servers[number].spec["version"]:
                self.previous = self.servers[old].spec
            self.drain(old)
        self.restart_at = self.to_restart = None
        self.restarts.clear()
        self.write()

    def accept(self, number: int) -> None:
        """Tell a server to accept, and wait until it does."""
        server = self.servers.get(number)
        if server is None or server.process.stdin is None or server.process.stdout is None:
            raise RuntimeError("the server is gone")
        try:
            server.process.stdin.write(b"accept\n")
            server.process.stdin.flush()
        except OSError as exc:
            raise RuntimeError("the server is gone") from exc
        with selectors.DefaultSelector() as selector:
            selector.register(server.process.stdout, selectors.EVENT_READ)
            if not selector.select(_ACK_S) or b"accepting" not in os.read(server.process.stdout.fileno(), 4096):
                raise RuntimeError("the server did not begin to accept")
        server.accepting = True

    def drain(self, number: int) -> None:
        """Let a server finish what it has; it ends by itself, or is ended."""
        server = self.servers[number]
        server.draining_since = time.monotonic()
        with contextlib.suppress(OSError):
            server.process.terminate()

    def discard(self, number: int) -> None:
        """End a server that never served."""
        server = self.servers.pop(number, None)
        if server is not None:
            server.process.kill()
            _reaped(server)

    def look_after(self) -> None:
        """Reap what ended, restart what should be running, end what drains for too long."""
        now = time.monotonic()
        for number, server in list(self.servers.items()):
            if server.process.poll() is None:
                if server.draining_since is not None and now - server.draining_since > _DRAIN_S:
                    server.process.kill()
                continue
            _reaped(server)
            del self.servers[number]
            if number == self.serving and not self.stopping:
                self.serving = None
                self.plan_restart(server.spec, now)
        if self.restart_at is not None and now >= self.restart_at and self.to_restart is not None:
            spec, self.restart_at, self.to_restart = self.to_restart, None, None
            number = self.start(spec)
            try:
                self.accept(number)
            except RuntimeError:
                self.discard(number)
                self.plan_restart(spec, now)
            else:
                self.serving = number
            self.write()

    def plan_restart(self, spec: Mapping[str, Json], now: float) -> None:
        """Restart after a pause that grows; give up after several restarts in a short time."""
        self.restarts = [t for t in self.restarts if now - t < _RESTART_WINDOW_S] + [now]
        self.to_restart = spec
        self.restart_at = None if len(self.restarts) > _RESTARTS else now + 0.05 * 3 ** (len(self.restarts) - 1)
        self.write()

    def status(self) -> dict[str, Json]:
        """What ``state.json`` says."""
        serving = None if self.serving is None else self.servers.get(self.serving)
        gave_up = serving is None and self.to_restart is not None and self.restart_at is None
        return {
            "name": self.name,
            "pid": os.getpid(),
            "port": self.public.getsockname()[1],
            "serving": None if serving is None else dict(serving.spec),
            "server_pid": None if serving is None else serving.process.pid,
            "previous": None if self.previous is None else dict(self.previous),
            "status": "gave up"
            if gave_up
            else "serving"
            if serving is not None
            else "restarting"
            if self.to_restart is not None
            else "empty",
            "restarts": len(self.restarts),
        }

    def write(self) -> None:
        """Write ``state.json`` by rename."""
        partial = self.folder / ".state.json"
        partial.write_text(json.dumps(self.status(), indent=2, sort_keys=True))
        partial.replace(self.folder / "state.json")

    def handle(self, command: Mapping[str, Json]) -> dict[str, Json]:
        """Answer one command."""
        action = command.get("do")
        if action == "start":
            number = self.start(command["spec"])
            server = self.servers[number]
            return {"server": number, "check_port": server.check_port, "log": str(server.log)}
        if action == "alive":
            known = self.servers.get(command["server"])
            return {"alive": known is not None and known.process.poll() is None}
        if action == "switch":
            self.switch(command["server"])
        elif action == "discard":
            self.discard(command["server"])
        elif action == "stop":
            self.stopping = True
        return self.status()

    def serve(self, control: socket.socket) -> None:
        """Run until told to stop."""
        self.write()
        with selectors.DefaultSelector() as selector:
            selector.register(control, selectors.EVENT_READ)
            while not self.stopping:
                for _ in selector.select(0.05):
                    with contextlib.suppress(OSError, ValueError), control.accept()[0] as connection:
                        connection.settimeout(5)
                        try:
                            answer = self.handle(json.loads(_line(connection)))
                        except (RuntimeError, KeyError, OSError) as exc:
                            answer = {"error": str(exc)}
                        connection.sendall(json.dumps(answer).encode() + b"\n")
                self.look_after()
        self.public.close()
        for number in list(self.servers):
            self.drain(number)
        while self.servers:
            self.look_after()
            time.sleep(0.02)
        (self.folder / "state.json").unlink(missing_ok=True)


def _reaped(server: Server) -> None:
    server.process.wait()
    for stream in (server.process.stdin, server.process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def _line(connection: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        part = connection.recv(65536)
        if not part:
            break
        data += part
    return data


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
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        last = None
        with contextlib.suppress(OSError, ValueError):
            last = int((folder / "port").read_text())
        public = _listen(wanted, last)
        port = public.getsockname()[1]
        (folder / "port").write_text(str(port))
        os.chdir(folder)  # a Unix socket's path holds 107 characters; the name alone always fits
        Path("control").unlink(missing_ok=True)
        control = socket.socket(socket.AF_UNIX)
        previous_mask = os.umask(0o177)
        control.bind("control")
        os.umask(previous_mask)
        control.listen(16)
    except OSError as exc:
        os.write(ready, json.dumps({"errno": exc.errno, "text": exc.strerror or str(exc)}).encode())
        return
    signal.signal(signal.SIGTERM, lambda *_: setattr(supervisor, "stopping", True))
    supervisor = Supervisor(folder.name, folder, public)
    os.write(ready, json.dumps({"port": port}).encode())
    os.close(ready)
    supervisor.serve(control)


def main() -> None:
    """``python -m seatrial.clouds.local.supervisor FOLDER [PORT]``: detach, then print what became of it."""
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
        os.closerange(3, write)
        os.closerange(write + 1, 4096)
        _run(folder, wanted, write)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        sys.stdout.write(stream.read().decode() or json.dumps({"errno": 0, "text": "it ended at once"}))


if __name__ == "__main__":
    main()
