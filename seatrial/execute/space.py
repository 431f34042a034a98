"""Space on the disk: what nobody will use again is removed when a run starts and no other run lives.

Runs hold a shared lock on the state folder. Who can have it alone knows that nobody reads what lies there, removes, and
then shares it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

KEPT_RUNS = 10
"""Of so many runs, the latest, the results that are not cached are kept."""
UNUSED_S = 30 * 24 * 3600.0
"""Cached results and copies from buckets are kept so long after they were last used."""


@contextlib.contextmanager
def held(state: Path) -> Iterator[int]:
    """Mark a state folder as used by a run until the block ends; gives how many bytes were freed before it began."""
    state.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        freed = 0
        with contextlib.suppress(BlockingIOError):  # another run lives: the next one will tidy up
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            freed = sum(_removed(path) for path in list(_unused(state)))
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield freed
    finally:
        os.close(descriptor)


def used(path: Path) -> None:
    """Note that something kept was used now."""
    with contextlib.suppress(OSError):
        os.utime(path)


def _unused(state: Path) -> Iterator[Path]:
    runs = sorted(state.glob("runs/*/lock"), key=_when, reverse=True)
    for lock in runs[KEPT_RUNS:]:
        yield from (lock.parent / name for name in ("results", "workspace") if (lock.parent / name).exists())
    yield from state.glob("imports/*/partial-*")  # of a run that was killed
    before = time.time() - UNUSED_S
    yield from (path for path in state.glob("imports/*/whole-*") if _when(path) < before)
    yield from (entry.parent for entry in state.glob("cache/*/*/*/entry.json") if _when(entry) < before)


def _removed(folder: Path) -> int:
    size = sum(item.lstat().st_size for item in folder.rglob("*") if item.is_symlink() or not item.is_dir())
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.parent.rmdir()  # nothing else was there
    return size


def _when(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
