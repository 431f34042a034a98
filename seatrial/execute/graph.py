"""What a document means: which tasks run, in which order, on which values.

This module starts no process. It walks graphs, branches and loops, resolves inputs and outputs, and hands each
container or importer to a `Leaf`. Tasks that do not wait for each other run at the same time.
"""

from __future__ import annotations

import asyncio
import enum
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from seatrial.document import expression, placeholders, values
from seatrial.document.model import (
    Component,
    Constant,
    Document,
    FinalStatus,
    FromInput,
    FromTask,
    Graph,
    Task,
)
from seatrial.errors import ComponentError, DocumentError, SeatrialError, TaskError
from seatrial.execute.cache import Stored

Json = Any


class State(enum.StrEnum):
    """How a task ended."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"
    """Its condition was false, or what it needs was skipped."""
    NOT_TRIGGERED = "NOT_TRIGGERED"
    """Something before it failed."""


@dataclass
class Values:
    """Parameters and artifacts, by name: what a component is given or gives."""

    parameters: dict[str, Json] = field(default_factory=dict)
    artifacts: dict[str, list[Stored]] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """One execution of a container or importer."""

    path: str
    """Where in the document: ``for-loop-1[2].train``."""
    task: Task
    component: Component
    inputs: Values
    also: Mapping[str, Json] = field(default_factory=dict)
    """Parameters that the task has and its component does not declare; resources may name them."""
    attempt: int = 1
    """Counted from 1; more when the task is tried again after a failure."""


class Leaf(Protocol):
    """Runs what is not a graph."""

    async def __call__(self, call: Call) -> Values:
        """Run it to its end.

        Raises:
            SeatrialError: it failed; the tasks behind it are not triggered.
        """


class Watcher(Protocol):
    """Hears about tasks that end without having been run."""

    def not_run(self, path: str, task: Task, state: State) -> None:
        """The task was skipped or not triggered."""


class GraphFailed(TaskError):
    """Tasks of a graph failed; ``failures`` holds each with its path."""

    def __init__(self, failures: Sequence[tuple[str, SeatrialError]]) -> None:
        path, first = failures[0]
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        super().__init__(f"{path.rpartition('.')[2]}: {first.what}{more}", why=first.why, todo=first.todo)
        self.failures = tuple(failures)


class Interpreter:
    """Executes a document.

    Args:
        document: what to run.
        leaf: runs containers and importers.
        watcher: is told of tasks that are not run.
        facts: values of the run's own placeholders, such as ``pipeline_job_name``.
    """

    def __init__(self, document: Document, leaf: Leaf, watcher: Watcher, facts: Mapping[str, Json]) -> None:
        self._document = document
        self._leaf = leaf
        self._watcher = watcher
        self._facts = facts

    async def run(
        self,
        arguments: Mapping[str, Json],
        artifacts: Mapping[str, list[Stored]] | None = None,
        problems: Sequence[str] = (),
    ) -> Values:
        """Run the whole pipeline.

        Args:
            arguments: its parameters.
            artifacts: its input artifacts.
            problems: what is known to be wrong with them already, to be told with the rest.

        Raises:
            DocumentError: an argument is unknown, missing or of the wrong type; all are named.
            GraphFailed: a task failed. Everything that did not depend on it has run.
        """
        root = self._document.root
        given = Values(dict(arguments), dict(artifacts or {}))
        problems = [
            *problems,
            *(
                f"'{name}' is not a parameter of this pipeline"
                for name in sorted(set(arguments) - set(root.input_parameters))
            ),
        ]
        for name, spec in root.input_parameters.items():
            value = arguments.get(name)
            if value is None and not spec.has_default and not spec.optional:
                problems.append(f"'{name}' ({spec.type}) is missing")
        for name, slot in root.input_artifacts.items():
            if name not in given.artifacts and not slot.optional and not any(f"'{name}'" in p for p in problems):
                problems.append(f"artifact '{name}' is missing")
        inputs = self._complete(root, given, problems)
        if problems:
            takes = ", ".join(f"{n}: {s.type}" for n, s in root.input_parameters.items())
            raise DocumentError(
                f"pipeline '{self._document.name}': " + "; ".join(problems),
                why=f"It takes: {takes or 'no parameters'}.",
                todo="Pass them with --arguments '{\"name\": value}'.",
            )
        assert isinstance(root.implementation, Graph)
        return await self._graph(root.implementation, inputs, "")

    def _complete(self, component: Component, given: Values, problems: list[str]) -> Values:
        """Defaults filled in and every parameter cast to its declared type."""
        complete = Values({}, {k: v for k, v in given.artifacts.items() if k in component.input_artifacts})
        for name, spec in component.input_parameters.items():
            value = given.parameters.get(name)
            if value is None and spec.has_default:
                value = spec.default
            if value is None:
                continue
            try:
                value = values.cast(value, spec.type)
            except ValueError as exc:
                problems.append(f"'{name}': {exc}")
                continue
            if spec.literals and value not in spec.literals:
                problems.append(f"'{name}': {value!r} is not one of {', '.join(map(repr, spec.literals))}")
            complete.parameters[name] = value
        return complete

    async def _graph(self, graph: Graph, inputs: Values, path: str) -> Values:
        scope = _Scope(self, inputs, graph, path)
        async with asyncio.TaskGroup() as group:
            for task in graph.tasks.values():
                group.create_task(scope.node(task))
        failures = [(p, e) for _, (p, e) in sorted(scope.failures.items())]
        if failures:
            raise GraphFailed(failures)
        return scope.outputs()

    async def component(self, task: Task, given: Values, path: str) -> Values:
        """Run a task's component once."""
        component = self._document.components[task.component]
        problems: list[str] = []
        inputs = self._complete(component, given, problems)
        told = {p.split("'")[1] for p in problems}
        absent = [n for n, p in component.input_parameters.items() if n not in inputs.parameters and not p.optional]
        absent += [n for n, a in component.input_artifacts.items() if n not in inputs.artifacts and not a.optional]
        problems += [f"'{name}' has no value" for name in absent if name not in told]
        if problems:
            raise TaskError(
                f"task '{task.display_name}' cannot start: {'; '.join(problems)}",
                why="A task runs only on inputs of the types that its component declares.",
                todo="Check what the tasks before it return, and the pipeline's arguments.",
            )
        also = {name: value for name, value in given.parameters.items() if name not in component.input_parameters}
        pause = task.retry.backoff_s
        for attempt in range(1, task.retry.count + 1):
            try:
                return await self._once(Call(path, task, component, inputs, also, attempt))
            except (TaskError, ComponentError):
                await asyncio.sleep(min(pause, task.retry.max_backoff_s))
                pause *= task.retry.factor
        return await self._once(Call(path, task, component, inputs, also, task.retry.count + 1))

    async def _once(self, call: Call) -> Values:
        if isinstance(call.component.implementation, Graph):
            return await self._graph(call.component.implementation, call.inputs, f"{call.path}.")
        return await self._leaf(call)

    async def loop(self, task: Task, given: Values, path: str) -> Values:
        """Run a task's component once for each item, as many at a time as its limit allows."""
        assert task.loop is not None
        items = self._items(task, given)
        slots = asyncio.Semaphore(task.loop.limit or max(1, len(items)))
        results: list[Values | None] = [None] * len(items)
        failures: dict[int, SeatrialError] = {}

        async def one(index: int, item: Json) -> None:
            inputs = Values(dict(given.parameters), dict(given.artifacts))
            target = inputs.artifacts if task.loop is not None and task.loop.artifacts else inputs.parameters
            target[task.loop.item if task.loop else ""] = item
            async with slots:
                try:
                    results[index] = await self.component(task, inputs, f"{path}[{index}]")
                except SeatrialError as exc:
                    failures[index] = exc

        async with asyncio.TaskGroup() as group:
            for index, item in enumerate(items):
                group.create_task(one(index, item))
        if failures:
            raise GraphFailed([f for i, e in sorted(failures.items()) for f in _flat(f"{path}[{i}]", e)])
        collected = Values()
        component = self._document.components[task.component]
        for name in component.output_parameters:
            collected.parameters[name] = [r.parameters[name] for r in results if r and name in r.parameters]
        for name in component.output_artifacts:
            collected.artifacts[name] = [a for r in results if r for a in r.artifacts.get(name, [])]
        return collected

    def _items(self, task: Task, given: Values) -> Sequence[Json]:
        loop = task.loop
        assert loop is not None
        if loop.raw is not None:
            return [values.without_float_integers(item) for item in loop.raw]
        source = loop.source or ""
        if loop.artifacts:
            return [[artifact] for artifact in given.artifacts.get(source, [])]
        try:
            return list(values.cast(given.parameters.get(source, []), "LIST"))
        except ValueError as exc:
            raise TaskError(
                f"task '{task.display_name}' cannot loop over '{source}': {exc}",
                why="A loop runs once for each item of a list.",
                todo="Return a list from the task that gives the items.",
            ) from exc

    def fact(self, name: str) -> Json:
        """A fact of the run. Raises KeyError for an unknown one.

        ``succeeded`` is the word by which an exit task learns that all went well. KFP's documents and Vertex say
        SUCCEEDED; the open-source back end of KFP says COMPLETE.
        """
        return self._facts.get(name, str(State.SUCCEEDED)) if name == "succeeded" else self._facts[name]


