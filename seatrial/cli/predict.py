"""``seatrial predict``: rows from a file through a model's endpoint."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from seatrial import project
from seatrial.cli.output import console, print_json
from seatrial.cli.target import CloudOption, StackOption, connect
from seatrial.errors import UsageError


def predict(
    model: Annotated[str, typer.Argument(help="A model with a running endpoint.")],
    source: Annotated[str, typer.Option("--input", help='A JSON file: {"instances": [...]}; - is standard input.')],
    cloud: CloudOption = None,
    stack: StackOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the server's answer.")] = False,
) -> None:
    """Ask a model's endpoint for predictions."""
    opened = project.load()
    opened.model(model)
    answer = connect(opened, cloud, stack).endpoints.predict(model, _rows(source))
    if as_json:
        print_json(answer)
        return
    out = console()
    for i, value in enumerate(answer["predictions"]):
        out.print(f" {i:>5}  {value:.6f}")
    served = answer["model"]
    out.print(f" {served['name']} v{served['version']} ({served['digest'][:8]})", style="dim")


def _rows(source: str) -> object:
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
        rows = json.loads(text)
    except (OSError, ValueError) as exc:
        raise UsageError(
            f"--input {source} cannot be read: {exc}",
            why="Predictions are asked for with JSON rows.",
            todo='Give a file such as {"instances": [{"carrier": "UA", ...}]}.',
        ) from exc
    return {"instances": rows} if isinstance(rows, list) else rows
