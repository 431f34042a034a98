"""``rehearsal.toml`` beside a program: what its rehearsal changes, breaks and takes away."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from seatrial import project
from seatrial.errors import ProjectError
from seatrial.rehearsal.aws.faults import Fault

FILE = "rehearsal.toml"


class Change(project.Settings):
    """Settings that are changed, and what that may change."""

    settings: dict[str, Any] = Field(min_length=1)
    """Of the program's own namespace; a table is merged into the stack's."""
    expect: dict[str, tuple[str, ...]] = Field(min_length=1)
    """Name of a resource in the program -> its properties that change; nothing else may."""


class Failure(project.Settings):
    """Settings whose update fails half-way."""

    settings: dict[str, Any] = Field(min_length=1)
    fault: Fault
    """What strikes; see docs/rehearsal.md."""


class Script(project.Settings):
    """One program's rehearsal."""

    deleted: str
    """Name in the program of the bucket that somebody deletes by hand."""
    change: Change
    failure: Failure


def read_script(program: Path) -> Script:
    """Read a program's script.

    Raises:
        ProjectError: it is missing or wrong; every problem is listed.
    """
    path = program / FILE
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as missing:
        raise ProjectError(
            f"{path} is not there",
            why="It says which settings the rehearsal changes, and what that may change.",
            todo="Write it; docs/rehearsal.md shows one.",
        ) from missing
    except tomllib.TOMLDecodeError as wrong:
        raise ProjectError(f"{path} is no TOML: {wrong}", why="It cannot be read.", todo="Correct it.") from wrong
    return project.validated(Script, table, str(path), todo=f"Correct {path}.")


def merged(below: Any, above: Any) -> Any:
    """``above``, and of tables also what only ``below`` has."""
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        return {**below, **{key: merged(below.get(key), value) for key, value in above.items()}}
    return above
