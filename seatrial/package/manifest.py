"""The manifest: which files a package has and their digests. Its own digest is the package's identity.

``verified`` is the only door to a package's bytes: it reads each file once, and what it hashed is what is used.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from seatrial.errors import PackageError
from seatrial.project import Settings

MANIFEST = "manifest.json"
MODEL = "model.onnx"

LIMITS = {
    MODEL: 1 << 30,
    "signature.json": 1 << 20,
    "profile.json": 64 << 20,
    "golden.json": 16 << 20,
    "metrics.json": 16 << 20,
    "lineage.json": 1 << 20,
}
"""The files of a package and the most bytes that each may have; more is refused before it is read."""

_MANIFEST_LIMIT = 64 << 10


class FileDigest(Settings):
    """One file's content."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bytes: int = Field(ge=0)


class Manifest(Settings):
    """The content of ``manifest.json``."""

    format: Literal[1] = 1
    files: dict[str, FileDigest]

    @model_validator(mode="after")
    def _exactly_the_files(self) -> Self:
        if set(self.files) != set(LIMITS):
            raise ValueError(f"the files must be {', '.join(sorted(LIMITS))}")
        return self

    @classmethod
    def of(cls, files: Mapping[str, bytes]) -> Self:
        """The manifest of these files."""
        return cls(files={n: FileDigest(sha256=_sha256(b), bytes=len(b)) for n, b in sorted(files.items())})

    def to_bytes(self) -> bytes:
        """The one way in which this manifest may be written."""
        return canonical(self.model_dump(mode="json"))

    @property
    def digest(self) -> str:
        """SHA-256 of ``to_bytes``: the package's identity, 64 hexadecimal digits."""
        return _sha256(self.to_bytes())


def canonical(content: Any) -> bytes:
    """JSON with sorted keys, no NaN and a final newline: equal content gives equal bytes."""
    return (json.dumps(content, sort_keys=True, indent=2, allow_nan=False, ensure_ascii=False) + "\n").encode()


def verified(folder: Path) -> tuple[Manifest, dict[str, bytes]]:
    """Read a package whose every file is what its manifest says; nothing but the manifest is parsed before.

    Raises:
        PackageError: a file is missing, too many, too large, a link or changed; it is named.
    """
    present = _entries(folder)
    if MANIFEST not in present:
        raise _untrusted(folder, f"{MANIFEST} is missing")
    raw = _read(folder, MANIFEST, _MANIFEST_LIMIT)
    try:
        manifest = Manifest.model_validate_json(raw)
    except ValidationError as exc:
        raise _untrusted(folder, f"{MANIFEST} is not a manifest: {exc.errors()[0]['msg']}") from exc
    if manifest.to_bytes() != raw:
        raise _untrusted(folder, f"{MANIFEST} is not written as this program writes it")
    problems = [f"{name} is missing" for name in sorted(set(LIMITS) - present)]
    problems += [f"{name} does not belong here" for name in sorted(present - set(LIMITS) - {MANIFEST})]
    if problems:
        raise _untrusted(folder, "; ".join(problems))
    files = {name: _read(folder, name, limit) for name, limit in LIMITS.items()}
    changed = [name for name, content in files.items() if _sha256(content) != manifest.files[name].sha256]
    if changed:
        raise _untrusted(folder, f"{', '.join(changed)} is not what {MANIFEST} says (SHA-256 differs)")
    return manifest, files


def _entries(folder: Path) -> set[str]:
    try:
        return {entry.name for entry in folder.iterdir()}
    except OSError as exc:
        raise PackageError(
            f"there is no model package at {folder}: {exc.strerror}",
            why="A package is a folder with a manifest.",
            todo="Check the path; 'seatrial models' lists the registered ones.",
        ) from exc


def _read(folder: Path, name: str, limit: int) -> bytes:
    """Read a regular file without following a link, waiting on a pipe, or taking in more than ``limit`` bytes."""
    try:
        handle = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as exc:
        link = (folder / name).is_symlink()
        raise _untrusted(folder, f"{name} is a link" if link else f"{name} cannot be read: {exc.strerror}") from exc
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise _untrusted(folder, f"{name} is not a regular file")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise _untrusted(folder, f"{name} is larger than {limit:,} bytes")
    return content


def _untrusted(folder: Path, what: str) -> PackageError:
    return PackageError(
        f"the model package {folder} is refused: {what}",
        why="Its content is not what was built and judged by the gate, so its answers cannot be trusted either.",
        todo="Fetch the version again from the registry, or build it again.",
    )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
