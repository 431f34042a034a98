"""The target ``local``: the registry and the endpoints of this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seatrial.clouds.local.endpoints import LocalEndpoints
from seatrial.clouds.local.registry import LocalRegistry
from seatrial.clouds.local.tracking import LocalTracking


@dataclass(frozen=True)
class LocalCloud:
    """Everything that the target offers."""

    registry: LocalRegistry
    tracking: LocalTracking
    endpoints: LocalEndpoints


def connect(state: Path) -> LocalCloud:
    """The target, below a project's state folder."""
    return LocalCloud(LocalRegistry(state, _digest), LocalTracking(state), LocalEndpoints(state))


def _digest(package: Path) -> str:
    from seatrial.package.read import Package

    return Package.open(package).digest
