"""The server's log: one JSON object per line, about requests and never about what was in them.

Access lines bypass ``logging``: they are one ``write`` each, so that a killed server has lost none and lines of two
processes that append to one file do not mix. Everything else (start, stop, tracebacks) goes through ``logging`` with
``JsonFormatter``, so that one file holds one format.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

Sink = Callable[[bytes], None]
"""Takes one line, its newline included."""


class Access(msgspec.Struct, omit_defaults=True):
    """One answered request. Absent fields are None. ``path`` is without its query, which may hold values."""

    time: str
    event: str
    method: str
    path: str
    status: int
    ms: float
    bytes_in: int
    version: str
    rows: int | None = None
    code: str | None = None
    problems: int | None = None
    error_id: str | None = None


def now() -> str:
    """UTC, ISO 8601, milliseconds."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")


def to_descriptor(descriptor: int) -> Sink:
    """A sink that writes to an open file. A full disk or a closed pipe loses lines, never a request."""

    def write(line: bytes) -> None:
        try:
            os.write(descriptor, line)
        except OSError:
            return

    return write


def rotating(path: Path, *, descriptor: int, most_bytes: int = 64 * 2**20) -> Sink:
    """A sink that writes to ``descriptor``, which is open on ``path``, and keeps the file from growing for ever.

    A full file becomes ``<path>.1`` and ``descriptor`` is opened anew, so that whatever else writes to it (tracebacks
    on standard error) follows. At most twice ``most_bytes`` lie there. Several processes may write to one path.
    """
    write = to_descriptor(descriptor)
    every = max(1, most_bytes // 64)
    unchecked = every

    def keep(line: bytes) -> None:
        nonlocal unchecked
        unchecked += len(line)
        if unchecked >= every:
            unchecked = 0
            with contextlib.suppress(OSError):
                _turn(path, descriptor, most_bytes)
        write(line)

    return keep


def _turn(path: Path, descriptor: int, most_bytes: int) -> None:
    """Rename a full log and open a fresh one; follow when another process did so."""
    ours = os.fstat(descriptor)
    try:
        theirs = path.stat()
        same = (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino)
    except FileNotFoundError:
        same = False
    if same and ours.st_size < most_bytes:
        return
    if same:
        path.replace(f"{path}.1")
    fresh = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.dup2(fresh, descriptor)
    finally:
        os.close(fresh)


class JsonFormatter(logging.Formatter):
    """``logging`` records in the access lines' format, a traceback as one text."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line = {"time": now(), "event": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()
