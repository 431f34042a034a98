"""Every `seatrial` command that a page shows is one that the command line takes: names, arguments and options."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from seatrial.cli.main import app

ROOT = Path(__file__).resolve().parents[3]
PAGES = ("README.md", "docs/*.md", "infra/**/*.md")


def shown(text: str) -> list[str]:
    """After a prompt; and in running text where a cloud is named and no word stands for another."""
    prompted = re.findall(r"^\s*\$ (seatrial [^|\n]*)$", text, re.MULTILINE)
    quoted = re.findall(r"`(seatrial [^`|A-Z]+)`", text)
    return prompted + [each for each in quoted if " --cloud aws" in each]


def refused(command: str) -> str:
    """Why the command line does not take it; "" when it does. Nothing is run."""
    taken: Any = typer.main.get_command(app)
    _, *arguments = shlex.split(command, comments=True)
    try:
        while hasattr(taken, "commands"):
            taken = taken.commands[arguments.pop(0)]
        taken.make_context(command, arguments)
    except Exception as exc:
        return f"{command}: {type(exc).__name__} {exc}"
    return ""


@pytest.mark.parametrize("page", sorted({path for each in PAGES for path in ROOT.glob(each)}), ids=lambda p: p.name)
def test_commands_of_a_page_can_be_typed(page: Path) -> None:
    assert [why for command in shown(page.read_text()) if (why := refused(command))] == []


def test_a_command_that_cannot_is_found() -> None:
    page = "Go back: `seatrial endpoint rollback --cloud aws`.\n$ seatrial launch flights --clod aws\n"
    missing, misspelt = (refused(command) for command in sorted(shown(page)))
    assert "MissingParameter" in missing and "NoSuchOption" in misspelt
