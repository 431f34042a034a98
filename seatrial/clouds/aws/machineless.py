"""Jobs that start no machine, since SageMaker does them itself: a registration, a function that is called, an end.

Where a part is more than its one task (a failure inside a loop that only the run knows), it runs as a job like any
other, and none of this applies.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seatrial.clouds.aws.registration import Registration, registration_of
from seatrial.document.jobs import Job, JobParameter
from seatrial.errors import DocumentError

Json = Any
_PLACEHOLDER = re.compile(r"\{\{\$\.inputs\.parameters\[(['\"]+)(.+?)\1\]\}\}")


@dataclass(frozen=True)
class Reference:
    """A value that only the execution knows."""

    value: JobParameter
    path: tuple[str | int, ...] = ()
    """Which part of it is meant."""


@dataclass(frozen=True)
class Joined:
    """Text with values in it."""

    parts: tuple[str | Reference, ...]


Scalar = str | int | float | bool | Reference | Joined


@dataclass(frozen=True)
class Function:
    """A Lambda function that is called with scalars and answers scalars."""

    name: str
    """As the component names it: a name or an ARN."""
    arguments: Mapping[str, Scalar]
    outputs: Mapping[str, str]
    """Output -> its type in the document."""
    told: Mapping[str, str]
    """The job's root output -> the function's."""


@dataclass(frozen=True)
class Failure:
    """The end of the pipeline, with a message."""

    message: Scalar


Machineless = Registration | Function | Failure


def machineless(job: Job) -> Machineless | None:
    """What SageMaker does itself in place of a job, or ``None`` when a job has to run.

    Raises:
        DocumentError: an argument cannot be handed on without a job.
    """
    if job.kind == "registration":
        return registration_of(job)
    components = list(job.document.get("components", {}).values())
    tasks = list(job.document["root"]["dag"].get("tasks", {}).values())
    if job.kind not in ("function", "failure") or len(components) != 1 or len(tasks) != 1:
        return None
    given = _Arguments(job, tasks[0].get("inputs", {}).get("parameters", {}))
    declared = components[0].get("inputDefinitions", {}).get("parameters", {})
    defaults = {name: spec["defaultValue"] for name, spec in declared.items() if "defaultValue" in spec}
    arguments = {**defaults, **{name: given.scalar(name) for name in declared if name in given.table}}
    if job.kind == "failure":
        return Failure(arguments["message"])
    executors = job.document["deploymentSpec"]["executors"].values()
    variables = {entry["name"]: entry["value"] for e in executors for entry in e["container"].get("env", [])}
    outputs = components[0].get("outputDefinitions", {}).get("parameters", {})
    selected = job.document["root"]["dag"].get("outputs", {}).get("parameters", {})
    return Function(
        variables["SEATRIAL_FUNCTION"],
        dict(sorted(arguments.items())),
        {name: spec["parameterType"] for name, spec in sorted(outputs.items())},
        {name: entry["valueFromParameter"]["outputParameterKey"] for name, entry in selected.items()},
    )


class _Arguments:
    """What one task is given, by name; values of its job's root inputs are those of the plan."""

    def __init__(self, job: Job, table: Mapping[str, Json]) -> None:
        self._job = job
        self.table = table

    def scalar(self, name: str) -> Scalar:
        """One argument."""
        given = self.table[name]
        if "componentInputParameter" in given:
            return self._reference(given)
        constant = given.get("runtimeValue", {}).get("constant")
        if isinstance(constant, str) and "{{$" in constant:
            return self._joined(name, constant)
        if not isinstance(constant, str | int | float | bool):
            raise self._cannot(name, f"{type(constant).__name__} values are not scalars")
        return constant

    def _reference(self, given: Mapping[str, Json]) -> Reference:
        value = self._job.parameters[given["componentInputParameter"]]
        selector = given.get("parameterExpressionSelector", "")
        parts = re.findall(r"\[(?:\"([^\"]*)\"|(\d+))\]", selector)
        return Reference(value, tuple(int(number) if number else text for text, number in parts))

    def _joined(self, name: str, text: str) -> Scalar:
        parts: list[str | Reference] = []
        end = 0
        for match in _PLACEHOLDER.finditer(text):
            inner = self.table.get(match[2], {})
            if "componentInputParameter" not in inner:
                raise self._cannot(name, f"{match[0]} is not an input that it knows")
            parts += [text[end : match.start()], self._reference(inner)]
            end = match.end()
        parts.append(text[end:])
        filled = tuple(part for part in parts if part != "")
        if any(isinstance(part, str) and "{{$" in part for part in filled):
            raise self._cannot(name, "only the executor knows all that its text names")
        return filled[0] if len(filled) == 1 else Joined(filled)

    def _cannot(self, name: str, why: str) -> DocumentError:
        return DocumentError(
            f"'{name}' of task '{self._job.tasks[0]}' cannot be handed on without a job: {why}",
            why="SageMaker itself does this step; it joins texts and reads scalars, and nothing else.",
            todo="Let a task before it compute the value as one scalar.",
        )
