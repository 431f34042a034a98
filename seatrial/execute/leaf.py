"""Runs one task: looks for a result that still holds, else starts a process and keeps what it gives.

The command comes from the document, its placeholders filled with this machine's paths. A component of ours
(``python -m seatrial.component module:function``) runs inside the forked process; any other command is executed there.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seatrial.document import placeholders, values
from seatrial.document.model import Component, Constant, Container, Importer, Task
from seatrial.errors import ComponentError, DocumentError, SeatrialError, TaskError
from seatrial.execute.cache import Cache, Result, Stored, content_digest, full_disk, key_of
from seatrial.execute.graph import Call, State, Values
from seatrial.execute.journal import Journal, Observer, TaskRecord
from seatrial.execute.launcher import Ended, Launcher

Json = Any
_OWN_COMMAND = ("python", "-m", "seatrial.component")
_PYTHON = re.compile(r"^python3?(\.\d+)?$")
_LOG_TAIL = 20


@dataclass(frozen=True)
class Settings:
    """How tasks run on this machine."""

    root: Path
    """Working folder of tasks and first place where their modules are looked for."""
    state: Path
    environment: Mapping[str, str]
    """What tasks see of the environment."""
    watch: Sequence[Path]
    """Folders whose files belong to a result's cache entry when a task reads them."""
    unwatched: Sequence[Path]
    fingerprint: str
    """What stands for the image: the interpreter and the installed packages."""
    facts: Mapping[str, Json]
    cores: int
    use_cache: bool = True


class Pool:
    """CPU cores, handed out first come, first served."""

    def __init__(self, cores: int) -> None:
        self._free = cores
        self.cores = cores
        self._changed = asyncio.Condition()

    async def take(self, cores: int) -> int:
        """Wait for some cores; a task that wants more than there are gets all."""
        wanted = max(1, min(cores, self.cores))
        async with self._changed:
            await self._changed.wait_for(lambda: self._free >= wanted)
            self._free -= wanted
        return wanted

    async def give_back(self, cores: int) -> None:
        """Return what `take` gave."""
        async with self._changed:
            self._free += cores
            self._changed.notify_all()


