"""Cuts a part out of a pipeline document: some tasks as a pipeline of their own.

What crosses the border becomes a root input or output with the type that the document declares for it. The tasks keep
their names, conditions, loops, retries and caching, so an executor means the same by the part as by the whole.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from seatrial.document.drafts import Member
from seatrial.document.flow import (
    Cast,
    MemberOutput,
    Picked,
    Several,
    Status,
    Symbol,
    Template,
    uncast,
)
from seatrial.document.jobs import FirstOf, Gathered, JobOutput, JobParameter, PipelineParameter
from seatrial.document.model import Component, Constant, Document, Graph
from seatrial.errors import DocumentError

Json = Any
Elsewhere = Callable[[MemberOutput], JobOutput]
"""The root output of another job that holds a member's output."""


@dataclass
class Part:
    """A part in the making."""

    document: Document
    members: list[Member]
    wanted: list[tuple[MemberOutput, str, bool]]
    """Outputs that cross the border: which, the root output's name, whether it is an artifact."""
    elsewhere: Elsewhere
    image: str | None
    of: Mapping[str, Member]
    """All members of the plan, by name."""
    parameters: dict[str, JobParameter] = field(default_factory=dict)
    artifacts: dict[str, tuple[JobOutput, ...]] = field(default_factory=dict)
    _inputs: dict[str, dict[str, Json]] = field(default_factory=lambda: {"parameters": {}, "artifacts": {}})
    _names: dict[Any, str] = field(default_factory=dict)
    _tasks: dict[str, str] = field(default_factory=dict)

    def build(self) -> dict[str, Json]:
        """The part as a ``PipelineSpec``; fills ``parameters`` and ``artifacts``."""
        self._tasks = _task_names(self.members)
        tasks = {self._tasks[member.name]: self._task(member) for member in self.members}
        dag: dict[str, Json] = {"tasks": tasks}
        outputs, definitions = self._outputs()
        if outputs:
            dag["outputs"] = outputs
        root: dict[str, Json] = {"dag": dag}
        for key, table in (("inputDefinitions", self._inputs), ("outputDefinitions", definitions)):
            filled = {kind: found for kind, found in table.items() if found}
            if filled:
                root[key] = filled
        components, executors = closure(self.document, [m.task.component for m in self.members], self.image)
        source = self.document.source
        return {
            "pipelineInfo": {"name": self.document.name},
            "schemaVersion": source.get("schemaVersion", "2.1.0"),
            "sdkVersion": source.get("sdkVersion", ""),
            "deploymentSpec": {"executors": executors},
            "components": components,
            "root": root,
        }

    def _task(self, member: Member) -> dict[str, Json]:
        table = {k: v for k, v in member.source.items() if k not in ("inputs", "dependentTasks")}
        specs = self.document.components[member.task.component].input_parameters
        parameters: dict[str, Json] = {}
        artifacts: dict[str, Json] = {}
        local: set[str] = set()
        for name, symbol in member.parameters.items():
            kind = specs[name].type if name in specs else None
            plain = symbol if kind is None else uncast(symbol, kind, f"task '{member.name}'")
            parameters[name] = self._parameter(plain, member, parameters, local)
        for name, symbol in member.artifacts.items():
            artifacts[name] = self._artifact(symbol, local)
        inputs = {k: v for k, v in (("parameters", parameters), ("artifacts", artifacts)) if v}
        if inputs:
            table["inputs"] = inputs
        before = sorted(local | {self._tasks[name] for name in member.after if name in self._tasks})
        if before:
            table["dependentTasks"] = before
        return table

    def _parameter(self, symbol: Symbol, member: Member, beside: dict[str, Json], local: set[str]) -> dict[str, Json]:
        if isinstance(symbol, Constant):
            return {"runtimeValue": {"constant": symbol.value}}
        if isinstance(symbol, Cast):
            return self._parameter(symbol.base, member, beside, local)
        if isinstance(symbol, PipelineParameter):
            definition = self.document.source["root"]["inputDefinitions"]["parameters"][symbol.name]
            return {"componentInputParameter": self._input("parameters", symbol, symbol.name, definition, symbol)}
        if isinstance(symbol, Status):
            local.add(self._tasks[symbol.member])
            return {"taskFinalStatus": {"producerTask": self._tasks[symbol.member]}}
        if isinstance(symbol, Picked):
            selector = "parseJson(string_value)" + "".join(f"[{json.dumps(part)}]" for part in symbol.path)
            return {
                **self._parameter(symbol.base, member, beside, local),
                "parameterExpressionSelector": selector,
            }
        if isinstance(symbol, Template):
            for name, part in symbol.lookup.items():
                if name not in member.parameters:  # an input of the surrounding graph, which is not there any more
                    beside[name] = self._parameter(part, member, beside, local)
            return {"runtimeValue": {"constant": symbol.value}}
        if isinstance(symbol, MemberOutput) and symbol.member in self._tasks:
            local.add(self._tasks[symbol.member])
            output = {"producerTask": self._tasks[symbol.member], "outputParameterKey": symbol.key}
            return {"taskOutputParameter": output}
        several = _flat(symbol, nested=False)
        found = tuple(self.elsewhere(output) for output in several)
        value: JobParameter = found[0]
        kind = "LIST" if isinstance(symbol, Several) and not symbol.first else self._kind(several[0])
        if isinstance(symbol, Several):
            value = FirstOf(found) if symbol.first else Gathered(found)
        definition = {"parameterType": kind, "isOptional": True}
        name = self._input("parameters", symbol, _border_name(found), definition, value)
        return {"componentInputParameter": name}

    def _artifact(self, symbol: Symbol, local: set[str]) -> dict[str, Json]:
        if isinstance(symbol, MemberOutput) and symbol.member in self._tasks:
            local.add(self._tasks[symbol.member])
            output = {"producerTask": self._tasks[symbol.member], "outputArtifactKey": symbol.key}
            return {"taskOutputArtifact": output}
        several = _flat(symbol, nested=True)
        found = tuple(self.elsewhere(output) for output in several)
        definition = dict(self._slot(several[0]))
        if isinstance(symbol, Several) and not symbol.first:
            definition["isArtifactList"] = True
        name = self._input("artifacts", symbol, _border_name(found), {**definition, "isOptional": True}, found)
        return {"componentInputArtifact": name}

    def _input(self, table: str, symbol: Symbol, name: str, definition: Json, value: Any) -> str:
        key = repr(symbol)
        if key not in self._names:
            taken = {*self._inputs["parameters"], *self._inputs["artifacts"]}
            self._names[key] = unique(name, taken)
            self._inputs[table][self._names[key]] = definition
            (self.parameters if table == "parameters" else self.artifacts)[self._names[key]] = value
        return self._names[key]

    def _outputs(self) -> tuple[dict[str, Json], dict[str, Json]]:
        outputs: dict[str, Json] = {}
        definitions: dict[str, Json] = {}
        for output, name, is_artifact in self.wanted:
            task = self._tasks[output.member]
            if is_artifact:
                selector = {"producerSubtask": task, "outputArtifactKey": output.key}
                outputs.setdefault("artifacts", {})[name] = {"artifactSelectors": [selector]}
                definitions.setdefault("artifacts", {})[name] = self._slot(output)
            else:
                selector = {"producerSubtask": task, "outputParameterKey": output.key}
                outputs.setdefault("parameters", {})[name] = {"valueFromParameter": selector}
                definitions.setdefault("parameters", {})[name] = {"parameterType": self._kind(output)}
        return outputs, definitions

    def _kind(self, output: MemberOutput) -> str:
        return parameter_type(self.document, self.of[output.member], output.key)

    def _slot(self, output: MemberOutput) -> dict[str, Json]:
        return artifact_definition(self.document, self.of[output.member], output.key)