class _Scope:
    """One execution of one graph."""

    def __init__(self, interpreter: Interpreter, inputs: Values, graph: Graph, path: str) -> None:
        self.interpreter = interpreter
        self.inputs = inputs
        self.graph = graph
        self.path = path
        self.given: dict[str, Values] = {}
        self.states: dict[str, State] = {}
        self.failures: dict[int, tuple[str, SeatrialError]] = {}
        self.ended = {name: asyncio.Event() for name in graph.tasks}

    async def node(self, task: Task) -> None:
        path = f"{self.path}{task.name}"
        try:
            for name in sorted(task.after):
                await self.ended[name].wait()
            state = self.verdict(task)
            if state is None:
                try:
                    inputs = self.resolve(task)
                    if task.condition is not None and not expression.evaluate(
                        expression.parse(task.condition), self.typed(task, inputs)
                    ):
                        state = State.SKIPPED
                    else:
                        run = self.interpreter.loop if task.loop is not None else self.interpreter.component
                        self.given[task.name] = await run(task, inputs, path)
                        self.states[task.name] = State.SUCCEEDED
                        return
                except SeatrialError as exc:
                    for failed in _flat(path, exc):
                        self.failures[len(self.failures)] = failed
                    self.states[task.name] = State.FAILED
                    return
            self.states[task.name] = state
            self.interpreter._watcher.not_run(path, task, state)
        finally:
            self.ended[task.name].set()

    def verdict(self, task: Task) -> State | None:
        """The state of a task that will not run, else ``None``."""
        if task.always:
            return None
        before = {self.states[name] for name in task.after}
        if before & {State.FAILED, State.NOT_TRIGGERED}:
            return State.NOT_TRIGGERED
        return State.SKIPPED if State.SKIPPED in before else None

    def typed(self, task: Task, inputs: Values) -> dict[str, Json]:
        """Parameters as the task's component declares them: a condition compares a number with a number."""
        specs = self.interpreter._document.components[task.component].input_parameters
        found = {}
        for name, value in inputs.parameters.items():
            try:
                found[name] = values.cast(value, specs[name].type) if name in specs else value
            except ValueError as exc:
                raise TaskError(
                    f"task '{task.display_name}': input '{name}' of its condition: {exc}",
                    why="A condition compares values of the types that its component declares.",
                    todo="Check what the tasks before it return, and the pipeline's arguments.",
                ) from exc
        return found

    def resolve(self, task: Task) -> Values:
        resolved = Values()
        later: dict[str, Json] = {}
        for name, source in task.parameters.items():
            origin = source.origin
            if isinstance(origin, Constant):
                later[name] = origin.value
                continue
            value = self.parameter(origin)
            if value is not None and source.path is not None:
                try:
                    value = values.select(value, source.path)
                except ValueError as exc:
                    raise TaskError(
                        f"task '{task.display_name}': input '{name}': {exc}",
                        why="The pipeline takes one part of a value.",
                        todo="Check what the loop's items or the task before it hold.",
                    ) from exc
            if value is not None:
                resolved.parameters[name] = value
        for name, constant in later.items():
            resolved.parameters[name] = placeholders.fill_value(constant, lambda p: self.placeholder(p, task, resolved))
        for name, artifact in task.artifacts.items():
            several = (
                self.inputs.artifacts.get(artifact.name)
                if isinstance(artifact, FromInput)
                else self.output(artifact).artifacts.get(artifact.key)
            )
            if several is not None:
                resolved.artifacts[name] = several
        return resolved

    def parameter(self, origin: FromInput | FromTask | FinalStatus) -> Json:
        if isinstance(origin, FromInput):
            return self.inputs.parameters.get(origin.name)
        if isinstance(origin, FromTask):
            return self.output(origin).parameters.get(origin.key)
        path = f"{self.path}{origin.task}"
        errors = [e for p, e in self.failures.values() if p == path or p.startswith((f"{path}.", f"{path}["))]
        state = str(self.states[origin.task])
        return {
            "state": self.interpreter.fact("succeeded") if state == State.SUCCEEDED else state,
            "error": {"message": errors[0].what} if errors else {},
            "pipelineJobResourceName": self.interpreter.fact("pipeline_job_resource_name"),
            "pipelineTaskName": origin.task,
        }

    def output(self, source: FromTask) -> Values:
        return self.given.get(source.task, Values())

    def placeholder(self, text: str, task: Task, resolved: Values) -> Json:
        found = placeholders.input_name(text)
        if found is not None and found[0] == "parameters":
            name = found[1]
            return resolved.parameters[name] if name in resolved.parameters else self.inputs.parameters[name]
        if text == "pipeline_task_name":
            return task.name
        if text == "pipeline_task_uuid":
            return task_uuid(self.interpreter.fact("pipeline_job_uuid"), f"{self.path}{task.name}")
        return self.interpreter.fact(text)

    def outputs(self) -> Values:
        """The surrounding component's outputs; of several sources, the first that exists."""
        result = Values()
        for name, sources in self.graph.parameters.items():
            for source in sources:
                if source.key in self.output(source).parameters:
                    result.parameters[name] = self.output(source).parameters[source.key]
                    break
        for name, sources in self.graph.artifacts.items():
            for source in sources:
                if source.key in self.output(source).artifacts:
                    result.artifacts[name] = self.output(source).artifacts[source.key]
                    break
        return result


def task_uuid(run: str, path: str) -> str:
    """The value of ``{{$.pipeline_task_uuid}}``: of one place in one run."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{run}/{path}"))


def _flat(path: str, error: SeatrialError) -> list[tuple[str, SeatrialError]]:
    return list(error.failures) if isinstance(error, GraphFailed) else [(path, error)]
