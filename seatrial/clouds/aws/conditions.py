"""A choice's condition as SageMaker conditions.

A Condition step takes a list of conditions that all have to hold, and knows ``Or`` and ``Not`` but no ``And``. So a
negation is pushed down to the comparisons (``!(a && b)`` is ``!a || !b``), and an ``&&`` below an ``||`` becomes the
negation of an ``Or``. Operators keep the document's strictness: only values of one kind are compared, only numbers are
ordered; whatever the executor would refuse or SageMaker cannot say is refused here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seatrial.document.expression import Both, Cast, Compare, Expression, Literal, Not, Reference
from seatrial.document.jobs import Choice, Operand
from seatrial.errors import DocumentError

Json = Any
Value = Callable[[Operand], Json]
"""How the definition reads an operand."""

_KINDS = {"STRING": "text", "NUMBER_INTEGER": "integer", "NUMBER_DOUBLE": "number", "BOOLEAN": "boolean"}
_CASTS = {"int": "integer", "double": "number", "string": "text", "bool": "boolean"}
_NUMBERS = ("integer", "number")
_ORDERS = {
    "<": ("LessThan", "GreaterThanOrEqualTo"),
    "<=": ("LessThanOrEqualTo", "GreaterThan"),
    ">": ("GreaterThan", "LessThanOrEqualTo"),
    ">=": ("GreaterThanOrEqualTo", "LessThan"),
}
"""Operator -> the condition and its negation."""


def conditions_of(choice: Choice, value: Value) -> list[Json]:
    """The conditions of a Condition step, all of which have to hold.

    Raises:
        DocumentError: SageMaker cannot evaluate the condition.
    """
    return _Translation(choice, value).all_of(choice.condition, holds=True)


class _Translation:
    def __init__(self, choice: Choice, value: Value) -> None:
        self.choice = choice
        self.value = value

    def refuse(self, what: str, why: str) -> DocumentError:
        return DocumentError(
            f"choice '{self.choice.name}': {what}",
            why=why,
            todo="Let a task compute a STRING, number or BOOLEAN to compare, or put the choice and what it reads into"
            ' one job with @component(job="...").',
        )

    def all_of(self, expression: Expression, *, holds: bool) -> list[Json]:
        """Conditions that together say that the expression is true (or, with ``holds=False``, is not)."""
        if isinstance(expression, Not):
            return self.all_of(expression.inner, holds=not holds)
        if isinstance(expression, Both) and (expression.operator == "&&") == holds:
            return [c for part in expression.parts for c in self.all_of(part, holds=holds)]
        return [self.one(expression, holds=holds)]

    def one(self, expression: Expression, *, holds: bool) -> Json:
        """A single condition."""
        if isinstance(expression, Not):
            return self.one(expression.inner, holds=not holds)
        if isinstance(expression, Both):
            if (expression.operator == "||") == holds:
                return {"Type": "Or", "Conditions": [self.one(part, holds=holds) for part in expression.parts]}
            # all of them: not any of their opposites
            opposite = {"Type": "Or", "Conditions": [self.one(part, holds=not holds) for part in expression.parts]}
            return {"Type": "Not", "Condition": opposite}
        if isinstance(expression, Compare):
            return self.compare(expression, holds=holds)
        value, kind = self.operand(expression)
        if kind != "boolean":
            raise self.refuse(f"the condition is {kind}, not true or false", "A branch is taken on true or false.")
        return {"Type": "Equals", "LeftValue": value, "RightValue": holds}

    def compare(self, comparison: Compare, *, holds: bool) -> Json:
        left, left_kind = self.operand(comparison.left)
        right, right_kind = self.operand(comparison.right)
        if left_kind != right_kind and not {left_kind, right_kind} <= set(_NUMBERS):
            raise self.refuse(
                f"the condition compares {left_kind} with {right_kind}",
                "Values of different kinds are never equal, so the branch would depend on an accident.",
            )
        sides = {"LeftValue": left, "RightValue": right}
        if comparison.operator in ("==", "!="):
            equal = {"Type": "Equals", **sides}
            return equal if (comparison.operator == "==") == holds else {"Type": "Not", "Condition": equal}
        if left_kind not in _NUMBERS:
            raise self.refuse(f"the condition orders {left_kind}", "SageMaker orders numbers only.")
        direct, negated = _ORDERS[comparison.operator]
        return {"Type": direct if holds else negated, **sides}

    def operand(self, expression: Expression) -> tuple[Json, str]:
        """(what the definition says, its kind)."""
        if isinstance(expression, Literal):
            return expression.value, self.literal_kind(expression.value)
        if isinstance(expression, Reference):
            operand = self.choice.operands[expression.name]
            kind = _KINDS.get(operand.type)
            if kind is None:
                raise self.refuse(f"the condition reads a {operand.type}", "SageMaker compares scalars.")
            return self.value(operand), kind
        if isinstance(expression, Cast):
            value, kind = self.operand(expression.inner)
            wanted = _CASTS[expression.kind]
            if kind == wanted or (kind == "integer" and wanted == "number"):
                return value, wanted
            raise self.refuse(f"the condition casts {kind} with {expression.kind}()", "SageMaker has no casts.")
        raise self.refuse("a comparison holds another comparison", "SageMaker compares values.")

    def literal_kind(self, value: Json) -> str:
        for kind, types in (("boolean", bool), ("integer", int), ("number", float), ("text", str)):
            if isinstance(value, types):
                return kind
        raise self.refuse("the condition compares with null", "SageMaker's conditions know no null.")
