# ruff: noqa: S608  (identifiers go through tables.quoted and strings through tables.literal; none is a caller's)
"""Source tables to one dataset table, by the model folder's ``dataset.sql``.

The file holds one SELECT over the names under ``[sources]``. Besides the dataset's columns it must yield ``left_out``:
NULL for a row to keep, else the reason in words. A row is never dropped where nobody sees it: filter with ``left_out``,
not with WHERE, and every reason is counted. The statement runs in memory, with no file or network within its reach.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from seatrial.data.dataset import EXPECTED, INTEGERS, TIMES, Kind, dataset_columns, is_kind
from seatrial.data.sources import read
from seatrial.data.tables import MEMORY_MB, columns_of, connected, digest, first_line, quoted, write
from seatrial.errors import DataError, ProjectError

if TYPE_CHECKING:
    import duckdb

    from seatrial.project import Model

DATASET_FILE = "dataset.sql"
LEFT_OUT = "left_out"


@dataclass(frozen=True)
class Ingested:
    """What went in, what came out, and why the rest did not."""

    sources: dict[str, int]
    """Rows of each source table, in the order of ``[sources]``."""
    joined: int
    """Rows that dataset.sql yields."""
    left_out: dict[str, int]
    """Reason -> rows, most first."""
    rows: int
    """Rows of the dataset table."""
    digest: str
    """SHA-256 of the table's file."""
    ignored: tuple[str, ...] = field(default=())
    """Columns of the result that model.toml does not name; they are not in the table."""

    def summary(self) -> str:
        """One line: ``336,776 flights ⋈ weather ⋈ planes → 327,346 rows``."""
        first, *others = self.sources
        return f"{self.sources[first]:,} {' ⋈ '.join([first, *others])} → {self.rows:,} rows"

    def left_out_summary(self) -> str:
        """One line: ``left out 9,430: 8,255 cancelled, 1,175 diverted``; empty when every row was kept."""
        reasons = ", ".join(f"{rows:,} {reason}" for reason, rows in self.left_out.items())
        return f"left out {sum(self.left_out.values()):,}: {reasons}" if reasons else ""

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {**asdict(self), "ignored": list(self.ignored)}


def ingest(
    model: Model,
    sources: dict[str, Path],
    out: Path,
    *,
    limit_rows: int | None = None,
    threads: int = 1,
    memory_mb: int = MEMORY_MB,
) -> Ingested:
    """Run ``dataset.sql`` over the sources and write the dataset table.

    The table is in order of time, then key; its bytes depend on the sources and the SQL alone, whatever the threads.

    Args:
        model: its folder holds ``dataset.sql``.
        sources: source name -> file, as ``sources.resolve`` finds them.
        out: the Parquet file to write.
        limit_rows: keep at most so many rows, evenly spread over time, for a quick trial.
        threads: of DuckDB.
        memory_mb: what DuckDB may hold before it spills.

    Raises:
        ProjectError: ``dataset.sql`` is missing, is not one SELECT, or fails; the message names file and line.
        DataError: a source is unusable; or the result lacks columns, has wrong types (all are named) or no rows.
        ResourceError: the table cannot be written.
    """
    statement = _statement(model.folder / DATASET_FILE)
    with (
        tempfile.TemporaryDirectory(prefix="seatrial-ingest-") as scratch,
        connected(threads=threads, memory_mb=memory_mb) as connection,
    ):
        rows = {name: read(connection, name, path, Path(scratch)) for name, path in sources.items()}
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        _execute(connection, f"CREATE TABLE _joined AS {statement}", model.folder / DATASET_FILE)
        for name in sources:
            connection.execute(f"DROP TABLE {quoted(name)}")  # the join is done: give the memory back
        types = columns_of(connection, "_joined")
        selected = _selection(model, types)
        joined, left_out = _left_out(connection)
        kept = joined - sum(left_out.values())
        if kept == 0:
            raise DataError(
                f"the dataset of '{model.name}' has no rows",
                why=f"{DATASET_FILE} yields {joined:,} rows"
                + (f" and leaves out all of them: {left_out}." if joined else "."),
                todo=f"Check the joins and the reasons for '{LEFT_OUT}' in {model.folder / DATASET_FILE}.",
            )
        query = _ordered(model, selected, kept, limit_rows)
        _execute(connection, f"CREATE TABLE _dataset AS {query}", model.folder / DATASET_FILE, ours=True)
        written = write(connection, "FROM _dataset", out)
    known = {*selected, LEFT_OUT}
    return Ingested(rows, joined, left_out, written, digest(out), tuple(name for name in types if name not in known))