def parameter_type(document: Document, member: Member, key: str) -> str:
    """The type of a member's output parameter."""
    return "LIST" if member.task.loop is not None else _component(document, member).output_parameters[key].type


def artifact_definition(document: Document, member: Member, key: str) -> dict[str, Json]:
    """How the document defines a member's output artifact."""
    raw = document.source["components"][member.task.component]["outputDefinitions"]["artifacts"][key]
    definition = {"artifactType": raw.get("artifactType", {})}
    if raw.get("isArtifactList") or member.task.loop is not None:
        definition["isArtifactList"] = True
    return definition


def closure(document: Document, names: Iterable[str], image: str | None) -> tuple[dict[str, Json], dict[str, Json]]:
    """Components and executors that some components are made of, as the document writes them."""
    source = document.source
    components: dict[str, Json] = {}
    executors: dict[str, Json] = {}
    stack = sorted(set(names))
    while stack:
        name = stack.pop()
        if name in components:
            continue
        components[name] = source["components"][name]
        found = document.components[name].implementation
        if isinstance(found, Graph):
            stack += sorted({task.component for task in found.tasks.values()})
        else:
            label = components[name]["executorLabel"]
            executors[label] = _on(source["deploymentSpec"]["executors"][label], image)
    return dict(sorted(components.items())), dict(sorted(executors.items()))


def unique(name: str, taken: Iterable[str]) -> str:
    """The name, numbered if it is taken."""
    known = set(taken)
    count, found = 1, name
    while found in known:
        count += 1
        found = f"{name}-{count}"
    return found


def _on(executor: dict[str, Json], image: str | None) -> dict[str, Json]:
    if image is None or "container" not in executor:
        return executor
    return {"container": {**executor["container"], "image": image}}


def _component(document: Document, member: Member) -> Component:
    return document.components[member.task.component]


def _task_names(members: list[Member]) -> dict[str, str]:
    names: dict[str, str] = {}
    for member in members:
        names[member.name] = unique(member.task.name, names.values())
    return names


def _border_name(found: tuple[JobOutput, ...]) -> str:
    return f"{found[0].job}-{found[0].name}"


def _flat(symbol: Symbol, *, nested: bool) -> tuple[MemberOutput, ...]:
    """The outputs that make up a value at the border of a job.

    Args:
        symbol: what an input is given.
        nested: a list of lists is one list, as KFP has it for artifacts; parameters keep their form.
    """
    if isinstance(symbol, MemberOutput):
        return (symbol,)
    if isinstance(symbol, Several):
        found: list[MemberOutput] = []
        for part in symbol.parts:
            inner = part.base if isinstance(part, Cast) else part
            if isinstance(inner, Several) and inner.first == symbol.first and (nested or symbol.first):
                found += _flat(inner, nested=nested)
            elif isinstance(inner, MemberOutput):
                found.append(inner)
            else:
                break
        else:
            if found:
                return tuple(found)
    raise DocumentError(
        "a value that is collected from several tasks is collected again, between jobs",
        why="A job is given outputs of jobs, or one list of them.",
        todo="Keep the tasks in one job, on one image that holds Seatrial (--image).",
    )
