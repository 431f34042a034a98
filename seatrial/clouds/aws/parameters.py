"""Pipeline parameters: the document's own, typed, and those that only the deployment knows."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from seatrial.clouds.aws import limits
from seatrial.clouds.aws.machineless import Failure, Function, machineless
from seatrial.clouds.aws.settings import IMAGE, ROLE, ROOT, SageMakerSettings
from seatrial.component import JobRole
from seatrial.document import values
from seatrial.document.jobs import Plan
from seatrial.document.model import Document, ParameterSpec
from seatrial.errors import DocumentError, UsageError

Json = Any

ABSENT = "null"
"""What stands for an optional parameter that nobody gave: SageMaker has no null and asks for a value otherwise."""

PARAMETER_TYPES = {"STRING": "String", "NUMBER_INTEGER": "Integer", "NUMBER_DOUBLE": "Float", "BOOLEAN": "Boolean"}
_REGISTRY = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/.+|public\.ecr\.aws/.+")


class Parameters:
    """The parameters of one definition.

    Raises:
        DocumentError: names collide or cannot be used, or a default does not fit; all problems are told.
    """

    def __init__(self, document: Document, plan: Plan, settings: SageMakerSettings) -> None:
        self._settings = settings
        self._specs = document.root.input_parameters
        self.images = _image_parameters(plan, settings)
        """Image in the document -> pipeline parameter that names it."""
        unknown = {job.role for job in plan.jobs()} - set(settings.roles)
        self._deployment = [ROLE] if settings.role_arn is None and unknown else []
        self._deployment += [ROOT] if settings.artifact_root is None else []
        self._deployment += sorted(self.images.values())
        self._check(document)

    def declared(self) -> list[Json]:
        """The definition's ``Parameters``."""
        own = [_declared(name, spec) for name, spec in sorted(self._specs.items())]
        return [{"Name": name, "Type": "String"} for name in self._deployment] + own

    def role(self, of: JobRole) -> Json:
        """The role of a job of this class."""
        return self._settings.roles.get(of) or self._settings.role_arn or {"Get": f"Parameters.{ROLE}"}

    def root(self) -> Json:
        """Where artifacts and job files lie."""
        return self._settings.artifact_root or {"Get": f"Parameters.{ROOT}"}

    def image(self, name: str) -> Json:
        """An image of the document, as the registry knows it."""
        if name in self.images:
            return {"Get": f"Parameters.{self.images[name]}"}
        return self._settings.images.get(name, name)

    def text(self, name: str) -> Json:
        """A parameter's value as text: environment variables and hyperparameters are nothing else."""
        found = {"Get": f"Parameters.{name}"}
        if self.type(name) == "String":
            return found
        return {"Std:Join": {"On": "", "Values": [found]}}

    def may_be_absent(self, name: str) -> bool:
        """Whether `ABSENT` stands for "not given"."""
        return _absent(self._specs[name])

    def type(self, name: str) -> str:
        """The type in the definition."""
        return str(_declared(name, self._specs[name])["Type"])

    def _check(self, document: Document) -> None:
        problems = [f"parameter '{n}' is also what the deployment gives" for n in self._deployment if n in self._specs]
        for name, spec in sorted(self._specs.items()):
            if not limits.PARAMETER_NAME.fullmatch(name):
                problems.append(f"parameter '{name}': SageMaker's names have letters, digits, '-' and '_' only")
            text = _declared(name, spec).get("DefaultValue")
            if isinstance(text, str) and len(text) > limits.MAX_CONTAINER_TEXT:
                problems.append(
                    f"parameter '{name}': its default has {len(text)} characters, and a job can be handed"
                    f" {limits.MAX_CONTAINER_TEXT}"
                )
        artifacts = document.root.input_artifacts.items()
        problems += [f"artifact '{name}' is given from outside" for name, a in sorted(artifacts) if not a.optional]
        if len(self._specs) + len(self._deployment) > limits.MAX_PARAMETERS:
            problems.append(f"{len(self._specs)} parameters, and SageMaker takes {limits.MAX_PARAMETERS}")
        if problems:
            raise DocumentError(
                f"pipeline '{document.name}': " + "; ".join(problems),
                why="A SageMaker pipeline is started with short, named scalars.",
                todo="Rename or shorten them; long values and artifacts belong in a file that an importer names.",
            )


def started_with(document: Document, arguments: Mapping[str, Json]) -> dict[str, str]:
    """A pipeline's arguments as a start of it takes them: text.

    Raises:
        UsageError: one is unknown, missing, of another type or too long; every problem is told.
    """
    specs = document.root.input_parameters
    problems = [
        f"'{name}' is unknown; it takes {', '.join(sorted(specs))}" for name in sorted(set(arguments) - set(specs))
    ]
    found: dict[str, str] = {}
    for name, spec in sorted(specs.items()):
        value = arguments.get(name)
        if value is None:
            if name in arguments and not _absent(spec):
                problems.append(f"'{name}' is null, and it has to have a value")
            elif not spec.optional and not spec.has_default:
                problems.append(f"'{name}' is missing")
            continue
        try:
            value = values.cast(value, spec.type)
        except ValueError as exc:
            problems.append(f"'{name}': {exc}")
            continue
        found[name] = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        if len(found[name]) > limits.MAX_CONTAINER_TEXT:
            problems.append(
                f"'{name}' has {len(found[name])} characters, and a job can be handed {limits.MAX_CONTAINER_TEXT}"
            )
    if problems:
        raise UsageError(
            f"pipeline '{document.name}' cannot be started with these arguments: {'; '.join(problems)}",
            why="What a job is handed has a name and a type, and is checked before a machine starts.",
            todo="Correct --arguments.",
        )
    return found


def _absent(spec: ParameterSpec) -> bool:
    return spec.optional and (not spec.has_default or spec.default is None)


def _declared(name: str, spec: ParameterSpec) -> dict[str, Json]:
    absent = _absent(spec)
    kind = "String" if absent else PARAMETER_TYPES.get(spec.type, "String")
    entry: dict[str, Json] = {"Name": name, "Type": kind}
    if absent:
        entry["DefaultValue"] = ABSENT
    elif spec.has_default:
        default = spec.default if spec.type in ("LIST", "STRUCT") else values.cast(spec.default, spec.type)
        entry["DefaultValue"] = default if spec.type in PARAMETER_TYPES else json.dumps(default, sort_keys=True)
    if kind == "String" and spec.type == "STRING" and spec.literals:
        entry["EnumValues"] = [*spec.literals, ABSENT] if absent else list(spec.literals)
    return entry


def _image_parameters(plan: Plan, settings: SageMakerSettings) -> Mapping[str, str]:
    """A parameter for each image whose address only the deployment knows; the project's own is plainly `IMAGE`."""
    unknown = [
        job
        for job in plan.jobs()
        if job.image not in settings.images
        and not _REGISTRY.fullmatch(job.image)
        and not isinstance(machineless(job), Function | Failure)
    ]
    own = sorted({job.image for job in unknown if job.kind != "foreign"})
    names: dict[str, str] = {}
    for image in sorted({job.image for job in unknown}):
        if own == [image]:
            names[image] = IMAGE
            continue
        plain = f"{IMAGE}-{re.sub(r'[^A-Za-z0-9]+', '-', image).strip('-')}"[:240]
        taken = sum(1 for other in names.values() if other.startswith(plain))
        names[image] = f"{plain}-{taken}" if taken else plain
    return names
