"""The registry's file: an MLflow 3.17.2 database on SQLite, opened for short transactions of our own.

MLflow reads it (``mlflow ui``, ``MlflowClient``), and may write it; what Seatrial writes does not pass through MLflow's
client. Two reasons. The client moves one alias per transaction and has no compare-and-set, while a promotion must read
the champion and move two aliases and a tag in one step. And importing MLflow costs 1.5-3 s and 180-240 MB in every
process that registers, promotes or lists, where SQLite alone needs milliseconds and leaves no engine, thread or log
handler behind, not even across a fork.

The price is knowledge of ten of MLflow's tables. It is bounded by the revision, which is checked at each opening, and
by tests in which stock MLflow must read what was written here. The schema is a dump of what MLflow's migrations make.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from urllib.parse import quote

from seatrial.clouds.folder_lock import exclusive
from seatrial.clouds.storage_errors import translated
from seatrial.errors import RegistryError

REVISION = "dc11669786a5"
"""Head of MLflow 3.17.2's migrations."""

WORKSPACE = "default"
"""The workspace that MLflow uses unless it is told otherwise; part of every key."""


def now_ms() -> int:
    """Milliseconds since 1970, MLflow's unit for all its times."""
    return time.time_ns() // 1_000_000


class MlflowDatabase:
    """One database file. Holds no connection between calls, so it may be shared with forked processes."""

    def __init__(self, path: Path, *, patience_s: float = 20.0) -> None:
        self.path = path
        self._patience_s = patience_s

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection | None]:
        """Open one consistent view of the database; None when there is no database, and none is made.

        Raises:
            ResourceError: it is locked for longer than the patience, or may not be read.
            RegistryError: it is damaged or has another revision.
        """
        with translated(self.path):
            if not self._exists():
                yield None
                return
            connection = self._connect()
            try:
                connection.execute("PRAGMA query_only = ON")
                connection.execute("BEGIN")
                self._check_revision(connection)
                yield connection
            finally:
                connection.close()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Hold the only write transaction: committed when the block ends, taken back when it raises.

        The database is made when missing. ``BEGIN IMMEDIATE`` takes the lock before the first read, so what the block
        reads cannot change before it writes.

        Raises:
            ResourceError: it is locked for longer than the patience, the disk is full, or it may not be written.
            RegistryError: it is damaged or has another revision.
        """
        with translated(self.path):
            if not self._exists():
                self._create()
            connection = self._connect()
            try:
                connection.execute("PRAGMA foreign_keys = ON")
                connection.execute("BEGIN IMMEDIATE")
                self._check_revision(connection)
                yield connection
                connection.execute("COMMIT")
            finally:
                connection.close()  # an open transaction is rolled back

    def _exists(self) -> bool:
        # A file of no bytes is what SQLite itself leaves when somebody opens a database and writes nothing.
        return self.path.is_file() and self.path.stat().st_size > 0

    def _connect(self) -> sqlite3.Connection:
        # mode=rw never makes a file. Read-only mode would not do for readers either: after a kill in mid-commit the
        # first opener has to play SQLite's journal back, and a read-only connection may not. Where this user may not
        # write, SQLite falls back to reading by itself.
        uri = f"file:{quote(str(self.path.absolute()))}?mode=rw"
        return sqlite3.connect(uri, uri=True, timeout=self._patience_s, isolation_level=None)

    def _create(self) -> None:
        folder = self.path.parent
        with exclusive(folder):
            if self._exists():
                return
            unfinished = self.path.with_name(self.path.name + ".new")
            unfinished.unlink(missing_ok=True)
            schema = resources.files("seatrial.clouds.local").joinpath("mlflow_schema.sql").read_text(encoding="utf-8")
            connection = sqlite3.connect(unfinished, isolation_level=None)
            try:
                connection.executescript(schema)
            finally:
                connection.close()
            unfinished.replace(self.path)

    def _check_revision(self, connection: sqlite3.Connection) -> None:
        try:
            rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        except sqlite3.OperationalError as exc:
            if (exc.sqlite_errorcode & 0xFF) != sqlite3.SQLITE_ERROR:  # anything but "no such table"
                raise
            rows = []
        if rows != [(REVISION,)]:
            found = ", ".join(str(row[0]) for row in rows) or "none"
            raise RegistryError(
                f"{self.path} has MLflow schema revision {found}, not {REVISION}",
                why="It writes MLflow 3.17.2's tables; in another schema the same rows may mean something else.",
                todo="An older one: back it up and run 'mlflow db upgrade sqlite:///<that file>' with MLflow 3.17.2. "
                "A newer one: install the Seatrial that goes with it.",
            )
