# ruff: noqa: S608  (identifiers go through tables.quoted and strings through tables.literal; none is a caller's)
"""Tables on disk: a guarded DuckDB, Parquet bytes that depend on nothing but the rows, and their digests.

Everything here is about how tables are held; what they mean is left to the other modules of this package.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from seatrial.errors import DataError, ResourceError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

ROW_GROUP = 122_880
"""Rows of one Parquet row group: DuckDB's own, so that a scan parallelises over them."""

MEMORY_MB = 1536
"""What DuckDB may hold before it spills to a temporary folder."""


@contextlib.contextmanager
def connected(*, threads: int = 1, memory_mb: int = MEMORY_MB) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty in-memory database that spills into a folder removed on leaving, in UTC, installing nothing."""
    import duckdb

    with tempfile.TemporaryDirectory(prefix="seatrial-duckdb-") as spill:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "threads": threads,
            "memory_limit": f"{memory_mb}MB",
            "temp_directory": spill,
            "TimeZone": "UTC",
            "python_enable_replacements": False,
            "autoinstall_known_extensions": False,
        }
        with contextlib.closing(duckdb.connect(":memory:", config=settings)) as connection:
            yield connection


def quoted(name: str) -> str:
    """A column or table name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | Path) -> str:
    """A string as an SQL literal."""
    return "'" + str(value).replace("'", "''") + "'"


def load(connection: duckdb.DuckDBPyConnection, table: Path, name: str) -> dict[str, str]:
    """Load a Parquet file as table ``name``.

    Returns: column name -> DuckDB type, in the file's order.

    Raises:
        DataError: the file is missing or is not Parquet.
    """
    import duckdb

    try:
        connection.execute(f"CREATE TABLE {quoted(name)} AS SELECT * FROM read_parquet({literal(table)})")
    except duckdb.Error as exc:
        raise DataError(
            f"cannot read the table {table.name}: {first_line(exc)}",
            why=f"Read {table}.",
            todo="Run the step that writes it again.",
        ) from exc
    return columns_of(connection, name)


def columns_of(connection: duckdb.DuckDBPyConnection, name: str) -> dict[str, str]:
    """Column name -> DuckDB type of a table, in order."""
    return {row[0]: row[1] for row in connection.execute(f"DESCRIBE {quoted(name)}").fetchall()}


def first_line(exc: Exception) -> str:
    """The first line of a library's message; the rest is repeated in its traceback."""
    return (str(exc).splitlines() or [type(exc).__name__])[0]


def write(connection: duckdb.DuckDBPyConnection, query: str, out: Path) -> int:
    """Write the rows of ``query`` to a Parquet file whose bytes depend on the rows and their order alone.

    The result streams: what DuckDB sorts may spill, and no more than one row group is held here.

    Returns: how many rows.

    Raises:
        ResourceError: the disk is full or refuses the file. A file that was at ``out`` is then untouched.
    """
    import pyarrow.parquet as pq

    reader: pa.RecordBatchReader = connection.sql(query).to_arrow_reader(ROW_GROUP)
    partial = out.with_name(out.name + ".partial")
    rows = 0
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with pq.ParquetWriter(
            partial, reader.schema, version="2.6", compression="zstd", compression_level=1, store_schema=False
        ) as writer:
            for group in _row_groups(reader):
                writer.write_table(group, row_group_size=ROW_GROUP)
                rows += group.num_rows
        partial.replace(out)
    except OSError as exc:
        full = exc.errno == errno.ENOSPC or "No space left" in str(exc)
        raise ResourceError(
            f"cannot write {out}: {'the disk is full' if full else exc.strerror or first_line(exc)}",
            why="The table is not complete, so nothing was put in its place.",
            todo="Free some space and run the same command again." if full else "Give this user write access there.",
        ) from exc
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    return rows


def _row_groups(reader: pa.RecordBatchReader) -> Iterator[pa.Table]:
    """Regroup: where DuckDB cuts its batches depends on the number of threads."""
    import pyarrow as pa

    held = reader.schema.empty_table()
    for batch in reader:
        held = pa.concat_tables([held, pa.Table.from_batches([batch])])
        while held.num_rows >= ROW_GROUP:
            yield held.slice(0, ROW_GROUP).combine_chunks()
            held = held.slice(ROW_GROUP)
    if held.num_rows:
        yield held.combine_chunks()


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
