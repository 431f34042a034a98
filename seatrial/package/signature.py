"""The signature: which columns a package takes, in which order, and how rows become the two matrices it reads.

Training, evaluation, batch and serving all pack with ``Signature.pack``. Two implementations of "turn a row into
numbers" are how a model comes to be trained on one thing and served another; here there is one.

A number travels as float32 with NaN for missing, a category as text with "" for missing. float32 holds every whole
number up to 2**24 and no further, so an ``int`` beyond that is refused rather than rounded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field

from seatrial.errors import DataError, PackageError
from seatrial.project import Column, Model, Settings

if TYPE_CHECKING:
    import pyarrow as pa

FloatMatrix = npt.NDArray[np.float32]
TextMatrix = npt.NDArray[np.object_]

LARGEST_INT = 2**24
"""The largest magnitude up to which float32 holds every whole number."""

LARGEST_FLOAT = float(np.finfo(np.float32).max)


class Packed(NamedTuple):
    """Rows in the form that a package reads."""

    numeric: FloatMatrix
    """Shape (n, a), C order; NaN is missing."""
    text: TextMatrix
    """Shape (n, b), ``str`` objects; "" is missing."""

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.numeric)

    def take(self, index: slice | npt.NDArray[np.intp]) -> Packed:
        """Some of the rows; a slice copies nothing."""
        return Packed(self.numeric[index], self.text[index])


class InputColumn(Settings):
    """One column that a caller sends, by name."""

    name: str
    type: Literal["int", "float", "category"]
    missing: Literal["refuse", "impute"]
    unit: str = ""
    range: tuple[float, float] | None = None
    """Inclusive, in ``unit``. A value outside is monitoring's matter: it is served, not refused."""

    @property
    def numeric(self) -> bool:
        """Whether the value travels as a number (else as text)."""
        return self.type != "category"


class Output(Settings):
    """What the package answers, once per row."""

    name: Literal["probability"] = "probability"
    type: Literal["float32"] = "float32"
    of: str
    """The label whose positive class the probability is of."""


