"""Reads a pipeline definition, and refuses a malformed one when it is created, as AWS does and moto does not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seatrial.clouds.aws.check import check

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
_BRANCHES = {"IfSteps": True, "ElseSteps": False}
_TOKEN = re.compile(r"\['([^']+)'\]|\[(\d+)\]|([^.\[\]]+)")


class Malformed(Exception):
    """The definition is refused; the text holds every problem."""


@dataclass(frozen=True)
class Step:
    """One step. ``guards`` are the condition steps above it, with the outcome that lets it run.

    ``needs`` are the steps that it names, in its arguments or in DependsOn.
    """

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


def refuse_malformed(document: Any) -> None:
    """Check a definition as `seatrial compile` does; AWS refuses it, and moto takes anything.

    Raises:
        Malformed: something is wrong with it; the text holds all of it.
    """
    problems = check(document).problems
    if problems:
        raise Malformed(f"Unable to parse pipeline definition. {len(problems)} problem(s): {'; '.join(problems)}")


def read_definition(document: Mapping[str, Any]) -> Definition:
    """A definition that `refuse_malformed` let pass, as the scheduler needs it."""
    parameters = {each["Name"]: each for each in document.get("Parameters") or []}
    steps = {step.name: step for step in _flatten(document["Steps"], ())}
    gaps = sorted({f"steps of type {step.kind}" for step in steps.values() if step.kind not in EXECUTED_STEPS})
    if any(not isinstance(each, str) for step in steps.values() for each in step.document.get("DependsOn") or []):
        gaps.append("DependsOn with a Trigger")
    return Definition(parameters, steps, tuple(gaps))


def _flatten(documents: Any, guards: tuple[tuple[str, bool], ...]) -> Iterator[Step]:
    for document in documents or []:
        name, kind = document["Name"], document["Type"]
        arguments = document.get("Arguments", {})
        own = {key: value for key, value in arguments.items() if key not in _BRANCHES}
        needs = {path[1] for path in references(own) if path[0] == "Steps" and len(path) > 1}
        needs |= {each for each in document.get("DependsOn") or [] if isinstance(each, str)}
        yield Step(name, kind, document, guards, frozenset(needs))
        if kind == "Condition":
            for branch, outcome in _BRANCHES.items():
                yield from _flatten(arguments.get(branch), (*guards, (name, outcome)))


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
