"""Checks the rows of a caller against a signature and names every problem at once.

The model server, ``predict`` and the golden sample all use ``check_rows``. It knows no HTTP and imports no ONNX. Values
are judged as JSON would deliver them: ``true`` is not a number, ``"3"`` is not 3, and ``3.0`` is a fine int. NaN and
Infinity are refused: a value that is missing is ``null``. A value outside its declared ``range`` is *not* a problem
here: refusing it would turn a shift of the world into an outage, so monitoring watches for it instead.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seatrial.package.signature import LARGEST_FLOAT, LARGEST_INT, InputColumn, Signature

MAX_PROBLEMS = 100
"""How many problems are spelled out; the rest are counted."""

_VECTORISE_FROM = 32
"""Rows from which a column at a time is faster than a value at a time."""

_UNKNOWN = "is not a column of this model"
_JSON_NAMES = {bool: "a boolean", str: "text", list: "a list", dict: "an object", type(None): "null"}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one value."""

    row: int | None
    """Index in the request; None when it concerns no single row."""
    column: str | None
    """None when it concerns the whole row."""
    message: str

    def __str__(self) -> str:
        where = [f"row {self.row}"] if self.row is not None else []
        where += [f"column '{self.column}'"] if self.column is not None else []
        return f"{', '.join(where)}: {self.message}" if where else self.message


def check_rows(signature: Signature, rows: Sequence[Any], *, limit: int = MAX_PROBLEMS) -> list[Problem]:
    """Every reason why these rows cannot be predicted; empty when they can.

    Args:
        signature: of the package that would predict.
        rows: decoded JSON, anything at all; each should be a mapping of column name to value.
        limit: problems spelled out. When there are more, one last ``Problem`` without row and column counts them.
    """
    if len(rows) >= _VECTORISE_FROM and _surely_fine(signature, rows):
        return []
    problems: list[Problem] = []
    more = 0
    for index, row in enumerate(rows):
        for column, message in _row_problems(signature, row):
            if len(problems) < limit:
                hint = _hint(signature, column or "") if message is _UNKNOWN else ""
                problems.append(Problem(index, column, message + hint))
            else:
                more += 1
    if more:
        problems.append(Problem(None, None, f"and {more:,} more problems"))
    return problems


def _row_problems(signature: Signature, row: object) -> Iterator[tuple[str | None, str]]:
    if not isinstance(row, Mapping):
        yield None, f"is {_kind(row)}, not an object with the columns"
        return
    known = 0
    for name, column in signature.by_name.items():
        if name not in row:
            yield (
                name,
                "is missing (send null when the value is not known)" if column.missing == "impute" else "is missing",
            )
            continue
        known += 1
        message = _value_problem(column, row[name])
        if message:
            yield name, message
    if known != len(row):
        for name in row:
            if name not in signature.by_name:
                yield str(name)[:80], _UNKNOWN


def _hint(signature: Signature, name: str) -> str:
    """Costs more than everything else here, so it is for problems that are spelled out."""
    close = difflib.get_close_matches(name, signature.by_name, n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def _value_problem(column: InputColumn, value: object) -> str | None:
    if value is None or (value == "" and not column.numeric):
        return None if column.missing == "impute" else "may not be null or empty"
    if not column.numeric:
        if not isinstance(value, str):
            return f"is {_kind(value)}, not text"
        return None if _encodable(value) else "is not valid Unicode text"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"is {_kind(value)}, not a number"
    if isinstance(value, float) and not math.isfinite(value):
        return "is NaN or infinite; send null when the value is not known"
    if column.type == "int":
        if value != int(value):
            return f"is {value!r}, not a whole number"
        return None if abs(value) <= LARGEST_INT else f"is beyond ±{LARGEST_INT:,}, which the model cannot tell apart"
    return None if abs(value) <= LARGEST_FLOAT else f"is beyond ±{LARGEST_FLOAT:.3g}, the largest float32"


def _kind(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "a number"
    return _JSON_NAMES.get(type(value), type(value).__name__)


def _encodable(text: str) -> bool:
    """Whether the text has a UTF-8 form; a lone surrogate, which JSON escapes can spell, has none."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _surely_fine(signature: Signature, rows: Sequence[Any]) -> bool:
    """Judge a column at a time. False means "look closer", never "there is a problem"."""
    width = len(signature.by_name)
    if set(map(type, rows)) != {dict} or set(map(len, rows)) != {width}:
        return False
    for name, column in signature.by_name.items():
        try:
            values = [row[name] for row in rows]
        except KeyError:
            return False
        kinds = set(map(type, values))
        if column.missing == "refuse" and (type(None) in kinds or (not column.numeric and "" in values)):
            return False
        fine = _numbers_fine(column, values, kinds) if column.numeric else _texts_fine(values, kinds)
        if not fine:
            return False
    return True


def _numbers_fine(column: InputColumn, values: list[Any], kinds: set[type]) -> bool:
    if not kinds <= {int, float, type(None)}:
        return False
    if type(None) in kinds:
        values = [v for v in values if v is not None]
    try:
        numbers = np.array(values, np.float64)
    except OverflowError:
        return False
    if column.type == "int" and float in kinds and not np.array_equal(numbers, np.rint(numbers)):
        return False
    limit = LARGEST_INT if column.type == "int" else LARGEST_FLOAT
    return bool((np.abs(numbers) <= limit).all())


def _texts_fine(values: list[Any], kinds: set[type]) -> bool:
    return kinds <= {str, type(None)} and _encodable("".join(v for v in values if v))
