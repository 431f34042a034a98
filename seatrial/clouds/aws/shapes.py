"""Validates requests against botocore's shapes: the service's own description, as new as the installed botocore.

botocore checks required members and types when it sends a request; this module also checks lengths, counts, patterns,
enumerations and unknown members, and lets pipeline expressions stand where a value will be known later.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from seatrial.errors import MissingExtra

Json = Any
Shape = Any
"""A ``botocore.model.Shape``; botocore has no types."""

Hole = Callable[[Json, Shape, str], "list[str] | None"]
"""(value, shape, where) -> problems of a pipeline expression, or ``None`` when the value is not one."""

_SHOWN = 60


@functools.cache
def service(name: str) -> Any:
    """The ``ServiceModel`` of a service, from botocore's own data only: no settings of this machine change it.

    Raises:
        MissingExtra: botocore is not installed.
    """
    try:
        from botocore.loaders import Loader
        from botocore.model import ServiceModel
    except ImportError as exc:
        if (exc.name or "").split(".")[0] != "botocore":
            raise
        raise MissingExtra("Checking SageMaker requests", "botocore", "aws") from exc
    loader = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    return ServiceModel(loader.load_service_model(name, "service-2"), name)


def version() -> str:
    """The installed botocore's version."""
    import botocore

    return str(botocore.__version__)


def request_shape(operation: str, service_name: str = "sagemaker") -> Shape:
    """What an operation takes."""
    return service(service_name).operation_model(operation).input_shape


def answer_shape(operation: str, service_name: str = "sagemaker") -> Shape:
    """What an operation gives."""
    return service(service_name).operation_model(operation).output_shape


def conform(shape: Shape, value: Json, where: str, hole: Hole, absent: Collection[str] = ()) -> list[str]:
    """What is wrong with a value.

    Args:
        shape: what the service expects.
        value: what the definition says.
        where: the value's place, for messages.
        hole: judges pipeline expressions.
        absent: required members of the outermost structure that the pipeline service fills in.
    """
    found = hole(value, shape, where)
    if found is not None:
        return found
    check = _CHECKS.get(shape.type_name)
    return check(shape, value, where, hole, absent) if check else []


def member(shape: Shape, path: Collection[str | int]) -> Shape | None:
    """The shape at a path below a shape, or ``None`` when there is no such member."""
    for part in path:
        if shape.type_name == "structure" and part in shape.members:
            shape = shape.members[part]
        elif shape.type_name == "list":
            shape = shape.member
        elif shape.type_name == "map":
            shape = shape.value
        else:
            return None
    return shape


def _structure(shape: Shape, value: Json, where: str, hole: Hole, absent: Collection[str]) -> list[str]:
    if not isinstance(value, Mapping):
        return [f"{where}: expected an object, found {_kind(value)}"]
    problems = []
    for key, item in value.items():
        if key not in shape.members:
            problems.append(f"{where}.{key}: {shape.name} has no such member")
        else:
            problems += conform(shape.members[key], item, f"{where}.{key}", hole)
    missing = [key for key in shape.required_members if key not in value and key not in absent]
    return problems + [f"{where}.{key}: missing, and {shape.name} requires it" for key in missing]


def _list(shape: Shape, value: Json, where: str, hole: Hole, _absent: Collection[str]) -> list[str]:
    if not isinstance(value, list):
        return [f"{where}: expected a list, found {_kind(value)}"]
    problems = _bounds(shape, len(value), where, "items")
    for index, item in enumerate(value):
        problems += conform(shape.member, item, f"{where}[{index}]", hole)
    return problems


def _map(shape: Shape, value: Json, where: str, hole: Hole, _absent: Collection[str]) -> list[str]:
    if not isinstance(value, Mapping):
        return [f"{where}: expected an object, found {_kind(value)}"]
    problems = _bounds(shape, len(value), where, "entries")
    for key, item in value.items():
        problems += conform(shape.key, key, f"{where} key", hole)
        problems += conform(shape.value, item, f"{where}.{key}", hole)
    return problems


def _string(shape: Shape, value: Json, where: str, _hole: Hole, _absent: Collection[str]) -> list[str]:
    if not isinstance(value, str):
        return [f"{where}: expected text, found {_kind(value)}"]
    problems = _bounds(shape, len(value), where, "characters")
    if shape.enum and value not in shape.enum:
        close = difflib.get_close_matches(value, shape.enum, n=1)
        known = f"; did you mean '{close[0]}'?" if close else f": {_listed(shape.enum)}"
        problems.append(f"{where}: {_short(value)} is not a {shape.name}{known}")
    pattern = _pattern(shape.metadata.get("pattern", ""))
    if pattern is not None and not pattern.fullmatch(value):
        problems.append(f"{where}: {_short(value)} does not match {pattern.pattern} ({shape.name})")
    return problems


def _integer(shape: Shape, value: Json, where: str, _hole: Hole, _absent: Collection[str]) -> list[str]:
    if isinstance(value, bool) or not isinstance(value, int):
        return [f"{where}: expected an integer, found {_kind(value)}"]
    return _bounds(shape, value, where, "")


def _float(shape: Shape, value: Json, where: str, _hole: Hole, _absent: Collection[str]) -> list[str]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return [f"{where}: expected a number, found {_kind(value)}"]
    return _bounds(shape, value, where, "")


def _boolean(_shape: Shape, value: Json, where: str, _hole: Hole, _absent: Collection[str]) -> list[str]:
    return [] if isinstance(value, bool) else [f"{where}: expected true or false, found {_kind(value)}"]


_CHECKS: dict[str, Callable[[Shape, Json, str, Hole, Collection[str]], list[str]]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "integer": _integer,
    "long": _integer,
    "float": _float,
    "double": _float,
    "boolean": _boolean,
}


def _bounds(shape: Shape, size: float, where: str, unit: str) -> list[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    told = f"{size:,} {unit}".strip()
    if most is not None and size > most:
        return [f"{where}: {told}, and at most {most:,} are allowed ({shape.name})"]
    if least is not None and size < least:
        return [f"{where}: {told}, and at least {least:,} are needed ({shape.name})"]
    return []


@functools.cache
def _pattern(text: str) -> re.Pattern[str] | None:
    """The pattern, or ``None``: some are written for Java (``\\p{L}``) and mean nothing to Python."""
    try:
        return re.compile(text, re.DOTALL) if text else None
    except re.error:
        return None


def _listed(options: Collection[str]) -> str:
    shown = ", ".join(list(options)[:5])
    return shown + (f" … ({len(options)} in all)" if len(options) > 5 else "")


def _short(value: str) -> str:
    return repr(value if len(value) <= _SHOWN else value[:_SHOWN] + "…")


def _kind(value: Json) -> str:
    names = {bool: "true/false", int: "an integer", float: "a number", str: "text", list: "a list", dict: "an object"}
    return "null" if value is None else f"{names.get(type(value), type(value).__name__)}"
