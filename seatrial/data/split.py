# ruff: noqa: S608  (identifiers go through tables.quoted and strings through tables.literal; none is a caller's)
"""Train, validation and holdout, in order of time, and the digest that keeps a holdout the same.

A model that will be asked about tomorrow is judged on days after those it learnt from. Scores of two versions compare
only on the same rows, so the holdout's rows and labels have a digest that ``model.toml`` can freeze; feature columns
are not in it, since a new version may well bring one.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seatrial.data.dataset import PARTS, Dataset, dataset_columns, moment, opened
from seatrial.data.tables import digest, quoted, write
from seatrial.errors import DataError

if TYPE_CHECKING:
    from seatrial.project import Model


@dataclass(frozen=True)
class Part:
    """One of the three tables."""

    rows: int
    first: str
    """Time of the first row, ISO 8601."""
    last: str
    positive_rate: float
    """Share of rows with label 1."""
    digest: str
    """SHA-256 of the file."""


@dataclass(frozen=True)
class Parts:
    """What the split gave."""

    train: Part
    validation: Part
    holdout: Part
    holdout_digest: str
    """SHA-256 over (key, time, label) of the holdout's rows, in order of the key."""
    frozen: bool
    """Whether it is the digest that ``model.toml`` names."""

    def summary(self) -> str:
        """One line: ``train 218,633 (2013-01-01 – 2013-08-31) · validation … · holdout … (frozen 9b1e0c2d)``."""
        texts = [f"{name} {part.rows:,} ({part.first[:10]} – {part.last[:10]})" for name, part in self.named().items()]
        return " · ".join(texts) + f" ({'frozen' if self.frozen else 'digest'} {self.holdout_digest[:8]})"

    def named(self) -> dict[str, Part]:
        """The parts by name, in order of time."""
        return {"train": self.train, "validation": self.validation, "holdout": self.holdout}

    def to_json(self) -> str:
        """Canonical JSON."""
        return json.dumps(asdict(self), sort_keys=True, indent=2, allow_nan=False) + "\n"


def split(
    model: Model,
    table: Path,
    *,
    train: Path,
    validation: Path,
    holdout: Path,
    trial: bool = False,
    train_until: dt.date | None = None,
    threads: int = 1,
) -> Parts:
    """Write the three parts of a dataset table, each in order of time, then key.

    Rows of one time are in one part; a row at midnight of ``validation_from`` or ``holdout_from`` is in the later one.

    Args:
        model: names the columns, the dates and, when it is frozen, the holdout's digest.
        table: a dataset table.
        train: where the rows before ``validation_from`` are written.
        validation: where those up to ``holdout_from`` are written.
        holdout: where the rest is written.
        trial: the table is a sample (``ingest`` with ``limit_rows``), so its holdout cannot be the frozen one.
        train_until: the last day of the training rows, as if nobody had later ones; ``None``: all before
            ``validation_from``. The other parts stay as they are.
        threads: of DuckDB.

    Raises:
        DataError: key, time or label are absent, of a wrong type or missing in a row; a key is not unique; a part is
            empty (all of these are named at once); no row is as old as ``train_until``; or the holdout is another than
            ``split.holdout_digest`` says. Then nothing was written.
        ResourceError: a part cannot be written.
    """
    outputs = (train, validation, holdout)
    with opened(model, table, threads=threads) as data:
        _require_splittable(data)
        found = holdout_digest(data)
        if not trial:
            _require_frozen(data, found)
        time, label = quoted(model.time), quoted(model.label)
        columns = ", ".join(map(quoted, data.types))
        order = ", ".join(map(quoted, (model.time, *model.key)))
        parts: list[Part] = []
        for number, out in enumerate(outputs):
            chosen = f"_part = {number}"
            if number == 0 and train_until is not None:
                chosen += f" AND {time} < DATE '{train_until + dt.timedelta(days=1)}'"
            rows, first, last, rate = data.connection.execute(
                f"SELECT count(*), min({time}), max({time}), avg(CAST({label} AS BIGINT)) FROM dataset WHERE {chosen}"
            ).fetchall()[0]
            if not rows:
                raise _no_history(model, train_until)
            write(data.connection, f"SELECT {columns} FROM dataset WHERE {chosen} ORDER BY {order}", out)
            parts.append(Part(rows, _iso(first), _iso(last), float(rate), digest(out)))
    first_part, second_part, third_part = parts
    return Parts(first_part, second_part, third_part, found, found == model.split.holdout_digest)


