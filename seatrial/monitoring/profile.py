"""What a table looked like, column by column: what the report shows and what monitoring later compares traffic with.

A profile holds counts, never rows, so that it may travel with the model package. It is a pure function of the table:
sums are exact (``math.fsum``), so that two machines with other vector units give the same bytes.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from seatrial.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

    from seatrial.project import Model

BINS = 20
TOP = 50
"""Categories that are counted by name; the others are counted together."""
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


@dataclass(frozen=True)
class NumberProfile:
    """One number column. Statistics are of the finite values, and None when there are none."""

    rows: int
    missing: int
    infinite: int
    distinct: int
    minimum: float | None
    maximum: float | None
    mean: float | None
    std: float | None
    """Population standard deviation."""
    quantiles: dict[str, float]
    """Level as text ("0.05") -> a value that occurs (inverted empirical distribution)."""
    edges: tuple[float, ...]
    """Inner edges of the histogram, rising: values of this table at its own quantiles, so that bins hold similar counts
    and a column of few values gets a bin for each."""
    counts: tuple[int, ...]
    """One more than ``edges``: counts[i] is of values in (edges[i - 1], edges[i]], the outer bins are open. A column
    without values has none."""


@dataclass(frozen=True)
class CategoryProfile:
    """One text column."""

    rows: int
    missing: int
    distinct: int
    counts: dict[str, int]
    """The ``TOP`` most frequent values."""
    other: int
    """Rows with any other value."""


@dataclass(frozen=True)
class Profile:
    """A table's profile."""

    rows: int
    label_rate: float | None
    """Share of label 1 among rows with a label."""
    first: str | None
    """Earliest time, ISO 8601."""
    last: str | None
    numbers: dict[str, NumberProfile]
    """In the signature's order."""
    categories: dict[str, CategoryProfile]

    def to_json(self) -> str:
        """Canonical JSON: equal tables give equal bytes. The order of columns is kept in ``columns``."""
        plain = {**asdict(self), "columns": {"numbers": [*self.numbers], "categories": [*self.categories]}}
        return json.dumps(plain, sort_keys=True, indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what :meth:`to_json` wrote."""
        plain = json.loads(text)
        columns = plain.pop("columns")
        numbers = {name: plain["numbers"][name] for name in columns["numbers"]}
        categories = {name: plain["categories"][name] for name in columns["categories"]}
        plain["numbers"] = {
            name: NumberProfile(**{**item, "edges": tuple(item["edges"]), "counts": tuple(item["counts"])})
            for name, item in numbers.items()
        }
        plain["categories"] = {name: CategoryProfile(**item) for name, item in categories.items()}
        return cls(**plain)


def profile(model: Model, table: Path) -> Profile:
    """Profile the columns that a caller sends, one column in memory at a time.

    An empty table and a column without values have a profile too; it says so.

    Raises:
        DataError: the file is not Parquet, or lacks declared columns (all are named).
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(table)
    except (OSError, pa.ArrowInvalid) as exc:
        raise DataError(
            f"cannot read the table {table.name}: {exc}",
            why=f"Read {table}.",
            todo="Run the step that writes it again.",
        ) from exc
    with file:
        absent = [name for name in (*model.columns, model.label, model.time) if name not in file.schema_arrow.names]
        if absent:
            raise DataError(
                f"the table {table.name} lacks {', '.join(absent)}",
                why="A profile covers every column that model.toml declares.",
                todo="Correct dataset.sql, or the columns in model.toml.",
            )

        def column(name: str) -> pa.ChunkedArray:
            return file.read(columns=[name]).column(0)

        label = np.asarray(column(model.label).drop_null().cast("float64"))
        times = column(model.time).drop_null()
        return Profile(
            rows=file.metadata.num_rows,
            label_rate=math.fsum(label) / len(label) if len(label) else None,
            first=_end(times, 0),
            last=_end(times, 1),
            numbers={name: number_profile(_numbers(column(name))) for name in model.numeric},
            categories={name: category_profile(column(name)) for name in model.categories},
        )


def number_profile(values: npt.NDArray[np.float64]) -> NumberProfile:
    """Profile numbers of shape (n,), NaN where missing."""
    missing = np.isnan(values)
    finite = np.sort(values[np.isfinite(values)])
    n = len(finite)
    shared: dict[str, Any] = {
        "rows": len(values),
        "missing": int(missing.sum()),
        "infinite": len(values) - int(missing.sum()) - n,
    }
    if n == 0:
        nothing: dict[str, Any] = dict.fromkeys(("minimum", "maximum", "mean", "std"))
        return NumberProfile(**shared, **nothing, distinct=0, quantiles={}, edges=(), counts=())
    distinct = finite[np.flatnonzero(np.concatenate([[True], finite[1:] != finite[:-1]]))]
    at_quantiles = np.unique(finite[[_rank(i / BINS, n) for i in range(1, BINS)]])
    edges = distinct[:-1] if len(distinct) <= BINS else at_quantiles
    mean = math.fsum(finite) / n
    return NumberProfile(
        **shared,
        distinct=len(distinct),
        minimum=float(finite[0]),
        maximum=float(finite[-1]),
        mean=mean,
        std=math.sqrt(math.fsum((finite - mean) ** 2) / n),
        quantiles={f"{level:g}": float(finite[_rank(level, n)]) for level in QUANTILES},
        edges=tuple(edges.tolist()),
        counts=tuple(np.diff(np.searchsorted(finite, edges, side="right"), prepend=0, append=n).tolist()),
    )


def category_profile(values: pa.ChunkedArray) -> CategoryProfile:
    """Profile texts; null and "" are missing."""
    found = [(item["values"], item["counts"]) for item in values.value_counts().to_pylist()]
    known = sorted(((value, count) for value, count in found if value), key=lambda item: (-item[1], item[0]))
    total = sum(count for _, count in known)
    top = dict(known[:TOP])
    return CategoryProfile(
        rows=len(values),
        missing=len(values) - total,
        distinct=len(known),
        counts=top,
        other=total - sum(top.values()),
    )


def _numbers(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    return np.asarray(column.cast("float64").fill_null(float("nan")), dtype=np.float64)


def _rank(level: float, n: int) -> int:
    """Index of the smallest value at or below which lies a share ``level`` of ``n`` sorted values."""
    return max(math.ceil(round(level * n, 6)) - 1, 0)


def _end(times: pa.ChunkedArray, which: int) -> str | None:
    import pyarrow.compute as pc

    if not len(times):
        return None
    value = pc.min_max(times).as_py()["min" if which == 0 else "max"]
    return str(value.isoformat())
