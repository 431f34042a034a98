"""Paths into properties, as ``ignore_changes`` and ``replace_on_changes`` write them: ``a.b[0]["c.d"]``, ``a.*``."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from typing import Any

from seatrial.errors import RehearsalError
from seatrial.rehearsal.infra.provider.base import Props

_STEP = re.compile(r'\.?([^.\[\]"]+)|\[(\d+|\*)\]|\["((?:[^"\\]|\\.)*)"\]')
_MISSING = object()


def parse(path: str) -> tuple[str | int, ...]:
    """The steps of a path: names, indices and ``*``.

    Raises:
        RehearsalError: it is none.
    """
    steps: list[str | int] = []
    place = 0
    while place < len(path):
        found = _STEP.match(path, place)
        if found is None:
            break
        name, index, quoted = found.groups()
        if quoted is not None:
            steps.append(quoted.replace('\\"', '"'))
        elif index is not None and index != "*":
            steps.append(int(index))
        else:
            steps.append(name or "*")
        place = found.end()
    if place != len(path) or not steps:
        raise RehearsalError(
            f"'{path}' is no path to a property",
            why="ignore_changes and replace_on_changes name properties.",
            todo='Write it like tags.owner, rules[0].days or tags["cost.centre"]; * stands for everything.',
        )
    return tuple(steps)


def with_ignored(news: Props, olds: Props, paths: Iterable[str]) -> Props:
    """``news`` with the values of ``olds`` at these paths; what the old ones lack is left out."""
    kept: Any = copy.deepcopy(news)
    for path in paths:
        kept = _restored(kept, olds, parse(path))
    return dict(kept)


def _restored(new: Any, old: Any, steps: tuple[str | int, ...]) -> Any:
    if not steps:
        return copy.deepcopy(old)
    step, rest = steps[0], steps[1:]
    if step == "*":
        keys = _keys(old) if not rest else [key for key in _keys(new) if key in _keys(old)]
        if not rest:
            return copy.deepcopy(old)
        for key in keys:
            new = _restored(new, old, (key, *rest))
        return new
    before, now = _get(old, step), _get(new, step)
    if before is _MISSING:
        if not rest and isinstance(new, dict):
            new.pop(step, None)
        return new
    if now is _MISSING and rest:
        return new  # what surrounds it is new as a whole
    if isinstance(new, dict) or step in _keys(new):
        new[step] = _restored(now, before, rest)
    return new


def touched(path: str, olds: Props, news: Props) -> bool:
    """Whether the values at this path differ."""
    return _differs(olds, news, parse(path))


def _differs(old: Any, new: Any, steps: tuple[str | int, ...]) -> bool:
    if not steps:
        return bool(old is not new and old != new)
    step, rest = steps[0], steps[1:]
    if step == "*":
        keys = dict.fromkeys([*_keys(old), *_keys(new)])
        return any(_differs(_get(old, key), _get(new, key), rest) for key in keys)
    return _differs(_get(old, step), _get(new, step), rest)


def _keys(value: Any) -> list[str | int]:
    if isinstance(value, dict):
        return list(value)
    return list(range(len(value))) if isinstance(value, list) else []


def _get(value: Any, step: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(step, _MISSING)
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    return _MISSING
