"""Translates what a disk or SQLite refuses into Seatrial's errors, naming the file."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seatrial.errors import RegistryError, ResourceError, SeatrialError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise ``ResourceError`` or ``RegistryError`` for any OSError or sqlite3.Error about ``path`` in this block."""
    try:
        yield
    except sqlite3.Error as exc:
        raise _from_sqlite(exc, path) from exc
    except OSError as exc:
        raise _from_os(exc, path) from exc


def _from_os(exc: OSError, path: Path) -> SeatrialError:
    where = exc.filename or path
    if exc.errno in _FULL:
        return _full(where)
    if exc.errno in _DENIED:
        return _denied(where)
    return ResourceError(
        f"{where}: {exc.strerror or exc}",
        why="The registry could not use that file; nothing in it was changed.",
        todo="Check the path and the disk, then run the same command again.",
    )


def _from_sqlite(exc: sqlite3.Error, path: Path) -> SeatrialError:
    # Extended codes carry the primary code in their low byte: https://www.sqlite.org/rescode.html
    code = getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return ResourceError(
            f"{path} stayed locked by another process",
            why="One process at a time may change the registry; this one waited long enough. Nothing was changed.",
            todo="Run the same command again; if it persists, find the process that holds the file: fuser " + str(path),
        )
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return _full(path)
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH):
        return _denied(path)
    return RegistryError(
        f"{path} is damaged or is not a registry: {exc}",
        why="Versions and the champion are read from this file; guessing them could serve the wrong model.",
        todo="Restore it from a backup, or move it away to start an empty registry (packages beside it are kept).",
    )


def _full(where: object) -> ResourceError:
    return ResourceError(
        f"{where} could not be written: the disk is full or failing, or a size limit was met",
        why="The change was taken back as a whole; the registry is as it was.",
        todo="Free some space (or raise the limit), then run the same command again.",
    )


def _denied(where: object) -> ResourceError:
    return ResourceError(
        f"{where} may not be opened or changed by this user",
        why="The registry keeps versions and packages there; it is as it was.",
        todo="Check the owner and the mode of that folder, or set SEATRIAL_HOME to one that you may write.",
    )
