"""What was granted, held against what was used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from seatrial.clouds.aws.permissions.grants import ROLES, Grant, Permissions, Role
from seatrial.clouds.aws.permissions.patterns import action_like, resource_like


@dataclass(frozen=True)
class Use:
    """A role did something, or was denied it, so often."""

    role: Role
    action: str
    resource: str
    times: int = 1


@dataclass(frozen=True)
class Unused:
    """An action that a grant allows and that nobody used."""

    role: Role
    action: str
    grant: Grant

    @property
    def reason(self) -> str:
        """Why that is as it should be; empty: it is not, and the grant is too wide."""
        return self.grant.unused_reason


def uses(told: Iterable[Mapping[str, Any]], prefix: str) -> tuple[Use, ...]:
    """Uses as the offline AWS tells them, of a stack's own roles."""
    named: dict[str, Role] = {f"{prefix}-{role}": role for role in ROLES}
    return tuple(
        Use(named[each["role"]], each["action"], each["resource"], each["times"])
        for each in told
        if each["role"] in named
    )


def unused(permissions: Permissions, used: Iterable[Use]) -> tuple[Unused, ...]:
    """Granted actions that were never used, each with its grant's reason or none."""
    used = tuple(used)
    return tuple(
        Unused(grant.role, action, grant)
        for grant in permissions.grants
        for action in grant.actions
        if not any(_is_of(use, grant, action) for use in used)
    )


def _is_of(use: Use, grant: Grant, action: str) -> bool:
    return (
        use.role == grant.role
        and action_like(action, use.action)
        and any(resource_like(each, use.resource) for each in grant.resources)
    )


@dataclass(frozen=True)
class Usage:
    """The figures of a rehearsal."""

    granted: int
    """Actions, each counted once for each grant of a role."""
    used: int
    excused: tuple[Unused, ...]
    """Never used, with a reason."""
    idle: tuple[Unused, ...]
    """Never used, without one."""
    denied: tuple[Use, ...]

    def told(self) -> str:
        """In one line."""
        idle = len(self.idle)
        return (
            f"permissions: {self.granted} granted, {self.used} used, {len(self.excused)} not used for a reason,"
            f" {idle} not used without one, {sum(use.times for use in self.denied)} denied"
        )


def usage(permissions: Permissions, used: Iterable[Use], denied: Iterable[Use]) -> Usage:
    """What a rehearsal says about its permissions."""
    granted = sum(len(grant.actions) for grant in permissions.grants)
    never = unused(permissions, used)
    idle = tuple(each for each in never if not each.reason)
    excused = tuple(each for each in never if each.reason)
    return Usage(granted, granted - len(never), excused, idle, tuple(denied))
