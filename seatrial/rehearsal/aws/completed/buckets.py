"""What a bucket's own policy says of everybody: moto takes every condition for one that denies."""

from __future__ import annotations

import json
from typing import Any

from seatrial.clouds.aws.permissions.patterns import action_like, resource_like
from seatrial.rehearsal.aws.iam.conditions import NotUnderstood, hold, refuse_unknown, values

_HERE = {"aws:SecureTransport": "true"}
"""Loopback stands for a connection that is encrypted. Conditions on other things see a request that leaves them out."""


def permission(bucket: Any, action: str, resource: str) -> Any:
    """PERMITTED, DENIED or NEUTRAL, as moto counts them; what names somebody is left to the somebody's own policies.

    A policy that is not understood denies: it would be wrong to guess.
    """
    from moto.iam.access_control import PermissionResult

    try:
        effects = {each["Effect"] for each in _everybodys(bucket.policy) if _applies(each, action, resource)}
    except NotUnderstood:
        return PermissionResult.DENIED
    if "Deny" in effects:
        return PermissionResult.DENIED
    return PermissionResult.PERMITTED if effects else PermissionResult.NEUTRAL


def _everybodys(policy: Any) -> list[dict[str, Any]]:
    found = json.loads(policy)["Statement"] if policy else []
    listed = found if isinstance(found, list) else [found]
    return [each for each in listed if each.get("Principal") in ("*", {"AWS": "*"}, {"AWS": ["*"]})]


def _applies(statement: dict[str, Any], action: str, resource: str) -> bool:
    if "NotAction" in statement or "NotResource" in statement:
        raise NotUnderstood("NotAction or NotResource in a bucket's policy")
    conditions = statement.get("Condition", {})
    refuse_unknown(conditions)
    return (
        any(action_like(each, action) for each in values(statement["Action"]))
        and any(resource_like(each, resource) for each in values(statement["Resource"]))
        and hold(conditions, _HERE)
    )
