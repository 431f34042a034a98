"""What the commands print: text for people on standard error and output, JSON for machines, errors in three lines."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console
from rich.markup import escape

from seatrial.errors import SeatrialError

Json = Any


def console(*, stderr: bool = False) -> Console:
    """A console that neither guesses at markup nor breaks long lines when nobody watches."""
    plain = not (sys.stderr if stderr else sys.stdout).isatty()
    return Console(stderr=stderr, highlight=False, soft_wrap=plain)


def print_json(value: Json) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, sort_keys=True) + "\n")
    sys.stdout.flush()  # whoever reads it may act on it while the command goes on


def print_error(error: SeatrialError, *, as_json: bool) -> None:
    """What is wrong, why it matters, what to do."""
    if as_json:
        told = {"type": type(error).__name__, "what": error.what, "why": error.why, "todo": error.todo}
        print_json({"error": told})
        return
    out = console(stderr=True)
    out.print(f"[bold red]✘[/] {escape(error.what)}\n  {escape(error.why)}\n  [bold]{escape(error.todo)}[/]")
