"""What a pipeline definition declares, and whether a reference in it leads anywhere.

Steps inside a Condition's branches and a ForEach's body count as steps: their names are unique in the whole pipeline.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from seatrial.clouds.aws import limits, shapes
from seatrial.clouds.aws.references import Path, gets, is_expression, path_of
from seatrial.clouds.aws.steptypes import STEP_TYPES

Json = Any

TEXT, INTEGER, NUMBER, BOOLEAN, OTHER = "text", "an integer", "a number", "true/false", "an object or a list"
UNKNOWN = "unknown"
_PARAMETER_KINDS = {"String": TEXT, "Integer": INTEGER, "Float": NUMBER, "Boolean": BOOLEAN}
_SHAPE_KINDS = {
    "string": TEXT,
    "integer": INTEGER,
    "long": INTEGER,
    "float": NUMBER,
    "double": NUMBER,
    "boolean": BOOLEAN,
    "structure": OTHER,
    "list": OTHER,
    "map": OTHER,
    "timestamp": TEXT,
}
BRANCHES = {"Condition": ("IfSteps", "ElseSteps"), "ForEach": ("ForEachBody",)}
NESTED = frozenset({"IfSteps", "ElseSteps", "ForEachBody"})


@dataclass(frozen=True)
class Placed:
    """A step and where it stands: the (step, branch) pairs around it, outermost first."""

    step: Mapping[str, Json]
    around: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """The step's name."""
        return str(self.step.get("Name", ""))

    @property
    def type(self) -> str:
        """The step's type."""
        return str(self.step.get("Type", ""))

    @property
    def arguments(self) -> Json:
        """The step's arguments."""
        return self.step.get("Arguments", {})

    @property
    def looped(self) -> bool:
        """Whether it runs once for each item of a ForEach."""
        return any(branch == "ForEachBody" for _, branch in self.around)

    def waits_for(self) -> Iterator[str]:
        """Names of the steps that must end before this one may start."""
        for entry in _list(self.step.get("DependsOn")):
            yield str(entry.get("Step", "") if isinstance(entry, Mapping) else entry)
        for text in gets(self.arguments, NESTED):
            try:
                path = path_of(text)
            except ValueError:
                continue
            if path[0] == "Steps" and len(path) > 1:
                yield str(path[1])
        yield from (name for name, _ in self.around[-1:])


