"""Conditions of policy statements. An operator that is not known here is an error, never ignored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from seatrial.clouds.aws.permissions.patterns import like, resource_like

Context = Mapping[str, str]
"""Condition key -> value, of one request."""


class NotUnderstood(Exception):
    """A policy holds what this evaluator does not know; it would be wrong to guess."""


def _number(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    return lambda wanted, given: compare(float(given), float(wanted))


# positive operators: one of the wanted values has to hold; negated ones: none may
_HOLDS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, given: wanted == given,
    "StringEqualsIgnoreCase": lambda wanted, given: wanted.lower() == given.lower(),
    "StringLike": like,
    "ArnEquals": resource_like,
    "ArnLike": resource_like,
    "Bool": lambda wanted, given: wanted.lower() == given.lower(),
    "NumericEquals": _number(lambda given, wanted: given == wanted),
    "NumericLessThan": _number(lambda given, wanted: given < wanted),
    "NumericLessThanEquals": _number(lambda given, wanted: given <= wanted),
    "NumericGreaterThan": _number(lambda given, wanted: given > wanted),
    "NumericGreaterThanEquals": _number(lambda given, wanted: given >= wanted),
}
_NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
}
_IF_EXISTS = "IfExists"


def refuse_unknown(conditions: Mapping[str, Any]) -> None:
    """Look at the operators before anything depends on them.

    Raises:
        NotUnderstood: there is one that is not known, or a policy variable.
    """
    for operator, keys in conditions.items():
        plain = operator.removesuffix(_IF_EXISTS)
        if plain != "Null" and plain not in _HOLDS and plain not in _NEGATED:
            raise NotUnderstood(f"the condition operator {operator}")
        for wanted in keys.values():
            for each in values(wanted):
                if "${" in each:
                    raise NotUnderstood(f"the policy variable in {each}")


def hold(conditions: Mapping[str, Any], context: Context) -> bool:
    """Whether all of a statement's conditions hold."""
    given = {key.lower(): value for key, value in context.items()}
    return all(
        _holds(operator, values(wanted), given.get(key.lower()))
        for operator, keys in conditions.items()
        for key, wanted in keys.items()
    )


def values(wanted: Any) -> list[str]:
    """One value or a list, as texts; JSON's booleans as IAM writes them."""
    listed = wanted if isinstance(wanted, list) else [wanted]
    return [str(each).lower() if isinstance(each, bool) else str(each) for each in listed]


def _holds(operator: str, wanted: list[str], given: str | None) -> bool:
    if operator == "Null":
        return any((each.lower() == "true") == (given is None) for each in wanted)
    plain = operator.removesuffix(_IF_EXISTS)
    negated = plain in _NEGATED
    if given is None:
        return negated or operator.endswith(_IF_EXISTS)
    holds = any(_HOLDS[_NEGATED.get(plain, plain)](each, given) for each in wanted)
    return holds != negated
