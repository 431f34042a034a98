"""``seatrial endpoint``: what serves, ending it, and going back to the version before."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from seatrial import project
from seatrial.cli.output import console, print_json
from seatrial.cli.target import CloudOption, StackOption, connect, makes
from seatrial.errors import EndpointError, UsageError

app = typer.Typer(help="Model servers: list, stop, rollback.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]


@app.command("list")
def list_endpoints(cloud: CloudOption = None, stack: StackOption = None, as_json: AsJson = False) -> None:
    """List the endpoints of this project."""
    opened = project.load()
    found = connect(opened, cloud, stack).endpoints.list()
    if as_json:
        print_json(found)
        return
    out = console()
    if not found:
        out.print(f" no endpoints yet: {makes(opened, cloud, 'MODEL')}", style="dim")
        return
    table = Table(box=None, header_style="dim")
    for heading in ("endpoint", "status", "version", "previous", "url", "digest"):
        table.add_column(heading)
    for e in found:
        version, previous = (f"v{v}" if v else "–" for v in (e["version"], e.get("previous")))
        style = "green" if e["status"] == "healthy" else "dim" if e["status"] == "stopped" else "red"
        table.add_row(
            e["name"], f"[{style}]{e['status']}[/]", version, previous, e["url"] or "–", (e["digest"] or "–")[:8]
        )
    out.print(table)


@app.command()
def stop(
    name: Annotated[str | None, typer.Argument(help="The endpoint's name: its model.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every endpoint of this project.")] = False,
    cloud: CloudOption = None,
    stack: StackOption = None,
    as_json: AsJson = False,
) -> None:
    """End an endpoint after the requests that it has."""
    if (name is None) == (not everything):
        raise UsageError(
            "name one endpoint, or say --all",
            why="Stopping takes a model out of service.",
            todo="seatrial endpoint list",
        )
    opened = project.load()
    endpoints = connect(opened, cloud, stack).endpoints
    names = [str(e["name"]) for e in endpoints.list()] if name is None else [name]
    if name is not None and name not in [e["name"] for e in endpoints.list()]:
        raise EndpointError(
            f"there is no endpoint '{name}'", why="Nothing was stopped.", todo="See: seatrial endpoint list"
        )
    stopped = {n: endpoints.stop(n) for n in names}
    if as_json:
        print_json(stopped)
        return
    for n, was_running in stopped.items():
        console().print(f" {n} {'stopped' if was_running else 'was not running'}")


@app.command()
def rollback(
    name: Annotated[str, typer.Argument(help="The endpoint's name: its model.")],
    cloud: CloudOption = None,
    stack: StackOption = None,
    as_json: AsJson = False,
) -> None:
    """Serve the version again that served before, and make it champion.

    The version that goes is marked, so that an unchanged pipeline does not promote it again.
    """
    opened = project.load()
    model = opened.model(name)
    target = connect(opened, cloud, stack)
    leaving = int(target.endpoints.get(name).version)

    def give_way() -> None:
        target.registry.rollback(name, leaving)

    served = target.endpoints.rollback(name, settings=model.endpoint, before_switch=give_way)
    if as_json:
        print_json({"name": name, "version": int(served.version), "url": served.url, "rolled_back": leaving})
        return
    console().print(f" {name} v{served.version} serves again at {served.url}; v{leaving} was rolled back")
