"""A plan as a pipeline document again: each job is one task, each choice a condition. What Vertex AI is given.

A job of several tasks becomes one executor that runs ``python -m seatrial.execute`` on its part; a job of one task
stays that task. Lists of artifacts have no place in what a container returns, so such a list travels as one folder
whose metadata says `PACKED`; an input that collects outputs of several jobs becomes one input for each,
``name--0``, ``name--1``, and so on.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from seatrial.document import expression
from seatrial.document.jobs import (
    Choice,
    FirstOf,
    Gathered,
    Job,
    JobOutput,
    JobParameter,
    Node,
    PipelineParameter,
    Plan,
)
from seatrial.document.jobs import walk as jobs_of
from seatrial.document.model import Constant, Document
from seatrial.document.part import unique
from seatrial.errors import DocumentError

Json = Any
PACKED = "seatrial_packed"
Source = PipelineParameter | tuple[JobOutput, ...]
"""A pipeline parameter, or the first of some outputs."""

_ARTIFACT = {"artifactType": {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}}


def fused_document(document: Document, plan: Plan, *, allow_tags: bool = False) -> dict[str, Json]:
    """The ``PipelineSpec`` in which each job of the plan is one task. Pure.

    Args:
        document: what was planned.
        plan: its jobs.
        allow_tags: let images be named by a tag, which may mean another image tomorrow.

    Raises:
        DocumentError: an image is named by a tag, or the plan needs what a document cannot say.
    """
    tagged = sorted({job.image for job in plan.jobs() if "@sha256:" not in job.image})
    if tagged and not allow_tags:
        raise DocumentError(
            f"images are named by tags: {', '.join(tagged)}",
            why="A tag may name another image tomorrow, and cached results would be those of the old one.",
            todo="Name the image by its digest: image@sha256:...",
        )
    return _Fused(document, plan).document()


@dataclass
class _Dag:
    """One graph of the new document."""

    nodes: tuple[Node, ...]
    root: bool = False
    tasks: dict[str, Json] = field(default_factory=dict)
    inputs: dict[str, dict[str, Json]] = field(default_factory=lambda: {"parameters": {}, "artifacts": {}})
    given: dict[tuple[str, Source], str] = field(default_factory=dict)
    """(parameters or artifacts, source) -> input of this graph."""
    wanted: dict[str, dict[tuple[str, tuple[JobOutput, ...]], str]] = field(default_factory=dict)
    """Choice -> what must come out of it."""
    after: set[str] = field(default_factory=set)
    """What must end before this graph starts, for no input."""


class _Fused:
    def __init__(self, document: Document, plan: Plan) -> None:
        self._document = document
        self._plan = plan
        self._jobs = {job.name: job for job in plan.jobs()}
        self._components: dict[str, Json] = {}
        self._executors: dict[str, Json] = {}
        self._whole = {job.name for job in plan.jobs() if self._is_one_task(job)}

    def document(self) -> dict[str, Json]:
        source = self._document.source
        dag = _Dag(self._plan.nodes, root=True)
        dag.inputs = source["root"].get("inputDefinitions", {})
        outputs: dict[str, Json] = {}
        for name, value in self._plan.parameters.items():
            outputs.setdefault("parameters", {})[name] = self._selector(dag, "parameters", _outputs(value))
        for name, several in self._plan.artifacts.items():
            if len(several) == 1 and self._packed(several[0]):
                raise _cannot(f"output '{name}' of the pipeline is a list of artifacts")
            outputs.setdefault("artifacts", {})[name] = self._selector(dag, "artifacts", several)
        self._fill(dag)
        root: dict[str, Json] = {"dag": {"tasks": dict(sorted(dag.tasks.items()))}}
        if outputs:
            root["dag"]["outputs"] = outputs
        for key in ("inputDefinitions", "outputDefinitions"):
            if key in source["root"]:
                root[key] = source["root"][key]
        return {
            "pipelineInfo": source.get("pipelineInfo", {"name": self._document.name}),
            "schemaVersion": source.get("schemaVersion", "2.1.0"),
            "sdkVersion": source.get("sdkVersion", ""),
            "deploymentSpec": {"executors": dict(sorted(self._executors.items()))},
            "components": dict(sorted(self._components.items())),
            "root": root,
            **{key: source[key] for key in ("defaultPipelineRoot",) if key in source},
        }

    # graphs

    def _fill(self, dag: _Dag) -> None:
        """Write the tasks of a graph: consumers first, since they say what choices must give."""
        for node in reversed(dag.nodes):
            table = self._job(dag, node) if isinstance(node, Job) else self._choice(dag, node)
            dag.tasks[node.name] = table

    def _job(self, dag: _Dag, job: Job) -> dict[str, Json]:
        name = self._component(job)
        inputs: dict[str, dict[str, Json]] = {"parameters": {}, "artifacts": {}}
        for key, value in job.parameters.items():
            for spelled, source in _split(key, value):
                inputs["parameters"][spelled] = self._source(dag, "parameters", source)
        for key, several in job.artifacts.items():
            many = job.document["root"]["inputDefinitions"]["artifacts"][key].get("isArtifactList", False)
            collected = many and not (len(several) == 1 and self._many(several[0]))
            sources = (
                [(f"{key}--{i}", (output,)) for i, output in enumerate(several)] if collected else [(key, several)]
            )
            for spelled, outputs in sources:
                inputs["artifacts"][spelled] = self._source(dag, "artifacts", outputs)
        table: dict[str, Json] = {
            "componentRef": {"name": name},
            "taskInfo": {"name": job.name},
            "cachingOptions": {"enableCache": True} if job.cache else {},
        }
        return self._completed(dag, table, inputs, job.after)

    def _completed(
        self, dag: _Dag, table: dict[str, Json], inputs: dict[str, dict[str, Json]], after: tuple[str, ...] | set[str]
    ) -> dict[str, Json]:
        filled = {kind: dict(sorted(found.items())) for kind, found in inputs.items() if found}
        if filled:
            table["inputs"] = filled
        here = {node.name for node in dag.nodes}
        producers = {
            s["producerTask"]
            for found in inputs.values()
            for v in found.values()
            for s in v.values()
            if "producerTask" in s
        }
        dag.after |= set(after) - here
        before = sorted(producers | (set(after) & here))
        if before:
            table["dependentTasks"] = before
        return table

    def _choice(self, dag: _Dag, choice: Choice) -> dict[str, Json]:
        wrapper = _Dag(())
        inputs: dict[str, dict[str, Json]] = {"parameters": {}, "artifacts": {}}
        named = {key: f"operand-{number}" for number, key in enumerate(sorted(choice.operands))}
        definitions: dict[str, Json] = {}
        for key, operand in choice.operands.items():
            source: Source = operand.source if isinstance(operand.source, PipelineParameter) else (operand.source,)
            entry = self._source(dag, "parameters", source)
            if operand.path is not None:
                parts = "".join(f"[{json.dumps(part)}]" for part in operand.path)
                entry = {**entry, "parameterExpressionSelector": f"parseJson(string_value){parts}"}
            inputs["parameters"][named[key]] = entry
            definitions[named[key]] = {"parameterType": operand.type}
        wrapper.inputs["parameters"].update(definitions)
        text = _text(choice.condition, named)
        outputs: dict[str, Json] = {}
        declared: dict[str, Json] = {}
        for nodes, ending, condition in ((choice.then, "then", text), (choice.otherwise, "otherwise", f"!({text})")):
            if nodes:
                self._branch(wrapper, choice, nodes, f"{choice.name}-{ending}", condition, (dag, outputs, declared))
        component: dict[str, Json] = {"dag": {"tasks": wrapper.tasks}}
        if outputs:
            component["dag"]["outputs"] = outputs
            component["outputDefinitions"] = declared
        component["inputDefinitions"] = {k: v for k, v in wrapper.inputs.items() if v}
        name = unique(f"comp-choice-{choice.name}", self._components)
        self._components[name] = component
        for (kind, source), spelled in wrapper.given.items():
            inputs[kind][spelled] = self._source(dag, kind, source)
        table: dict[str, Json] = {"componentRef": {"name": name}, "taskInfo": {"name": choice.name}}
        return self._completed(dag, table, inputs, wrapper.after)

    def _branch(
        self,
        wrapper: _Dag,
        choice: Choice,
        nodes: tuple[Node, ...],
        task: str,
        condition: str,
        outward: tuple[_Dag, dict[str, Json], dict[str, Json]],
    ) -> None:
        """One branch: a graph with a condition, inside the choice's graph, which has none and so is never skipped."""
        dag, outputs, declared = outward
        branch = _Dag(nodes)
        inside = {job.name for job in jobs_of(nodes)}
        result: dict[str, Json] = {}
        definitions: dict[str, Json] = {}
        for (kind, several), name in dag.wanted.get(choice.name, {}).items():
            here = tuple(output for output in several if output.job in inside)
            if not here:
                continue
            result.setdefault(kind, {})[name] = self._selector(branch, kind, here)
            definitions.setdefault(kind, {})[name] = self._definition(kind, several[0])
            declared.setdefault(kind, {})[name] = self._definition(kind, several[0])
            selector = {"producerSubtask": task, _KEYS[kind]: name}
            if kind == "artifacts":
                outputs.setdefault(kind, {}).setdefault(name, {"artifactSelectors": []})["artifactSelectors"].append(
                    selector
                )
            else:
                oneof = outputs.setdefault(kind, {}).setdefault(name, {"valueFromOneof": {"parameterSelectors": []}})
                oneof["valueFromOneof"]["parameterSelectors"].append(selector)
        self._fill(branch)
        inputs: dict[str, dict[str, Json]] = {"parameters": {}, "artifacts": {}}
        for name, definition in list(wrapper.inputs["parameters"].items()):
            if name.startswith("operand-"):
                branch.inputs["parameters"][name] = definition
                inputs["parameters"][name] = {"componentInputParameter": name}
        for (kind, source), spelled in branch.given.items():
            inputs[kind][spelled] = self._source(wrapper, kind, source)
        component: dict[str, Json] = {"dag": {"tasks": dict(sorted(branch.tasks.items()))}}
        if result:
            component["dag"]["outputs"] = result
            component["outputDefinitions"] = definitions
        component["inputDefinitions"] = {k: v for k, v in branch.inputs.items() if v}
        name = unique(f"comp-{task}", self._components)
        self._components[name] = component
        wrapper.after |= branch.after
        table: dict[str, Json] = {
            "componentRef": {"name": name},
            "taskInfo": {"name": task},
            "triggerPolicy": {"condition": condition},
        }
        filled = {kind: found for kind, found in inputs.items() if found}
        wrapper.tasks[task] = {**table, "inputs": filled} if filled else table

    # where values come from

    def _source(self, dag: _Dag, kind: str, source: Source) -> dict[str, Json]:
        """A task's input: from a task of the same graph, else from the graph's own inputs."""
        if not isinstance(source, PipelineParameter) and self._holder(dag, source) is not None:
            task, key = self._from(dag, kind, source)
            name, field_name = _TASK_OUTPUT[kind]
            return {name: {"producerTask": task, field_name: key}}
        if dag.root:
            assert isinstance(source, PipelineParameter)  # every job is below the root
            return {"componentInputParameter": source.name}
        spelled = dag.given.get((kind, source))
        if spelled is None:
            plain = source.name if isinstance(source, PipelineParameter) else f"{source[0].job}-{source[0].name}"
            spelled = unique(plain, [*dag.inputs["parameters"], *dag.inputs["artifacts"]])
            dag.given[kind, source] = spelled
            dag.inputs[kind][spelled] = self._input_definition(kind, source)
        return {"componentInputParameter" if kind == "parameters" else "componentInputArtifact": spelled}

    def _input_definition(self, kind: str, source: Source) -> dict[str, Json]:
        if isinstance(source, PipelineParameter):
            definition: dict[str, Json] = self._document.source["root"]["inputDefinitions"]["parameters"][source.name]
            return definition
        return {**self._definition(kind, source[0]), "isOptional": True}

    def _holder(self, dag: _Dag, outputs: tuple[JobOutput, ...]) -> Node | None:
        return next((n for n in dag.nodes if any(outputs[0].job == job.name for job in jobs_of((n,)))), None)

    def _from(self, dag: _Dag, kind: str, outputs: tuple[JobOutput, ...]) -> tuple[str, str]:
        """Task and output key in a graph that hold the first of some outputs."""
        node = self._holder(dag, outputs)
        assert node is not None
        inside = {job.name for job in jobs_of((node,))}
        if any(output.job not in inside for output in outputs):
            raise _cannot(f"a value is whichever exists of {', '.join(f'{o.job}.{o.name}' for o in outputs)}")
        if isinstance(node, Job):
            return node.name, outputs[0].name
        table = dag.wanted.setdefault(node.name, {})
        if (kind, outputs) not in table:
            table[kind, outputs] = unique(f"{outputs[0].job}-{outputs[0].name}", table.values())
        return node.name, table[kind, outputs]

    def _selector(self, dag: _Dag, kind: str, outputs: tuple[JobOutput, ...]) -> dict[str, Json]:
        """An output of a graph."""
        if not outputs or self._holder(dag, outputs) is None:
            raise _cannot("an output of the pipeline is not one of its tasks'")
        task, key = self._from(dag, kind, outputs)
        selector = {"producerSubtask": task, _KEYS[kind]: key}
        return {"valueFromParameter": selector} if kind == "parameters" else {"artifactSelectors": [selector]}

    # jobs

    def _is_one_task(self, job: Job) -> bool:
        """A job that stays the task that it is: nothing in it would have to be unpacked or put together."""
        inputs = job.document["root"].get("inputDefinitions", {}).get("artifacts", {})
        lists = any(slot.get("isArtifactList") for slot in inputs.values())
        gathers = any(isinstance(value, Gathered) for value in job.parameters.values())
        if job.kind == "foreign" and (lists or gathers):
            raise _cannot(f"job '{job.name}' on image {job.image} takes a list from other jobs")
        return len(job.tasks) == 1 and not lists and not gathers

    def _component(self, job: Job) -> str:
        name = unique(f"comp-job-{job.name}", self._components)
        root = job.document["root"]
        if job.name in self._whole:
            self._components[name] = root
            self._components.update(job.document["components"])
            self._executors.update(job.document["deploymentSpec"]["executors"])
            return name
        inputs = root.get("inputDefinitions", {})
        definitions: dict[str, dict[str, Json]] = {"parameters": {}, "artifacts": {}}
        for key, definition in inputs.get("parameters", {}).items():
            for spelled, source in _split(key, job.parameters[key]):
                part = definition if isinstance(source, PipelineParameter) or spelled == key else None
                definitions["parameters"][spelled] = part or self._optional("parameters", _outputs_of(source)[0])
        for key, definition in inputs.get("artifacts", {}).items():
            several = job.artifacts[key]
            if definition.get("isArtifactList") and not (len(several) == 1 and self._many(several[0])):
                for number, output in enumerate(several):
                    definitions["artifacts"][f"{key}--{number}"] = self._optional("artifacts", output)
            else:
                definitions["artifacts"][key] = self._optional("artifacts", several[0])
        outputs = root.get("outputDefinitions", {})
        gives = {
            "parameters": outputs.get("parameters", {}),
            "artifacts": {
                k: _ARTIFACT if v.get("isArtifactList") else v for k, v in outputs.get("artifacts", {}).items()
            },
        }
        component: dict[str, Json] = {"executorLabel": f"exec-job-{job.name}"}
        for table_name, table in (("inputDefinitions", definitions), ("outputDefinitions", gives)):
            filled = {kind: found for kind, found in table.items() if found}
            if filled:
                component[table_name] = filled
        self._components[name] = component
        self._executors[f"exec-job-{job.name}"] = {"container": _container(job)}
        return name

    def _optional(self, kind: str, output: JobOutput) -> dict[str, Json]:
        return {**self._definition(kind, output), "isOptional": True}

    def _definition(self, kind: str, output: JobOutput) -> dict[str, Json]:
        declared: Mapping[str, Json] = self._jobs[output.job].document["root"]["outputDefinitions"][kind][output.name]
        return _ARTIFACT if kind == "artifacts" and self._packed(output) else dict(declared)

    def _many(self, output: JobOutput) -> bool:
        outputs = self._jobs[output.job].document["root"]["outputDefinitions"].get("artifacts", {})
        return bool(outputs.get(output.name, {}).get("isArtifactList"))

    def _packed(self, output: JobOutput) -> bool:
        return self._many(output) and output.job not in self._whole


