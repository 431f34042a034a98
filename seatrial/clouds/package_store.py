"""Keeps packages in folders named by their digest. A folder that is there is whole."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from seatrial.clouds.folder_lock import exclusive
from seatrial.clouds.storage_errors import translated
from seatrial.errors import PackageError, RegistryError

Verify = Callable[[Path], str]
"""Checks a package folder against its manifest and returns its digest, or raises PackageError."""

_INCOMING = ".incoming-"


class PackageStore:
    """``<folder>/<digest>/``: copies of packages, each verified after it was copied and before it got its name."""

    def __init__(self, folder: Path, verify: Verify) -> None:
        self._folder = folder
        self._verify = verify

    def path(self, digest: str) -> Path:
        """Return where a package with this digest lies, or would lie.

        Raises:
            RegistryError: it is not a SHA-256 in hexadecimal, and so must not become part of a path.
        """
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise RegistryError(
                f"{digest!r} is not a package digest",
                why="Packages are kept under the SHA-256 of their manifest: 64 hexadecimal digits.",
                todo="Pass the digest that reading the package returns.",
            )
        return self._folder / digest

    def intact(self, digest: str) -> Path | None:
        """Return the folder of a package that is there and whole, else None."""
        folder = self.path(digest)
        return folder if folder.is_dir() and self._intact(folder, digest) else None

    def put(self, package: Path, digest: str) -> Path:
        """Copy a package in and return its folder; one that is there and intact stays, a damaged one is replaced.

        Raises:
            PackageError: the package must not be trusted.
            RegistryError: its digest is another one.
            ResourceError: the disk is full or may not be written; what was there before is unharmed.
        """
        final = self.path(digest)
        with translated(self._folder), exclusive(self._folder):
            for orphan in self._folder.glob(f"{_INCOMING}*"):  # of a killed process: whoever owns one holds the lock
                shutil.rmtree(orphan)
            if final.is_dir() and self._intact(final, digest):
                return final
            incoming = Path(tempfile.mkdtemp(prefix=_INCOMING, dir=self._folder))
            try:
                copy = incoming / digest
                shutil.copytree(package, copy)
                found = self._verify(copy)
                if found != digest:
                    raise RegistryError(
                        f"the package in {package} has digest {found}, not {digest}",
                        why="What is registered must be what was evaluated, to the byte.",
                        todo="Run the pipeline again; if it persists, something changes the package after evaluation.",
                    )
                _sync(copy)
                if final.exists():
                    final.rename(incoming / "damaged")
                copy.rename(final)
                _sync_folder(self._folder)
            finally:
                shutil.rmtree(incoming, ignore_errors=True)
        return final

    def _intact(self, folder: Path, digest: str) -> bool:
        try:
            return self._verify(folder) == digest
        except PackageError:
            return False


def _sync(folder: Path) -> None:
    for parent, _, names in os.walk(folder):
        for name in names:
            with Path(parent, name).open("rb") as file:
                os.fsync(file.fileno())
        _sync_folder(Path(parent))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
