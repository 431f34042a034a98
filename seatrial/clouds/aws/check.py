"""Checks a SageMaker pipeline definition without a cloud: ours, or one that the ``sagemaker`` SDK wrote.

Every step's arguments are held against botocore's shape of the request that the service will send, every reference
against what the definition declares and against the answers of the Describe operations, and the steps' order against
itself. All problems are found at once. What only the service knows (quotas, permissions, images) is not checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from seatrial.clouds.aws import limits, shapes
from seatrial.clouds.aws.conditions_check import condition_problems
from seatrial.clouds.aws.references import FUNCTIONS, is_expression
from seatrial.clouds.aws.scope import BOOLEAN, INTEGER, NUMBER, TEXT, UNKNOWN, Placed, Scope, output_names
from seatrial.clouds.aws.steptypes import STEP_TYPES, StepType
from seatrial.errors import DocumentError

Json = Any

_WANTED = {
    "string": {TEXT},
    "integer": {INTEGER},
    "long": {INTEGER},
    "float": {INTEGER, NUMBER},
    "double": {INTEGER, NUMBER},
    "boolean": {BOOLEAN},
}
_TOP = frozenset({"Version", "Metadata", "Parameters", "PipelineExperimentConfig", "MlflowConfig", "Steps"})
_SHOWN = 30


@dataclass(frozen=True)
class Checked:
    """The result of a check."""

    requests: int
    """How many requests were held against botocore's shapes."""
    references: int
    steps: int
    problems: tuple[str, ...]

    def require(self, name: str) -> Checked:
        """The same, when nothing is wrong.

        Raises:
            DocumentError: something is; all of it is told.
        """
        if not self.problems:
            return self
        shown = "\n".join(f"  {p}" for p in self.problems[:_SHOWN])
        more = len(self.problems) - _SHOWN
        raise DocumentError(
            f"{name}: {len(self.problems)} problem{'s' if len(self.problems) > 1 else ''}\n{shown}"
            + (f"\n  … and {more} more" if more > 0 else ""),
            why=f"SageMaker would refuse the pipeline or fail in it (botocore {shapes.version()}).",
            todo="Correct those places of the definition, or the code that wrote it.",
        )


def is_definition(value: Json) -> bool:
    """Whether a JSON value looks like a SageMaker pipeline definition (and not like a KFP document)."""
    return isinstance(value, Mapping) and "Steps" in value and "pipelineInfo" not in value


def check(definition: Json) -> Checked:
    """Everything that is wrong with a definition.

    Raises:
        MissingExtra: botocore is not installed.
    """
    if not isinstance(definition, Mapping) or not isinstance(definition.get("Steps"), list):
        return Checked(0, 0, 0, ("the definition is not an object with a list of Steps",))
    return _Checker(definition).run()


