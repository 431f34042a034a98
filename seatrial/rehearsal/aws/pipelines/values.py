"""Resolves what a step's arguments refer to: parameters, earlier steps, property files, joins, conditions."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from seatrial.rehearsal.aws.pipelines.definition import Step, path_of

_NAMES_IN_LISTS = ("OutputName", "InputName", "ChannelName", "Name", "MetricName")


class Unresolved(Exception):
    """A reference leads nowhere, or a comparison compares what cannot be compared."""


class Scope:
    """What can be referred to during one execution. ``results`` grows as steps succeed."""

    def __init__(
        self,
        *,
        parameters: Mapping[str, Any],
        execution: Mapping[str, Any],
        steps: Mapping[str, Step],
        results: Mapping[str, Any],
        read: Callable[[str], bytes],
    ) -> None:
        """``read`` gets an S3 URI and gives the object's bytes."""
        self._roots: dict[str, Any] = {"Parameters": parameters, "Execution": execution, "Steps": results}
        self._steps = steps
        self._read = read

    def resolve(self, value: Any) -> Any:
        """``value`` with every function in it replaced by what it stands for."""
        if isinstance(value, list):
            return [self.resolve(each) for each in value]
        if not isinstance(value, dict):
            return value
        if set(value) == {"Get"}:
            return self._get(value["Get"])
        if set(value) == {"Std:Join"}:
            join = value["Std:Join"]
            return str(join["On"]).join(_text(self.resolve(each)) for each in join["Values"])
        if set(value) == {"Std:JsonGet"}:
            return self._json_get(value["Std:JsonGet"])
        return {key: self.resolve(each) for key, each in value.items()}

    def _get(self, reference: str) -> Any:
        path = path_of(reference)
        found = self._roots.get(path[0])
        for part in path[1:]:
            found = _member(found, part, reference)
        return found

    def _json_get(self, argument: Mapping[str, Any]) -> Any:
        uri = str(self.resolve(argument["S3Uri"])) if "S3Uri" in argument else self._property_file(argument)
        try:
            found = json.loads(self._read(uri))
        except ValueError as wrong:
            raise Unresolved(f"Property file {uri} is not JSON: {wrong}") from wrong
        path = str(self.resolve(argument["Path"]))
        for part in path_of(path.removeprefix("$.")):
            found = _member(found, part, f"{uri}: {path}")
        return found

    def _property_file(self, argument: Mapping[str, Any]) -> str:
        _, step, _, file_name = path_of(argument["PropertyFile"]["Get"])
        declared = next(e for e in self._steps[step].document["PropertyFiles"] if e["PropertyFileName"] == file_name)
        output = self._get(f"Steps.{step}.ProcessingOutputConfig.Outputs['{declared['OutputName']}'].S3Output.S3Uri")
        return f"{output.rstrip('/')}/{declared['FilePath']}"

    def holds(self, condition: Mapping[str, Any]) -> bool:
        """Whether a condition of a condition step is true.

        Raises:
            Unresolved: the two sides are of types that have no order, or no such condition exists.
        """
        kind = condition["Type"]
        if kind == "Not":
            # the SDK's generations spell it differently: 2.x Expression, 3.x Condition
            return not self.holds(condition.get("Condition") or condition["Expression"])
        if kind == "Or":
            return any(self.holds(each) for each in condition["Conditions"])
        if kind == "In":
            return self.resolve(condition["QueryValue"]) in self.resolve(condition["Values"])
        left, right = self.resolve(condition["LeftValue"]), self.resolve(condition["RightValue"])
        numbers = all(isinstance(side, int | float) and not isinstance(side, bool) for side in (left, right))
        if type(left) is not type(right) and not numbers:
            raise Unresolved(f"{kind} compares {left!r} with {right!r}, which are of different types")
        if kind == "Equals":
            return bool(left == right)
        if not numbers:
            raise Unresolved(f"{kind} needs numbers, not {left!r} and {right!r}")
        orders = {
            "GreaterThan": left > right,
            "GreaterThanOrEqualTo": left >= right,
            "LessThan": left < right,
            "LessThanOrEqualTo": left <= right,
        }
        if kind not in orders:
            raise Unresolved(f"There is no condition of type '{kind}'")
        return bool(orders[kind])


def _member(found: Any, part: str, reference: str) -> Any:
    if isinstance(found, Mapping) and part in found:
        return found[part]
    if isinstance(found, list):
        if part.isdigit() and int(part) < len(found):
            return found[int(part)]
        for each in found:
            if isinstance(each, Mapping) and part in [each.get(name) for name in _NAMES_IN_LISTS]:
                return each
    raise Unresolved(f"'{reference}' leads nowhere: there is no '{part}'")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)