def holdout_digest(data: Dataset) -> str:
    """SHA-256 over the holdout's (key, time, label), one JSON list a row, in the order of the key.

    Values are taken as text, so that a key that changes from a 32-bit to a 64-bit integer is the same key.
    """
    model = data.model
    keys = ", ".join(f"CAST({quoted(name)} AS VARCHAR)" for name in model.key)
    rows = data.connection.execute(
        f"SELECT {keys}, strftime({quoted(model.time)}, '%Y-%m-%dT%H:%M:%S.%f'), CAST({quoted(model.label)} AS BIGINT) "
        f"FROM dataset WHERE _part = 2 ORDER BY {keys}"
    )
    state = hashlib.sha256()
    while batch := rows.fetchmany(10_000):
        state.update("".join(json.dumps(row) + "\n" for row in batch).encode())
    return state.hexdigest()


def _require_splittable(data: Dataset) -> None:
    model = data.model
    needed = (*model.key, model.time, model.label)
    problems = [
        f"{name}: {'has a wrong type, ' + data.types[name] if name in data.types else 'is not in the table'}"
        for name in dataset_columns(model)
        if name in needed and name not in data.usable
    ]
    if not problems:
        missing = data.one(", ".join(f"count(*) - count({quoted(name)})" for name in needed))
        problems += [f"{name}: missing in {count:,} rows" for name, count in zip(needed, missing, strict=True) if count]
        keys = ", ".join(map(quoted, model.key))
        rows, distinct = data.one(f"count(*), count(DISTINCT ({keys}))")
        if rows != distinct:
            problems.append(f"{', '.join(model.key)}: not unique, {rows - distinct:,} rows too many")
        counts = dict(data.connection.execute("SELECT _part, count(*) FROM dataset GROUP BY ALL").fetchall())
        problems += [f"{name}: no rows" for number, name in enumerate(PARTS) if not counts.get(number)]
    if problems:
        raise DataError(
            f"the dataset of '{model.name}' cannot be split\n" + "\n".join(f"  {problem}" for problem in problems),
            why=f"train ends before {model.split.validation_from}, the holdout begins on {model.split.holdout_from}; "
            "each part needs rows, and each row a key, a time and a label.",
            todo="Correct dataset.sql, or the dates under [split] in model.toml; 'validate' names the rows.",
        )


def _require_frozen(data: Dataset, found: str) -> None:
    model = data.model
    frozen = model.split.holdout_digest
    if frozen is None or frozen == found:
        return
    rows, first, last = data.connection.execute(
        f"SELECT count(*), min({quoted(model.time)}), max({quoted(model.time)}) FROM dataset WHERE _part = 2"
    ).fetchall()[0]
    raise DataError(
        f"the holdout of '{model.name}' is not the frozen one: expected {frozen[:12]}…, found {found[:12]}… "
        f"({rows:,} rows, {moment(first)} to {moment(last)})",
        why="Its rows, times or labels changed, so scores on it do not compare with the champion's so far.",
        todo="Restore the source; or, to accept the new holdout and start comparing anew, set "
        f'holdout_digest = "{found}" under [split] in {model.folder / "model.toml"}.',
    )


def _no_history(model: Model, until: dt.date | None) -> DataError:
    return DataError(
        f"'{model.name}' has no training row up to {until}",
        why="A model is made of rows whose outcome is known.",
        todo=f"Name a later day in train_until, before {model.split.validation_from}.",
    )


def _iso(value: dt.datetime | dt.date) -> str:
    return value.isoformat()