class _Checker:
    def __init__(self, definition: Mapping[str, Json]) -> None:
        self.definition = definition
        self.scope = Scope(definition)
        self.problems = list(self.scope.problems)
        self.requests = 0
        self.references = 0

    def run(self) -> Checked:
        self.top()
        for placed in self.scope.steps.values():
            self.step(placed)
        cycle = self.scope.cycle()
        if cycle:
            self.problems.append(f"these steps wait for each other: {' → '.join(cycle)}")
        return Checked(self.requests, self.references, len(self.scope.steps), tuple(self.problems))

    def top(self) -> None:
        found = self.definition
        if found.get("Version") != limits.VERSION:
            self.problems.append(f"Version: {found.get('Version')!r} is not {limits.VERSION!r}")
        self.problems += [f"{key}: not a member of a definition" for key in sorted(set(found) - _TOP)]
        if len(self.scope.parameters) > limits.MAX_PARAMETERS:
            self.problems.append(
                f"Parameters: {len(self.scope.parameters)}, and at most {limits.MAX_PARAMETERS} are allowed"
            )
        if not found["Steps"]:
            self.problems.append("Steps: a pipeline needs at least one step")
        for key in ("PipelineExperimentConfig", "MlflowConfig"):
            self.expressions(None, found.get(key), key)

    def step(self, placed: Placed) -> None:
        where = f"step '{placed.name}'"
        kind = STEP_TYPES.get(placed.type)
        if kind is None:
            self.problems.append(f"{where}: there is no step type '{placed.type}' ({', '.join(sorted(STEP_TYPES))})")
            return
        given = {key: value for key, value in placed.step.items() if value is not None}
        self.problems += [
            f"{where}.{k}: not a member of a {placed.type} step" for k in sorted(set(given) - kind.allowed)
        ]
        self.problems += [
            f"{where}.{k}: missing, and a {placed.type} step requires it" for k in sorted(kind.required - set(given))
        ]
        if not isinstance(placed.arguments, Mapping):
            self.problems.append(f"{where}.Arguments: expected an object")
            return
        self.common(placed, kind, where)
        if kind.operation:
            self.requests += 1
            shape = shapes.request_shape(kind.operation)
            for problem in shapes.conform(shape, placed.arguments, where, self.hole(placed), kind.absent):
                self.problems.append(problem)
        else:
            self.special(placed, where)
        for key in sorted(kind.members):
            self.expressions(placed, given.get(key), f"{where}.{key}")

    def common(self, placed: Placed, kind: StepType, where: str) -> None:
        for key, most in (("DisplayName", 256), ("Description", 3072)):
            text = placed.step.get(key)
            if text is not None and (not isinstance(text, str) or len(text) > most):
                self.problems.append(f"{where}.{key}: expected text of at most {most:,} characters")
        self.depends_on(placed, where)
        self.cache(placed.step.get("CacheConfig"), f"{where}.CacheConfig")
        for index, policy in enumerate(self.listed(placed, "RetryPolicies", where)):
            self.retry(policy, f"{where}.RetryPolicies[{index}]")
        if kind.property_files:
            self.property_files(placed, where)

    def listed(self, placed: Placed, key: str, where: str) -> list[Json]:
        found = placed.step.get(key) or []
        if isinstance(found, list):
            return found
        self.problems.append(f"{where}.{key}: expected a list")
        return []

    def depends_on(self, placed: Placed, where: str) -> None:
        for entry in self.listed(placed, "DependsOn", where):
            name, trigger = entry, "Completed"
            if isinstance(entry, Mapping):
                name, trigger = entry.get("Step"), str(entry.get("Trigger"))
            if trigger not in limits.TRIGGERS:
                self.problems.append(
                    f"{where}.DependsOn: {trigger!r} is not one of {', '.join(sorted(limits.TRIGGERS))}"
                )
            wrong = self.scope.reaches(placed, str(name))
            if wrong:
                self.problems.append(f"{where}.DependsOn: {wrong}")

    def cache(self, config: Json, where: str) -> None:
        if config is None:
            return
        if not isinstance(config, Mapping) or set(config) - {"Enabled", "ExpireAfter"}:
            self.problems.append(f"{where}: expected Enabled and ExpireAfter")
            return
        if not isinstance(config.get("Enabled"), bool):
            self.problems.append(f"{where}.Enabled: expected true or false")
        after = config.get("ExpireAfter")
        text = after if isinstance(after, str) else ""
        if after is not None and not (limits.DURATION.fullmatch(text) or limits.DURATION.fullmatch(f"P{text}")):
            self.problems.append(f"{where}.ExpireAfter: {after!r} is not an ISO 8601 duration such as 'P30D'")

    def retry(self, policy: Json, where: str) -> None:
        known = {"ExceptionType", "BackoffRate", "IntervalSeconds", "MaxAttempts", "ExpireAfterMin"}
        if not isinstance(policy, Mapping) or set(policy) - known:
            self.problems.append(f"{where}: expected {', '.join(sorted(known))}")
            return
        kinds = policy.get("ExceptionType")
        for kind in kinds if isinstance(kinds, list) and kinds else [kinds]:
            if kind not in limits.RETRIED:
                self.problems.append(
                    f"{where}.ExceptionType: {kind!r} is not one of {', '.join(sorted(limits.RETRIED))}"
                )
        if ("MaxAttempts" in policy) == ("ExpireAfterMin" in policy):
            self.problems.append(f"{where}: needs exactly one of MaxAttempts and ExpireAfterMin")
        for key, most in (("MaxAttempts", limits.MAX_ATTEMPTS), ("ExpireAfterMin", limits.MAX_RETRY_MINUTES)):
            number = policy.get(key, 1)
            if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= most:
                self.problems.append(f"{where}.{key}: expected an integer from 1 to {most}")
        for key in ("BackoffRate", "IntervalSeconds"):
            number = policy.get(key, 1)
            if isinstance(number, bool) or not isinstance(number, int | float) or number < 0:
                self.problems.append(f"{where}.{key}: expected a number that is not negative")

    def property_files(self, placed: Placed, where: str) -> None:
        names: set[str] = set()
        for index, file in enumerate(self.listed(placed, "PropertyFiles", where)):
            place = f"{where}.PropertyFiles[{index}]"
            if not isinstance(file, Mapping) or set(file) != {"PropertyFileName", "OutputName", "FilePath"}:
                self.problems.append(f"{place}: expected PropertyFileName, OutputName and FilePath")
                continue
            if file["PropertyFileName"] in names:
                self.problems.append(f"{place}: two property files are called '{file['PropertyFileName']}'")
            names.add(file["PropertyFileName"])
            if file["OutputName"] not in output_names(placed):
                self.problems.append(f"{place}: the step has no output '{file['OutputName']}'")

    # the step types that are no single request

    def special(self, placed: Placed, where: str) -> None:
        arguments = placed.arguments
        if placed.type == "Condition":
            self.members(arguments, where, {"Conditions"}, {"IfSteps", "ElseSteps"})
            self.problems += condition_problems(
                arguments.get("Conditions"), f"{where}.Conditions", lambda v, w: self.value_kind(placed, v, w)
            )
        elif placed.type == "Fail":
            self.members(arguments, where, {"ErrorMessage"}, set())
            if self.value_kind(placed, arguments.get("ErrorMessage"), f"{where}.ErrorMessage") not in (TEXT, UNKNOWN):
                self.problems.append(f"{where}.ErrorMessage: expected text")
            text = arguments.get("ErrorMessage")
            most = limits.MAX_FAILURE_TEXT
            if isinstance(text, str) and len(text) > most:
                told = f"{len(text):,} characters, and at most {most:,} are allowed"
                self.problems.append(f"{where}.ErrorMessage: {told}")
        elif placed.type in ("Lambda", "Callback"):
            for key, value in arguments.items():
                self.expressions(placed, value, f"{where}.{key}")
            self.output_parameters(placed, where)
        elif placed.type == "ForEach":
            self.for_each(placed, where)
        elif placed.type == "EMR":
            self.emr(placed, where)
        else:
            self.expressions(placed, arguments, where)

    def members(self, arguments: Mapping[str, Json], where: str, needed: Iterable[str], more: set[str]) -> None:
        self.problems += [f"{where}.{key}: missing" for key in needed if key not in arguments]
        self.problems += [f"{where}.{key}: not an argument" for key in sorted(set(arguments) - set(needed) - more)]

    def output_parameters(self, placed: Placed, where: str) -> None:
        outputs = self.listed(placed, "OutputParameters", where)
        if len(outputs) > limits.MAX_OUTPUT_PARAMETERS:
            self.problems.append(
                f"{where}.OutputParameters: {len(outputs)}, and at most {limits.MAX_OUTPUT_PARAMETERS} are allowed"
            )
        names = [output.get("OutputName") for output in outputs if isinstance(output, Mapping)]
        twice = sorted({str(name) for name in names if names.count(name) > 1})
        self.problems += [f"{where}.OutputParameters: two are called '{name}'" for name in twice]
        for index, output in enumerate(outputs):
            if (
                not isinstance(output, Mapping)
                or set(output) != {"OutputName", "OutputType"}
                or output["OutputType"] not in limits.PARAMETER_TYPES
            ):
                self.problems.append(f"{where}.OutputParameters[{index}]: expected OutputName and a known OutputType")

    def for_each(self, placed: Placed, where: str) -> None:
        arguments = placed.arguments
        self.members(arguments, where, ("IterableItems", "MaxConcurrency", "ForEachBody"), {"Selector"})
        items, limit = arguments.get("IterableItems"), arguments.get("MaxConcurrency")
        if isinstance(items, list) and not 1 <= len(items) <= limits.FOR_EACH_ITEMS:
            self.problems.append(
                f"{where}.IterableItems: {len(items)} items, and 1 to {limits.FOR_EACH_ITEMS} are allowed"
            )
        elif not isinstance(items, list) and not is_expression(items):
            self.problems.append(f"{where}.IterableItems: expected a list or a reference")
        self.expressions(placed, items, f"{where}.IterableItems")
        if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= limits.FOR_EACH_CONCURRENCY:
            self.problems.append(f"{where}.MaxConcurrency: expected an integer from 1 to {limits.FOR_EACH_CONCURRENCY}")
        for step in arguments.get("ForEachBody") or []:
            if isinstance(step, Mapping) and step.get("Type") in limits.NOT_IN_FOR_EACH:
                self.problems.append(f"{where}.ForEachBody: a {step['Type']} step cannot stand in it")

    def emr(self, placed: Placed, where: str) -> None:
        arguments = placed.arguments
        self.members(arguments, where, {"StepConfig"}, {"ClusterId", "ClusterConfig", "ExecutionRoleArn"})
        if ("ClusterId" in arguments) == ("ClusterConfig" in arguments):
            self.problems.append(f"{where}: needs exactly one of ClusterId and ClusterConfig")
        self.requests += 1
        shape = shapes.service("emr").shape_for("StepConfig")
        config = arguments.get("StepConfig", {})
        self.problems += shapes.conform(shape, config, f"{where}.StepConfig", self.hole(placed), ("Name",))

    # expressions

    def hole(self, placed: Placed | None) -> shapes.Hole:
        def judge(value: Json, shape: shapes.Shape, where: str) -> list[str] | None:
            if not is_expression(value):
                return None
            before = len(self.problems)
            kind = self.value_kind(placed, value, where)
            told = self.problems[before:]
            del self.problems[before:]
            wanted = _WANTED.get(shape.type_name)
            if wanted and kind != UNKNOWN and kind not in wanted:
                told.append(f"{where}: expected {' or '.join(sorted(wanted))}, and {_shown(value)} is {kind}")
            if shape.type_name == "string" and "Std:Join" in value:
                told += self.shortest(shape, value["Std:Join"], where)
            return told

        return judge

    def shortest(self, shape: shapes.Shape, join: Json, where: str) -> list[str]:
        """A joined text is at least as long as what it is joined from and with."""
        values = join.get("Values") if isinstance(join, Mapping) else None
        most = shape.metadata.get("max")
        if most is None or not isinstance(values, list):
            return []
        least = len(str(join.get("On", ""))) * max(0, len(values) - 1) + sum(
            len(v) for v in values if isinstance(v, str)
        )
        return [f"{where}: at least {least:,} characters, and at most {most:,} are allowed"] if least > most else []

    def expressions(self, placed: Placed | None, value: Json, where: str) -> None:
        """Check every expression in a value whose place has no shape."""
        if is_expression(value):
            self.value_kind(placed, value, where)
        elif isinstance(value, Mapping):
            for key, item in value.items():
                self.expressions(placed, item, f"{where}.{key}")
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self.expressions(placed, item, f"{where}[{index}]")

    def value_kind(self, placed: Placed | None, value: Json, where: str) -> str:
        """The kind of a value or expression; problems are noted."""
        if not is_expression(value):
            for kind, types in ((BOOLEAN, bool), (INTEGER, int), (NUMBER, float), (TEXT, str)):
                if isinstance(value, types):
                    return kind
            return UNKNOWN
        function, inner = next(iter(value.items()))
        self.references += 1
        try:
            if function == "Get":
                return self.scope.kind(placed, _text(inner, function))
            if function == "Std:Join":
                return self.join(placed, inner, where)
            if function == "Std:JsonGet":
                return self.json_get(placed, inner, where)
            raise ValueError(f"there is no function '{function}' ({', '.join(sorted(FUNCTIONS))})")
        except ValueError as exc:
            self.problems.append(f"{where}: {exc}")
            return UNKNOWN

    def join(self, placed: Placed | None, inner: Json, where: str) -> str:
        if not isinstance(inner, Mapping) or set(inner) != {"On", "Values"} or not isinstance(inner["Values"], list):
            raise ValueError("Std:Join needs On and a list of Values")
        for index, item in enumerate(inner["Values"]):
            self.value_kind(placed, item, f"{where}.Values[{index}]")
        return TEXT

    def json_get(self, placed: Placed | None, inner: Json, where: str) -> str:
        keys = set(inner) if isinstance(inner, Mapping) else set()
        if keys not in ({"PropertyFile", "Path"}, {"S3Uri", "Path"}):
            raise ValueError("Std:JsonGet needs a Path and one of PropertyFile and S3Uri")
        _text(inner["Path"], "Std:JsonGet.Path")
        if "S3Uri" in keys:
            self.value_kind(placed, inner["S3Uri"], f"{where}.S3Uri")
        else:
            file = inner["PropertyFile"]
            self.scope.property_file(
                placed, _text(file.get("Get") if isinstance(file, Mapping) else None, "PropertyFile")
            )
        return UNKNOWN


def _text(value: Json, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{what} needs text")
    return value


def _shown(expression: Mapping[str, Json]) -> str:
    found = expression.get("Get")
    return str(found) if isinstance(found, str) else next(iter(expression))
