"""Steps that start no machine: RegisterModel, Lambda and Fail."""

from __future__ import annotations

from typing import Any

from seatrial.clouds.aws import limits
from seatrial.clouds.aws.context import Context, display, retries, tags
from seatrial.clouds.aws.machineless import Failure, Function, Joined, Machineless, Reference, Scalar
from seatrial.clouds.aws.parameters import PARAMETER_TYPES
from seatrial.clouds.aws.registration import Registration
from seatrial.document.jobs import Job, JobOutput, PipelineParameter
from seatrial.errors import DocumentError

Json = Any


def step_without_machine(job: Job, own: Machineless, context: Context) -> dict[str, Json]:
    """What SageMaker does itself, without what it waits for.

    Raises:
        DocumentError: it cannot.
    """
    if isinstance(own, Registration):
        return _registration(job, own, context)
    if isinstance(own, Function):
        return _function(job, own, context)
    return _failure(job, own, context)


def _failure(job: Job, failure: Failure, context: Context) -> dict[str, Json]:
    message = _value("message", failure.message, job, context)
    if not isinstance(message, dict):
        message = str(message)
        if len(message) > limits.MAX_FAILURE_TEXT:
            raise DocumentError(
                f"the message of '{job.tasks[0]}' has {len(message):,} characters",
                why=f"A Fail step tells {limits.MAX_FAILURE_TEXT:,}.",
                todo="Shorten it.",
            )
    return {
        "Name": job.name,
        "Type": "Fail",
        "DisplayName": display(job),
        "Arguments": {"ErrorMessage": message},
    }


def _function(job: Job, function: Function, context: Context) -> dict[str, Json]:
    if len(function.outputs) > limits.MAX_OUTPUT_PARAMETERS:
        raise DocumentError(
            f"function '{function.name}' gives {len(function.outputs)} values",
            why=f"SageMaker keeps {limits.MAX_OUTPUT_PARAMETERS} of a step.",
            todo="Return fewer, or let a job compute them.",
        )
    step: dict[str, Json] = {
        "Name": job.name,
        "Type": "Lambda",
        "DisplayName": display(job),
        "FunctionArn": context.settings.function_arn(function.name, job.tasks[0]),
        "Arguments": {name: _value(name, value, job, context) for name, value in function.arguments.items()},
        "OutputParameters": [
            {"OutputName": name, "OutputType": PARAMETER_TYPES[kind]} for name, kind in function.outputs.items()
        ],
    }
    if context.settings.cache_expire_after is not None and job.cache:
        step["CacheConfig"] = {"Enabled": True, "ExpireAfter": context.settings.cache_expire_after}
    return step


def _value(name: str, value: Scalar, job: Job, context: Context) -> Json:
    if isinstance(value, Joined):
        parts = [part if isinstance(part, str) else _reference(name, part, job, context) for part in value.parts]
        return {"Std:Join": {"On": "", "Values": parts}}
    return _reference(name, value, job, context) if isinstance(value, Reference) else value


def _reference(name: str, reference: Reference, job: Job, context: Context) -> Json:
    value = reference.value
    if isinstance(value, JobOutput):
        return context.scalar(value, reference.path)
    if isinstance(value, PipelineParameter) and not reference.path:
        if not context.parameters.may_be_absent(value.name):
            return {"Get": f"Parameters.{value.name}"}
        wrong = f"pipeline parameter '{value.name}' may be left out"
    else:
        wrong = "it is a part of a pipeline parameter, or made of the outputs of several jobs"
    raise DocumentError(
        f"'{name}' of task '{job.tasks[0]}' cannot be handed on without a job: {wrong}",
        why="SageMaker itself does this step; it reads whole parameters and scalars of one job, and knows no null.",
        todo="Give the parameter a default, or let a task before it compute the value as one scalar.",
    )


def _registration(job: Job, registration: Registration, context: Context) -> dict[str, Json]:
    output, group = registration.package, registration.group
    place = context.channels.artifact(output)
    below = (place.below, "0", "") if place.below else ("0", "")  # a parcel's first artifact lies in "0"
    address = context.inside(output.job, place.channel, *below)
    source = {"S3DataType": "S3Prefix", "CompressionType": "None", "S3Uri": address}
    container = {"Image": context.parameters.image(job.image), "ModelDataSource": {"S3DataSource": source}}
    arguments: dict[str, Json] = {
        "InferenceSpecification": {
            "Containers": [container],
            "SupportedContentTypes": ["application/json"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
        "ModelApprovalStatus": "PendingManualApproval",
        "ModelPackageGroupName": (
            context.parameters.text(group.name) if isinstance(group, PipelineParameter) else str(group.value)
        ),
        "SkipModelValidation": "All",
    }
    if context.settings.tags:
        arguments["Tags"] = tags(context.settings)
    return {
        "Name": job.name,
        "Type": "RegisterModel",
        "DisplayName": display(job),
        "Arguments": arguments,
        "RetryPolicies": retries(context.settings)[:1],
    }
