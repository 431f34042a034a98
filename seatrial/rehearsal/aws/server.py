"""The server of one process: moto's threaded server on loopback, with our SageMaker behind it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from seatrial.errors import MissingExtra, ResourceError
from seatrial.rehearsal.aws.isolation import require_namespaces
from seatrial.rehearsal.aws.world import World

LOOPBACK = "127.0.0.1"


@contextmanager
def serving(world: World, *, port: int = 0) -> Iterator[str]:
    """Serve until the block ends; gives the endpoint URL. One at a time in a process: moto's state is global.

    Raises:
        MissingExtra: moto is not installed.
        ResourceError: the port is taken, or jobs cannot be isolated on this machine.
    """
    try:
        from moto.moto_server.threaded_moto_server import ThreadedMotoServer
        from moto.sagemaker import urls
    except ModuleNotFoundError as missing:
        raise MissingExtra("The offline AWS", "moto[server]", "rehearse") from missing
    require_namespaces()
    _require_free(port)
    from seatrial.rehearsal.aws.responses import SageMaker

    # moto reads a service's URL table when its first request arrives, and has no other hook.
    before = dict(urls.url_paths)
    bound: Any = type("SageMaker", (SageMaker,), {"world": world})
    urls.url_paths["{0}/$"] = bound.dispatch
    server = ThreadedMotoServer(LOOPBACK, port, verbose=False)
    server.start()
    try:
        host, chosen = server.get_host_and_port()
        world.endpoint_url = f"http://{host}:{chosen}"
        yield world.endpoint_url
    finally:
        world.close()
        server.stop()
        urls.url_paths.clear()
        urls.url_paths.update(before)


def _require_free(port: int) -> None:
    # moto binds in a thread of its own, and its starter would wait for ever for a bind that failed.
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as taken:
            raise ResourceError(
                f"Port {port} of {LOOPBACK} is in use: {taken.strerror}",
                why="The offline AWS listens on exactly the port that it was given.",
                todo="End what listens there, or leave the port out to take a free one.",
            ) from taken
