"""Results kept by what they were made of.

A key is the digest of everything that a task declares: its command, image, interface, parameters and the *content* of
its input artifacts. Under a key lie entries, each a folder with the outputs, the log and ``entry.json``, which also
says what else the task looked at (project files, probes of the world outside). An entry is reused only when all of
that still gives the same answers and its own files are what they were.

An entry comes into being by one rename, so a killed run leaves a whole result or none.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib
import json
import shutil
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seatrial.errors import ResourceError, TaskError
from seatrial.execute.observed import digests
from seatrial.execute.space import used

Json = Any
_FORMAT = 2
_KEPT_PER_KEY = 6
_YOUNG_S = 24 * 3600.0


@dataclass(frozen=True)
class Stored:
    """An artifact that exists: where it lies, and the digest of its content (or of its name, when it is remote)."""

    name: str
    schema: str
    uri: str
    metadata: Mapping[str, Json]
    digest: str

    def runtime(self) -> dict[str, Json]:
        """As KFP's ``RuntimeArtifact``."""
        schema = {"schemaTitle": self.schema, "schemaVersion": "0.0.1"}
        return {"name": self.name, "uri": self.uri, "type": schema, "metadata": dict(self.metadata)}


@dataclass(frozen=True)
class Result:
    """What a task gave, and what is known about how."""

    parameters: Mapping[str, Json] = field(default_factory=dict)
    artifacts: Mapping[str, Sequence[Stored]] = field(default_factory=dict)
    summary: str = ""
    seconds: float = 0.0
    cpu_s: float = 0.0
    max_rss_kb: int = 0
    folder: Path | None = None


def described(artifacts: Mapping[str, Sequence[Stored]]) -> dict[str, list[dict[str, Json]]]:
    """Artifacts as records show them."""
    return {
        name: [{"uri": a.uri, "digest": a.digest, "metadata": dict(a.metadata), "schema": a.schema} for a in several]
        for name, several in artifacts.items()
    }


