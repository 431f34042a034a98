"""Runs one task: looks for a result that still holds, else starts a process and keeps what it gives.

The command comes from the document, its placeholders filled with this machine's paths. A component of ours
(``python -m seatrial.component module:function``) and a function whose source the document embeds run inside the
forked process; any other command is executed there, or in a container when an engine was asked for.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seatrial.document import placeholders
from seatrial.document.model import Container, Importer, Task
from seatrial.errors import DocumentError, SeatrialError, TaskError
from seatrial.execute import engine, exchange, kubernetes, observed, program
from seatrial.execute.cache import Cache, Result, described, full_disk, key_of, settle
from seatrial.execute.graph import Call, State, Values, task_uuid
from seatrial.execute.importing import Fetch, imported
from seatrial.execute.journal import Journal, Observer, TaskRecord
from seatrial.execute.launcher import Ended, Launcher

Json = Any
_PYTHON = re.compile(r"^python3?(\.\d+)?$")
_LOG_TAIL = 20
_REPORT = "container.json"
_LONGEST_TEMPORARY = 60
"""Unix sockets in a temporary folder need paths below 108 characters."""


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
    fetch: Fetch | None = None
    engine: str | None = None
    platforms: Mapping[str, Json] = dataclasses.field(default_factory=dict)


class Pool:
    """CPU cores, handed out first come, first served."""

    def __init__(self, cores: int) -> None:
        self._free = cores
        self.cores = cores
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, cores: int) -> int:
        """Wait for some cores; a task that wants more than there are gets all."""
        wanted = max(1, min(cores, self.cores))
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((wanted, turn))
        self._hand_out()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back(wanted)
            raise
        return wanted

    def give_back(self, cores: int) -> None:
        """Return what `take` gave."""
        self._free += cores
        self._hand_out()

    def _hand_out(self) -> None:
        while self._waiting and (self._waiting[0][1].done() or self._waiting[0][0] <= self._free):
            wanted, turn = self._waiting.popleft()
            if not turn.done():
                self._free -= wanted
                turn.set_result(None)


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
            attempts=call.attempt,
            parameters=call.inputs.parameters,
            inputs={k: [a.digest for a in v] for k, v in call.inputs.artifacts.items()},
            notes=self._notes(call),
        )
        try:
            if isinstance(implementation, Importer):
                result = await self._import(call, implementation)
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
        record.artifacts = described(result.artifacts)
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

    def _notes(self, call: Call) -> list[str]:
        container = call.component.implementation
        if not isinstance(container, Container):
            return []
        notes = [
            f"not done here: {what}" for what in kubernetes.left_out(self._settings.platforms, call.component.executor)
        ]
        runs = program.of(container)
        if isinstance(runs, program.Command):
            where = f"in a container of {self._settings.engine}" if self._settings.engine else "as a command"
            outside = "" if self._settings.engine else f", outside its image {container.image}"
            notes.append(f"ran {where}{outside}")
            if self._settings.engine is None and _needs_bash(runs.words):
                notes.append("its shell script uses [[, so bash runs it")
        if container.resources.accelerators or container.resources.accelerator:
            notes.append("asks for an accelerator; none is reserved here")
        return notes

    # importers

    async def _import(self, call: Call, importer: Importer) -> Result:
        lookup = _Lookup(call, self._settings.facts, {})
        kept = self._settings.state / "imports"
        workspace = Path(self._settings.facts["workspace_path"])
        return await asyncio.to_thread(imported, call, importer, lookup, self._settings.fetch, kept, workspace)

    # containers

    async def _container(self, call: Call, container: Container, record: TaskRecord) -> Result:
        key = key_of(self._description(call, container))
        if self._settings.use_cache and call.task.cache:
            found = self._cache.find(key)
            if found is not None:
                record.cached = True
                return found
        cores = await self._pool.take(_cores(container, call, self._settings.facts))
        self._count += 1
        number = f"{self._count:05d}"
        work = self._journal.work / number
        temporary = self._temporary(number)
        try:
            record.started = self._journal.now()
            self._journal.write("started", record)
            self._observer.started(record)
            result, seen = await self._execute(call, container, record, work, temporary, cores)
            if call.task.cache:
                return self._cache.keep(key, work, result, seen)
            # a result that is never reused belongs to its run: another task with equal inputs has its own
            return settle(work, self._journal.folder / "results" / number, result, {})
        except OSError as exc:
            raise full_disk(exc, work) from exc
        finally:
            shutil.rmtree(work, ignore_errors=True)
            shutil.rmtree(temporary, ignore_errors=True)
            self._pool.give_back(cores)

    def _temporary(self, number: str) -> Path:
        """A folder for the task's temporary files: it goes when the task ends, however it ends."""
        inside = self._journal.work / f"t{number}"
        if len(str(inside)) > _LONGEST_TEMPORARY:
            return Path(tempfile.mkdtemp(prefix="seatrial-"))
        inside.mkdir()
        return inside

    async def _execute(
        self, call: Call, container: Container, record: TaskRecord, work: Path, temporary: Path, cores: int
    ) -> tuple[Result, Json]:
        (work / "outputs").mkdir(parents=True)
        (work / "parameters").mkdir()
        log = work / "log.txt"
        executor_input = exchange.executor_input(call.component, call.inputs, work)
        spec = self._specification(call, container, executor_input, work, temporary, cores)
        (work / "task.json").write_text(json.dumps(spec))
        heard = _Heard(record, self._observer)
        start = time.perf_counter()
        try:
            ended = await self._launcher.run(work / "task.json", log, heard)
        except BaseException:
            if "container" in spec:  # its keeper removes it; here the run waits until that is done
                await engine.remove(self._settings.engine or "", spec["container"])
            raise
        seconds = time.perf_counter() - start
        record.cpu_s, record.max_rss_kb, record.seconds = ended.user_s + ended.system_s, ended.max_rss_kb, seconds
        if ended.code != 0:
            record.log = str(self._keep_log(log, call))
            raise _failure(ended, heard, log, record.log, out_of_memory=engine.out_of_memory(work / _REPORT))
        files = work / "observed.json"
        seen = {"files": json.loads(files.read_text()) if files.exists() else {}, "probes": heard.probes}
        parameters, artifacts = await asyncio.to_thread(
            exchange.collect, call.component, executor_input, call.task.display_name
        )
        result = Result(parameters, artifacts, heard.summary, seconds, record.cpu_s, record.max_rss_kb)
        return result, seen

    def _specification(
        self, call: Call, container: Container, executor_input: Json, work: Path, temporary: Path, cores: int
    ) -> dict[str, Json]:
        settings = self._settings
        text = json.dumps(executor_input)
        lookup = _Lookup(call, settings.facts, executor_input)
        threads = {f"{library}_NUM_THREADS": str(cores) for library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")}
        own = {k: placeholders.fill(v, lookup) for k, v in container.env.items()}
        env = {**settings.environment, **threads, "TMPDIR": str(temporary), **own}
        spec: dict[str, Json] = {"env": env, "cwd": str(settings.root)}
        runs = program.of(container)
        if isinstance(runs, program.Command):
            present = {*call.inputs.parameters, *call.inputs.artifacts}
            argv, args = (
                [
                    placeholders.fill(w, lookup, text)
                    for word in given
                    for w in placeholders.words(word, present.__contains__)
                ]
                for given in (runs.command, runs.args)
            )
            if settings.engine is None:
                return {**spec, "argv": _on_this_machine(call, container, argv, args)}
            name = f"seatrial-{self._journal.id}-{work.name}"
            inputs = [Path(a.uri) for several in call.inputs.artifacts.values() for a in several]
            mounts = engine.Mounts(writable=[work, Path(settings.facts["workspace_path"])], readable=inputs)
            report = work / _REPORT
            words = engine.command(settings.engine, name, container.image, argv, args, own, mounts, cores, report)
            return {**spec, "argv": words, "container": name}
        inside: dict[str, Json] = {
            **spec,
            "path": [str(settings.root)],
            "threads": cores,
            "watch": [str(p) for p in settings.watch],
            "unwatched": [str(p) for p in settings.unwatched],
            "observed": str(work / "observed.json"),
        }
        if isinstance(runs, program.Own):
            return {**inside, "entry": runs.entry, "executor_input": text}
        source = temporary / "component" / "ephemeral_component.py"
        source.parent.mkdir()
        source.write_text(runs.source)
        env["_KFP_RUNTIME"] = "true"  # KFP then imports what runs a component, and not its compiler
        return {
            **inside,
            # nothing of the project lies in a container's working folder, and files written there are not kept
            "cwd": str(source.parent),
            "module": "kfp.dsl.executor_main:executor_main",
            "argv": ["--component_module_path", str(source)]
            + [placeholders.fill(word, lookup, text) for word in runs.arguments],
        }

    def _description(self, call: Call, container: Container) -> Json:
        """Everything that a task declares, without this machine's paths: what its cache key is made of."""
        settings = self._settings
        used = placeholders.names([*container.command, *container.args, *container.env.values()])
        facts = {name: settings.facts[name] for name in sorted(used) if name in settings.facts}
        described = {
            "image": container.image,
            "environment": settings.fingerprint,
            "engine": settings.engine,
            "command": [*container.command, *container.args],
            "env": dict(container.env),
            "facts": facts,
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
        if isinstance(program.of(container), program.Command) and settings.engine is None:
            # what a foreign command reads is not seen, so any changed file of the project counts
            described["project"] = observed.state_of([settings.root], settings.unwatched)
        return described

    def _keep_log(self, log: Path, call: Call) -> Path:
        again = f"-attempt-{call.attempt}" if call.attempt > 1 else ""
        name = re.sub(r"[^A-Za-z0-9._-]+", "_", call.path)[-120:]
        kept = self._journal.folder / "logs" / f"{name}{again}.txt"
        kept.parent.mkdir(exist_ok=True)
        shutil.copyfile(log, kept)
        return kept


def _on_this_machine(call: Call, container: Container, argv: list[str], args: list[str]) -> list[str]:
    if not argv:
        raise TaskError(
            f"task '{call.task.display_name}' has no command",
            why=f"Outside a container engine the entry point of image {container.image} is not known.",
            todo="Give the component a command.",
        )
    words = [*argv, *args]
    if _PYTHON.match(words[0]):
        words[0] = sys.executable
    elif _needs_bash(words):
        words[0] = "bash"
    return words


def _needs_bash(argv: Sequence[str]) -> bool:
    """The shells of many images know ``[[``; POSIX does not, and Debian's ``sh`` fails on it."""
    return len(argv) > 2 and argv[0] == "sh" and re.search(r"(^|[\s;&|(])\[\[\s", argv[2]) is not None


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
            name = found[1]
            return self._call.inputs.parameters[name] if name in self._call.inputs.parameters else self._call.also[name]
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
        if placeholder == "pipeline_task_uuid":
            return task_uuid(self._facts["pipeline_job_uuid"], self._call.path)
        return self._facts[placeholder]


def _failure(ended: Ended, heard: _Heard, log: Path, kept: str, *, out_of_memory: bool) -> TaskError:
    if heard.error is not None:
        return TaskError(heard.error["what"], why=heard.error["why"], todo=heard.error["todo"])
    tail = _last_lines(log)
    killed = " (the kernel's out-of-memory killer, or a person)" if ended.code == -9 else ""
    killed = " (out of memory: the kernel killed it)" if out_of_memory else killed
    return TaskError(
        f"failed: {ended.describe()}{killed}",
        why="Its log ends with:\n" + "\n".join(f"  {line}" for line in tail)
        if tail
        else "It wrote nothing to its log.",
        todo=f"The whole log: {kept}",
    )


def _last_lines(log: Path) -> list[str]:
    """The end of a log, which may be large."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - 200 * _LOG_TAIL))
            return stream.read().decode(errors="replace").splitlines()[-_LOG_TAIL:]
    except FileNotFoundError:
        return []


def _cores(container: Container, call: Call, facts: Mapping[str, Json]) -> int:
    text = container.resources.cpu_limit or container.resources.cpu_request
    if not text:
        return 1
    amount = placeholders.fill(text, _Lookup(call, facts, {}))
    try:
        cores = float(amount.removesuffix("m")) / (1000 if amount.endswith("m") else 1)
        return max(1, round(cores))
    except (ValueError, OverflowError):
        return 1


def fingerprint() -> str:
    """Digest of the interpreter and of the names and versions of all installed packages."""
    found = set()
    for folder in sys.path:
        if folder and Path(folder).is_dir():
            found |= {name for name in os.listdir(folder) if name.endswith((".dist-info", ".egg-info"))}
    return key_of([sys.implementation.cache_tag, sys.version, sorted(found)])
