"""``seatrial endpoint``: what serves, ending it, and going back to the version before."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from seatrial import project
from seatrial.cli.output import console, print_json
from seatrial.cli.requests import DryRun, print_requests
from seatrial.cli.target import CloudOption, StackOption, connect, makes
from seatrial.clouds.base import SentRequest
from seatrial.errors import EndpointError, UsageError

app = typer.Typer(help="Model servers: list, stop, rollback, plan.", no_args_is_help=True)
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
    dry_run: DryRun = False,
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
    requests: list[SentRequest] = []
    endpoints = connect(opened, cloud, stack, requests.append if dry_run else None).endpoints
    names = [str(e["name"]) for e in endpoints.list()] if name is None else [name]
    if name is not None and name not in [e["name"] for e in endpoints.list()]:
        raise EndpointError(
            f"there is no endpoint '{name}'", why="Nothing was stopped.", todo="See: seatrial endpoint list"
        )
    stopped = {n: endpoints.stop(n) for n in names}
    if dry_run:
        print_requests(requests, as_json=as_json)
        return
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
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Serve the version again that served before, and make it champion.

    The version that goes is marked, so that an unchanged pipeline does not promote it again.
    """
    opened = project.load()
    model = opened.model(name)
    requests: list[SentRequest] = []
    target = connect(opened, cloud, stack, requests.append if dry_run else None)
    leaving = target.endpoints.get(name).version

    def give_way() -> None:
        target.registry.rollback(name, int(leaving))

    served = target.endpoints.rollback(name, settings=model.endpoint, leaving=leaving, before_switch=give_way)
    if dry_run:
        print_requests(requests, as_json=as_json)
        return
    if as_json:
        print_json({"name": name, "version": int(served.version), "url": served.url, "rolled_back": int(leaving)})
        return
    console().print(f" {name} v{served.version} serves again at {served.url}; v{leaving} was rolled back")


@app.command()
def plan(
    name: Annotated[str, typer.Argument(help="The endpoint's name: its model.")],
    version: Annotated[int, typer.Argument(help="Which registered version.")],
    cloud: CloudOption = None,
    stack: StackOption = None,
    as_json: AsJson = False,
) -> None:
    """Print the exact requests with which the release pipeline would deploy a version; none is sent.

    It deploys by: seatrial launch MODEL --cloud aws --pipeline release --arguments '{"version": N}'.
    """
    opened = project.load()
    model = opened.model(name)
    requests: list[SentRequest] = []
    target = connect(opened, cloud, stack, requests.append)
    chosen = target.registry.version(name, version)
    champion = target.registry.champion(name)

    def promote() -> None:
        expected = None if champion is None else champion.number
        target.registry.promote(name, version, expected_champion=expected, again=chosen.rolled_back)

    target.endpoints.deploy(
        name,
        str(version),
        target.registry.package_path(chosen),
        digest=chosen.digest,
        settings=model.endpoint,
        rollout=model.rollout,
        before_switch=promote,
    )
    print_requests(requests, as_json=as_json)
