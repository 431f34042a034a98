"""Reads a pipeline definition, and refuses a malformed one when it is created, as AWS does and moto does not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_TYPES = {"String": str, "Integer": int, "Float": float, "Boolean": bool}
EXECUTED_STEPS = (
    "Callback",
    "Condition",
    "Fail",
    "Lambda",
    "Model",
    "Processing",
    "RegisterModel",
    "Training",
    "Transform",
)
KNOWN_STEPS = (
    *EXECUTED_STEPS, "AutoML", "ClarifyCheck", "EMR", "EMRServerless", "Endpoint", "EndpointConfig", "ForEach",
    "NotebookJob", "QualityCheck", "Tuning",
)  # fmt: skip
_STEP_NAME = re.compile(r"[A-Za-z0-9\-_]{1,64}")
_TOKEN = re.compile(r"\['([^']+)'\]|\[(\d+)\]|([^.\[\]]+)")


class Malformed(Exception):
    """The definition is refused; the text holds every problem."""


@dataclass(frozen=True)
class Step:
    """One step. ``guards`` are the condition steps above it, with the outcome that lets it run."""

    name: str
    kind: str
    document: Mapping[str, Any]
    guards: tuple[tuple[str, bool], ...]
    needs: frozenset[str]

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What the step's operation is called with, references included."""
        found: Mapping[str, Any] = self.document.get("Arguments", {})
        return found


@dataclass(frozen=True)
class Definition:
    """A definition that can run."""

    parameters: Mapping[str, Mapping[str, Any]]
    steps: Mapping[str, Step]
    unsupported: tuple[str, ...] = field(default=())

    def values(self, given: Sequence[Mapping[str, str]]) -> dict[str, Any]:
        """The parameters' values for one execution, in their declared types.

        Raises:
            Malformed: an unknown parameter, a missing one, or a value outside its type or enumeration.
        """
        problems = []
        values = {
            name: declared["DefaultValue"] for name, declared in self.parameters.items() if "DefaultValue" in declared
        }
        for each in given:
            name, text = each["Name"], each["Value"]
            if name not in self.parameters:
                problems.append(
                    f"Unknown parameter '{name}'; the pipeline declares: {', '.join(self.parameters) or 'none'}"
                )
                continue
            declared = self.parameters[name]
            try:
                values[name] = _typed(declared["Type"], text)
            except ValueError:
                problems.append(f"Parameter '{name}' is of type {declared['Type']}, which '{text}' is not")
            if declared.get("EnumValues") and text not in declared["EnumValues"]:
                problems.append(f"Parameter '{name}' must be one of {declared['EnumValues']}, not '{text}'")
        missing = [name for name in self.parameters if name not in values and not any(g["Name"] == name for g in given)]
        problems += [f"Parameter '{name}' has no default and was not given" for name in missing]
        if problems:
            raise Malformed("; ".join(problems))
        return values


def _typed(kind: str, text: str) -> Any:
    if kind == "Boolean":
        if text.lower() not in ("true", "false"):
            raise ValueError(text)
        return text.lower() == "true"
    return _TYPES[kind](text)


def read_definition(text: str) -> Definition:
    """Read and check the JSON of a pipeline.

    Raises:
        Malformed: it is not JSON, not a definition, or refers to what is not there.
    """
    try:
        document = json.loads(text)
    except ValueError as wrong:
        raise Malformed(f"Unable to parse pipeline definition: it is not JSON ({wrong})") from wrong
    problems = list(_top_problems(document))
    if problems:
        raise Malformed(_told(problems))
    parameters = {each["Name"]: each for each in document.get("Parameters", [])}
    steps: dict[str, Step] = {}
    problems += _flatten(document["Steps"], (), steps)
    if not problems:
        for step in steps.values():
            problems += _reference_problems(step, steps, parameters)
        problems += _cycle(steps)
    if problems:
        raise Malformed(_told(problems))
    gaps = sorted({step.kind for step in steps.values() if step.kind not in EXECUTED_STEPS})
    return Definition(parameters, steps, tuple(gaps))


def _told(problems: list[str]) -> str:
    return f"Unable to parse pipeline definition. {'; '.join(problems)}"


