"""A model package behind the model server: the process that a supervisor starts, and ``seatrial serve``.

Under a supervisor the server listens on a private port first. The word ``accept`` on standard input lets it accept on
the public socket as well, which it answers with ``accepting``. The end of standard input, or SIGTERM, ends it after the
requests that it has; it says ``closed`` as soon as it accepts no more. Linux only: it is killed with its supervisor
(``PR_SET_PDEATHSIG``), so that no server without one can keep the public port.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import uvicorn

from seatrial.package.check import Problem, check_rows
from seatrial.package.read import Package
from seatrial.serving.app import App, ServerSettings
from seatrial.serving.log import JsonFormatter, rotating, to_descriptor
from seatrial.serving.servable import Golden, Row

Json = Any
_PR_SET_PDEATHSIG = 1
DRAIN_S = 5.0
"""How long an open connection may stay for its next request, which is answered and then closes it."""


class ServedPackage:
    """A model package as a ``Servable``."""

    def __init__(
        self, package: Package, *, name: str, version: str, max_rows: int = 10_000, max_body_bytes: int = 6_291_456
    ) -> None:
        self._package = package
        self.name = name
        self.version = version
        self.digest = package.digest
        self.max_rows = max_rows
        self.max_body_bytes = max_body_bytes

    @cached_property
    def signature(self) -> Mapping[str, Any]:
        """What a row must look like."""
        signature: Mapping[str, Any] = self._package.signature.model_dump(mode="json")
        return signature

    @cached_property
    def golden(self) -> Golden:
        """The sample that a deployment replays."""
        golden = self._package.golden
        return Golden(golden.rows, golden.expected, golden.tolerance)

    def check(self, rows: Sequence[Row]) -> Sequence[Problem]:
        """Name every problem of these rows: the server says how many there are, so none is left out here."""
        return check_rows(self._package.signature, rows, limit=sys.maxsize)

    def predict(self, rows: Sequence[Row]) -> Sequence[float]:
        """Predict checked rows."""
        answers: list[float] = self._package.predict(self._package.signature.pack(rows)).tolist()
        return answers


class ModelServer:
    """An app on one or more sockets, with an orderly end."""

    def __init__(self, app: App, *, closed: Callable[[], None] = lambda: None) -> None:
        """``closed`` is called when the orderly end has begun and nobody new is accepted."""
        self._app = app
        self._closed = closed
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_graceful_shutdown=10,
            timeout_keep_alive=75,
        )
        config.load()
        self._config = config
        self._server = uvicorn.Server(config)
        self._server.lifespan = config.lifespan_class(config)
        self._ending = asyncio.Event()

    async def listen(self, listener: socket.socket) -> None:
        """Accept on a socket; the first call starts the server."""
        # Accepted connections inherit it. asyncio sets it only on sockets that know their protocol number, which those
        # of socket.create_server do not: an answer's second packet then waited 40 ms for the caller's acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self._server.started:
            await self._server.startup(sockets=[listener])
            return
        loop = asyncio.get_running_loop()
        protocol: Any = self._config.http_protocol_class

        def connect() -> asyncio.Protocol:
            made: asyncio.Protocol = protocol(
                config=self._config,
                server_state=self._server.server_state,
                app_state=self._server.lifespan.state,
            )
            return made

        self._server.servers.append(await loop.create_server(connect, sock=listener))

    async def _stop_accepting(self) -> None:
        """Accept nobody more, and keep whoever was accepted until now.

        Closing an asyncio server at once would drop those that it accepted in this very tick (it fails to attach them,
        and logs that): so it stops looking first, and is closed when they have become connections.
        """
        for server in self._server.servers:
            for listener in server.sockets:
                asyncio.get_running_loop().remove_reader(listener)
        await asyncio.sleep(0.01)
        for server in self._server.servers:
            server.close()

    def end(self) -> None:
        """Begin the orderly end."""
        self._ending.set()

    async def run(self) -> None:
        """Serve until the end: stop accepting, answer what comes on open connections for a while, then close them."""
        ticking = asyncio.create_task(self._server.main_loop())
        await self._ending.wait()
        self._app.drain()
        await self._stop_accepting()
        self._closed()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                while self._server.server_state.connections:
                    await asyncio.sleep(0.02)
        ticking.cancel()
        state = self._server.server_state
        if state.connections or state.tasks:  # idle connections are closed, running requests get their time
            await self._server.shutdown()
        self._app.close()


def serve(package: Path, *, name: str, version: str, host: str, port: int, limits: Mapping[str, int]) -> None:
    """Serve a package in the foreground until a signal ends it.

    It listens when it has answered its golden sample once: the first caller does not pay for loading the graph.

    Raises:
        PackageError: the package must not be trusted.
        OSError: the address cannot be listened on.
    """
    served = ServedPackage(Package.open(package), name=name, version=version, **limits)
    for row in served.golden.rows:
        served.predict([row])
    listener = socket.create_server((host, port), backlog=1024)

    async def main() -> None:
        server = ModelServer(App(served, ServerSettings(), to_descriptor(2)))
        _end_on_signals(server)
        await server.listen(listener)
        await server.run()

    asyncio.run(main())


def _end_on_signals(server: ModelServer) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.end)


def _say(word: str) -> None:
    with contextlib.suppress(OSError):  # the supervisor is gone, and this server is about to be
        os.write(1, word.encode() + b"\n")


async def _supervised(spec: Mapping[str, Json], served: ServedPackage) -> None:
    log = rotating(Path(spec["log"]), descriptor=2)
    server = ModelServer(App(served, ServerSettings(), log), closed=lambda: _say("closed"))
    _end_on_signals(server)
    await server.listen(socket.socket(fileno=spec["check"]))
    commands = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)

    async def obey() -> None:
        try:
            while line := await commands.readline():
                if line == b"accept\n":
                    await server.listen(socket.socket(fileno=spec["public"]))
                    _say("accepting")
        finally:
            server.end()  # the supervisor is gone, or the public socket is of no use

    listening = asyncio.create_task(obey())
    await server.run()
    listening.cancel()


def main() -> None:
    """``python -m seatrial.clouds.local.server SPEC``, as a supervisor starts it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    spec = json.loads(sys.argv[1])
    package = Package.open(Path(spec["package"]), digest=spec["digest"])
    limits = {"max_rows": spec["max_rows"], "max_body_bytes": spec["max_body_bytes"]}
    served = ServedPackage(package, name=spec["name"], version=spec["version"], **limits)
    served.predict(package.golden.rows[:1])  # load the graph before anybody waits for it
    asyncio.run(_supervised(spec, served))


if __name__ == "__main__":
    main()