def key_of(description: Json) -> str:
    """The cache key of a task, from a JSON description of everything that it declares."""
    canonical = json.dumps([_FORMAT, description], sort_keys=True, separators=(",", ":"), allow_nan=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


class Cache:
    """Entries below one folder. Several runs may use it at the same time.

    Args:
        folder: where they lie.
        root: the project's folder, where the modules of probes are looked for first.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        self._folder = folder
        self._root = str(root)
        self._digests: dict[str, tuple[int, int, str | None]] = {}

    def find(self, key: str) -> Result | None:
        """A result that still holds, or ``None``. A damaged entry is removed."""
        for entry in sorted(self._place(key).glob("*/entry.json"), key=_age, reverse=True):
            try:
                table = json.loads(entry.read_text())
            except (OSError, ValueError):
                continue  # another run is replacing it
            if not self._intact(entry.parent, table):
                shutil.rmtree(entry.parent, ignore_errors=True)
            elif self._holds(table["observed"]):
                used(entry)
                return _result(table, entry.parent)
        return None

    def keep(self, key: str, work: Path, result: Result, observed: Json) -> Result:
        """Turn a finished task's work folder into an entry.

        Args:
            key: of the task.
            work: a folder on the same file system with ``outputs/`` and ``log.txt``; it is moved.
            result: artifacts below ``work`` are rewritten to where they will lie.
            observed: ``{"files": {path: digest}, "probes": [...]}``.

        Raises:
            ResourceError: the disk is full.
        """
        kept = settle(work, self._place(key) / uuid.uuid4().hex[:12], result, {"key": key, "observed": observed})
        self._forget_old(key)
        return kept

    def _place(self, key: str) -> Path:
        return self._folder / key[:2] / key

    def _intact(self, folder: Path, table: Mapping[str, Json]) -> bool:
        """Sizes and times are compared first; only where they differ is the content read."""
        if table.get("format") != _FORMAT:
            return False
        artifacts = [a for several in table["artifacts"].values() for a in several]
        elsewhere = [a for a in artifacts if "uri" in a and "://" not in a["uri"] and a["on_disk"]]
        if _signatures(folder / "outputs") != table["files"]:
            elsewhere += [a for a in artifacts if "path" in a and a["on_disk"]]
        try:
            return all(content_digest(folder / a.get("path", a.get("uri"))) == a["digest"] for a in elsewhere)
        except OSError:
            return False  # a file is gone

    def _holds(self, observed: Mapping[str, Json]) -> bool:
        return all(self._digest(path) == digest for path, digest in observed.get("files", {}).items()) and all(
            self._probe(probe) == probe["value"] for probe in observed.get("probes", [])
        )

    def _digest(self, path: str) -> str | None:
        try:
            stat = Path(path).stat()
        except OSError:
            return None
        known = self._digests.get(path)
        if known is None or known[:2] != (stat.st_mtime_ns, stat.st_size):
            known = (stat.st_mtime_ns, stat.st_size, digests([path])[path])
            self._digests[path] = known
        return known[2]

    def _probe(self, probe: Mapping[str, Json]) -> Json:
        module, _, name = probe["probe"].partition(":")
        if self._root not in sys.path:
            sys.path.insert(0, self._root)
        try:
            found = getattr(importlib.import_module(module), name)(**probe["arguments"])
        except Exception:  # noqa: BLE001 - whatever a probe meets, the cached result is not proven to hold: run the task
            return _Unknown
        return json.loads(json.dumps(found))

    def _forget_old(self, key: str) -> None:
        """A young entry may be an input of a task that runs now, in this run or another."""
        folders = list(self._place(key).iterdir())
        if len(folders) <= _KEPT_PER_KEY:
            return
        entries = sorted((folder / "entry.json" for folder in folders), key=_age, reverse=True)
        for entry in entries[_KEPT_PER_KEY:]:
            if time.time() - _age(entry) > _YOUNG_S:
                shutil.rmtree(entry.parent, ignore_errors=True)


_Unknown = object()


def settle(work: Path, target: Path, result: Result, also: Mapping[str, Json]) -> Result:
    """Move a finished task's work folder to where its result stays, by one rename.

    Args:
        work: see `Cache.keep`.
        target: on the same file system; must not exist.
        result: artifacts below ``work`` are rewritten to where they will lie.
        also: more to remember in ``entry.json``.

    Raises:
        ResourceError: the disk is full.
    """
    table = {
        "format": _FORMAT,
        "parameters": dict(result.parameters),
        "artifacts": {name: [_described(a, work) for a in several] for name, several in result.artifacts.items()},
        "files": _signatures(work / "outputs"),
        "summary": result.summary,
        "seconds": result.seconds,
        "cpu_s": result.cpu_s,
        "max_rss_kb": result.max_rss_kb,
        **also,
    }
    try:
        (work / "entry.json").write_text(json.dumps(table, sort_keys=True))
        target.parent.mkdir(parents=True, exist_ok=True)
        work.rename(target)
    except OSError as exc:
        raise full_disk(exc, target) from exc
    return _result(table, target)


def content_digest(path: Path) -> str:
    """SHA-256 of a file's content, or of a folder's names and contents.

    Raises:
        FileNotFoundError: there is nothing at ``path``.
    """
    if path.is_file():
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    if not path.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such file or folder", str(path))
    digest = hashlib.sha256()
    for item in sorted(path.rglob("*"), key=lambda p: p.relative_to(path).as_posix()):
        name = item.relative_to(path).as_posix()
        if item.is_symlink():
            digest.update(f"link {name} -> {item.readlink()}\n".encode())
        elif item.is_file():
            digest.update(f"file {name} {content_digest(item)}\n".encode())
        elif item.is_dir():
            digest.update(f"folder {name}\n".encode())
    return digest.hexdigest()


def full_disk(exc: OSError, place: Path) -> ResourceError | TaskError:
    """The error to raise for a failed write."""
    if exc.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return ResourceError(
            f"no space left while writing to {place.parent}",
            why="The result of a finished task could not be stored; nothing half-written was left behind.",
            todo="Free some space (old results: remove .seatrial/cache), then run the same command again.",
        )
    return TaskError(
        f"{place.parent} cannot be written: {exc.strerror}",
        why="The result of a finished task could not be stored.",
        todo="Check the folder's permissions, then run the same command again.",
    )


def _result(table: Mapping[str, Json], folder: Path) -> Result:
    artifacts = {
        name: [
            Stored(
                name=a["name"],
                schema=a["schema"],
                uri=a["uri"] if "uri" in a else str(folder / a["path"]),
                metadata=a["metadata"],
                digest=a["digest"],
            )
            for a in several
        ]
        for name, several in table["artifacts"].items()
    }
    return Result(
        parameters=table["parameters"],
        artifacts=artifacts,
        summary=table["summary"],
        seconds=table["seconds"],
        cpu_s=table["cpu_s"],
        max_rss_kb=table["max_rss_kb"],
        folder=folder,
    )


def _described(artifact: Stored, work: Path) -> dict[str, Json]:
    """As JSON; the place of what lies below ``work`` is relative, since the folder moves."""
    path = Path(artifact.uri.removeprefix("file://"))
    place = {"uri": artifact.uri.removeprefix("file://")}
    with contextlib.suppress(ValueError):
        place = {"path": path.relative_to(work).as_posix()}
    return {
        "name": artifact.name,
        "schema": artifact.schema,
        "metadata": dict(artifact.metadata),
        "digest": artifact.digest,
        "on_disk": "://" not in artifact.uri.removeprefix("file://") and path.exists(),
        **place,
    }


def _signatures(folder: Path) -> dict[str, list[int]]:
    """Relative path -> size and modification time: what changes when a file is touched."""
    found = {}
    for item in folder.rglob("*"):
        stat = item.lstat()
        if not item.is_dir():
            found[item.relative_to(folder).as_posix()] = [stat.st_size, stat.st_mtime_ns]
    return found


def _age(entry: Path) -> float:
    try:
        return entry.stat().st_mtime
    except OSError:
        return 0.0
