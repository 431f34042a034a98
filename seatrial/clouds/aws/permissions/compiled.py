"""What the steps of compiled pipelines read, write and start, and as whom."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from seatrial import project
from seatrial.clouds.aws.channels import VALUES, VALUES_FILE
from seatrial.clouds.aws.permissions.grants import Place
from seatrial.clouds.aws.pipeline import compiled
from seatrial.clouds.aws.settings import SageMakerSettings
from seatrial.component import ROLES, JobRole
from seatrial.document import read_text
from seatrial.document.plan import plan

Json = Any
ANY = "*"
_OUTPUT = re.compile(r"Outputs\['([^']+)'\]")


@dataclass
class Work:
    """What all jobs of one class do."""

    reads: set[str] = field(default_factory=set)
    """Patterns of keys, below the artifact root."""
    writes: set[str] = field(default_factory=set)
    uses: set[str] = field(default_factory=set)
    jobs: set[str] = field(default_factory=set)
    """Names, for people."""


@dataclass
class Steps:
    """What all pipelines of a project do."""

    work: dict[JobRole, Work] = field(default_factory=dict)
    kinds: set[str] = field(default_factory=set)
    """Types of their steps: ``Processing``, ``Training``, ``RegisterModel`` ..."""
    values: set[str] = field(default_factory=set)
    """Patterns of the files of scalars that SageMaker itself reads for choices."""
    functions: set[str] = field(default_factory=set)
    names: list[str] = field(default_factory=list)
    """Of the pipelines."""


def steps_of(opened: project.Project, place: Place) -> Steps:
    """Compile every pipeline of a project, and see what its steps do.

    Raises:
        DocumentError: one cannot be compiled.
        MissingExtra: kfp is not installed.
    """
    from seatrial.document.compile import compile_pipeline  # kfp takes a second to import

    found = Steps()
    root = f"s3://{place.bucket}/{place.artifact_prefix}".rstrip("/")
    settings = SageMakerSettings(
        artifact_root=root,
        roles={role: place.role(role) for role in ROLES},
        images={opened.layout.image: f"{place.account}.dkr.ecr.{place.region}.amazonaws.com/{opened.layout.image}"},
        functions=place.arn("lambda", "function"),
    )
    for path in sorted((opened.root / opened.layout.pipelines).glob("[!_]*.py")):
        document = read_text(compile_pipeline(path, root=opened.root, image=opened.layout.image), str(path))
        planned = plan(document)
        steps = list(_walk(compiled(document, planned, settings).definition["Steps"]))
        outputs = {step["Name"]: _outputs(step, root) for step in steps}
        roles = {job.name: job.role for job in planned.jobs()}
        for step in steps:
            _look(step, roles, root, outputs, found)
        for job in planned.jobs():
            if job.name in outputs and job.uses:
                found.work.setdefault(job.role, Work()).uses |= set(job.uses)
        found.names.append(path.stem)
    return found


def _look(
    step: Mapping[str, Json],
    roles: Mapping[str, JobRole],
    root: str,
    outputs: Mapping[str, Mapping[str, str]],
    found: Steps,
) -> None:
    found.kinds.add(step["Type"])
    if step["Type"] == "Lambda":
        found.functions.add(step["FunctionArn"])
    if step["Type"] not in ("Processing", "Training"):
        return
    work = found.work.setdefault(roles[step["Name"]], Work())
    work.jobs.add(step["Name"])
    work.writes |= set(outputs[step["Name"]].values())
    work.reads |= {_key(uri, root, outputs) for uri in _inputs(step["Arguments"])}
    if "PropertyFiles" in step:
        found.values.add(f"{outputs[step['Name']][VALUES].removesuffix(ANY)}{VALUES_FILE}")
    if step["Type"] == "Training":
        found.values |= set(outputs[step["Name"]].values())


def _walk(steps: Iterable[Mapping[str, Json]]) -> Iterator[Mapping[str, Json]]:
    for step in steps:
        yield step
        arguments = step.get("Arguments", {})
        yield from _walk([*arguments.get("IfSteps", []), *arguments.get("ElseSteps", [])])


def _inputs(arguments: Mapping[str, Json]) -> Iterator[Json]:
    for each in arguments.get("ProcessingInputs", []):
        yield each["S3Input"]["S3Uri"]
    for each in arguments.get("InputDataConfig", []):
        yield each["DataSource"]["S3DataSource"]["S3Uri"]
    if "CheckpointConfig" in arguments:
        yield arguments["CheckpointConfig"]["S3Uri"]


def _outputs(step: Mapping[str, Json], root: str) -> dict[str, str]:
    """Output -> pattern of keys."""
    arguments = step.get("Arguments", {})
    found = {
        each["OutputName"]: _key(each["S3Output"]["S3Uri"], root, {})
        for each in arguments.get("ProcessingOutputConfig", {}).get("Outputs", [])
    }
    if "OutputDataConfig" in arguments:
        found[""] = _key(arguments["OutputDataConfig"]["S3OutputPath"], root, {})
    return found


def _key(uri: Json, root: str, outputs: Mapping[str, Mapping[str, str]]) -> str:
    """An address in a definition as a pattern of keys below the artifact root."""
    if isinstance(uri, str):
        return f"{_named(uri.removeprefix(root).strip('/'))}/{ANY}"
    if "Get" in uri:
        parts = uri["Get"].split(".")
        if parts[0] != "Steps":
            return ANY
        output = _OUTPUT.search(uri["Get"])
        return outputs[parts[1]][output.group(1) if output else ""]
    joined = uri["Std:Join"]["Values"]
    if isinstance(joined[0], dict):  # inside a job's output
        return _key(joined[0], root, outputs)
    texts = [each if isinstance(each, str) else ANY for each in joined]
    return f"{_named('/'.join(texts).removeprefix(root).strip('/'))}/{ANY}"


def _named(key: str) -> str:
    """Job files lie at addresses made of their content, which the next commit changes."""
    return f"jobs/{ANY}" if key.startswith("jobs/") else key
