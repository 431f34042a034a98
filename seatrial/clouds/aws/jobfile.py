"""The file that tells a job what to do: its part of the document, where its inputs lie and where its outputs go.

It is the specification of `seatrial.execute.job`. It travels as an input of the job, under an address made of its
content, so that a definition names exactly this file and a changed pipeline never runs half of an older one. Values
that only the execution knows come in through environment variables (pipeline parameters) and the folders of earlier
jobs.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seatrial.clouds.aws.channels import VALUES_FILE, Channels, read_values
from seatrial.clouds.aws.parameters import ABSENT, Parameters
from seatrial.clouds.aws.settings import SageMakerSettings
from seatrial.document.jobs import FirstOf, Gathered, Job, JobOutput, JobParameter, PipelineParameter
from seatrial.execute.job import FORMAT

Json = Any
NAME = "job.json"
SCRIPT = "job.sh"
"""The program itself, for an image without Seatrial."""
_INHERITED = (
    *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "AWS_EC2_METADATA_DISABLED"),
    *("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
    *("AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    "SEATRIAL_HOME",
)
"""How tasks reach AWS, as the service tells the job's container, and where the container wants its state kept."""
SPOT_STATE = "/opt/ml/checkpoints/seatrial"
"""Where a job that may be interrupted keeps what it has finished; SageMaker brings it back when the job goes on."""


@dataclass(frozen=True)
class Mounts:
    """Where folders are in a job's container."""

    inputs: Mapping[tuple[str, str], str]
    """(job, output) -> path."""
    outputs: Mapping[str, str]
    """Output -> path."""
    logs: str
    failure: str


_FEW = 3
"""A job of so many tasks imports nothing for all of them beforehand: each then imports what it uses, which is less."""
BUCKETS = "seatrial.clouds.buckets:look_up"
"""Reads what importers name, in a job as on a laptop; `seatrial.execute` itself knows no cloud."""


def environment_name(parameter: str) -> str:
    """The variable that holds a pipeline parameter."""
    return f"SEATRIAL_PARAMETER_{re.sub(r'[^A-Za-z0-9_]', '_', parameter)}"


def output_name(output: JobOutput) -> str:
    """The variable that holds what a step without a machine gave."""
    return f"SEATRIAL_OUTPUT_{re.sub(r'[^A-Za-z0-9_]', '_', f'{output.job}_{output.name}')}"


def pipeline_parameters(job: Job) -> tuple[str, ...]:
    """Pipeline parameters that a job reads."""
    return tuple(sorted({v.name for v in job.parameters.values() if isinstance(v, PipelineParameter)}))


def told_by_steps(job: Job, channels: Channels) -> tuple[JobOutput, ...]:
    """Scalars that a job reads and that lie in no file: a version, what a function answered."""
    return tuple(dict.fromkeys(o for o in read_values(job) if channels.made[o.job].own))


def specification(
    job: Job, channels: Channels, mounts: Mounts, parameters: Parameters, settings: SageMakerSettings
) -> Mapping[str, Json]:
    """What the job's program reads."""
    made = channels.made[job.name]
    outputs: dict[str, Json] = {
        "artifacts": {name: place.on(mounts.outputs[place.channel]) for name, place in sorted(made.artifacts.items())}
    }
    if made.parameters:
        outputs["parameters"] = f"{made.values.on(mounts.outputs[made.values.channel])}/{VALUES_FILE}"
    found: dict[str, Json] = {
        "format": FORMAT,
        "job": job.name,
        "document": job.document,
        "parameters": {n: _parameter(v, channels, mounts, parameters) for n, v in sorted(job.parameters.items())},
        "artifacts": {
            name: [channels.artifact(o).on(mounts.inputs[(o.job, channels.artifact(o).channel)]) for o in several]
            for name, several in sorted(job.artifacts.items())
        },
        "outputs": outputs,
        "environment": {**settings.environment, "SEATRIAL_TARGET": "aws"},
        "inherit": list(_INHERITED),
        "failure": mounts.failure,
        "logs": mounts.logs,
    }
    executors = job.document.get("deploymentSpec", {}).get("executors", {})
    if any("importer" in executor for executor in executors.values()):
        found["buckets"] = BUCKETS
    if settings.preload and len(job.tasks) > _FEW:
        found["preload"] = list(settings.preload)
    if job.training is not None and job.training.spot:
        found["state"] = SPOT_STATE
    return found


def written(specification: Mapping[str, Json]) -> bytes:
    """The file's content."""
    return json.dumps(specification, sort_keys=True, indent=2, allow_nan=False).encode() + b"\n"


def key(content: bytes, name: str = NAME) -> str:
    """Where a file lies, below the artifact root."""
    return f"jobs/{hashlib.sha256(content).hexdigest()}/{name}"


def _parameter(value: JobParameter, channels: Channels, mounts: Mounts, parameters: Parameters) -> Json:
    if isinstance(value, PipelineParameter):
        found = {"environment": environment_name(value.name)}
        return {**found, "absent": ABSENT} if parameters.may_be_absent(value.name) else found
    if isinstance(value, JobOutput):
        made = channels.made[value.job]
        if made.own is not None:
            return {"environment": output_name(value)}
        folder = made.values.on(mounts.inputs[(value.job, made.values.channel)])
        return {"file": f"{folder}/{VALUES_FILE}", "name": value.name}
    if isinstance(value, Gathered | FirstOf):
        key = "all" if isinstance(value, Gathered) else "first"
        return {key: [_parameter(output, channels, mounts, parameters) for output in value.outputs]}
    return {"value": value.value}
