"""Parameter values: casting to the document's types, and text for command lines.

KFP's compiler writes every number as a floating point one (protobuf's ``Value`` has no integers), so ``3`` arrives as
``3.0``. Values that the document itself writes are therefore normalised; values that a task wrote as JSON keep what
they are.
"""

from __future__ import annotations

import json
import math
from typing import Any

from seatrial.document.model import ParameterType

Json = Any


def cast(value: Json, kind: ParameterType) -> Json:
    """The value as the declared type.

    Raises:
        ValueError: it is not one, and says so in a few words.
    """
    if kind == "STRING":
        return as_text(value)
    if kind == "NUMBER_INTEGER":
        number = _number(value)
        if not float(number).is_integer():
            raise ValueError(f"{number!r} is not an integer")
        return int(number)
    if kind == "NUMBER_DOUBLE":
        return float(_number(value))
    if kind == "BOOLEAN":
        return _boolean(value)
    if kind in ("LIST", "STRUCT", "TASK_FINAL_STATUS", "TASK_CONFIG"):
        found = _parsed(value) if isinstance(value, str) else value
        expected = list if kind == "LIST" else dict
        if not isinstance(found, expected):
            raise ValueError(f"expected a JSON {'list' if kind == 'LIST' else 'object'}, got {type(found).__name__}")
        return found
    raise ValueError(f"parameter type {kind} is not supported")


def as_text(value: Json) -> str:
    """How a value appears in a command line or inside another string: JSON, but text without quotes."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return json.dumps(value)


def without_float_integers(value: Json) -> Json:
    """Undo the compiler's integers-as-floats, at any depth; -0.0 was never an integer."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value) if value or math.copysign(1, value) > 0 else value
    if isinstance(value, list):
        return [without_float_integers(item) for item in value]
    if isinstance(value, dict):
        return {key: without_float_integers(item) for key, item in value.items()}
    return value


def select(value: Json, path: tuple[str | int, ...]) -> Json:
    """Walk into a JSON value, parsing it first when it is text.

    Raises:
        ValueError: there is no such part.
    """
    current = value
    for part in path:
        if isinstance(current, str):
            current = _parsed(current)
        inside = isinstance(current, list) and isinstance(part, int) and -len(current) <= part < len(current)
        if inside or (isinstance(current, dict) and part in current):
            current = current[part]
        else:
            raise ValueError(f"the value has no part {part!r}")
    return _parsed(current) if not path and isinstance(current, str) else current


def _parsed(text: str) -> Json:
    try:
        return json.loads(text)
    except json.JSONDecodeError as exc:
        raise ValueError(f"not JSON: {exc.msg} at character {exc.pos}") from exc


def _number(value: Json) -> int | float:
    if isinstance(value, bool):
        raise ValueError("a boolean is not a number")
    if isinstance(value, int | float):
        return value
    if isinstance(value, str):
        text = value.strip()
        try:
            return int(text)
        except ValueError:
            return float(text)
    raise ValueError(f"expected a number, got {type(value).__name__}")


def _boolean(value: Json) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    raise ValueError(f"expected a boolean, got {type(value).__name__}")
