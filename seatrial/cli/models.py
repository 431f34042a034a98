"""``seatrial models``: what the registry holds."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from seatrial import project
from seatrial.cli.output import console, print_json
from seatrial.cli.target import CloudOption, StackOption, connect
from seatrial.clouds.base import Version


def models(
    model: Annotated[str | None, typer.Argument(help="Only this model.")] = None,
    cloud: CloudOption = None,
    stack: StackOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")] = False,
) -> None:
    """List the registered versions: which serves, which served before, and on what verdict."""
    opened = project.load()
    if model is not None:
        opened.model(model)
    registry = connect(opened, cloud, stack).registry
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
            table.add_row(name, "–", "", "", "", "", "nothing registered yet: seatrial run " + name, style="dim")
    out.print(table)


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
