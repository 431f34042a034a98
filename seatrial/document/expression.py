"""Trigger conditions: the part of CEL that KFP's compiler writes, parsed and evaluated strictly.

Grammar: ``||`` over ``&&`` over ``!`` over one comparison (``== != < <= > >=``) of literals,
``inputs.parameter_values['name']`` and the casts ``int() double() string() bool()``. Values of different kinds are
never equal silently: comparing a number with text is an error, as in CEL.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from seatrial.document.values import as_text
from seatrial.errors import DocumentError

Json = Any

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<op>&&|\|\||==|!=|<=|>=|[()!<>])
    | inputs\.parameter_values\['(?P<input>[^']+)'\]
    | (?P<name>[A-Za-z_]\w*)
    | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    | (?P<number>-?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)
    )""",
    re.VERBOSE,
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}


@dataclass(frozen=True)
class Literal:
    """A constant."""

    value: Json


@dataclass(frozen=True)
class Reference:
    """An input parameter of the task."""

    name: str


@dataclass(frozen=True)
class Cast:
    """``int(x)`` and its like."""

    kind: str
    inner: Expression


@dataclass(frozen=True)
class Not:
    """Negation."""

    inner: Expression


@dataclass(frozen=True)
class Compare:
    """One comparison."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Both:
    """``&&`` (all) or ``||`` (any)."""

    operator: str
    parts: tuple[Expression, ...]


Expression = Literal | Reference | Cast | Not | Compare | Both


def parse(text: str) -> Expression:
    """Parse a condition.

    Raises:
        DocumentError: it is not in the grammar; says where.
    """
    return _Parser(text).whole()


def references(expression: Expression) -> frozenset[str]:
    """Names of the inputs that a condition reads."""
    if isinstance(expression, Reference):
        return frozenset({expression.name})
    if isinstance(expression, Cast | Not):
        return references(expression.inner)
    if isinstance(expression, Compare):
        return references(expression.left) | references(expression.right)
    if isinstance(expression, Both):
        return frozenset().union(*(references(part) for part in expression.parts))
    return frozenset()


def constant_comparisons(expression: Expression) -> int:
    """How many comparisons have no input on either side; kfp writes none, but text with a quote in it may make one."""
    if isinstance(expression, Not):
        return constant_comparisons(expression.inner)
    if isinstance(expression, Both):
        return sum(constant_comparisons(part) for part in expression.parts)
    return int(not references(expression))


def evaluate(expression: Expression, inputs: Mapping[str, Json]) -> bool:
    """Decide a condition.

    Raises:
        DocumentError: an input is missing, the kinds do not compare, or the result is not true or false.
    """
    value = _value(expression, inputs)
    if not isinstance(value, bool):
        raise _wrong(
            f"the condition gives {value!r}", "A branch is taken on true or false, never on something like it."
        )
    return value


def _value(expression: Expression, inputs: Mapping[str, Json]) -> Json:
    if isinstance(expression, Literal):
        return expression.value
    if isinstance(expression, Reference):
        if expression.name not in inputs:
            raise _wrong(f"the condition reads '{expression.name}', which has no value", "Guessing a branch is worse.")
        return inputs[expression.name]
    if isinstance(expression, Cast):
        return _cast(expression.kind, _value(expression.inner, inputs))
    if isinstance(expression, Not):
        return not evaluate(expression.inner, inputs)
    if isinstance(expression, Both):
        results = (evaluate(part, inputs) for part in expression.parts)
        return all(results) if expression.operator == "&&" else any(results)
    return _compare(expression.operator, _value(expression.left, inputs), _value(expression.right, inputs))


def _compare(symbol: str, left: Json, right: Json) -> bool:
    kinds = {_kind(left), _kind(right)}
    if len(kinds) > 1 and "null" not in kinds:
        raise _wrong(
            f"the condition compares {left!r} with {right!r}",
            "Values of different kinds are never equal, so the branch would depend on an accident.",
        )
    if symbol not in ("==", "!=") and kinds & {"null", "boolean", "list", "object"}:
        raise _wrong(f"the condition orders {left!r} and {right!r}", "Only numbers and text have an order.")
    return _COMPARE[symbol](left, right)


def _kind(value: Json) -> str:
    if value is None:
        return "null"
    for kind, types in (("boolean", bool), ("number", (int, float)), ("text", str), ("list", list), ("object", dict)):
        if isinstance(value, types):
            return kind
    raise _wrong(f"{value!r} cannot be compared", "A condition sees JSON values.")


def _cast(kind: str, value: Json) -> Json:
    try:
        if kind == "int":
            return int(value)
        if kind == "double":
            return float(value)
        if kind == "bool":
            if isinstance(value, str):
                return {"true": True, "false": False}[value.lower()]
            return bool(value)
        return as_text(value)
    except (KeyError, TypeError, ValueError) as exc:
        raise _wrong(f"the condition cannot read {value!r} as {kind}", "The branch depends on that number.") from exc


def _wrong(what: str, why: str) -> DocumentError:
    return DocumentError(what, why=why, todo="Correct the dsl.If of the pipeline, or what the task before it returns.")


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[re.Match[str]] = []
        position, end = 0, len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None:
                raise self.error(position)
            self.tokens.append(match)
            position = match.end()
        self.next = 0

    def error(self, position: int) -> DocumentError:
        return _wrong(
            f"condition not understood at {self.text[position:].strip()[:40]!r} in: {self.text}",
            "KFP writes text with a quote in it unescaped, and then the condition means something else or nothing.",
        )

    def peek(self, group: str = "op") -> str | None:
        return self.tokens[self.next][group] if self.next < len(self.tokens) else None

    def take(self, symbol: str) -> bool:
        if self.peek() == symbol:
            self.next += 1
            return True
        return False

    def whole(self) -> Expression:
        expression = self.logical("||")
        if self.next < len(self.tokens):
            raise self.error(self.tokens[self.next].start())
        return expression

    def logical(self, symbol: str) -> Expression:
        parts = [self.logical("&&") if symbol == "||" else self.comparison()]
        while self.take(symbol):
            parts.append(self.logical("&&") if symbol == "||" else self.comparison())
        return parts[0] if len(parts) == 1 else Both(symbol, tuple(parts))

    def comparison(self) -> Expression:
        left = self.atom()
        symbol = self.peek()
        if symbol in _COMPARE:
            self.next += 1
            return Compare(symbol, left, self.atom())
        return left

    def atom(self) -> Expression:
        if self.next >= len(self.tokens):
            raise self.error(len(self.text))
        token = self.tokens[self.next]
        self.next += 1
        if token["op"] == "(":
            inner = self.logical("||")
            if not self.take(")"):
                raise self.error(token.start())
            return inner
        if token["op"] == "!":
            return Not(self.atom())
        if token["input"] is not None:
            return Reference(token["input"])
        if token["text"] is not None:
            return Literal(re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[0]), token["text"][1:-1]))
        if token["number"] is not None:
            return Literal(float(token["number"]) if re.search(r"[.eE]", token["number"]) else int(token["number"]))
        name = token["name"]
        if name in ("true", "false", "null"):
            return Literal({"true": True, "false": False, "null": None}[name])
        if name in ("int", "double", "string", "bool") and self.take("("):
            inner = self.logical("||")
            if self.take(")"):
                return Cast(name, inner)
        raise self.error(token.start())
