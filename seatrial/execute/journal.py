"""What happened in a run: one folder per run, events appended as they come, a summary written at the end.

``events.jsonl`` is the truth while the run goes on and after a kill; ``run.json`` is written once, by rename, when the
run has ended. A lock held while the run lives tells a dead run's leftovers from a living one's.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

Json = Any


@dataclass
class TaskRecord:
    """One task of a run."""

    path: str
    name: str
    component: str
    state: str
    cached: bool = False
    started: float = 0.0
    """Seconds since the run began."""
    seconds: float = 0.0
    """Of the execution; for a cached result, of the one that is reused."""
    cpu_s: float = 0.0
    max_rss_kb: int = 0
    attempts: int = 1
    summary: str = ""
    error: Mapping[str, str] | None = None
    log: str = ""
    parameters: Mapping[str, Json] = field(default_factory=dict)
    inputs: Mapping[str, Json] = field(default_factory=dict)
    outputs: Mapping[str, Json] = field(default_factory=dict)
    artifacts: Mapping[str, Sequence[Mapping[str, Json]]] = field(default_factory=dict)
    """Name -> artifacts as ``{"uri", "digest", "metadata", "schema"}``."""
    notes: Sequence[str] = ()
    """What this machine does in another way than the document's own platform would."""


class Observer(Protocol):
    """Watches a run, to show it. Called from the thread that runs it."""

    def started(self, record: TaskRecord) -> None:
        """A task's process starts."""

    def event(self, record: TaskRecord, event: Mapping[str, Json]) -> None:
        """A running task said something or made progress."""

    def ended(self, record: TaskRecord) -> None:
        """A task ended, was found in the cache, or will not run."""


class Journal:
    """The record of one run. Use as a context manager; holds the run's lock until the end.

    Args:
        state: the project's state folder.
        pipeline: the document's name.
        freed: bytes of old results that were removed before the run.
    """

    def __init__(self, state: Path, pipeline: str, freed: int = 0) -> None:
        self.id = secrets.token_hex(4)
        self.folder = state / "runs" / self.id
        self.work = state / "work" / self.id
        self.pipeline = pipeline
        self.freed = freed
        self.began = dt.datetime.now(dt.UTC)
        self.records: list[TaskRecord] = []

    def __enter__(self) -> Journal:
        self.folder.mkdir(parents=True)
        self._lock = _locked(self.folder / "lock")
        self.work.mkdir(parents=True)
        _clear_dead_work(self.work.parent)
        self._events = (self.folder / "events.jsonl").open("a", encoding="utf-8", buffering=1)
        return self

    def __exit__(self, *_: object) -> None:
        self._events.close()
        shutil.rmtree(self.work, ignore_errors=True)
        os.close(self._lock)

    def now(self) -> float:
        """Seconds since the run began."""
        return (dt.datetime.now(dt.UTC) - self.began).total_seconds()

    def write(self, kind: str, record: TaskRecord) -> None:
        """Append an event."""
        self._events.write(json.dumps({"at": round(self.now(), 4), "event": kind, **asdict(record)}) + "\n")

    def end(self, record: TaskRecord) -> None:
        """Note a task's end."""
        self.records.append(record)
        self.write("ended", record)

    def summary(
        self,
        state: str,
        error: Mapping[str, str] | None,
        outputs: Mapping[str, Json],
        artifacts: Mapping[str, Json] | None = None,
    ) -> dict[str, Json]:
        """Write and return ``run.json``.

        Args:
            state: of the run.
            error: why it failed.
            outputs: the pipeline's own output parameters.
            artifacts: its output artifacts, as a task's.
        """
        table = {
            "run": self.id,
            "pipeline": self.pipeline,
            "began": self.began.isoformat(timespec="seconds"),
            "seconds": round(self.now(), 3),
            "state": state,
            "error": error,
            "freed_bytes": self.freed,
            "outputs": outputs,
            "artifacts": artifacts or {},
            "tasks": [asdict(record) for record in sorted(self.records, key=lambda r: (r.started, r.path))],
        }
        write_json(self.folder / "run.json", table)
        return table


def write_json(path: Path, value: Json) -> None:
    """Write a JSON file by rename: a reader sees the old one or the new one, never half."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(value, indent=2, sort_keys=True), encoding="utf-8")
    partial.replace(path)


def _locked(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def _clear_dead_work(folder: Path) -> None:
    """Remove the work folders of runs that were killed."""
    for work in folder.iterdir():
        with _try_lock(folder.parent / "runs" / work.name / "lock") as dead:
            if dead:
                shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def _try_lock(path: Path) -> Iterator[bool]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        yield True  # the run's own record was removed; nobody works there
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)
