"""Policy documents, parsed and evaluated."""

from __future__ import annotations

import functools
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from seatrial.clouds.aws.permissions.patterns import action_like, resource_like
from seatrial.rehearsal.aws.iam.conditions import Context, NotUnderstood, hold, refuse_unknown, values

_ELEMENTS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
_TRUST = {"Sid", "Effect", "Action", "Principal", "Condition"}


@dataclass(frozen=True)
class Statement:
    """One statement of an identity policy."""

    sid: str
    allow: bool
    actions: tuple[str, ...]
    but_actions: bool
    """``actions`` are those that it is *not* about."""
    resources: tuple[str, ...]
    but_resources: bool
    conditions: Mapping[str, Any]

    def applies(self, action: str, resource: str, context: Context) -> bool:
        """Whether it is about this request."""
        about = any(action_like(each, action) for each in self.actions) != self.but_actions
        there = any(resource_like(each, resource) for each in self.resources) != self.but_resources
        return about and there and hold(self.conditions, context)


@dataclass(frozen=True)
class Verdict:
    """What policies say of one action on one resource."""

    allowed: bool
    explicit: bool = False
    """A statement denies it."""


def verdict(statements: Iterable[Statement], action: str, resource: str, context: Context) -> Verdict:
    """A denial wins; what nobody allows is not allowed."""
    applying = [each for each in statements if each.applies(action, resource, context)]
    if any(not each.allow for each in applying):
        return Verdict(False, explicit=True)
    return Verdict(bool(applying))


@functools.lru_cache(512)
def parsed(text: str) -> tuple[Statement, ...]:
    """The statements of an identity policy.

    Raises:
        NotUnderstood: it holds what this evaluator does not know.
    """
    return tuple(_statement(each) for each in _statements(text))


def _statements(text: str) -> list[dict[str, Any]]:
    try:
        document = json.loads(text)
    except ValueError as wrong:
        raise NotUnderstood(f"a policy that is not JSON ({wrong})") from wrong
    found = document.get("Statement", [])
    return found if isinstance(found, list) else [found]


def _statement(given: Mapping[str, Any]) -> Statement:
    unknown = set(given) - _ELEMENTS
    if unknown:
        raise NotUnderstood(f"the policy element {', '.join(sorted(unknown))}")
    refuse_unknown(given.get("Condition", {}))
    actions = values(given.get("Action", given.get("NotAction", [])))
    resources = values(given.get("Resource", given.get("NotResource", [])))
    if any("${" in each for each in resources):
        raise NotUnderstood("a policy variable in a resource")
    return Statement(
        sid=str(given.get("Sid", "")),
        allow=given.get("Effect") == "Allow",
        actions=tuple(actions),
        but_actions="NotAction" in given,
        resources=tuple(resources),
        but_resources="NotResource" in given,
        conditions=given.get("Condition", {}),
    )


def trusts(text: str, kind: str, principal: str, action: str, context: Context) -> bool:
    """Whether a trust policy lets a principal do this with its role.

    Args:
        text: the policy.
        kind: ``Service``, ``AWS`` or ``Federated``.
        principal: a service's name or an ARN.
        action: ``sts:AssumeRole`` or one like it.
        context: of the request.

    Raises:
        NotUnderstood: it holds what this evaluator does not know.
    """
    return _lets(text, _TRUST, kind, principal, action, "*", context)


def lets_in(text: str, service: str, action: str, resource: str, context: Context) -> bool:
    """Whether a resource's own policy lets a service do this with it; what services say of themselves is ``context``.

    Raises:
        NotUnderstood: it holds what this evaluator does not know.
    """
    return _lets(text, _TRUST | {"Resource"}, "Service", service, action, resource, context)


def _lets(
    text: str, known: Collection[str], kind: str, principal: str, action: str, resource: str, context: Context
) -> bool:
    applying = []
    for given in _statements(text):
        unknown = set(given) - set(known)
        if unknown:
            raise NotUnderstood(f"the element {', '.join(sorted(unknown))} of a trust policy or a resource's own")
        refuse_unknown(given.get("Condition", {}))
        trusted = given.get("Principal", {})
        everybody = trusted == "*" or "*" in values(trusted.get("AWS", []))
        named = ["*"] if everybody else values(trusted.get(kind, []))
        if (
            any(_names(each, principal) for each in named)
            and any(action_like(each, action) for each in values(given.get("Action", [])))
            and any(resource_like(each, resource) for each in values(given.get("Resource", "*")))
            and hold(given.get("Condition", {}), context)
        ):
            applying.append(given.get("Effect") == "Allow")
    return bool(applying) and all(applying)


def _names(trusted: str, principal: str) -> bool:
    """An account stands for everybody in it who is allowed to ask."""
    if trusted in ("*", principal):
        return True
    account = principal.split(":")[4] if principal.startswith("arn:") else ""
    return bool(account) and (trusted == account or (trusted.endswith(":root") and trusted.split(":")[4] == account))
