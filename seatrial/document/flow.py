"""Where values come from once the graphs around them are opened: symbols, resolved and simplified without running.

A symbol is what an executor would compute for an input, as far as it is known before the run. Opening a nested graph
replaces its inputs by symbols; a value that the document itself writes is computed here, with the executor's own
casts, so that a loop over listed items or a condition on a constant needs nothing at run time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from seatrial.document import placeholders, values
from seatrial.document.jobs import PipelineParameter
from seatrial.document.model import Constant, ParameterType
from seatrial.errors import DocumentError

Json = Any
_JSON_TYPES = ("LIST", "STRUCT")


@dataclass(frozen=True)
class MemberOutput:
    """An output of a task that stays whole."""

    member: str
    key: str


@dataclass(frozen=True)
class Status:
    """How such a task ended."""

    member: str


@dataclass(frozen=True)
class Picked:
    """A part of a JSON value."""

    base: Symbol
    path: tuple[str | int, ...]


@dataclass(frozen=True)
class Template:
    """A constant with placeholders, and what stands for them; facts of the run are left in."""

    value: Json
    lookup: Mapping[str, Symbol]


@dataclass(frozen=True)
class Several:
    """Outputs of several tasks: all as a list, or the first that exists."""

    parts: tuple[Symbol, ...]
    first: bool


@dataclass(frozen=True)
class Cast:
    """A value that an opened graph declares with another type than what it is given."""

    base: Symbol
    type: ParameterType


Symbol = Constant | PipelineParameter | MemberOutput | Status | Picked | Template | Several | Cast


def picked(base: Symbol, path: tuple[str | int, ...]) -> Symbol:
    """A part of a value.

    Raises:
        ValueError: a constant has no such part.
    """
    if isinstance(base, Cast) and base.type in _JSON_TYPES:
        base = base.base  # taking a part parses text anyway
    if isinstance(base, Constant):
        return Constant(values.select(base.value, path))
    return Picked(base.base, (*base.path, *path)) if isinstance(base, Picked) and path else Picked(base, path)


def template(value: Json, lookup: Mapping[str, Symbol]) -> Symbol:
    """A constant that the document writes, its placeholders filled as far as they are known."""
    wanted = {}
    for name in placeholders.names(value):
        found = placeholders.input_name(name)
        if found is not None and found[0] == "parameters" and found[1] in lookup:
            wanted[found[1]] = lookup[found[1]]
    if not placeholders.names(value):
        return Constant(value)
    if len(wanted) == len(placeholders.names(value)) and all(isinstance(s, Constant) for s in wanted.values()):
        given = {name: symbol.value for name, symbol in wanted.items() if isinstance(symbol, Constant)}
        return Constant(placeholders.fill_value(value, lambda p: given[(placeholders.input_name(p) or ("", ""))[1]]))
    return Template(value, wanted)


def cast(symbol: Symbol, kind: ParameterType, known: ParameterType | None) -> Symbol:
    """The symbol as an opened graph's input of that type; ``known`` is its type where that is certain.

    Raises:
        ValueError: a constant is not of that type.
    """
    if isinstance(symbol, Constant):
        return Constant(values.cast(symbol.value, kind))
    if isinstance(symbol, Cast) and symbol.type == kind:
        return symbol
    return symbol if known == kind else Cast(symbol, kind)


def uncast(symbol: Symbol, kind: ParameterType, where: str) -> Symbol:
    """The symbol for a component's input of that type, which casts on its own.

    Raises:
        DocumentError: a graph that is opened would have changed the value on its way.
    """
    if not isinstance(symbol, Cast):
        return symbol
    if symbol.type == kind:
        return uncast(symbol.base, kind, where) if isinstance(symbol.base, Cast) else symbol.base
    raise DocumentError(
        f"{where} takes a {kind}, and reaches its value through a graph that declares a {symbol.type}",
        why="The graph's tasks become jobs of their own, and the value would no longer be cast on its way.",
        todo="Declare the same type in the nested pipeline, or keep its tasks in one job.",
    )


def sources(symbol: Symbol) -> Iterator[MemberOutput | PipelineParameter | Status]:
    """Everything that a symbol is made of."""
    if isinstance(symbol, MemberOutput | PipelineParameter | Status):
        yield symbol
    elif isinstance(symbol, Picked | Cast):
        yield from sources(symbol.base)
    elif isinstance(symbol, Template):
        for part in symbol.lookup.values():
            yield from sources(part)
    elif isinstance(symbol, Several):
        for part in symbol.parts:
            yield from sources(part)


def gathered(symbol: Symbol) -> frozenset[str]:
    """Members whose outputs are put together, which only the border of a job can do."""
    if isinstance(symbol, Several):
        return frozenset(s.member for s in sources(symbol) if isinstance(s, MemberOutput))
    if isinstance(symbol, Picked | Cast):
        return gathered(symbol.base)
    if isinstance(symbol, Template):
        return frozenset().union(*(gathered(part) for part in symbol.lookup.values()))
    return frozenset()
