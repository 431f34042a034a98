# ruff: noqa: S608  (identifiers go through tables.quoted and strings through tables.literal; none is a caller's)
"""Whether a dataset table can be trained on: every check, in one pass, with every finding at once.

Nothing is repaired here and nothing is raised for what the data says: findings go to the gate, the report and the
person, and :meth:`Findings.require_usable` is what stops a run.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial.data.dataset import EXPECTED, PARTS, Dataset, dataset_columns, opened
from seatrial.data.drift import drift, unseen
from seatrial.data.findings import SEVERITIES, Finding, Findings
from seatrial.data.leakage import leakage
from seatrial.data.tables import quoted

if TYPE_CHECKING:
    from seatrial.project import Model

MISSING_SHARE = 0.05
"""A column whose values are missing more often than this, and imputed, is worth a look."""
DUPLICATE_SHARE = 0.01
"""Rows that agree in everything but the key happen by chance; more often than this they were loaded twice."""


def validate(model: Model, table: Path, *, threads: int = 1) -> Findings:
    """Check a dataset table against what ``model.toml`` declares.

    Returns: findings, the most severe first, then in the order of the columns. A clean table has none.

    Raises:
        DataError: the file is missing or is not Parquet, so that nothing can be said about it.
    """
    with opened(model, table, threads=threads) as data:
        found = list(_schema(data))
        if data.rows == 0:
            found.append(Finding("error", "empty", "", "the table has no rows", 0))
        else:
            for check in (_keys, _time, _label, _values, _duplicate_rows):
                found += check(data)
            if data.comparable:
                found += unseen(data)
                found += drift(data)
            found += leakage(data)
        rows = data.rows
    columns = list(dataset_columns(model))
    position = {name: number for number, name in enumerate(columns)}
    found.sort(key=lambda f: (SEVERITIES.index(f.severity), position.get(f.column, -1)))
    return Findings(model.name, rows, tuple(found))


def _schema(data: Dataset) -> Iterator[Finding]:
    for name, kind in dataset_columns(data.model).items():
        if name not in data.types:
            yield Finding("error", "absent", name, f"is not in the table; expected {EXPECTED[kind]}", data.rows)
        elif name not in data.usable:
            message = f"is {data.types[name]}, expected {EXPECTED[kind]}"
            yield Finding("error", "type", name, message, data.rows, limit=EXPECTED[kind])


def _keys(data: Dataset) -> Iterator[Finding]:
    keys = data.model.key
    for name in keys:
        if name in data.usable and (count := data.one(f"count(*) - count({quoted(name)})")[0]):
            yield Finding("error", "missing", name, f"missing in {_rows(count)}; a key names its row", count)
    if not set(keys) <= data.usable:
        return
    names = ", ".join(map(quoted, keys))
    repeated = data.connection.execute(
        f"SELECT {names}, count(*) AS n FROM dataset GROUP BY {names} HAVING n > 1 ORDER BY n DESC, {names}"
    ).fetchall()
    repeated = [row for row in repeated if None not in row]
    if repeated:
        extra = sum(row[-1] - 1 for row in repeated)
        examples = tuple(f"{', '.join(map(str, row[:-1]))} ({row[-1]} times)" for row in repeated[:3])
        yield Finding(
            "error",
            "duplicate",
            ", ".join(keys),
            f"not unique: {', '.join(examples)}{', …' if len(repeated) > 3 else ''} ({_rows(extra)} too many)",
            extra,
            examples,
        )


def _time(data: Dataset) -> Iterator[Finding]:
    model = data.model
    if model.time not in data.usable:
        return
    counts = dict(data.connection.execute("SELECT _part, count(*) FROM dataset GROUP BY ALL").fetchall())
    if missing := counts.get(None, 0):
        yield Finding("error", "missing", model.time, f"missing in {_rows(missing)}; the split needs it", missing)
    bounds = (f"before {model.split.validation_from}", f"before {model.split.holdout_from}", "from then on")
    starts = ("", f"from {model.split.validation_from} and ", f"from {model.split.holdout_from} and ")
    first, last = data.one(f"min({quoted(model.time)}), max({quoted(model.time)})")
    for number, part in enumerate(PARTS):
        if not counts.get(number):
            span = f"the table holds {first} to {last}" if first is not None else "no row has a time"
            limit = (starts[number] + bounds[number]).replace(" and from then on", " on")
            yield Finding("error", "split", model.time, f"no row for {part} ({limit}): {span}", 0, limit=limit)


def _label(data: Dataset) -> Iterator[Finding]:
    name = data.model.label
    if name not in data.usable:
        return
    value = f"CAST({quoted(name)} AS BIGINT)"
    missing, other, zeros, ones = data.one(
        f"count(*) - count({value}), count(*) FILTER ({value} NOT IN (0, 1)), "
        f"count(*) FILTER ({value} = 0), count(*) FILTER ({value} = 1)"
    )
    if missing:
        yield Finding(
            "error", "missing", name, f"missing in {_rows(missing)}; leave such rows out in dataset.sql", missing
        )
    if other:
        yield _offending(data, "error", "label", name, f"{value} NOT IN (0, 1)", other, "neither 0 nor 1", "0 or 1")
    if not zeros or not ones:
        only = "0" if zeros else "1" if ones else "missing or wrong"
        yield Finding(
            "error", "label", name, f"is {only} in every row: there is nothing to learn", data.rows, limit="0 and 1"
        )
    elif data.comparable:
        counts = data.connection.execute(
            f"SELECT _part, min({value}), max({value}), count(*) FROM dataset "
            f"WHERE _part IS NOT NULL AND {value} IN (0, 1) GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        for part, low, high, rows in counts:
            if low == high:
                message = (
                    f"is {low} in every row of {PARTS[part]}: it cannot be {'learnt' if part == 0 else 'judged'} there"
                )
                yield Finding("error" if part == 0 else "warning", "label", name, message, rows, limit="0 and 1")


def _values(data: Dataset) -> Iterator[Finding]:
    """Missing, all missing, infinite, out of range, constant: all columns in one scan."""
    names = data.features()
    if not names:
        return
    aggregates = []
    for name in names:
        column, declared = quoted(name), data.model.columns[name]
        finite = f"isfinite(CAST({column} AS DOUBLE))" if declared.numeric else "true"
        outside = _outside(name, declared.range) if declared.range else "false"
        empty = _missing(name, numeric=declared.numeric)
        aggregates += [
            f"count(*) FILTER ({empty})",
            f"count(*) FILTER (NOT {finite} AND NOT {empty})",
            f"count(*) FILTER ({outside})",
            f"min({column}) FILTER (NOT {empty})",
            f"max({column}) FILTER (NOT {empty})",
        ]
    values = iter(data.one(", ".join(aggregates)))
    for name in names:
        missing, infinite, outside_rows, low, high = (next(values) for _ in range(5))
        yield from _column(data, name, missing, infinite, outside_rows, low, high)


def _column(
    data: Dataset, name: str, missing: int, infinite: int, outside: int, low: object, high: object
) -> Iterator[Finding]:
    declared = data.model.columns[name]
    if missing == data.rows:
        yield Finding("error", "all_missing", name, f"has no value in any of {_rows(missing)}", missing)
        return
    share = missing / data.rows
    if missing and declared.missing == "refuse":
        where = _missing(name, numeric=declared.numeric)
        examples = tuple(f"{place} ({key})" for _, place, key in data.examples(name, where))
        message = f'missing in {_rows(missing)}, and model.toml says missing = "refuse"'
        yield Finding("error", "missing", name, message, missing, examples, 'missing = "refuse"')
    elif share > MISSING_SHARE:
        message = f"missing in {100 * share:.1f} % of rows ({missing:,}), to be imputed"
        yield Finding("warning", "missing", name, message, missing, limit=f"{100 * MISSING_SHARE:g} %")
    if infinite:
        where = f"isinf(CAST({quoted(name)} AS DOUBLE))"
        yield _offending(data, "error", "infinite", name, where, infinite, "infinite", "finite")
    if outside and declared.range:
        limit = f"[{declared.range[0]:g}, {declared.range[1]:g}]{f' {declared.unit}' if declared.unit else ''}"
        yield _offending(
            data, "error", "range", name, _outside(name, declared.range), outside, f"outside {limit}", limit
        )
    if low == high:
        yield Finding(
            "warning", "constant", name, f"is {_shown(low)} in every row that has it: it tells nothing", data.rows
        )


def _duplicate_rows(data: Dataset) -> Iterator[Finding]:
    """Rows that agree in everything but their key."""
    names = [name for name in dataset_columns(data.model) if name in data.types and name not in data.model.key]
    if not set(data.model.key) <= data.usable or not names:
        return
    keys = ", ".join(map(quoted, data.model.key))
    distinct, keyed = data.one(f"count(DISTINCT hash({', '.join(map(quoted, names))})), count(DISTINCT hash({keys}))")
    repeated = keyed - distinct
    if repeated > DUPLICATE_SHARE * data.rows:
        yield Finding(
            "warning",
            "duplicate_rows",
            "",
            f"{_rows(repeated)} repeat another row in all but the key: was a source loaded twice?",
            repeated,
            limit=f"{100 * DUPLICATE_SHARE:g} %",
        )


def _offending(
    data: Dataset, severity: Any, kind: str, column: str, where: str, count: int, what: str, limit: str
) -> Finding:
    """``1048.36 at 2013-02-12 03:00 is outside [0, 120] mph (1 row)``."""
    rows = data.examples(column, where)
    named = ", ".join(f"{_shown(value)} {place}" for value, place, _ in rows) + (", …" if count > len(rows) else "")
    examples = tuple(f"{_shown(value)} {place} ({key})" for value, place, key in rows)
    return Finding(
        severity,
        kind,
        column,
        f"{named} {'is' if count == 1 else 'are'} {what} ({_rows(count)})",
        count,
        examples,
        limit,
    )


def _missing(name: str, *, numeric: bool) -> str:
    column = quoted(name)
    absent = f"isnan(CAST({column} AS DOUBLE))" if numeric else f"{column} = ''"
    return f"({column} IS NULL OR {absent})"


def _outside(name: str, bounds: tuple[float, float]) -> str:
    value = f"CAST({quoted(name)} AS DOUBLE)"
    low, high = (f"CAST('{bound!r}' AS DOUBLE)" for bound in bounds)  # a bound may be inf, which is no SQL number
    return f"(isfinite({value}) AND {value} NOT BETWEEN {low} AND {high})"


def _shown(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"
