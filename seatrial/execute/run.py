"""Executes a pipeline document on this machine, from arguments to a recorded run."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seatrial.document.model import Document
from seatrial.errors import ResourceError, SeatrialError
from seatrial.execute.cache import Cache, Stored
from seatrial.execute.graph import Interpreter, Values
from seatrial.execute.journal import Journal, Observer
from seatrial.execute.launcher import Launcher
from seatrial.execute.leaf import Settings, TaskRunner, fingerprint

Json = Any

# what a task may see of the environment it was started from: no credentials, and nothing that changes a result unseen
_PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "TZ",
    "USER",
    "LD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "SEATRIAL_GIT_COMMIT",
)


@dataclass(frozen=True)
class Machine:
    """Where and how a document runs."""

    root: Path
    """The project's folder: working folder of tasks, first on their module path."""
    state: Path
    preload: Sequence[str] = ()
    environment: Mapping[str, str] | None = None
    """More environment variables for tasks."""
    cores: int | None = None
    use_cache: bool = True
    facts: Mapping[str, Json] | None = None
    """Placeholders of the whole pipeline, such as ``pipeline_job_name``, where this runs only a part of it."""


@dataclass(frozen=True)
class Ran:
    """A run that ended, well or not."""

    id: str
    folder: Path
    record: Mapping[str, Json]
    """The content of ``run.json``."""
    error: SeatrialError | None
    given: Values
    """What the pipeline gives."""

    def task(self, name: str) -> Mapping[str, Json] | None:
        """The last record of a task with this display name."""
        found = [t for t in self.record["tasks"] if t["name"] == name]
        return found[-1] if found else None


def execute(
    document: Document,
    arguments: Mapping[str, Json],
    machine: Machine,
    observer: Observer,
    artifacts: Mapping[str, list[Stored]] | None = None,
) -> Ran:
    """Run a document to its end; a failed task is a result, told in ``Ran.error``.

    Args:
        document: what to run.
        arguments: parameters of the pipeline.
        machine: where and how.
        observer: is told what happens.
        artifacts: what a part of a pipeline is given by the parts before it.

    Raises:
        DocumentError: the arguments do not fit.
        ResourceError: the state folder cannot be written.
    """
    try:
        with Journal(machine.state, document.name) as journal:
            return asyncio.run(_run(document, arguments, machine, observer, journal, artifacts or {}))
    except OSError as exc:
        raise ResourceError(
            f"{machine.state} cannot be written: {exc.strerror or exc}",
            why="Runs, results and logs are kept there.",
            todo="Free some space or correct the permissions, then run the same command again.",
        ) from exc


async def _run(
    document: Document,
    arguments: Mapping[str, Json],
    machine: Machine,
    observer: Observer,
    journal: Journal,
    artifacts: Mapping[str, list[Stored]],
) -> Ran:
    engine = Path(__file__).resolve().parents[1]
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    passed["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), passed.get("PATH", os.defpath)])
    paths = [str(machine.root), str(engine.parent)]
    settings = Settings(
        root=machine.root,
        state=machine.state,
        environment={
            **passed,
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONUNBUFFERED": "1",
            "SEATRIAL_RUN": journal.id,
            **(machine.environment or {}),
        },
        watch=[machine.root, engine],
        unwatched=[machine.state, *(p for p in (machine.root / ".venv", machine.root / ".git") if p.exists())],
        fingerprint=fingerprint(),
        facts={
            "pipeline_job_name": f"{document.name}-{journal.id}",
            "pipeline_job_resource_name": f"{document.name}-{journal.id}",
            "pipeline_job_uuid": journal.id,
            "pipeline_root": str(journal.folder),
            "pipeline_job_create_time_utc": journal.began.isoformat(),
            "pipeline_job_schedule_time_utc": journal.began.isoformat(),
            **(machine.facts or {}),
        },
        cores=machine.cores or os.cpu_count() or 1,
        use_cache=machine.use_cache,
    )
    error: SeatrialError | None = None
    given = Values()
    async with Launcher(journal.folder / "forkserver.log", machine.preload) as launcher:
        runner = TaskRunner(launcher, Cache(machine.state / "cache"), journal, observer, settings)
        try:
            given = await Interpreter(document, runner, runner, settings.facts).run(arguments, artifacts)
        except SeatrialError as exc:
            error = exc
    told = None if error is None else {"what": error.what, "why": error.why, "todo": error.todo}
    record = journal.summary("SUCCEEDED" if error is None else "FAILED", told, given.parameters)
    return Ran(journal.id, journal.folder, record, error, given)