class Scope:
    """The parameters and steps of a definition."""

    def __init__(self, definition: Mapping[str, Json]) -> None:
        self.problems: list[str] = []
        self.steps: dict[str, Placed] = {}
        self.parameters: dict[str, str] = {}
        """Name -> kind."""
        for index, parameter in enumerate(_list(definition.get("Parameters"))):
            self._parameter(parameter, f"Parameters[{index}]")
        self._collect(definition.get("Steps"), "Steps", ())

    def _parameter(self, parameter: Json, where: str) -> None:
        if not isinstance(parameter, Mapping):
            self.problems.append(f"{where}: expected an object")
            return
        name, kind = parameter.get("Name"), parameter.get("Type")
        if not isinstance(name, str) or not limits.PARAMETER_NAME.fullmatch(name):
            self.problems.append(f"{where}: {name!r} is not a parameter name (letters, digits, '-' and '_')")
            return
        where = f"parameter '{name}'"
        if name in self.parameters:
            self.problems.append(f"{where}: declared twice")
        self.parameters[name] = _PARAMETER_KINDS.get(str(kind), UNKNOWN)
        if kind not in limits.PARAMETER_TYPES:
            self.problems.append(f"{where}: {kind!r} is not a type ({', '.join(limits.PARAMETER_TYPES)})")
            return
        self.problems += [
            f"{where}.{key}: not a member of a parameter"
            for key in sorted(set(parameter) - {"Name", "Type", "DefaultValue", "EnumValues"})
        ]
        default, options = parameter.get("DefaultValue"), parameter.get("EnumValues")
        allowed = limits.PARAMETER_TYPES[str(kind)]
        wrong = isinstance(default, bool) and bool not in allowed
        if default is not None and (wrong or not isinstance(default, allowed)):
            self.problems.append(f"{where}: its default {default!r} is not of type {kind}")
        if isinstance(default, str) and len(default) > limits.MAX_PARAMETER_TEXT:
            self.problems.append(
                f"{where}: its default has {len(default):,} characters, and at most"
                f" {limits.MAX_PARAMETER_TEXT:,} are allowed"
            )
        if options is not None and default is not None and default not in _list(options):
            self.problems.append(f"{where}: its default {default!r} is not one of its EnumValues")

    def _collect(self, steps: Json, where: str, around: tuple[tuple[str, str], ...]) -> None:
        for index, step in enumerate(_list(steps)):
            place = f"{where}[{index}]"
            if not isinstance(step, Mapping):
                self.problems.append(f"{place}: expected a step")
                continue
            name = step.get("Name")
            if not isinstance(name, str) or not limits.STEP_NAME.fullmatch(name):
                self.problems.append(
                    f"{place}: {name!r} is not a step name (1 to 64 letters, digits, '-' and '_', no '-' first)"
                )
            if not isinstance(name, str):
                continue
            if name in self.steps:
                self.problems.append(f"step '{name}': two steps have this name")
                continue
            placed = Placed(step, around)
            self.steps[name] = placed
            for branch in BRANCHES.get(placed.type, ()):
                inner = placed.arguments.get(branch) if isinstance(placed.arguments, Mapping) else None
                self._collect(inner, f"step '{name}'.{branch}", (*around, (name, branch)))

    def cycle(self) -> list[str]:
        """Names of steps that wait for each other, in order; empty when there are none."""
        waits = {name: [n for n in step.waits_for() if n in self.steps] for name, step in self.steps.items()}
        finished: set[str] = set()
        for start in waits:
            trail: list[str] = []
            stack: list[tuple[str, Iterator[str]]] = [(start, iter(waits[start]))]
            if start not in finished:
                trail.append(start)
            while stack and start not in finished:
                name, rest = stack[-1]
                following = next(rest, None)
                if following is None:
                    finished.add(name)
                    stack.pop()
                    trail.pop()
                elif following in trail:
                    return [*trail[trail.index(following) :], following]
                elif following not in finished:
                    trail.append(following)
                    stack.append((following, iter(waits[following])))
        return []

    def reaches(self, reader: Placed, name: str) -> str | None:
        """Why a step can never be read from another one, or ``None``."""
        target = self.steps.get(name)
        if target is None:
            return f"there is no step '{name}'"
        own = dict(reader.around)
        for around, branch in target.around:
            if own.get(around, branch) != branch:
                return f"step '{name}' runs only in the other branch of '{around}'"
        return None

    def kind(self, reader: Placed | None, text: str) -> str:
        """What kind of value a reference gives.

        Raises:
            ValueError: it leads nowhere; says why.
        """
        path = path_of(text)
        if path[0] == "Parameters":
            if len(path) != 2 or path[1] not in self.parameters:
                raise ValueError(f"there is no parameter '{'.'.join(map(str, path[1:]))}'")
            return self.parameters[str(path[1])]
        if path[0] == "Execution":
            if len(path) != 2 or path[1] not in limits.EXECUTION_VARIABLES:
                raise ValueError(f"there is no execution variable '{'.'.join(map(str, path[1:]))}'")
            return TEXT
        if path[0] == "Steps" and len(path) > 2:
            return self._property(reader, str(path[1]), path[2:])
        if path[:2] == ("ForEach", "CurrentItem"):
            if reader is None or not reader.looped:
                raise ValueError("ForEach.CurrentItem means something in the body of a ForEach only")
            return UNKNOWN
        raise ValueError(f"{text!r} is not a reference to a parameter, an execution variable or a step's property")

    def _property(self, reader: Placed | None, name: str, path: Path) -> str:
        wrong = f"there is no step '{name}'" if name not in self.steps else reader and self.reaches(reader, name)
        if wrong:
            raise ValueError(wrong)
        target = self.steps[name]
        kind = STEP_TYPES.get(target.type)
        if kind is None:
            return UNKNOWN  # the unknown type is reported where the step stands
        first = str(path[0])
        if first == "PropertyFiles":
            raise ValueError("a property file is read with Std:JsonGet")
        if kind.outputs:
            return self._declared_output(target, path)
        if first == "IterationOutputs" and target.type == "ForEach":
            return self._iteration(target, path)
        if first in kind.properties:
            return UNKNOWN
        shape = kind.answer()
        found = shapes.member(shape, path) if shape is not None else None
        if found is None:
            raise ValueError(f"step '{name}' ({target.type}) has no property '{_shown(path)}'")
        if path[:2] == ("ProcessingOutputConfig", "Outputs") and len(path) > 2 and isinstance(path[2], str):
            self._processing_output(target, path[2])
        return _SHAPE_KINDS.get(found.type_name, UNKNOWN)

    def _iteration(self, target: Placed, path: Path) -> str:
        """``IterationOutputs[0].<step of the body>.<property>``."""
        inner = _list(target.arguments.get("ForEachBody"))
        body = {str(step.get("Name")) for step in inner if isinstance(step, Mapping)}
        if len(path) < 3 or not isinstance(path[1], int) or path[2] not in body:
            known = ", ".join(sorted(body))
            raise ValueError(f"step '{target.name}' has no '{_shown(path)}'; the steps of its body: {known}")
        return self._property(None, str(path[2]), path[3:]) if len(path) > 3 else UNKNOWN

    def _declared_output(self, target: Placed, path: Path) -> str:
        declared = {
            o.get("OutputName"): o for o in _list(target.step.get("OutputParameters")) if isinstance(o, Mapping)
        }
        if path[0] != "OutputParameters" or len(path) != 2 or path[1] not in declared:
            raise ValueError(f"step '{target.name}' ({target.type}) declares no output '{_shown(path)}'")
        return _PARAMETER_KINDS.get(str(declared[path[1]].get("OutputType")), UNKNOWN)

    def _processing_output(self, target: Placed, name: str) -> None:
        if name not in output_names(target):
            raise ValueError(f"step '{target.name}' has no output '{name}'")

    def property_file(self, reader: Placed | None, text: str) -> None:
        """Look up ``Steps.<step>.PropertyFiles.<name>``.

        Raises:
            ValueError: there is no such file.
        """
        path = path_of(text)
        if len(path) != 4 or path[0] != "Steps" or path[2] != "PropertyFiles":
            raise ValueError(f"{text!r} is not Steps.<step>.PropertyFiles.<file>")
        wrong = reader and self.reaches(reader, str(path[1]))
        if wrong:
            raise ValueError(wrong)
        target = self.steps.get(str(path[1]))
        files = _list(target.step.get("PropertyFiles")) if target else []
        if path[3] not in [f.get("PropertyFileName") for f in files if isinstance(f, Mapping)]:
            raise ValueError(f"step '{path[1]}' declares no property file '{path[3]}'")


def output_names(target: Placed) -> list[str]:
    """The outputs that a processing step declares."""
    config = target.arguments.get("ProcessingOutputConfig", {}) if isinstance(target.arguments, Mapping) else {}
    outputs = config.get("Outputs") if isinstance(config, Mapping) else None
    return [str(o.get("OutputName")) for o in _list(outputs) if isinstance(o, Mapping) and not is_expression(o)]


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _shown(path: Path) -> str:
    return ".".join(map(str, path))