def _top_problems(document: Any) -> Iterator[str]:
    if not isinstance(document, dict):
        yield "It must be a JSON object"
        return
    if document.get("Version") != "2020-12-01":
        yield f"Version must be '2020-12-01', not {document.get('Version')!r}"
    if not isinstance(document.get("Steps"), list) or not document["Steps"]:
        yield "Steps must be a list that is not empty"
    names = []
    for each in document.get("Parameters") or []:
        if not isinstance(each, dict) or each.get("Type") not in _TYPES or not isinstance(each.get("Name"), str):
            yield f"Parameter {each!r} needs a Name and a Type of {', '.join(_TYPES)}"
            continue
        names.append(each["Name"])
        default = each.get("DefaultValue")
        wanted = (int, float) if each["Type"] == "Float" else _TYPES[each["Type"]]
        if default is not None and (not isinstance(default, wanted) or isinstance(default, bool) != (wanted is bool)):
            yield f"The default of parameter '{each['Name']}' is not of type {each['Type']}"
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield f"Parameter '{name}' is declared more than once"


def _flatten(documents: Any, guards: tuple[tuple[str, bool], ...], steps: dict[str, Step]) -> Iterator[str]:
    for document in documents:
        if not isinstance(document, dict) or not isinstance(document.get("Name"), str):
            yield "Each step must be an object with a Name"
            continue
        name, kind = document["Name"], document.get("Type")
        if not _STEP_NAME.fullmatch(name):
            yield f"Step name '{name}' must match {_STEP_NAME.pattern}"
        if kind not in KNOWN_STEPS:
            yield f"Step '{name}' has the unknown type {kind!r}"
            continue
        if name in steps:
            yield f"Step name '{name}' is used more than once"
            continue
        if not isinstance(document.get("Arguments", {}), dict):
            yield f"The Arguments of step '{name}' must be an object"
            continue
        own = {
            key: value for key, value in document.get("Arguments", {}).items() if key not in ("IfSteps", "ElseSteps")
        }
        needs = {path[1] for path in references(own) if path[0] == "Steps" and len(path) > 1}
        needs |= set(document.get("DependsOn") or []) | {guard for guard, _ in guards}
        steps[name] = Step(name, kind, document, guards, frozenset(needs))
        if kind == "Condition":
            yield from _flatten(document["Arguments"].get("IfSteps") or [], (*guards, (name, True)), steps)
            yield from _flatten(document["Arguments"].get("ElseSteps") or [], (*guards, (name, False)), steps)


def references(value: Any) -> Iterator[tuple[str, ...]]:
    """The path of every {"Get": ...} below ``value``."""
    if isinstance(value, dict):
        if set(value) == {"Get"} and isinstance(value["Get"], str):
            yield path_of(value["Get"])
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def path_of(reference: str) -> tuple[str, ...]:
    """'Steps.Fit.Outputs['a'][0].Uri' as its parts."""
    return tuple(quoted or index or plain for quoted, index, plain in _TOKEN.findall(reference))


def _reference_problems(step: Step, steps: Mapping[str, Step], parameters: Mapping[str, Any]) -> Iterator[str]:
    for need in sorted(step.needs - set(steps)):
        yield f"Step '{step.name}' depends on the unknown step '{need}'"
    own = {key: value for key, value in step.arguments.items() if key not in ("IfSteps", "ElseSteps")}
    for path in references(own):
        if path[0] not in ("Parameters", "Execution", "Steps"):
            yield f"Step '{step.name}' refers to '{'.'.join(path)}', which is neither a parameter nor a step"
        elif path[0] == "Parameters" and (len(path) != 2 or path[1] not in parameters):
            yield f"Step '{step.name}' refers to the unknown parameter '{'.'.join(path[1:])}'"
        elif path[0] == "Steps" and len(path) == 4 and path[2] == "PropertyFiles" and path[1] in steps:
            files = steps[path[1]].document.get("PropertyFiles", [])
            if path[3] not in [each.get("PropertyFileName") for each in files]:
                yield f"Step '{step.name}' refers to the unknown property file '{path[3]}' of step '{path[1]}'"


def _cycle(steps: Mapping[str, Step]) -> Iterator[str]:
    left = dict(steps)
    while True:
        free = [name for name, step in left.items() if not step.needs & set(left)]
        if not free:
            break
        for name in free:
            del left[name]
    if left:
        yield f"Steps depend on each other in a circle: {', '.join(left)}"
