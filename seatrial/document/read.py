"""Reads a pipeline document (YAML or JSON) into `Document`, strictly: an unknown field is an error, not a hope.

All problems of a document are collected and reported at once.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import yaml

from seatrial.document import expression, placeholders
from seatrial.document.model import (
    ArtifactSpec,
    Component,
    Constant,
    Container,
    Document,
    FinalStatus,
    FromInput,
    FromTask,
    Graph,
    Importer,
    Loop,
    ParameterSource,
    ParameterSpec,
    Resources,
    Retry,
    Task,
)
from seatrial.document.values import without_float_integers
from seatrial.document.wrapper import unwrapped
from seatrial.errors import DocumentError

if TYPE_CHECKING:
    from seatrial.document.model import ParameterType

Json = Any
T = TypeVar("T")

_MAX_BYTES = 64 * 1024 * 1024
_PARAMETER_TYPES = frozenset(
    {"NUMBER_DOUBLE", "NUMBER_INTEGER", "STRING", "BOOLEAN", "LIST", "STRUCT", "TASK_FINAL_STATUS", "TASK_CONFIG"}
)
_OLD_TYPES = {"INT": "NUMBER_INTEGER", "DOUBLE": "NUMBER_DOUBLE", "STRING": "STRING"}
_SELECTOR = re.compile(r"""^parseJson\(string_value\)((?:\[(?:"(?:[^"\\]|\\.)*"|\d+)\])*)$""")
_SELECTOR_PART = re.compile(r"""\[("(?:[^"\\]|\\.)*"|\d+)\]""")
_STRATEGIES = {
    "TRIGGER_STRATEGY_UNSPECIFIED": False,
    "ALL_UPSTREAM_TASKS_SUCCEEDED": False,
    "ALL_UPSTREAM_TASKS_COMPLETED": True,
}

# PyYAML's C loader where it was built; both have the safe constructors only
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(path: Path) -> Document:
    """Read a compiled pipeline.

    Raises:
        DocumentError: the file cannot be read, or is not a pipeline document that is understood whole.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise _error(f"{path} has {path.stat().st_size:,} bytes", "A pipeline document has kilobytes, not this.")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise _error(f"{path} cannot be read: {exc}", "There is nothing to run.") from exc
    return read_text(text, str(path))


def read_text(text: str, name: str = "the document") -> Document:
    """Read a compiled pipeline from its text; the second YAML document, if any, is its platform configuration."""
    try:
        parts = [part for part in yaml.load_all(text, Loader=_Base) if part is not None]
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        raise _error(f"{name} is not YAML: {str(exc)[:300]}", "A pipeline document is YAML or JSON.") from exc
    pipelines = [p for p in parts if isinstance(p, dict) and "platforms" not in p]
    platforms = [p for p in parts if isinstance(p, dict) and "platforms" in p]
    if len(pipelines) != 1 or len(platforms) > 1 or len(pipelines) + len(platforms) != len(parts):
        raise _error(
            f"{name} holds {len(pipelines)} pipelines",
            "One file is one pipeline, with its platform configuration after it.",
        )
    reader = _Reader(name)
    spec = unwrapped(pipelines[0], reader.problems)
    return reader.document(spec, platforms[0]["platforms"] if platforms else {})


def _error(what: str, why: str) -> DocumentError:
    return DocumentError(
        what, why=why, todo="Pass a file that `kfp` compiled: compiler.Compiler().compile(pipeline, 'p.yaml')."
    )


class _Problem(Exception):
    """One thing wrong, at one place; collected, never shown alone."""


class _Reader:
    def __init__(self, name: str) -> None:
        self.name = name
        self.problems: list[str] = []
        self.components: dict[str, Component] = {}
        self.executors: dict[str, Container | Importer] = {}

    def document(self, spec: Json, platforms: Json) -> Document:
        known = "pipelineInfo deploymentSpec sdkVersion schemaVersion components root defaultPipelineRoot"
        document: Document | None = None
        try:
            table = self.table(spec, "", known)
            info = self.table(table.get("pipelineInfo", {}), "pipelineInfo", "name displayName description")
            if not str(table.get("schemaVersion", "2.1.0")).startswith("2.1."):
                self.problems.append(f"schemaVersion {table['schemaVersion']} is not 2.1")
            deployment = self.table(table.get("deploymentSpec", {}), "deploymentSpec", "executors")
            executors = self.each(deployment.get("executors", {}), "executors", self.executor)
            self.executors = executors
            self.components = self.each(table.get("components", {}), "components", self.component)
            root = self.component("root", table.get("root"), "root")
            self.references(root)
            document = Document(
                name=str(info.get("name", "pipeline")),
                display_name=str(info.get("displayName", "")),
                description=str(info.get("description", "")),
                root=root,
                components=self.components,
                platforms=platforms,
                source=table,
            )
        except _Problem as problem:
            self.problems.append(str(problem))
        if self.problems or document is None:
            shown = "\n".join(f"  {p}" for p in self.problems[:20])
            more = f"\n  … and {len(self.problems) - 20} more" if len(self.problems) > 20 else ""
            raise DocumentError(
                f"{self.name}: {len(self.problems)} problem{'s' if len(self.problems) > 1 else ''}\n{shown}{more}",
                why="A construct that is not understood is not skipped: something else would run than is written.",
                todo="Compile the pipeline again with kfp 2, or remove that construct.",
            )
        return document

    # small strict readers

    def table(self, value: Json, where: str, known: str | None = None) -> dict[str, Json]:
        if not isinstance(value, dict) or any(not isinstance(key, str) for key in value):
            raise _Problem(f"{where or 'the document'}: expected an object, found {type(value).__name__}")
        for key in sorted(set(value) - set(known.split()) if known is not None else ()):
            self.problems.append(f"{where + '.' if where else ''}{key}: not supported")
        return value

    def each(self, value: Json, where: str, read_one: Callable[[str, Json, str], T]) -> dict[str, T]:
        found: dict[str, T] = {}
        for key, item in self.table(value, where).items():
            try:
                found[key] = read_one(key, item, f"{where}.{key}")
            except _Problem as problem:
                self.problems.append(str(problem))
        return found

    def text(self, value: Json, where: str) -> str:
        if not isinstance(value, str):
            raise _Problem(f"{where}: expected text, found {type(value).__name__}")
        return value

    def texts(self, value: Json, where: str) -> tuple[str, ...]:
        return tuple(self.text(item, where) for item in self.items(value, where))

    def items(self, value: Json, where: str) -> list[Json]:
        if not isinstance(value, list):
            raise _Problem(f"{where}: expected a list, found {type(value).__name__}")
        return value

    def number(self, value: Json, where: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _Problem(f"{where}: expected a number, found {type(value).__name__}")
        return float(value)

    def count(self, value: Json, where: str) -> int:
        number = self.number(value, where)
        if number < 0 or not number.is_integer():  # neither infinity nor NaN is one
            raise _Problem(f"{where}: expected a whole number that is not negative, found {number:g}")
        return int(number)

    def only(self, table: Mapping[str, Json], where: str, options: Iterable[str]) -> str:
        present = [option for option in options if option in table]
        if len(present) != 1:
            raise _Problem(
                f"{where}: expected exactly one of {', '.join(options)}, found {', '.join(table) or 'nothing'}"
            )
        return present[0]

    # executors

    def executor(self, _name: str, value: Json, where: str) -> Container | Importer:
        table = self.table(value, where, "container importer")
        if self.only(table, where, ("container", "importer")) == "importer":
            return self.importer(table["importer"], f"{where}.importer")
        container = self.table(table["container"], f"{where}.container", "image command args env resources")
        env = {}
        for item in self.items(container.get("env", []), f"{where}.env"):
            pair = self.table(item, f"{where}.env", "name value")
            env[self.text(pair.get("name"), f"{where}.env")] = self.text(pair.get("value", ""), f"{where}.env")
        return Container(
            image=self.text(container.get("image"), f"{where}.image"),
            command=self.texts(container.get("command", []), f"{where}.command"),
            args=self.texts(container.get("args", []), f"{where}.args"),
            env=env,
            resources=self.resources(container.get("resources", {}), f"{where}.resources"),
        )

    def resources(self, value: Json, where: str) -> Resources:
        old = "cpuLimit memoryLimit cpuRequest memoryRequest"
        new = "resourceCpuLimit resourceMemoryLimit resourceCpuRequest resourceMemoryRequest"
        table = self.table(value, where, f"{old} {new} accelerator")
        accelerator = self.table(
            table.get("accelerator", {}), f"{where}.accelerator", "type count resourceType resourceCount"
        )

        def amount(name: str, unit: str = "") -> str:
            current = table.get(f"resource{name[0].upper()}{name[1:]}")
            if current is not None:
                return self.text(current, f"{where}.{name}")
            return f"{self.number(table[name], f'{where}.{name}'):g}{unit}" if name in table else ""

        return Resources(
            cpu_limit=amount("cpuLimit"),
            memory_limit=amount("memoryLimit", "G"),
            cpu_request=amount("cpuRequest"),
            memory_request=amount("memoryRequest", "G"),
            accelerator=str(accelerator.get("resourceType", accelerator.get("type", ""))),
            accelerators=str(accelerator.get("resourceCount", accelerator.get("count", ""))),
        )

    def importer(self, value: Json, where: str) -> Importer:
        table = self.table(value, where, "artifactUri typeSchema metadata reimport downloadToWorkspace")
        uri = self.table(table.get("artifactUri"), f"{where}.artifactUri", "constant runtimeParameter")
        constant = self.only(uri, f"{where}.artifactUri", ("constant", "runtimeParameter")) == "constant"
        return Importer(
            uri=Constant(uri["constant"]) if constant else FromInput(self.text(uri["runtimeParameter"], where)),
            schema=self.schema(table.get("typeSchema", {}), f"{where}.typeSchema"),
            metadata=without_float_integers(self.table(table.get("metadata", {}), f"{where}.metadata")),
            reimport=bool(table.get("reimport", False)),
            to_workspace=bool(table.get("downloadToWorkspace", False)),
        )

    # components

    def component(self, name: str, value: Json, where: str) -> Component:
        table = self.table(value, where, "inputDefinitions outputDefinitions dag executorLabel")
        inputs = self.table(table.get("inputDefinitions", {}), f"{where}.inputDefinitions", "parameters artifacts")
        outputs = self.table(table.get("outputDefinitions", {}), f"{where}.outputDefinitions", "parameters artifacts")
        label = ""
        if self.only(table, where, ("dag", "executorLabel")) == "dag":
            implementation: Graph | Container | Importer = self.graph(table["dag"], f"{where}.dag")
        else:
            label = self.text(table["executorLabel"], f"{where}.executorLabel")
            if label not in self.executors:
                raise _Problem(f"{where}.executorLabel: there is no executor '{label}'")
            implementation = self.executors[label]
        return Component(
            name=name,
            input_parameters=self.each(inputs.get("parameters", {}), f"{where}.inputs", self.parameter),
            input_artifacts=self.each(inputs.get("artifacts", {}), f"{where}.inputs", self.artifact),
            output_parameters=self.each(outputs.get("parameters", {}), f"{where}.outputs", self.parameter),
            output_artifacts=self.each(outputs.get("artifacts", {}), f"{where}.outputs", self.artifact),
            implementation=implementation,
            executor=label,
        )

    def parameter(self, _name: str, value: Json, where: str) -> ParameterSpec:
        table = self.table(value, where, "parameterType type defaultValue isOptional description literals")
        kind: Any = table.get("parameterType") or _OLD_TYPES.get(str(table.get("type")), "")
        if not isinstance(kind, str) or kind not in _PARAMETER_TYPES:
            raise _Problem(f"{where}: parameter type {kind or table.get('type')!r} is not supported")
        return ParameterSpec(
            type=cast("ParameterType", kind),
            optional=bool(table.get("isOptional", False)),
            has_default="defaultValue" in table,
            default=without_float_integers(table.get("defaultValue")),
            literals=tuple(without_float_integers(self.items(table.get("literals", []), where))),
        )

    def artifact(self, _name: str, value: Json, where: str) -> ArtifactSpec:
        table = self.table(value, where, "artifactType isArtifactList isOptional description metadata")
        return ArtifactSpec(
            schema=self.schema(table.get("artifactType", {}), where),
            many=bool(table.get("isArtifactList", False)),
            optional=bool(table.get("isOptional", False)),
            metadata=without_float_integers(self.table(table.get("metadata", {}), f"{where}.metadata")),
        )

    def schema(self, value: Json, where: str) -> str:
        table = self.table(value, where, "schemaTitle schemaUri instanceSchema schemaVersion")
        return str(table.get("schemaTitle") or table.get("schemaUri") or "system.Artifact")

    # graphs

    def graph(self, value: Json, where: str) -> Graph:
        table = self.table(value, where, "tasks outputs")
        tasks = self.each(table.get("tasks", {}), f"{where}.tasks", self.task)
        outputs = self.table(table.get("outputs", {}), f"{where}.outputs", "parameters artifacts")
        parameters = self.each(outputs.get("parameters", {}), f"{where}.outputs", self.output_parameter)
        artifacts = self.each(outputs.get("artifacts", {}), f"{where}.outputs", self.output_artifact)
        sources = [source for task in tasks.values() for source in task.artifacts.values()]
        sources += [source for several in artifacts.values() for source in several]
        read = {source.task for source in sources if isinstance(source, FromTask)}
        tasks = {name: replace(task, read=name in read) for name, task in tasks.items()}
        return Graph(tasks, parameters, artifacts)

    def output_parameter(self, _name: str, value: Json, where: str) -> tuple[FromTask, ...]:
        table = self.table(value, where, "valueFromParameter valueFromOneof")
        if self.only(table, where, ("valueFromParameter", "valueFromOneof")) == "valueFromParameter":
            selectors = [table["valueFromParameter"]]
        else:
            selectors = self.table(table["valueFromOneof"], where, "parameterSelectors").get("parameterSelectors", [])
        return tuple(self.selector(s, where, "outputParameterKey") for s in self.items(selectors, where))

    def output_artifact(self, _name: str, value: Json, where: str) -> tuple[FromTask, ...]:
        selectors = self.table(value, where, "artifactSelectors").get("artifactSelectors", [])
        return tuple(self.selector(s, where, "outputArtifactKey") for s in self.items(selectors, where))

    def selector(self, value: Json, where: str, key: str) -> FromTask:
        table = self.table(value, where, f"producerSubtask {key}")
        return FromTask(self.text(table.get("producerSubtask"), where), self.text(table.get(key), where))

    def task(self, name: str, value: Json, where: str) -> Task:
        table = self.table(
            value,
            where,
            "taskInfo inputs dependentTasks cachingOptions componentRef triggerPolicy retryPolicy"
            " parameterIterator artifactIterator iteratorPolicy",
        )
        inputs = self.table(table.get("inputs", {}), f"{where}.inputs", "parameters artifacts")
        parameters = self.each(inputs.get("parameters", {}), f"{where}.inputs", self.parameter_source)
        artifacts = self.each(inputs.get("artifacts", {}), f"{where}.inputs", self.artifact_source)
        trigger = self.table(table.get("triggerPolicy", {}), f"{where}.triggerPolicy", "condition strategy")
        strategy = trigger.get("strategy", "TRIGGER_STRATEGY_UNSPECIFIED")
        if not isinstance(strategy, str) or strategy not in _STRATEGIES:
            raise _Problem(f"{where}.triggerPolicy.strategy: {strategy} is not supported")
        condition = trigger.get("condition") or None
        if condition is not None:
            self.condition(self.text(condition, where), parameters, where)
        caching = self.table(table.get("cachingOptions", {}), f"{where}.cachingOptions", "enableCache cacheKey")
        origins = [source.origin for source in parameters.values()] + list(artifacts.values())
        producers = {o.task for o in origins if isinstance(o, FromTask | FinalStatus)}
        return Task(
            name=name,
            component=self.text(
                self.table(table.get("componentRef"), where, "name").get("name"), f"{where}.componentRef"
            ),
            display_name=str(self.table(table.get("taskInfo", {}), where, "name").get("name", name)),
            parameters=parameters,
            artifacts=artifacts,
            after=frozenset(self.texts(table.get("dependentTasks", []), f"{where}.dependentTasks")) | producers,
            condition=condition,
            always=_STRATEGIES[strategy],
            loop=self.loop(table, where),
            retry=self.retry(table.get("retryPolicy", {}), f"{where}.retryPolicy"),
            cache=bool(caching.get("enableCache", False)),
            cache_key=str(caching.get("cacheKey", "")),
        )

    def condition(self, text: str, parameters: Mapping[str, ParameterSource], where: str) -> None:
        try:
            parsed = expression.parse(text)
        except DocumentError as exc:
            raise _Problem(f"{where}.triggerPolicy: {exc.what}") from exc
        if expression.constant_comparisons(parsed):
            raise _Problem(
                f"{where}.triggerPolicy: the condition compares constants (kfp does not escape a quote in text): {text}"
            )
        missing = sorted(expression.references(parsed) - set(parameters))
        if missing:
            raise _Problem(f"{where}.triggerPolicy: the condition reads {', '.join(missing)}, not an input of the task")

    def loop(self, table: Mapping[str, Json], where: str) -> Loop | None:
        policy = self.table(table.get("iteratorPolicy", {}), f"{where}.iteratorPolicy", "parallelismLimit")
        limit = self.count(policy.get("parallelismLimit", 0), f"{where}.iteratorPolicy.parallelismLimit")
        if "artifactIterator" in table:
            iterator = self.table(table["artifactIterator"], where, "items itemInput")
            items = self.table(iterator.get("items"), where, "inputArtifact")
            source = self.text(items.get("inputArtifact"), f"{where}.artifactIterator")
            return Loop(self.text(iterator.get("itemInput"), where), source=source, artifacts=True, limit=limit)
        if "parameterIterator" not in table:
            return None
        iterator = self.table(table["parameterIterator"], where, "items itemInput")
        item = self.text(iterator.get("itemInput"), f"{where}.parameterIterator")
        items = self.table(iterator.get("items"), where, "raw inputParameter")
        if self.only(items, f"{where}.parameterIterator.items", ("raw", "inputParameter")) == "inputParameter":
            return Loop(item, source=self.text(items["inputParameter"], where), limit=limit)
        try:
            raw = json.loads(self.text(items["raw"], where))
        except json.JSONDecodeError as exc:
            raise _Problem(f"{where}.parameterIterator.items.raw: not JSON") from exc
        if not isinstance(raw, list):
            raise _Problem(f"{where}.parameterIterator.items.raw: not a list")
        return Loop(item, raw=tuple(raw), limit=limit)

    def retry(self, value: Json, where: str) -> Retry:
        table = self.table(value, where, "maxRetryCount backoffDuration backoffFactor backoffMaxDuration")

        def seconds(key: str, default: float) -> float:
            text = str(table.get(key, f"{default}s"))
            try:
                found = float(text.removesuffix("s"))
            except ValueError:
                found = -1
            if not 0 <= found < math.inf:
                raise _Problem(f"{where}.{key}: {text!r} is not a duration in seconds")
            return found

        factor = self.number(table.get("backoffFactor", 2.0), f"{where}.backoffFactor")
        if not 0 <= factor < math.inf:
            raise _Problem(f"{where}.backoffFactor: a pause cannot grow by {factor:g}")
        return Retry(
            count=self.count(table.get("maxRetryCount", 0), f"{where}.maxRetryCount"),
            backoff_s=seconds("backoffDuration", 0),
            factor=factor or 2.0,
            max_backoff_s=seconds("backoffMaxDuration", 3600) or 3600.0,
        )

    def parameter_source(self, _name: str, value: Json, where: str) -> ParameterSource:
        kinds = ("runtimeValue", "componentInputParameter", "taskOutputParameter", "taskFinalStatus")
        table = self.table(value, where, " ".join((*kinds, "parameterExpressionSelector")))
        kind = self.only(table, where, kinds)
        origin: Constant | FromInput | FromTask | FinalStatus
        if kind == "runtimeValue":
            runtime = self.table(table[kind], where, "constant runtimeParameter")
            if self.only(runtime, where, ("constant", "runtimeParameter")) == "runtimeParameter":
                origin = FromInput(self.text(runtime["runtimeParameter"], where))
            else:
                origin = Constant(without_float_integers(runtime["constant"]))
        elif kind == "componentInputParameter":
            origin = FromInput(self.text(table[kind], where))
        elif kind == "taskFinalStatus":
            origin = FinalStatus(self.text(self.table(table[kind], where, "producerTask").get("producerTask"), where))
        else:
            output = self.table(table[kind], where, "producerTask outputParameterKey")
            origin = FromTask(
                self.text(output.get("producerTask"), where), self.text(output.get("outputParameterKey"), where)
            )
        path: tuple[str | int, ...] | None = None
        if "parameterExpressionSelector" in table:
            selector = _SELECTOR.match(self.text(table["parameterExpressionSelector"], where))
            if selector is None:
                raise _Problem(
                    f"{where}.parameterExpressionSelector: {table['parameterExpressionSelector']!r} is not supported"
                )
            path = tuple(json.loads(part) for part in _SELECTOR_PART.findall(selector[1]))
        return ParameterSource(origin, path)

    def artifact_source(self, _name: str, value: Json, where: str) -> FromInput | FromTask:
        kinds = ("taskOutputArtifact", "componentInputArtifact")
        table = self.table(value, where, " ".join(kinds))
        kind = self.only(table, where, kinds)
        if kind == "componentInputArtifact":
            return FromInput(self.text(table[kind], where))
        output = self.table(table[kind], where, "producerTask outputArtifactKey")
        return FromTask(self.text(output.get("producerTask"), where), self.text(output.get("outputArtifactKey"), where))

    # references between the parts, once everything is read

    def references(self, root: Component) -> None:
        for owner, path in self.reachable(root):
            graph = owner.implementation
            if isinstance(graph, Graph):
                self.graph_references(owner, graph, path)

    def reachable(self, root: Component) -> Iterable[tuple[Component, str]]:
        """Every component below the root, once; a component that contains itself would run for ever."""
        finished: set[str] = set()
        stack: list[tuple[Component, str, tuple[str, ...]]] = [(root, "root", ())]
        while stack:
            owner, path, above = stack.pop()
            if owner.name in above:
                self.problems.append(f"{path}: component '{owner.name}' contains itself")
                continue
            if owner.name in finished:
                continue
            finished.add(owner.name)
            yield owner, path
            if isinstance(owner.implementation, Graph):
                for task in owner.implementation.tasks.values():
                    if task.component in self.components:
                        stack.append((self.components[task.component], f"{path}.{task.name}", (*above, owner.name)))

    def graph_references(self, owner: Component, graph: Graph, path: str) -> None:
        for task in graph.tasks.values():
            where = f"{path}.{task.name}"
            component = self.components.get(task.component)
            if component is None:
                self.problems.append(f"{where}: there is no component '{task.component}'")
                continue
            self.problems += [
                f"{where}: waits for '{t}', which is not in this graph" for t in sorted(task.after - set(graph.tasks))
            ]
            self.task_references(owner, graph, task, component, where)
            if task.retry.count and isinstance(component.implementation, Graph):
                self.problems.append(
                    f"{where}.retryPolicy: this task holds a graph, and KFP defines retries of single tasks only;"
                    " call set_retry on the tasks inside"
                )
        self.outputs_exist(graph, path)
        self.no_cycle(graph, path)

    def task_references(self, owner: Component, graph: Graph, task: Task, component: Component, where: str) -> None:
        for name, source in task.parameters.items():
            origin = source.origin
            if isinstance(origin, FromInput) and origin.name not in owner.input_parameters:
                self.problems.append(f"{where}.{name}: '{origin.name}' is not an input of the surrounding graph")
            if isinstance(origin, FromTask):
                self.output_exists(graph, origin, "output_parameters", f"{where}.{name}")
            if isinstance(origin, Constant):
                for placeholder in placeholders.names(origin.value):
                    found = placeholders.input_name(placeholder)
                    if found is not None and found[1] not in task.parameters and found[1] not in owner.input_parameters:
                        self.problems.append(f"{where}.{name}: placeholder '{found[1]}' is not an input of the task")
        for name, artifact in task.artifacts.items():
            if isinstance(artifact, FromInput) and artifact.name not in owner.input_artifacts:
                self.problems.append(f"{where}.{name}: '{artifact.name}' is not an artifact of the surrounding graph")
            if isinstance(artifact, FromTask):
                self.output_exists(graph, artifact, "output_artifacts", f"{where}.{name}")
        given = set(task.parameters) | set(task.artifacts) | ({task.loop.item} if task.loop else set())
        needed = [n for n, p in component.input_parameters.items() if not p.optional and not p.has_default]
        needed += [n for n, a in component.input_artifacts.items() if not a.optional]
        missing = [n for n in needed if n not in given]
        self.problems += [f"{where}: input '{n}' of '{task.component}' is not given" for n in missing]
        if task.loop is not None and task.loop.source is not None and task.loop.source not in given:
            self.problems.append(f"{where}: the loop's items '{task.loop.source}' are not an input of the task")

    def output_exists(self, graph: Graph, source: FromTask, kind: str, where: str) -> None:
        producer = graph.tasks.get(source.task)
        component = self.components.get(producer.component) if producer else None
        if component is not None and source.key not in getattr(component, kind):
            self.problems.append(f"{where}: task '{source.task}' has no output '{source.key}'")

    def outputs_exist(self, graph: Graph, path: str) -> None:
        for kind, table in (("output_parameters", graph.parameters), ("output_artifacts", graph.artifacts)):
            for name, sources in table.items():
                for source in sources:
                    if source.task not in graph.tasks:
                        self.problems.append(f"{path}.outputs.{name}: there is no task '{source.task}'")
                    self.output_exists(graph, source, kind, f"{path}.outputs.{name}")

    def no_cycle(self, graph: Graph, path: str) -> None:
        waiting = {name: set(task.after) & set(graph.tasks) for name, task in graph.tasks.items()}
        while waiting:
            ready = {name for name, before in waiting.items() if not before}
            if not ready:
                self.problems.append(f"{path}: these tasks wait for each other: {', '.join(sorted(waiting))}")
                return
            waiting = {name: before - ready for name, before in waiting.items() if name not in ready}
