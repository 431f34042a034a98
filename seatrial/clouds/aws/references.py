"""Pipeline expressions: ``{"Get": ...}``, ``{"Std:Join": ...}`` and ``{"Std:JsonGet": ...}``, read strictly."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Json = Any
Path = tuple[str | int, ...]

FUNCTIONS = frozenset({"Get", "Std:Join", "Std:JsonGet"})

_PART = re.compile(
    r"\.?(?:\[(?P<index>\d+)\]|\[(?P<quote>['\"])(?P<key>[^'\"]+)(?P=quote)\]|(?<=\.)(?P<name>[^.\[\]]+))"
)


def is_expression(value: Json) -> bool:
    """Whether a value is computed by the pipeline service."""
    return isinstance(value, Mapping) and len(value) == 1 and (next(iter(value)) in FUNCTIONS or _unknown(value))


def _unknown(value: Mapping[str, Json]) -> bool:
    return str(next(iter(value))).startswith("Std:")


def path_of(text: str) -> Path:
    """``Steps.a.Outputs['x'].Uri`` -> ``("Steps", "a", "Outputs", "x", "Uri")``.

    Raises:
        ValueError: it is not written like that.
    """
    parts: list[str | int] = []
    position, dotted = 0, "." + text
    while position < len(dotted):
        match = _PART.match(dotted, position)
        if match is None or match.end() == position:
            raise ValueError(f"{text!r} is not a reference")
        index = match["index"]
        parts.append(int(index) if index is not None else match["key"] or match["name"])
        position = match.end()
    return tuple(parts)


def within(value: Json, skip: frozenset[str] = frozenset()) -> Iterator[Mapping[str, Json]]:
    """Every expression in a value, outermost first, leaving out the members in ``skip`` of the outermost object."""
    if is_expression(value):
        yield value
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key not in skip:
                yield from within(item)
    elif isinstance(value, list):
        for item in value:
            yield from within(item)


def gets(value: Json, skip: frozenset[str] = frozenset()) -> Iterator[str]:
    """The text of every ``Get`` in a value."""
    for expression in within(value, skip):
        found = expression.get("Get")
        if isinstance(found, str):
            yield found
