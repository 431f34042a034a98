"""Importers: artifacts that exist before the run, on this machine or in a bucket.

A bucket is read through the `Fetch` that the machine was given; this package knows no cloud. Nothing is copied that
lies on this machine already, unless the document wants it in the run's workspace.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seatrial.document import placeholders
from seatrial.document.model import Constant, Importer
from seatrial.errors import SeatrialError, TaskError
from seatrial.execute.cache import Result, Stored, key_of
from seatrial.execute.exchange import digest, local_path
from seatrial.execute.graph import Call

Json = Any
Fetch = Callable[[str, Path], None]
"""Copies what a URI names to a path that does not exist yet; raises `SeatrialError` when it cannot."""


def imported(
    call: Call, importer: Importer, lookup: placeholders.Lookup, fetch: Fetch | None, kept: Path, workspace: Path
) -> Result:
    """Run an importer.

    Args:
        call: the task.
        importer: what it imports.
        lookup: values of placeholders.
        fetch: reads buckets; ``None`` when no access is configured.
        kept: folder for what was fetched.
        workspace: the run's own folder.

    Raises:
        TaskError: there is nothing at that place, or no access to it.
    """
    given = importer.uri.value if isinstance(importer.uri, Constant) else call.inputs.parameters[importer.uri.name]
    uri = placeholders.fill(str(given), lookup)
    metadata = placeholders.fill_value(dict(importer.metadata), lookup)
    place = local_path(uri)
    if place is None:
        place = _fetched(call, uri, fetch, kept, again=importer.reimport) if fetch is not None else None
    elif not place.exists():
        raise _missing(call, uri, "An importer names an artifact that exists already.")
    if place is not None and importer.to_workspace:
        place = _copied(place, workspace / ".artifacts" / key_of(uri)[:16])
    name = next(iter(call.component.output_artifacts), "artifact")
    # an artifact in a bucket without access is still a name with metadata; who reads it was asked for before the start
    found = uri if place is None else str(place.absolute())
    return Result(artifacts={name: [Stored(name, importer.schema, found, metadata, digest(found, metadata))]})


def _fetched(call: Call, uri: str, fetch: Fetch, kept: Path, *, again: bool) -> Path:
    name = uri.rstrip("/").rpartition("/")[2] or "artifact"
    folder = kept / key_of(uri)[:16]
    known = sorted(folder.glob(f"whole-*/{name}"), key=lambda p: p.parent.stat().st_mtime_ns)
    if known and not again:
        return known[-1]
    folder.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix="partial-", dir=folder)) / name
    try:
        fetch(uri, partial)
    except SeatrialError as exc:
        raise TaskError(
            f"task '{call.task.display_name}' cannot import {uri}: {exc.what}", why=exc.why, todo=exc.todo
        ) from exc
    if not partial.exists():
        raise _missing(call, uri, "Nothing was found under that name.")
    whole = partial.parent.with_name(partial.parent.name.replace("partial-", "whole-"))
    partial.parent.rename(whole)
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
