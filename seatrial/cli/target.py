"""Which target a command means: the project's, or the one that ``--cloud`` names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from seatrial import clouds
from seatrial.clouds.base import Cloud, SentRequest
from seatrial.project import Project

CloudOption = Annotated[str | None, typer.Option("--cloud", help="local or aws; default: $SEATRIAL_TARGET, or local.")]
StackOption = Annotated[
    str | None, typer.Option("--stack", help="Which deployed stack of that cloud; default: the only one.")
]


def connect(
    opened: Project, cloud: str | None, stack: str | None, record: Callable[[SentRequest], None] | None = None
) -> Cloud:
    """The adapters of that target; ``record`` makes it a dry run.

    Raises:
        UsageError: there is no such target, or it has no stacks.
        ProjectError: there is no such stack, or its outputs are wrong.
    """
    return clouds.load(cloud or opened.target, opened.state, stack=stack, record=record)


def makes(opened: Project, cloud: str | None, model: str) -> str:
    """The command that brings a model to that target."""
    target = cloud or opened.target
    return f"seatrial run {model}" if target == "local" else f"seatrial launch {model} --cloud {target}"
