"""Where models are registered and served: ``base`` holds the written contract, one folder per target fulfils it.

``load`` imports a target on demand, so that a laptop needs no cloud's SDK. Adding a target is a folder and a line here.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from seatrial.errors import UsageError

if TYPE_CHECKING:
    from seatrial.clouds.base import Cloud

_TARGETS = {"local": "seatrial.clouds.local.cloud", "aws": "seatrial.clouds.aws.cloud"}


def load(target: str, state: Path) -> Cloud:
    """The adapter of a target.

    Args:
        target: ``local`` or ``aws``.
        state: the project's state folder.

    Raises:
        UsageError: there is no such target.
    """
    if target not in _TARGETS:
        raise UsageError(
            f"there is no target '{target}'",
            why=f"Known targets: {', '.join(_TARGETS)}.",
            todo="Name one of those.",
        )
    cloud: Cloud = importlib.import_module(_TARGETS[target]).connect(state)
    return cloud