_KEYS = {"parameters": "outputParameterKey", "artifacts": "outputArtifactKey"}
_TASK_OUTPUT = {
    "parameters": ("taskOutputParameter", "outputParameterKey"),
    "artifacts": ("taskOutputArtifact", "outputArtifactKey"),
}


def _container(job: Job) -> dict[str, Json]:
    text = json.dumps(job.document, sort_keys=True, separators=(",", ":"))
    resources: dict[str, Json] = {"resourceCpuLimit": f"{job.resources.cpu:g}"}
    if job.resources.memory_gb is not None:
        resources["resourceMemoryLimit"] = f"{job.resources.memory_gb:g}G"
    if job.resources.accelerators:
        resources["accelerator"] = {
            "resourceType": job.resources.accelerator,
            "resourceCount": str(job.resources.accelerators),
        }
    return {
        "image": job.image,
        "command": ["python", "-m", "seatrial.execute"],
        # as base64, so that nobody fills the placeholders of the tasks in it
        "args": ["--part", base64.b64encode(text.encode()).decode(), "--executor-input", "{{$}}"],
        "resources": resources,
    }


def _split(key: str, value: JobParameter) -> list[tuple[str, Source]]:
    """The inputs that one input of a part becomes."""
    if isinstance(value, PipelineParameter):
        return [(key, value)]
    if isinstance(value, Gathered):
        return [(f"{key}--{number}", (output,)) for number, output in enumerate(value.outputs)]
    return [(key, _outputs(value))]


