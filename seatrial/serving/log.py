"""The server's log: one JSON object per line, about requests and never about what was in them.

Access lines bypass ``logging``: they are one ``write`` each, so that a killed server has lost none and lines of two
processes that append to one file do not mix. Everything else (start, stop, tracebacks) goes through ``logging`` with
``JsonFormatter``, so that one file holds one format.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
from collections.abc import Callable

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


class JsonFormatter(logging.Formatter):
    """``logging`` records in the access lines' format, a traceback as one text."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line = {"time": now(), "event": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()