class Signature(Settings):
    """What a package takes and gives: the content of ``signature.json``."""

    model: str
    task: Literal["binary"]
    columns: tuple[InputColumn, ...] = Field(min_length=1)
    output: Output

    @classmethod
    def of(cls, model: Model) -> Self:
        """The signature that ``model.toml`` declares."""
        return cls(
            model=model.name,
            task=model.task,
            columns=tuple(_input_column(name, column) for name, column in model.columns.items()),
            output=Output(of=model.label),
        )

    @cached_property
    def numeric(self) -> tuple[str, ...]:
        """Names of the number columns: the columns of the input ``numeric``."""
        return tuple(c.name for c in self.columns if c.numeric)

    @cached_property
    def text(self) -> tuple[str, ...]:
        """Names of the category columns: the columns of the input ``text``."""
        return tuple(c.name for c in self.columns if not c.numeric)

    @cached_property
    def by_name(self) -> dict[str, InputColumn]:
        """The columns by name, in the declared order."""
        return {c.name: c for c in self.columns}

    def positions(self, *names: str) -> list[int]:
        """Where columns lie in the packed matrices side by side, numbers first: what a ColumnTransformer selects.

        Raises:
            PackageError: a name is not a column of this signature.
        """
        order = self.numeric + self.text
        unknown = [name for name in names if name not in order]
        if unknown:
            raise PackageError(
                f"features.py names {', '.join(unknown)}, which model '{self.model}' does not have",
                why=f"Its columns are {', '.join(order)}.",
                todo="Add the column to model.toml, or correct features.py.",
            )
        return [order.index(name) for name in names]

    def pack(self, data: pa.Table | Sequence[Mapping[str, Any]]) -> Packed:
        """Pack a table, or rows that ``check.check_rows`` found no problem in.

        Args:
            data: an Arrow table with at least the signature's columns (others are ignored), or a list of rows.

        Raises:
            DataError: a table lacks a column, or holds values that the package could not take; all are listed.
        """
        return self._pack_rows(data) if isinstance(data, Sequence) else self._pack_table(data)

    def unpack(self, packed: Packed) -> list[dict[str, float | int | str | None]]:
        """Rows as a caller would send them; the inverse of ``pack``."""
        rows: list[dict[str, float | int | str | None]] = [{} for _ in range(packed.rows)]
        for column in self.columns:
            values: list[float | int | str | None]
            if column.numeric:
                numbers = packed.numeric[:, self.numeric.index(column.name)].tolist()
                values = [_number(v, whole=column.type == "int") for v in numbers]
            else:
                values = [v or None for v in packed.text[:, self.text.index(column.name)]]
            for row, value in zip(rows, values, strict=True):
                row[column.name] = value
        return rows

    def _pack_rows(self, rows: Sequence[Mapping[str, Any]]) -> Packed:
        numeric, text = self.numeric, self.text
        return Packed(
            np.array([[row[name] for name in numeric] for row in rows], np.float32).reshape(len(rows), len(numeric)),
            np.array([[row[name] or "" for name in text] for row in rows], object).reshape(len(rows), len(text)),
        )

    def _pack_table(self, table: pa.Table) -> Packed:
        problems = [f"{name}: the column is missing" for name in self.by_name if name not in table.column_names]
        numeric = np.empty((table.num_rows, len(self.numeric)), np.float32)
        text = np.empty((table.num_rows, len(self.text)), object)
        for column in self.columns:
            if column.name not in table.column_names:
                continue
            if column.numeric:
                target = numeric[:, self.numeric.index(column.name)]
                problem = _fill_numbers(target, table.column(column.name), whole=column.type == "int")
            else:
                problem = _fill_text(text[:, self.text.index(column.name)], table.column(column.name))
            if problem:
                problems.append(f"{column.name}: {problem}")
        if problems:
            raise DataError(
                f"model '{self.model}': {len(problems)} problem{'s' if len(problems) > 1 else ''} with the table's "
                "columns\n" + "\n".join(f"  {p}" for p in problems),
                why="A package takes exactly the columns of its signature, as float32 numbers and as text.",
                todo="Correct dataset.sql, or the column in model.toml.",
            )
        return Packed(numeric, text)


def _input_column(name: str, column: Column) -> InputColumn:
    return InputColumn(name=name, type=column.type, missing=column.missing, unit=column.unit, range=column.range)


def _number(value: float, *, whole: bool) -> float | int | None:
    if value != value:
        return None
    return int(value) if whole else value


def _fill_numbers(target: FloatMatrix, column: pa.ChunkedArray, *, whole: bool) -> str | None:
    """Fill one column of the matrix; answers what is wrong with it, if anything."""
    import pyarrow as pa

    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_null(column.type)):
        return f"is {column.type}, not a number"
    values = column.cast(pa.float64(), safe=False).to_numpy()
    known = values[~np.isnan(values)]
    if whole and not np.array_equal(known, np.rint(known)):
        return "is declared int and holds fractions"
    limit = LARGEST_INT if whole else LARGEST_FLOAT
    if len(known) and not np.abs(known).max() <= limit:
        row = int(np.nanargmax(np.abs(values)))
        return f"holds {float(values[row])} (row {row}), beyond the ±{limit:,.9g} that float32 can take"
    target[:] = values
    return None


def _fill_text(target: TextMatrix, column: pa.ChunkedArray) -> str | None:
    """Fill one column of the matrix; equal texts share one object, so memory grows with the distinct values."""
    import pyarrow as pa

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)):
        return f"is {column.type}, not text"
    at = 0
    for chunk in column.cast(pa.large_string()).dictionary_encode().chunks:
        words = np.array([*chunk.dictionary.to_pylist(), ""], object)
        index = chunk.indices.fill_null(len(words) - 1).to_numpy(zero_copy_only=False)
        target[at : at + len(chunk)] = words[index]
        at += len(chunk)
    return None