def _statement(path: Path) -> str:
    import duckdb

    if not path.is_file():
        raise ProjectError(
            f"there is no {path}",
            why="It holds the SELECT that makes the dataset out of the sources.",
            todo="Write it; docs/data.md shows one.",
        )
    text = path.read_text(encoding="utf-8")
    try:
        statements = duckdb.extract_statements(text)
    except duckdb.Error as exc:
        raise _sql_error(exc, path) from exc
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        kinds = ", ".join(statement.type.name for statement in statements) or "nothing"
        raise ProjectError(
            f"{path} must hold one SELECT, and holds: {kinds}",
            why="One statement without side effects is what can be read, cached and moved to another engine.",
            todo="Put earlier steps into WITH ... AS (...).",
        )
    return text


def _execute(connection: duckdb.DuckDBPyConnection, sql: str, path: Path, *, ours: bool = False) -> None:
    import duckdb

    try:
        connection.execute(sql)
    except duckdb.Error as exc:
        raise _sql_error(exc, path, ours=ours) from exc


def _sql_error(exc: Exception, path: Path, *, ours: bool = False) -> ProjectError:
    """DuckDB's error with its place; ``ours``: in a statement around the file's, whose lines mean nothing to people."""
    line = None if ours else re.search(r"^LINE (\d+): *(.*)$", str(exc), flags=re.MULTILINE)
    return ProjectError(
        f"{path}{f', line {line[1]}' if line else ''}: {first_line(exc)}",
        why=f"At: {line[2].strip()}"
        if line and line[2].strip()
        else "A value that the statement yields does not fit what model.toml declares.",
        todo="Correct the SQL. It sees the tables under [sources] in model.toml, and no file or address.",
    )


def _selection(model: Model, types: dict[str, str]) -> dict[str, str]:
    """Column of the dataset table -> the expression that gives it its type.

    Raises:
        DataError: columns are missing or have types that cannot become what model.toml declares; all are named.
    """
    expressions: dict[str, str] = {}
    problems = [] if LEFT_OUT in types else [f"{LEFT_OUT}: missing; yield NULL for a row to keep, else the reason"]
    for name, kind in dataset_columns(model).items():
        if name not in types:
            problems.append(f"{name}: missing")
        elif not is_kind(types[name], kind):
            problems.append(f"{name}: is {types[name]}, expected {EXPECTED[kind]}")
        else:
            expressions[name] = f"{_expression(name, kind, types[name])} AS {quoted(name)}"
    if problems:
        raise DataError(
            f"{DATASET_FILE} of '{model.name}' does not yield what model.toml declares: {len(problems)} "
            f"problem{'s' if len(problems) > 1 else ''}\n" + "\n".join(f"  {problem}" for problem in problems),
            why=f"It yields: {', '.join(types)}.",
            todo=f"Correct {model.folder / DATASET_FILE}, or the columns in model.toml.",
        )
    return expressions


def _expression(name: str, kind: Kind, found: str) -> str:
    """How a column of DuckDB type ``found`` becomes ``kind``; NaN and '' are how other tools write "missing"."""
    column = quoted(name)
    if kind == "time" or found in TIMES:
        return f"CAST({column} AS TIMESTAMP)"
    if kind == "label":
        return f"CAST({column} AS TINYINT)"
    if kind == "category":
        return f"nullif(CAST({column} AS VARCHAR), '')"
    if found == "VARCHAR" or found.startswith("ENUM"):
        return f"CAST({column} AS VARCHAR)"
    if found == "BOOLEAN":
        return column
    if kind != "float" and found in INTEGERS:
        return f"CAST({column} AS BIGINT)"
    return f"CASE WHEN NOT isnan(CAST({column} AS DOUBLE)) THEN CAST({column} AS DOUBLE) END"


def _left_out(connection: duckdb.DuckDBPyConnection) -> tuple[int, dict[str, int]]:
    counts = connection.execute(
        f"SELECT CAST({LEFT_OUT} AS VARCHAR) reason, count(*) n FROM _joined GROUP BY ALL ORDER BY n DESC, reason"
    ).fetchall()
    return sum(n for _, n in counts), {reason: n for reason, n in counts if reason is not None}


def _ordered(model: Model, selected: dict[str, str], kept: int, limit_rows: int | None) -> str:
    """The rows to keep by time, then key; rows that agree in both are ordered by all else, so that bytes never vary."""
    order = ", ".join(quoted(name) for name in (model.time, *model.key, *selected))
    rows = f"SELECT {', '.join(selected.values())} FROM _joined WHERE {LEFT_OUT} IS NULL"
    if limit_rows is None or limit_rows >= kept:
        return f"FROM ({rows}) ORDER BY {order}"
    numbered = f"SELECT *, row_number() OVER (ORDER BY {order}) AS _row FROM ({rows})"
    step = f"(_row * {limit_rows}) // {kept} > ((_row - 1) * {limit_rows}) // {kept}"
    return f"SELECT * EXCLUDE (_row) FROM ({numbered}) WHERE {step} ORDER BY {order}"
