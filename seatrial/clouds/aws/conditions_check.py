"""Checks the conditions of a Condition step: their form, and that both sides of a comparison are of one kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from seatrial.clouds.aws import limits
from seatrial.clouds.aws.scope import INTEGER, NUMBER, UNKNOWN

Json = Any
KindOf = Callable[[Json, str], str]
"""(value, where) -> its kind; notes its own problems."""

EQUALS = "Equals"
ORDERS = frozenset({"GreaterThan", "GreaterThanOrEqualTo", "LessThan", "LessThanOrEqualTo"})
_MEMBERS = {
    **{name: {"LeftValue", "RightValue"} for name in (EQUALS, *sorted(ORDERS))},
    "In": {"QueryValue", "Values"},
    "Not": {"Condition"},
    "Or": {"Conditions"},
}
_NUMBERS = {INTEGER, NUMBER}


def condition_problems(conditions: Json, where: str, kind_of: KindOf) -> list[str]:
    """What is wrong with a list of conditions, all of which have to hold."""
    if not isinstance(conditions, list) or not 1 <= len(conditions) <= limits.MAX_CONDITIONS:
        return [f"{where}: expected a list of 1 to {limits.MAX_CONDITIONS} conditions"]
    return [p for i, condition in enumerate(conditions) for p in _one(condition, f"{where}[{i}]", kind_of)]


def _one(condition: Json, where: str, kind_of: KindOf) -> list[str]:
    kind = condition.get("Type") if isinstance(condition, Mapping) else None
    if kind not in _MEMBERS:
        return [f"{where}: {kind!r} is not a type of condition ({', '.join(sorted(_MEMBERS))})"]
    found = set(condition) - {"Type"}
    if found != _MEMBERS[kind]:
        return [
            f"{where}: a condition {kind} has {' and '.join(sorted(_MEMBERS[kind]))}, not {', '.join(sorted(found))}"
        ]
    if kind == "Or":
        return condition_problems(condition["Conditions"], f"{where}.Conditions", kind_of)
    if kind == "Not":
        return _one(condition["Condition"], f"{where}.Condition", kind_of)
    if kind == "In":
        if not isinstance(condition["Values"], list) or not condition["Values"]:
            return [f"{where}.Values: expected a list with something in it"]
        query = kind_of(condition["QueryValue"], f"{where}.QueryValue")
        kinds = [kind_of(value, f"{where}.Values[{i}]") for i, value in enumerate(condition["Values"])]
        return [p for k in kinds for p in _comparable(query, k, where)]
    left = kind_of(condition["LeftValue"], f"{where}.LeftValue")
    right = kind_of(condition["RightValue"], f"{where}.RightValue")
    problems = _comparable(left, right, where)
    if kind in ORDERS and not problems and {left, right} - _NUMBERS - {UNKNOWN}:
        problems.append(f"{where}: {kind} orders numbers, not {left}")
    return problems


def _comparable(left: str, right: str, where: str) -> list[str]:
    if UNKNOWN in (left, right) or left == right or {left, right} <= _NUMBERS:
        return []
    return [f"{where}: compares {left} with {right}, which never are equal"]
