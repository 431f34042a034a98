"""The server of one process: moto's application on loopback, with our SageMaker behind it and faults to inject."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from seatrial.errors import MissingExtra, ResourceError
from seatrial.rehearsal.aws.calls import Calls
from seatrial.rehearsal.aws.completed import completing
from seatrial.rehearsal.aws.conditional import with_atomic_conditions
from seatrial.rehearsal.aws.faults.door import with_faults
from seatrial.rehearsal.aws.iam.door import with_permissions
from seatrial.rehearsal.aws.unimplemented import saying_unsupported
from seatrial.rehearsal.aws.world import ACCOUNT, World

LOOPBACK = "127.0.0.1"
_HOSTS = 1024
"""Services of regions whose part of moto is remembered."""


@contextmanager
def serving(world: World, *, port: int = 0) -> Iterator[str]:
    """Serve until the block ends; gives the endpoint URL. One at a time in a process: moto's state is global.

    Raises:
        MissingExtra: moto is not installed.
        ResourceError: the port is taken.
    """
    try:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
        from moto.sagemaker import urls
        from moto.sagemakerruntime import urls as runtime_urls
        from werkzeug.serving import make_server
    except ModuleNotFoundError as missing:
        raise MissingExtra("The offline AWS", "moto[server]", "rehearse") from missing
    from seatrial.rehearsal.aws.alarms.watch import watching
    from seatrial.rehearsal.aws.endpoints.operations import Runtime
    from seatrial.rehearsal.aws.events import delivering
    from seatrial.rehearsal.aws.pipelines.execution import Shared
    from seatrial.rehearsal.aws.responses import SageMaker
    from seatrial.rehearsal.aws.schedule import scheduling

    # moto reads a service's URL table when its first request arrives, and has no other hook.
    before = [(module, dict(module.url_paths)) for module in (urls, runtime_urls)]
    bound: Any = type("SageMaker", (SageMaker,), {"world": world, "shared": Shared()})
    urls.url_paths["{0}/$"] = bound.dispatch
    runtime: Any = type("Runtime", (Runtime,), {"world": world})
    for path in runtime_urls.url_paths:
        runtime_urls.url_paths[path] = runtime.dispatch
    dispatcher: Any = DomainDispatcherApplication(create_backend_app)
    # it lists moto's folders twice for each request, under a lock: half of what a request costs
    dispatcher.get_backend_for_host = functools.lru_cache(_HOSTS)(dispatcher.get_backend_for_host)
    moto = saying_unsupported(with_atomic_conditions(dispatcher))
    app = Calls(with_permissions(with_faults(moto, world), world.iam, ACCOUNT), bound)
    try:
        server = make_server(LOOPBACK, port, app, threaded=True, request_handler=MotoRequestHandler)
    except (OSError, SystemExit) as taken:  # werkzeug prints and exits where the address is in use
        raise ResourceError(
            f"Port {port} of {LOOPBACK} is in use, or may not be opened",
            why="The offline AWS listens on exactly the port that it was given.",
            todo="End what listens there, or leave the port out to take a free one.",
        ) from taken
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        world.endpoint_url = f"http://{LOOPBACK}:{server.server_port}"
        with completing(), delivering(world), watching(world), scheduling(world):
            yield world.endpoint_url
    finally:
        world.close()
        server.shutdown()
        thread.join()
        server.server_close()
        for module, paths in before:
            module.url_paths.clear()
            module.url_paths.update(paths)