def _outputs_of(source: Source) -> tuple[JobOutput, ...]:
    return () if isinstance(source, PipelineParameter) else source


def _outputs(value: JobParameter) -> tuple[JobOutput, ...]:
    if isinstance(value, JobOutput):
        return (value,)
    if isinstance(value, FirstOf):
        return value.outputs
    if isinstance(value, Constant | PipelineParameter):
        return ()
    raise _cannot("an output of the pipeline is collected from several jobs")


def _text(node: expression.Expression, names: Mapping[str, str]) -> str:
    """A condition as KFP writes it."""
    if isinstance(node, expression.Literal):
        if isinstance(node.value, str):
            return "'" + node.value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"
        return json.dumps(node.value)
    if isinstance(node, expression.Reference):
        return f"inputs.parameter_values['{names[node.name]}']"
    if isinstance(node, expression.Cast):
        return f"{node.kind}({_text(node.inner, names)})"
    if isinstance(node, expression.Not):
        return f"!({_text(node.inner, names)})"
    if isinstance(node, expression.Compare):
        return f"{_operand(node.left, names)} {node.operator} {_operand(node.right, names)}"
    return f" {node.operator} ".join(f"({_text(part, names)})" for part in node.parts)


def _operand(node: expression.Expression, names: Mapping[str, str]) -> str:
    text = _text(node, names)
    plain = isinstance(node, expression.Literal | expression.Reference | expression.Cast)
    return text if plain else f"({text})"


def _cannot(what: str) -> DocumentError:
    return DocumentError(
        what,
        why="A pipeline document cannot say that between tasks; inside one job it can be run.",
        todo='Keep the tasks in one job with @component(job="..."), or compile with --no-fuse.',
    )
