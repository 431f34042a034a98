# ruff: noqa: S608  (identifiers go through tables.quoted and strings through tables.literal; none is a caller's)
"""The dataset table: which columns it holds, of which types, and how it is opened to be looked at."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from seatrial.data.tables import connected, load, quoted

if TYPE_CHECKING:
    import duckdb

    from seatrial.project import Model

Kind: TypeAlias = Literal["key", "time", "label", "int", "float", "category", "other"]
Ints: TypeAlias = npt.NDArray[np.int64]

PARTS = ("train", "validation", "holdout")
"""The parts of a dataset, in order of time; their position is their number."""

INTEGERS = frozenset(
    {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT"}
)
TIMES = frozenset({"TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "DATE"})


def dataset_columns(model: Model) -> dict[str, Kind]:
    """Every column of the dataset table, in order, and what it is.

    Slices that are not columns of the model (``month``, say) are in the table too: the gate needs them, callers do not
    send them.
    """
    columns: dict[str, Kind] = dict.fromkeys(model.key, "key")
    columns |= {model.time: "time", model.label: "label"}
    columns |= {name: column.type for name, column in model.columns.items()}
    for name in (*model.gate.slices, *model.unavailable_at_prediction):
        columns.setdefault(name, "other")
    return columns


def part_sql(model: Model) -> str:
    """The part's number by the row's time, as an SQL expression; NULL without a time.

    Rows that share a time are in one part, and a row at midnight of a boundary's date belongs to the later part.
    """
    time = quoted(model.time)
    return (
        f"CASE WHEN {time} < TIMESTAMP '{model.split.validation_from}' THEN 0 "
        f"WHEN {time} < TIMESTAMP '{model.split.holdout_from}' THEN 1 WHEN {time} IS NOT NULL THEN 2 END"
    )


@dataclass(frozen=True, eq=False)
class Tally:
    """How often each value of one column occurs, by part and label. Rows without time or label are not in it."""

    values: npt.NDArray[Any]
    """Shape (k,): float64 (NaN is missing), or text ("" is missing)."""
    missing: npt.NDArray[np.bool_]
    """Shape (k,)."""
    part: Ints
    """Shape (k,): position in ``PARTS``."""
    label: Ints
    """Shape (k,): 0 or 1."""
    fold: Ints
    """Shape (k,): 0 to 4 for text, so that a value's target rate can be judged on other rows; 0 for numbers."""
    rows: Ints
    """Shape (k,): how many rows."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """A dataset table that is open for questions. Columns that are absent or of a wrong type are not ``usable``."""

    model: Model
    connection: duckdb.DuckDBPyConnection
    types: dict[str, str]
    """Column -> DuckDB type, of every column in the file."""
    usable: frozenset[str]
    """Columns whose type is the declared one."""
    rows: int
    _tallies: dict[str, Tally] = field(default_factory=dict)

    def features(self) -> tuple[str, ...]:
        """The usable columns that a caller sends."""
        return tuple(name for name in self.model.columns if name in self.usable)

    def one(self, select: str) -> tuple[Any, ...]:
        """The single row of ``SELECT <select> FROM dataset``."""
        row = self.connection.execute(f"SELECT {select} FROM dataset").fetchone()
        return tuple(row) if row is not None else ()

    def examples(self, column: str, where: str, *, limit: int = 3) -> list[tuple[Any, str, str]]:
        """The first offending rows by time and key: value, place ("at 2013-02-12 03:00"), key ("flight_id UA1")."""
        time = quoted(self.model.time) if self.model.time in self.usable else "NULL"
        keys = [name for name in self.model.key if name in self.usable]
        order = ", ".join(f"{item} NULLS LAST" for item in (time, *map(quoted, keys)) if item != "NULL")
        rows = self.connection.execute(
            f"SELECT {quoted(column)}, {', '.join([time, *map(quoted, keys)])} FROM dataset WHERE {where} "
            + (f"ORDER BY {order} " if order else "")
            + f"LIMIT {limit}"
        ).fetchall()
        found = []
        for value, when, *parts in rows:
            key = ", ".join(f"{name} {part}" for name, part in zip(keys, parts, strict=True))
            found.append((value, f"at {moment(when)}" if when is not None else f"of {key}", key))
        return found

    @property
    def comparable(self) -> bool:
        """Whether rows have a part and a label, so that columns can be tallied."""
        return {self.model.time, self.model.label} <= self.usable

    def tally(self, column: str) -> Tally:
        """Count the values of a feature; asked once, remembered."""
        if column not in self._tallies:
            numeric = self.model.columns[column].numeric
            label = quoted(self.model.label)
            found = self.connection.execute(
                f"SELECT CAST({quoted(column)} AS {'DOUBLE' if numeric else 'VARCHAR'}) AS v, _part, "
                f"CAST({label} AS BIGINT) AS y, {'0' if numeric else 'rowid % 5'} AS f, count(*) AS n "
                f"FROM dataset WHERE _part IS NOT NULL AND {label} IN (0, 1) GROUP BY ALL ORDER BY ALL"
            ).fetchnumpy()
            masked = np.ma.asarray(found["v"])
            values: npt.NDArray[Any] = masked.filled(np.nan if numeric else "")
            missing = np.isnan(values) if numeric else values == ""
            part, y, fold, rows = (np.asarray(found[name], dtype=np.int64) for name in ("_part", "y", "f", "n"))
            self._tallies[column] = Tally(values, np.asarray(missing, dtype=bool), part, y, fold, rows)
        return self._tallies[column]


@contextlib.contextmanager
def opened(model: Model, table: Path, *, threads: int = 1) -> Iterator[Dataset]:
    """Open a dataset table.

    Raises:
        DataError: the file is missing or is not Parquet.
    """
    with connected(threads=threads) as connection:
        types = load(connection, table, "_file")
        usable = frozenset(
            name for name, kind in dataset_columns(model).items() if name in types and is_kind(types[name], kind)
        )
        part = part_sql(model) if model.time in usable else "NULL"
        connection.execute(f"CREATE VIEW dataset AS SELECT *, rowid, {part} AS _part FROM _file")
        counted = connection.execute("SELECT count(*) FROM _file").fetchone()
        yield Dataset(model, connection, types, usable, int(counted[0]) if counted else 0)


EXPECTED: dict[Kind, str] = {
    "key": "text, an integer or a time",
    "time": "TIMESTAMP or DATE (convert a zoned time to the one that the dates in [split] mean)",
    "label": "0 or 1 as an integer or BOOLEAN",
    "int": "an integer",
    "float": "a number",
    "category": "text",
    "other": "text, a number, BOOLEAN or a time",
}
"""What each kind takes, in words, for the messages that refuse a type."""


def is_kind(found: str, kind: Kind) -> bool:
    """Whether a column of DuckDB type ``found`` may be used as ``kind``."""
    text = found == "VARCHAR" or found.startswith("ENUM")
    integer, time = found in INTEGERS, found in TIMES
    number = integer or found in ("FLOAT", "DOUBLE") or found.startswith("DECIMAL")
    return {
        "key": text or integer or time,
        "time": time,
        "label": integer or found == "BOOLEAN",
        "int": integer,
        "float": number,
        "category": text,
        "other": text or number or time or found == "BOOLEAN",
    }[kind]


def moment(value: dt.datetime | dt.date) -> str:
    """A time as people write it: no seconds where there are none."""
    if not isinstance(value, dt.datetime):
        return value.isoformat()
    exact = value.second or value.microsecond
    return value.isoformat(sep=" ", timespec="auto" if exact else "minutes")
