"""What a task read besides its declared inputs: the project's modules and files.

The cache reuses a result only while those are what they were. Recording what was read, rather than hashing the whole
project, means that a changed gate policy does not train the models again.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from seatrial.component import settings_read

ENGINE_OF_TASKS = ("seatrial.component", "seatrial.errors")
"""Modules of ours that run inside a task; they are loaded before it starts, and its result depends on them."""


class Recorder:
    """Notes, from its creation on, each file below ``roots`` that this process opens through Python.

    Args:
        roots: folders whose files count.
        unwatched: folders inside them that do not (results, virtual environments).
    """

    def __init__(self, roots: Sequence[Path], unwatched: Sequence[Path]) -> None:
        self._roots = tuple(f"{os.path.realpath(root)}{os.sep}" for root in roots)
        self._unwatched = tuple(f"{os.path.realpath(folder)}{os.sep}" for folder in unwatched)
        self._before = frozenset(sys.modules) - set(ENGINE_OF_TASKS)
        self._opened: set[str] = set()
        sys.addaudithook(self._audit)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            self._opened.add(os.fsdecode(arguments[0]))

    def files(self) -> dict[str, str | None]:
        """Absolute path -> SHA-256 (``None``: looked for, not there) of all that was read so far."""
        modules = (sys.modules[name] for name in set(sys.modules) - self._before)
        sources = {getattr(module, "__file__", None) for module in list(modules)}
        paths = {os.path.abspath(p) for p in (*self._opened, *(s for s in sources if s))}  # noqa: PTH100 - no links followed
        return digests(p for p in sorted(paths) if self._counts(p))

    def _counts(self, path: str) -> bool:
        real = os.path.realpath(path)
        return (
            real not in settings_read.files  # what was read of them is known value by value
            and real.startswith(self._roots)
            and not real.startswith(self._unwatched)
            and "__pycache__" not in real
            and not Path(real).is_dir()
        )


def state_of(roots: Sequence[Path], unwatched: Sequence[Path]) -> str:
    """Digest of the names, sizes and times of all files below ``roots``: it changes when any of them does."""
    skipped = {os.path.realpath(folder) for folder in unwatched}
    digest = hashlib.sha256()
    for root in roots:
        for folder, folders, files in os.walk(os.path.realpath(root)):
            folders[:] = sorted(
                name for name in folders if name != "__pycache__" and f"{folder}{os.sep}{name}" not in skipped
            )
            for name in sorted(files):
                path = f"{folder}{os.sep}{name}"
                try:
                    stat = Path(path).stat()
                except OSError:
                    continue  # it went away, or is a link to nothing
                digest.update(
                    f"{os.path.relpath(path, root)}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode(
                        "utf-8", "surrogateescape"
                    )
                )
    return digest.hexdigest()


def digests(paths: Iterable[str]) -> dict[str, str | None]:
    """SHA-256 of each file, ``None`` where there is none."""
    found: dict[str, str | None] = {}
    for path in paths:
        try:
            with Path(path).open("rb") as stream:
                found[path] = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError:
            found[path] = None
    return found
