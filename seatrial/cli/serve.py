"""``seatrial serve``: one model package in the foreground."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Annotated

import typer

from seatrial import clouds, project
from seatrial.cli.output import console
from seatrial.errors import RegistryError, ResourceError


def serve(
    what: Annotated[str, typer.Argument(help="A model's name (its champion is served), or a package's folder.")],
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    host: Annotated[
        str, typer.Option(help="Address to listen on; only this machine, unless you say otherwise.")
    ] = "127.0.0.1",
) -> None:
    """Serve a model package in the foreground until Ctrl-C, without an endpoint's supervision."""
    from seatrial.clouds.local.server import serve as run

    folder = Path(what)
    if (folder / "manifest.json").is_file():
        name, version, limits = folder.resolve().name, "0", {}
    else:
        opened = project.load()
        model = opened.model(what)
        registry = clouds.load(opened.target, opened.state).registry
        champion = registry.champion(what)
        if champion is None:
            raise RegistryError(
                f"model '{what}' has no champion",
                why="Nothing has been promoted yet, or everything was rolled back.",
                todo=f"Train one: seatrial run {what}. Or name a package's folder.",
            )
        name, version, folder = what, str(champion.number), registry.package_path(champion)
        limits = {"max_rows": model.endpoint.max_rows, "max_body_bytes": model.endpoint.max_body_bytes}
    console(stderr=True).print(f" serving {name} v{version} at http://{host}:{port}   (Ctrl-C ends it)")
    try:
        run(folder, name=name, version=version, host=host, port=port, limits=limits)
    except OSError as exc:
        if exc.errno != errno.EADDRINUSE:
            raise
        raise ResourceError(
            f"port {port} is taken", why="Another program listens there.", todo="Choose another one with --port."
        ) from exc