class TaskRunner:
    """The `Leaf` of a run on this machine."""

    def __init__(
        self, launcher: Launcher, cache: Cache, journal: Journal, observer: Observer, settings: Settings
    ) -> None:
        self._launcher = launcher
        self._cache = cache
        self._journal = journal
        self._observer = observer
        self._settings = settings
        self._pool = Pool(settings.cores)
        self._count = 0

    async def __call__(self, call: Call) -> Values:
        """Run a container or importer."""
        implementation = call.component.implementation
        record = TaskRecord(
            path=call.path,
            name=call.task.display_name,
            component=call.component.name,
            state="RUNNING",
            started=self._journal.now(),
            parameters=call.inputs.parameters,
            inputs={k: [a.digest for a in v] for k, v in call.inputs.artifacts.items()},
        )
        try:
            if isinstance(implementation, Importer):
                result = self._import(call, implementation)
            elif isinstance(implementation, Container):
                result = await self._container(call, implementation, record)
            else:
                raise DocumentError(f"{call.path} is a graph", why="Graphs are not run as tasks.", todo="Report this.")
        except SeatrialError as exc:
            record.state = str(State.FAILED)
            record.error = {"type": type(exc).__name__, "what": exc.what, "why": exc.why, "todo": exc.todo}
            self._finish(record)
            raise
        record.state = str(State.SUCCEEDED)
        record.summary = result.summary
        record.seconds, record.cpu_s, record.max_rss_kb = result.seconds, result.cpu_s, result.max_rss_kb
        record.outputs = result.parameters
        record.artifacts = {
            k: [{"uri": a.uri, "digest": a.digest, "metadata": dict(a.metadata), "schema": a.schema} for a in v]
            for k, v in result.artifacts.items()
        }
        if result.folder is not None:
            record.log = str(result.folder / "log.txt")
        self._finish(record)
        return Values(dict(result.parameters), {k: list(v) for k, v in result.artifacts.items()})

    def not_run(self, path: str, task: Task, state: State) -> None:
        """Note a task that was skipped or not triggered."""
        record = TaskRecord(path, task.display_name, task.component, str(state), started=self._journal.now())
        self._finish(record)

    def _finish(self, record: TaskRecord) -> None:
        self._journal.end(record)
        self._observer.ended(record)

    # importers

    def _import(self, call: Call, importer: Importer) -> Result:
        uri = importer.uri.value if isinstance(importer.uri, Constant) else call.inputs.parameters[importer.uri.name]
        lookup = _Lookup(call, self._settings.facts, {})
        uri = placeholders.fill(str(uri), lookup)
        metadata = placeholders.fill_value(dict(importer.metadata), lookup)
        path = Path(uri.removeprefix("file://"))
        remote = "://" in uri and not uri.startswith("file://")
        try:
            digest = key_of(uri) if remote else content_digest(path)
        except OSError as exc:
            raise TaskError(
                f"task '{call.task.display_name}' imports {uri}, which is not there",
                why="An importer names an artifact that exists already.",
                todo="Correct the artifact_uri, or create the file first.",
            ) from exc
        name = next(iter(call.component.output_artifacts), "artifact")
        return Result(artifacts={name: [Stored(name, importer.schema, uri, metadata, digest)]})

    # containers

    async def _container(self, call: Call, container: Container, record: TaskRecord) -> Result:
        key = key_of(_description(call, container, self._settings))
        cached = self._settings.use_cache and call.task.cache
        if cached:
            found = self._cache.find(key)
            if found is not None:
                record.cached = True
                return found
        cores = await self._pool.take(_cores(container, call, self._settings.facts))
        self._count += 1
        work = self._journal.work / f"{self._count:05d}"
        try:
            record.started = self._journal.now()
            self._journal.write("started", record)
            self._observer.started(record)
            result, observed = await self._execute(call, container, record, work, cores)
            if not cached:
                self._cache.drop(key)
            return self._cache.keep(key, work, result, observed)
        except OSError as exc:
            raise full_disk(exc, work) from exc
        finally:
            shutil.rmtree(work, ignore_errors=True)
            await self._pool.give_back(cores)

    async def _execute(
        self, call: Call, container: Container, record: TaskRecord, work: Path, cores: int
    ) -> tuple[Result, Json]:
        (work / "outputs").mkdir(parents=True)
        log = work / "log.txt"
        executor_input = _executor_input(call, work)
        spec = self._specification(call, container, executor_input, work, cores)
        (work / "task.json").write_text(json.dumps(spec))
        heard = _Heard(record, self._observer)
        start = time.perf_counter()
        ended = await self._launcher.run(work / "task.json", log, heard)
        seconds = time.perf_counter() - start
        record.cpu_s, record.max_rss_kb, record.seconds = ended.user_s + ended.system_s, ended.max_rss_kb, seconds
        if ended.code != 0:
            record.log = str(self._keep_log(log, call.path))
            raise _failure(ended, heard, log, record.log)
        files = work / "observed.json"
        observed = {"files": json.loads(files.read_text()) if files.exists() else {}, "probes": heard.probes}
        parameters, artifacts = await asyncio.to_thread(
            _collect, call.component, executor_input, work, call.task.display_name
        )
        result = Result(parameters, artifacts, heard.summary, seconds, record.cpu_s, record.max_rss_kb)
        return result, observed

    def _specification(
        self, call: Call, container: Container, executor_input: Json, work: Path, cores: int
    ) -> dict[str, Json]:
        settings = self._settings
        text = json.dumps(executor_input)
        lookup = _Lookup(call, settings.facts, executor_input)
        threads = {f"{library}_NUM_THREADS": str(cores) for library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")}
        env = {**settings.environment, **threads, **{k: placeholders.fill(v, lookup) for k, v in container.env.items()}}
        spec: dict[str, Json] = {"env": env, "cwd": str(settings.root)}
        if container.command[:3] == _OWN_COMMAND and container.args == ("{{$}}",):
            return {
                **spec,
                "entry": container.command[3],
                "executor_input": text,
                "path": [str(settings.root)],
                "threads": cores,
                "watch": [str(p) for p in settings.watch],
                "unwatched": [str(p) for p in settings.unwatched],
                "observed": str(work / "observed.json"),
            }
        given = {*call.inputs.parameters, *call.inputs.artifacts}
        words = [
            w for word in (*container.command, *container.args) for w in placeholders.words(word, given.__contains__)
        ]
        argv = [placeholders.fill(word, lookup, text) for word in words]
        if not argv:
            raise TaskError(
                f"task '{call.task.display_name}' has no command",
                why=f"Outside a container engine the entry point of image {container.image} is not known.",
                todo="Give the component a command.",
            )
        if _PYTHON.match(argv[0]):
            argv[0] = sys.executable
        return {**spec, "argv": argv}

    def _keep_log(self, log: Path, path: str) -> Path:
        kept = self._journal.folder / "logs" / f"{re.sub(r'[^A-Za-z0-9._-]+', '_', path)}.txt"
        kept.parent.mkdir(exist_ok=True)
        shutil.copyfile(log, kept)
        return kept


class _Heard:
    """What a task says while it runs."""

    def __init__(self, record: TaskRecord, observer: Observer) -> None:
        self._record = record
        self._observer = observer
        self.summary = ""
        self.probes: list[Json] = []
        self.error: Mapping[str, str] | None = None

    def __call__(self, event: Mapping[str, Json]) -> None:
        if "say" in event:
            self.summary = str(event["say"])
        if "observes" in event:
            self.probes.append(event["observes"])
        if "error" in event:
            self.error = event["error"]
        self._observer.event(self._record, event)


class _Lookup:
    """Values of placeholders in one task's command."""

    def __init__(self, call: Call, facts: Mapping[str, Json], executor_input: Json) -> None:
        self._call = call
        self._facts = facts
        self._outputs = executor_input.get("outputs", {}) if executor_input else {}

    def __call__(self, placeholder: str) -> Json:
        found = placeholders.input_name(placeholder)
        if found is not None and found[0] == "parameters":
            return self._call.inputs.parameters[found[1]]
        output = placeholders.output_file(placeholder)
        if output is not None:
            return self._outputs["parameters"][output]["outputFile"]
        if placeholder == "outputs.output_file":
            return self._outputs["outputFile"]
        if placeholder.startswith(("inputs.artifacts", "outputs.artifacts")):
            runtime = {k: [a.runtime() for a in v] for k, v in self._call.inputs.artifacts.items()}
            produced = {k: v["artifacts"] for k, v in self._outputs.get("artifacts", {}).items()}
            return placeholders.artifact_lookup(placeholder, {"inputs": runtime, "outputs": produced})
        if placeholder == "pipeline_task_name":
            return self._call.task.name
        return self._facts[placeholder]


def _description(call: Call, container: Container, settings: Settings) -> Json:
    """Everything that a task declares, without this machine's paths: what its cache key is made of."""
    used = placeholders.names([*container.command, *container.args, *container.env.values()])
    return {
        "image": container.image,
        "environment": settings.fingerprint,
        "command": [*container.command, *container.args],
        "env": dict(container.env),
        "facts": {name: settings.facts[name] for name in sorted(used) if name in settings.facts},
        "parameters": call.inputs.parameters,
        "artifacts": {
            name: [[a.schema, a.digest, dict(a.metadata)] for a in several]
            for name, several in call.inputs.artifacts.items()
        },
        "outputs": [
            {name: spec.type for name, spec in call.component.output_parameters.items()},
            {name: [spec.schema, spec.many] for name, spec in call.component.output_artifacts.items()},
        ],
        "cache_key": call.task.cache_key,
    }


def _executor_input(call: Call, work: Path) -> dict[str, Json]:
    outputs = work / "outputs"
    artifacts = {}
    for name, spec in call.component.output_artifacts.items():
        empty = Stored(name, spec.schema, str(outputs / name), dict(spec.metadata), "")
        artifacts[name] = {"artifacts": [empty.runtime()]}
    return {
        "inputs": {
            "parameterValues": call.inputs.parameters,
            "artifacts": {k: {"artifacts": [a.runtime() for a in v]} for k, v in call.inputs.artifacts.items()},
        },
        "outputs": {
            "parameters": {k: {"outputFile": str(work / "parameters" / k)} for k in call.component.output_parameters},
            "artifacts": artifacts,
            "outputFile": str(work / "executor_output.json"),
        },
    }


def _collect(
    component: Component, executor_input: Json, work: Path, name: str
) -> tuple[dict[str, Json], dict[str, list[Stored]]]:
    """Read what a task wrote.

    Raises:
        ComponentError: an output is missing or of another type than declared.
    """
    report = work / "executor_output.json"
    try:
        written: dict[str, Json] = json.loads(report.read_text()) if report.exists() else {}
    except ValueError as exc:
        raise _broken(name, [f"its output file is not JSON: {exc}"]) from exc
    problems: list[str] = []
    parameters: dict[str, Json] = {}
    for key, spec in component.output_parameters.items():
        file = Path(executor_input["outputs"]["parameters"][key]["outputFile"])
        if key in written.get("parameterValues", {}):
            value = written["parameterValues"][key]
        elif file.exists():
            value = file.read_text()
        else:
            problems.append(f"it did not write parameter '{key}'")
            continue
        try:
            parameters[key] = values.cast(value, spec.type) if value is not None else None
        except ValueError as exc:
            problems.append(f"parameter '{key}': {exc}")
    artifacts: dict[str, list[Stored]] = {}
    for key, slot in component.output_artifacts.items():
        given = written.get("artifacts", {}).get(key, executor_input["outputs"]["artifacts"][key])["artifacts"]
        artifacts[key] = [_stored(key, slot.schema, artifact) for artifact in given]
    if problems:
        raise _broken(name, problems)
    return parameters, artifacts


def _stored(key: str, schema: str, artifact: Mapping[str, Json]) -> Stored:
    uri = str(artifact["uri"])
    metadata = dict(artifact.get("metadata") or {})
    path = Path(uri)
    remote = "://" in uri
    digest = content_digest(path) if not remote and path.exists() else key_of([uri if remote else None, metadata])
    return Stored(
        str(artifact.get("name", key)), artifact.get("type", {}).get("schemaTitle", schema), uri, metadata, digest
    )


def _broken(name: str, problems: Sequence[str]) -> ComponentError:
    return ComponentError(
        f"task '{name}' ended well, but {'; '.join(problems)}",
        why="The tasks behind it would run on values that are not there.",
        todo="Write every declared output in the component.",
    )


def _failure(ended: Ended, heard: _Heard, log: Path, kept: str) -> TaskError:
    if heard.error is not None:
        return TaskError(heard.error["what"], why=heard.error["why"], todo=heard.error["todo"])
    tail = log.read_text(errors="replace").splitlines()[-_LOG_TAIL:] if log.exists() else []
    killed = " (the kernel's out-of-memory killer, or a person)" if ended.code == -9 else ""
    return TaskError(
        f"failed: {ended.describe()}{killed}",
        why="Its log ends with:\n" + "\n".join(f"  {line}" for line in tail)
        if tail
        else "It wrote nothing to its log.",
        todo=f"The whole log: {kept}",
    )


def _cores(container: Container, call: Call, facts: Mapping[str, Json]) -> int:
    text = container.resources.cpu_limit or container.resources.cpu_request
    if not text:
        return 1
    amount = placeholders.fill(text, _Lookup(call, facts, {}))
    try:
        cores = float(amount.removesuffix("m")) / (1000 if amount.endswith("m") else 1)
    except ValueError:
        return 1
    return max(1, round(cores))


def fingerprint() -> str:
    """Digest of the interpreter and of the names and versions of all installed packages."""
    found = set()
    for folder in sys.path:
        if folder and Path(folder).is_dir():
            found |= {name for name in os.listdir(folder) if name.endswith((".dist-info", ".egg-info"))}
    return key_of([sys.implementation.cache_tag, sys.version, sorted(found)])


def without_cache(settings: Settings) -> Settings:
    """The same, but every task runs."""
    return replace(settings, use_cache=False)
