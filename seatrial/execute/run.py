"""Executes a pipeline document on this machine, from arguments to a recorded run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seatrial.document.model import Container, Document
from seatrial.errors import ResourceError, SeatrialError
from seatrial.execute import engine, exchange, needs, program
from seatrial.execute.cache import Cache, Stored, described
from seatrial.execute.graph import Interpreter, Values
from seatrial.execute.importing import Fetch
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
# how the client of a container engine finds its service
_FOR_ENGINES = (
    "XDG_RUNTIME_DIR",
    "DOCKER_HOST",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "CONTAINER_HOST",
    "CONTAINERS_CONF",
    "CONTAINERS_STORAGE_CONF",
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
    fetch: Fetch | None = None
    """Reads what importers name in buckets; without it such an importer is refused."""
    engine: str | None = None
    """``podman`` or ``docker``: commands of other images run in containers instead of on this machine."""
    succeeded_word: str = "SUCCEEDED"
    """How exit tasks hear of success; documents written for KFP's open-source back end expect ``COMPLETE``."""


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
    """Run a document to its end; why it did not succeed is told in ``Ran.error``.

    Args:
        document: what to run.
        arguments: parameters of the pipeline, and the paths of its input artifacts, by name.
        machine: where and how.
        observer: is told what happens.
        artifacts: what a part of a pipeline is given by the parts before it.

    Raises:
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
    handed: Mapping[str, list[Stored]],
) -> Ran:
    settings = _settings(document, machine, journal)
    workspace = Path(settings.facts["workspace_path"])
    workspace.mkdir()
    error: SeatrialError | None = None
    given = Values()
    try:
        parameters, artifacts, problems = exchange.arguments_and_artifacts(document.root, arguments)
        if machine.engine is not None:
            engine.require(machine.engine)
            await asyncio.to_thread(engine.sweep, machine.engine)
        able = needs.Abilities(machine.root, settings.environment["PATH"], machine.fetch is not None, machine.engine)
        needs.check(document, parameters, able)
        preload, environment = _warm_up(document, machine)
        async with Launcher(journal.folder / "forkserver.log", preload, environment) as launcher:
            runner = TaskRunner(launcher, Cache(machine.state / "cache", machine.root), journal, observer, settings)
            interpreter = Interpreter(document, runner, runner, settings.facts)
            given = await interpreter.run(parameters, {**artifacts, **handed}, problems)
    except SeatrialError as exc:
        error = exc
    with contextlib.suppress(OSError):
        workspace.rmdir()  # nothing was put there
    told = None if error is None else {"what": error.what, "why": error.why, "todo": error.todo}
    state = "SUCCEEDED" if error is None else "FAILED"
    record = journal.summary(state, told, given.parameters, described(given.artifacts))
    return Ran(journal.id, journal.folder, record, error, given)


def _settings(document: Document, machine: Machine, journal: Journal) -> Settings:
    package = Path(__file__).resolve().parents[1]
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    if machine.engine is not None:
        passed |= {name: os.environ[name] for name in _FOR_ENGINES if name in os.environ}
    passed["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), passed.get("PATH", os.defpath)])
    name = f"{document.name}-{journal.id}"
    began = journal.began.isoformat()
    return Settings(
        root=machine.root,
        state=machine.state,
        environment={
            **passed,
            "PYTHONPATH": os.pathsep.join([str(machine.root), str(package.parent)]),
            "PYTHONUNBUFFERED": "1",
            "SEATRIAL_RUN": os.environ.get("SEATRIAL_RUN", journal.id),  # a job of a longer run keeps its name
            **(machine.environment or {}),
        },
        watch=[machine.root, package],
        unwatched=[machine.state, *(p for p in (machine.root / ".venv", machine.root / ".git") if p.exists())],
        fingerprint=fingerprint(),
        facts={
            "pipeline_job_name": name,
            "pipeline_job_resource_name": name,
            "pipeline_job_uuid": journal.id,
            "pipeline_root": str(journal.folder),
            "pipeline_job_create_time_utc": began,
            "pipeline_job_schedule_time_utc": began,
            "workspace_path": str(journal.folder / "workspace"),
            "succeeded": machine.succeeded_word,
            **(machine.facts or {}),
        },
        cores=machine.cores or os.cpu_count() or 1,
        use_cache=machine.use_cache,
        fetch=machine.fetch,
        engine=machine.engine,
        platforms=document.platforms,
    )


def _warm_up(document: Document, machine: Machine) -> tuple[list[str], dict[str, str]]:
    """Modules for the fork server to import, and its environment."""
    containers = (c.implementation for c in document.components.values())
    if not any(isinstance(c, Container) and isinstance(program.of(c), program.Embedded) for c in containers):
        return list(machine.preload), {}
    # KFP's half that runs components, as in its own images; its compiler stays out
    return ["kfp.dsl.executor_main", *machine.preload], {"_KFP_RUNTIME": "true"}
