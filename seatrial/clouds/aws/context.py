"""What every step of one definition shares: how it names addresses, scalars of other steps, retries and tags."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seatrial.clouds.aws.channels import MODEL, VALUES, VALUES_FILE, Channels
from seatrial.clouds.aws.machineless import Function
from seatrial.clouds.aws.parameters import Parameters
from seatrial.clouds.aws.registration import Registration
from seatrial.clouds.aws.settings import SageMakerSettings
from seatrial.document.jobs import Job, JobOutput

Json = Any

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Context:
    """What every step of one definition shares."""

    settings: SageMakerSettings
    parameters: Parameters
    channels: Channels
    jobs: Mapping[str, Job]
    read_by_steps: frozenset[str]
    """Jobs whose scalars the service itself reads, for a choice, a function or a failure."""

    def below_root(self, *parts: Json) -> Json:
        """An address below the artifact root."""
        return {"Std:Join": {"On": "/", "Values": [self.parameters.root(), *parts]}}

    def uri(self, job: str, channel: str) -> Json:
        """Where an output of a job lies, as the job itself tells."""
        if channel == MODEL:
            return {"Get": f"Steps.{job}.ModelArtifacts.S3ModelArtifacts"}
        return {"Get": f"Steps.{job}.ProcessingOutputConfig.Outputs['{channel}'].S3Output.S3Uri"}

    def inside(self, job: str, channel: str, *parts: str) -> Json:
        """The address of something in an output, with exactly one slash between its parts."""
        start: list[Json] = [self.uri(job, channel)]
        if channel == MODEL:  # whether the service ends this address with a slash is not documented
            start = [{"Get": f"Steps.{job}.OutputDataConfig.S3OutputPath"}, {"Get": f"Steps.{job}.TrainingJobName"}]
            start += ["output", "model"]
        return {"Std:Join": {"On": "/", "Values": [*start, *parts]}}

    def scalar(self, output: JobOutput, path: tuple[str | int, ...] = ()) -> Json:
        """A scalar of a job, for the service itself."""
        job = self.jobs[output.job]
        own = self.channels.made[output.job].own
        if isinstance(own, Registration):
            return {"Get": f"Steps.{output.job}.ModelPackageVersion"}
        if isinstance(own, Function):
            return {"Get": f"Steps.{output.job}.OutputParameters['{own.told[output.name]}']"}
        found = json_path((output.name, *path))
        if job.kind == "training":
            return {"Std:JsonGet": {"S3Uri": self.inside(output.job, MODEL, VALUES, VALUES_FILE), "Path": found}}
        return {"Std:JsonGet": {"PropertyFile": {"Get": f"Steps.{output.job}.PropertyFiles.{VALUES}"}, "Path": found}}


def json_path(parts: tuple[str | int, ...]) -> str:
    """``("gate-decision", "a b", 0)`` -> ``gate-decision['a b'][0]``: dots wherever they do, as in AWS's examples."""
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"['{part}']"
    return text


def tags(settings: SageMakerSettings) -> Json:
    """As requests write them."""
    return [{"Key": key, "Value": value} for key, value in sorted(settings.tags.items())]


def retries(settings: SageMakerSettings) -> Json:
    """Tries again what the service failed at; a task that fails is tried again inside its job, as it asks for."""
    common = {"BackoffRate": 2.0, "MaxAttempts": settings.attempts}
    return [
        {"ExceptionType": ["Step.SERVICE_FAULT", "Step.THROTTLING"], "IntervalSeconds": 5, **common},
        {
            "ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR", "SageMaker.CAPACITY_ERROR", "SageMaker.RESOURCE_LIMIT"],
            "IntervalSeconds": 60,
            **common,
        },
    ]


def display(job: Job) -> str:
    """The step's name for people."""
    names = list(dict.fromkeys(job.display.get(task, task) for task in job.tasks))
    text = f"{job.name}: {' → '.join(names)}" if names != [job.name] else job.name
    return text if len(text) <= 256 else text[:255] + "…"
