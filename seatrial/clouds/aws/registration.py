"""When a registration component is SageMaker's own step: a model goes in under a name, at most its version comes out.

Anything more (a decision file, tags, another result) is known to the component only, which then runs as a job.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seatrial.document.jobs import Job, JobOutput, PipelineParameter
from seatrial.document.model import Constant

Json = Any
_MODEL = "system.Model"


@dataclass(frozen=True)
class Registration:
    """What SageMaker registers."""

    group: PipelineParameter | Constant
    package: JobOutput


def registration_of(job: Job) -> Registration | None:
    """What a job registers, or ``None`` when SageMaker cannot do it alone."""
    components = list(job.document.get("components", {}).values())
    tasks = list(job.document["root"]["dag"].get("tasks", {}).values())
    if job.kind != "registration" or len(components) != 1 or len(tasks) != 1:
        return None
    inputs = components[0].get("inputDefinitions", {})
    outputs = components[0].get("outputDefinitions", {})
    artifacts = list(inputs.get("artifacts", {}).values())
    packages = [output for several in job.artifacts.values() for output in several]
    one_model = len(artifacts) == 1 and artifacts[0]["artifactType"].get("schemaTitle") == _MODEL
    if not one_model or artifacts[0].get("isArtifactList") or len(packages) != 1:
        return None
    if set(inputs.get("parameters", {})) != {"model"} or outputs.get("artifacts"):
        return None
    if set(outputs.get("parameters", {})) - {"version"}:
        return None
    group = _source(tasks[0].get("inputs", {}).get("parameters", {}).get("model", {}), job)
    return Registration(group, packages[0]) if group is not None else None


def _source(given: Json, job: Job) -> PipelineParameter | Constant | None:
    if "componentInputParameter" in given:
        found = job.parameters.get(given["componentInputParameter"])
        return found if isinstance(found, PipelineParameter | Constant) else None
    constant = given.get("runtimeValue", {}).get("constant")
    return Constant(constant) if isinstance(constant, str) and "{{" not in constant else None
