"""The file that tells a job what to do: its part of the document, where its inputs lie and where its outputs go.

It travels as an input of the job, under an address made of its content, so that the definition names exactly this file
and a changed pipeline never runs half of an older one. Values that only the execution knows come in through environment
variables (pipeline parameters) and through the folders of earlier jobs.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seatrial.clouds.aws.channels import VALUES, VALUES_FILE, Channels, read_values
from seatrial.document.plan import Constant, FirstOf, Gathered, Job, JobOutput, JobParameter, PipelineParameter
from seatrial.errors import DocumentError

Json = Any
NAME = "job.json"
PREFIX = "SEATRIAL_PARAMETER_"


@dataclass(frozen=True)
class Places:
    """Where folders are mounted in a job's container."""

    inputs: Mapping[tuple[str, str], str]
    """(job, folder) -> path."""
    outputs: Mapping[str, str]
    """Folder -> path."""


def environment_name(parameter: str) -> str:
    """The variable that holds a pipeline parameter."""
    return PREFIX + re.sub(r"[^A-Za-z0-9_]", "_", parameter)


def version_name(output: JobOutput) -> str:
    """The variable that holds the version which a registration gave."""
    return f"SEATRIAL_VERSION_{re.sub(r'[^A-Za-z0-9_]', '_', output.job)}"


def registered(job: Job, channels: Channels) -> tuple[JobOutput, ...]:
    """Versions that a job reads."""
    return tuple(dict.fromkeys(o for o in read_values(job) if channels.made[o.job].registers))


def short(name: str) -> str:
    """A name of at most 64 characters that differs where the long one does."""
    return f"{name[:47]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def pipeline_parameters(job: Job) -> tuple[str, ...]:
    """Pipeline parameters that a job reads."""
    return tuple(sorted({v.name for v in job.parameters.values() if isinstance(v, PipelineParameter)}))


def content(job: Job, channels: Channels, places: Places) -> bytes:
    """The file."""
    made = channels.made[job.name]
    outputs: dict[str, Json] = {}
    if made.folders:
        outputs["values"] = f"{places.outputs[channels.folder(job.name, VALUES)]}/{VALUES_FILE}"
        outputs["artifacts"] = {
            name: f"{places.outputs[channels.folder(job.name, folder)]}/{name}"
            for name, folder in sorted(made.artifacts.items())
        }
    described = {
        "name": job.name,
        "document": job.document,
        "parameters": {n: _parameter(v, job, channels, places) for n, v in sorted(job.parameters.items())},
        "artifacts": {
            n: [_artifact(output, channels, places) for output in several] for n, several in sorted(job.artifacts.items())
        },
        "outputs": outputs,
    }
    return json.dumps(described, sort_keys=True, indent=2, allow_nan=False).encode() + b"\n"


def key(text: bytes) -> str:
    """Where the file lies, below the artifact root."""
    return f"jobs/{hashlib.sha256(text).hexdigest()}/{NAME}"


def _parameter(value: JobParameter, job: Job, channels: Channels, places: Places) -> Json:
    if isinstance(value, Constant):
        return {"value": value.value}
    if isinstance(value, PipelineParameter):
        return {"environment": environment_name(value.name)}
    if isinstance(value, JobOutput) and channels.made[value.job].registers:
        return {"environment": version_name(value)}
    if isinstance(value, JobOutput):
        return {"output": _values(value, channels, places), "name": value.name}
    if isinstance(value, Gathered):
        return {"gather": [_parameter(output, job, channels, places) for output in value.outputs]}
    assert isinstance(value, FirstOf)
    raise DocumentError(
        f"job '{job.name}' reads the output of whichever branch ran",
        why="A SageMaker step cannot wait for a step that may be skipped.",
        todo='Put the branches and the task that reads from them into one job with @component(job="..."), or fuse.',
    )


def _artifact(output: JobOutput, channels: Channels, places: Places) -> Json:
    folder = channels.folder(output.job, channels.made[output.job].artifacts[output.name])
    path = f"{places.inputs[(output.job, folder)]}/{output.name}"
    return {"output": _values(output, channels, places), "name": output.name, "path": path}


def _values(output: JobOutput, channels: Channels, places: Places) -> str:
    return f"{places.inputs[(output.job, channels.folder(output.job, VALUES))]}/{VALUES_FILE}"
