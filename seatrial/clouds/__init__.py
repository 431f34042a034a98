"""Where models are registered and served: ``base`` holds the written contract, one folder per target fulfils it.

``load`` imports a target on demand, so that a laptop needs no cloud's SDK. Adding a target is a folder and a line here.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from seatrial.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from seatrial.clouds.base import Cloud, Pipelines, SentRequest

_PIPELINES = {"aws": "seatrial.clouds.aws.pipelines"}
_TARGETS = {"local": "seatrial.clouds.local.cloud", "aws": "seatrial.clouds.aws.cloud"}


def load(
    target: str, state: Path, *, stack: str | None = None, record: Callable[[SentRequest], None] | None = None
) -> Cloud:
    """The adapter of a target.

    Args:
        target: ``local`` or ``aws``.
        state: the project's state folder.
        stack: which deployment of a cloud; None: the one that ``$SEATRIAL_STACK`` names, or the only one.
        record: is handed each request that would change something, and none of them is sent.

    Raises:
        UsageError: there is no such target, or it has no stacks, or sends no requests.
        ProjectError: the stack is not known, or its outputs are wrong.
    """
    if target not in _TARGETS:
        raise UsageError(
            f"there is no target '{target}'",
            why=f"Known targets: {', '.join(_TARGETS)}.",
            todo="Name one of those.",
        )
    if stack is not None and target == "local":
        raise UsageError(
            "a stack is named, and the target is this machine",
            why="Stacks are deployments of a cloud.",
            todo="Add --cloud aws, or leave --stack out.",
        )
    if record is not None and target == "local":
        raise UsageError(
            "a dry run is asked for, and the target is this machine",
            why="A dry run prints the requests that a cloud would be sent; here none are sent.",
            todo="Add --cloud aws, or leave --dry-run out.",
        )
    connect = importlib.import_module(_TARGETS[target]).connect
    cloud: Cloud = connect(state) if target == "local" else connect(state, stack, record=record)
    return cloud


def load_pipelines(
    target: str, state: Path, *, stack: str | None = None, record: Callable[[SentRequest], None] | None = None
) -> Pipelines:
    """The pipelines of a managed service.

    Args:
        target: ``aws``. (``local`` has none: ``seatrial run`` runs a pipeline here.)
        state: the project's state folder.
        stack: which deployment; ``None``: the only one that is known.
        record: is handed each request that would change something, and none of them is sent.

    Raises:
        UsageError: there is no such target.
        ProjectError: the stack is not known, or its outputs are wrong.
    """
    if target not in _PIPELINES:
        raise UsageError(
            f"there is no cloud '{target}' to launch in",
            why=f"Known clouds: {', '.join(_PIPELINES)}.",
            todo="Name one of those with --cloud; `seatrial run` runs a pipeline on this machine.",
        )
    found: Pipelines = importlib.import_module(_PIPELINES[target]).connect(state, stack, record)
    return found
