"""Importers: artifacts that exist before the run, on this machine or in a bucket.

A bucket is read through the `Buckets` that the machine was given; this package knows no cloud. Nothing is copied that
lies on this machine already, unless the document wants it in the run's workspace, and nothing that no task reads: such
an artifact is a name with metadata. What was copied once is used again while the bucket still holds that very version;
``reimport`` copies anew each time.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from seatrial.document import placeholders
from seatrial.document.model import Constant, Importer
from seatrial.errors import SeatrialError, TaskError
from seatrial.execute.cache import Result, Stored, key_of
from seatrial.execute.exchange import digest, local_path
from seatrial.execute.graph import Call
from seatrial.execute.space import used

Json = Any


class Remote(Protocol):
    """An object of a bucket, or all objects below a prefix, as they were when they were looked up."""

    @property
    def version(self) -> str:
        """Another text when any content, or the set of objects, is another."""

    def copy(self, target: Path) -> None:
        """Copy this version, a file or a folder, to a path that does not exist yet.

        Raises:
            SeatrialError: it cannot be read, or it changed since it was looked up.
        """


Buckets = Callable[[str], Remote]
"""Looks up what a URI names; raises `SeatrialError` when there is nothing, or no access to it."""


def imported(
    call: Call, importer: Importer, lookup: placeholders.Lookup, buckets: Buckets | None, kept: Path, workspace: Path
) -> Result:
    """Run an importer.

    Args:
        call: the task.
        importer: what it imports.
        lookup: values of placeholders.
        buckets: reads buckets; ``None`` when no access is configured.
        kept: folder for what was copied from them.
        workspace: the run's own folder.

    Raises:
        TaskError: there is nothing at that place, or no access to it.
    """
    given = importer.uri.value if isinstance(importer.uri, Constant) else call.inputs.parameters[importer.uri.name]
    uri = placeholders.fill(str(given), lookup)
    metadata = placeholders.fill_value(dict(importer.metadata), lookup)
    place = local_path(uri)
    if place is None:
        if buckets is not None and (call.task.read or importer.to_workspace):
            place = _copied_here(call, uri, buckets, kept, again=importer.reimport)
    elif not place.exists():
        raise _missing(call, uri, "An importer names an artifact that exists already.")
    if place is not None and importer.to_workspace:
        place = _copied(place, workspace / ".artifacts" / key_of(uri)[:16])
    name = next(iter(call.component.output_artifacts), "artifact")
    # an artifact in a bucket without access is still a name with metadata; who reads it was asked for before the start
    found = uri if place is None else str(place.absolute())
    return Result(artifacts={name: [Stored(name, importer.schema, found, metadata, digest(found, metadata))]})


def _copied_here(call: Call, uri: str, buckets: Buckets, kept: Path, *, again: bool) -> Path:
    name = uri.rstrip("/").rpartition("/")[2]
    name = "artifact" if name in ("", ".", "..") else name
    try:
        remote = buckets(uri)
        folder = kept / key_of([uri, remote.version])[:32]
        known = sorted(folder.glob(f"whole-*/{name}"), key=lambda p: p.parent.stat().st_mtime_ns)
        if known and not again:
            used(known[-1].parent)
            return known[-1]
        folder.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix="partial-", dir=folder))
        try:
            remote.copy(partial / name)
            whole = partial.with_name(partial.name.replace("partial-", "whole-"))
            partial.rename(whole)
        finally:
            shutil.rmtree(partial, ignore_errors=True)  # nothing is there after the rename
    except SeatrialError as exc:
        raise TaskError(
            f"task '{call.task.display_name}' cannot import {uri}: {exc.what}", why=exc.why, todo=exc.todo
        ) from exc
    return whole / name


def _copied(source: Path, folder: Path) -> Path:
    target = folder / source.name
    _remove(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copyfile(source, target)
    return target


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _missing(call: Call, uri: str, why: str) -> TaskError:
    return TaskError(
        f"task '{call.task.display_name}' imports {uri}, which is not there",
        why=why,
        todo="Correct the artifact_uri, or create the file first.",
    )
