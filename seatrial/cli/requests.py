"""What a dry run tells: each request that would change something, as it would be sent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.markup import escape

from seatrial.cli.output import console, print_json
from seatrial.clouds.base import SentRequest

Json = Any
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the exact requests; send none.")]


def print_requests(requests: Sequence[SentRequest], *, as_json: bool, assumed: str = "") -> None:
    """Print them, in the order in which they would be sent.

    Args:
        requests: what a recorder was handed.
        as_json: as one document.
        assumed: why nothing was taken to be there already; empty when the cloud was asked.
    """
    told = [
        {"service": r.service, "operation": r.operation, "parameters": {k: _text(v) for k, v in r.parameters.items()}}
        for r in requests
    ]
    if as_json:
        print_json({"requests": told, "assumed": assumed or None})
        return
    out = console()
    for request in told:
        out.print(f"\n [bold]{request['service']} {request['operation']}[/]")
        out.print(escape(json.dumps(request["parameters"], indent=2)), soft_wrap=True)
    if assumed:
        out.print(escape(f"\n nothing was taken to be there already, since AWS could not be asked: {assumed}"))
    out.print(f"\n {len(told)} requests, none of them sent")


def _text(value: Json) -> Json:
    return value.decode() if isinstance(value, bytes) else value
