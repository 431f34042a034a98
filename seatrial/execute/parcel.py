"""Artifacts on their way between machines: a folder with ``artifact.json`` and the files that it lists.

A storage service moves folders and knows nothing of KFP's artifacts: whether one is a file or a folder, its name, its
metadata, how many there are. ``artifact.json`` says so::

    [{"name": "train", "schema": "system.Dataset", "metadata": {"rows": 3}, "path": "0"}]

``path`` is relative to the folder; an artifact that lies elsewhere has its ``uri`` instead.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seatrial.errors import TaskError
from seatrial.execute.cache import Stored, content_digest, key_of

Json = Any
INDEX = "artifact.json"


def pack(artifacts: Sequence[Stored], folder: Path) -> None:
    """Write artifacts into a folder, the index last: a folder without it holds nothing whole."""
    folder.mkdir(parents=True, exist_ok=True)
    index = []
    for number, artifact in enumerate(artifacts):
        entry = {"name": artifact.name, "schema": artifact.schema, "metadata": dict(artifact.metadata)}
        source = Path(artifact.uri.removeprefix("file://"))
        if "://" in artifact.uri and not artifact.uri.startswith("file://"):
            index.append({**entry, "uri": artifact.uri})
            continue
        if source.exists():
            copy(source, folder / str(number))
        index.append({**entry, "path": str(number)})
    (folder / INDEX).write_text(json.dumps(index, sort_keys=True, indent=2, allow_nan=False))


def unpack(folder: Path) -> list[Stored] | None:
    """The artifacts in a folder, which stay where they are; ``None``: nobody packed any.

    Raises:
        TaskError: the index is damaged, or a file that it lists is not there.
    """
    index = folder / INDEX
    if not index.exists():
        return None
    try:
        entries: Sequence[Mapping[str, Json]] = json.loads(index.read_text())
        return [stored(e["name"], e["schema"], e["metadata"], e.get("uri") or str(folder / e["path"])) for e in entries]
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise TaskError(
            f"the artifact in {folder} cannot be read: {exc!r}",
            why="A job before this one wrote it, and this one runs on it.",
            todo="Run the job before this one again.",
        ) from exc


def stored(name: str, schema: str, metadata: Mapping[str, Json], uri: str) -> Stored:
    """An artifact where it lies, with the digest of its content."""
    path = Path(uri.removeprefix("file://"))
    remote = "://" in uri and not uri.startswith("file://")
    digest = key_of([uri if remote else None, dict(metadata)])
    if not remote and path.exists():
        digest = content_digest(path)
    return Stored(name, schema, uri if remote else str(path), dict(metadata), digest)


def copy(source: Path, target: Path) -> None:
    """Copy a file or a folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)
