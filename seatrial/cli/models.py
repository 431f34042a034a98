"""``seatrial models``: what the registry holds."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from seatrial import project
from seatrial.cli.output import console, print_json
from seatrial.cli.requests import DryRun, print_requests
from seatrial.cli.target import CloudOption, StackOption, connect, makes
from seatrial.clouds.base import Approvals, Registry, SentRequest, Version
from seatrial.errors import UsageError


def models(
    model: Annotated[str | None, typer.Argument(help="Only this model.")] = None,
    cloud: CloudOption = None,
    stack: StackOption = None,
    approve: Annotated[
        int | None, typer.Option(help="Approve this version of MODEL; whoever waits for it is told.")
    ] = None,
    reject: Annotated[int | None, typer.Option(help="Reject this version of MODEL: it is not promoted.")] = None,
    note: Annotated[str, typer.Option(help="Who decided, and why; kept with the version.")] = "",
    dry_run: DryRun = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")] = False,
) -> None:
    """List the registered versions: which serves, which served before, and on what verdict.

    With --approve or --reject: decide on one, as a person does in the cloud's own console, and list them then.
    """
    opened = project.load()
    if model is not None:
        opened.model(model)
    requests: list[SentRequest] = []
    registry = connect(opened, cloud, stack, requests.append if dry_run else None).registry
    if approve is not None or reject is not None:
        _decide(registry, model, approve, reject, note)
    elif dry_run:
        raise UsageError(
            "a dry run is asked for, and nothing would change",
            why="Versions are only listed without --approve or --reject.",
            todo="Leave --dry-run out, or decide on a version.",
        )
    if dry_run:
        print_requests(requests, as_json=as_json)
        return
    names = [model] if model is not None else sorted({*opened.models(), *registry.models()})
    versions = {name: list(registry.versions(name)) for name in names}
    if as_json:
        print_json({name: [_plain(v) for v in found] for name, found in versions.items()})
        return
    out = console()
    table = Table(box=None, pad_edge=True, header_style="dim")
    for heading in ("model", "version", "", "registered", "candidate", "digest", "verdict"):
        table.add_column(heading, no_wrap=heading != "verdict")
    for name, found in versions.items():
        for v in reversed(found):
            role = " ".join(v.aliases) or ("rolled back" if v.rolled_back else "")
            row = (name, f"v{v.number}", role, f"{v.created:%Y-%m-%d %H:%M}", v.tags.get("candidate", ""))
            table.add_row(
                *row, v.digest[:8], v.tags.get("headline", ""), style="bold" if "champion" in v.aliases else ""
            )
        if not found:
            table.add_row(
                name, "–", "", "", "", "", f"nothing registered yet: {makes(opened, cloud, name)}", style="dim"
            )
    out.print(table)


def _decide(registry: Registry, model: str | None, approve: int | None, reject: int | None, note: str) -> None:
    if model is None or not note or (approve is not None and reject is not None):
        raise UsageError(
            "a decision is one version's, and says who made it and why",
            why="It is kept with the version, for whoever asks later.",
            todo='seatrial models MODEL --approve VERSION --note "NAME: the reason" (or --reject).',
        )
    if not isinstance(registry, Approvals):
        raise UsageError(
            "on this machine no version waits for approval",
            why="Here the gate's verdict promotes it; a person decides in a cloud's registry.",
            todo="Name the cloud: --cloud aws.",
        )
    if approve is not None:
        registry.approve(model, approve, note=note)
    elif reject is not None:
        registry.reject(model, reject, note=note)


def _plain(version: Version) -> dict[str, Any]:
    return {
        "version": version.number,
        "digest": version.digest,
        "run": version.run,
        "created": version.created.isoformat(),
        "aliases": list(version.aliases),
        "promoted": version.promoted,
        "promoted_over": version.promoted_over,
        "rolled_back": version.rolled_back,
        "tags": dict(version.tags),
    }
