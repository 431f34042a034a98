"""One job as one SageMaker step: a processing job, a training job, or a registration."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seatrial.clouds.aws import jobfile
from seatrial.clouds.aws.channels import JOB, LOGS, MODEL, VALUES, VALUES_FILE, Channels
from seatrial.clouds.aws.parameters import Parameters
from seatrial.clouds.aws.registration import Registration
from seatrial.clouds.aws.settings import SageMakerSettings
from seatrial.document.jobs import Job, JobOutput, PipelineParameter
from seatrial.errors import DocumentError
from seatrial.execute.foreign import launcher

Json = Any

PROGRAM = ("python3", "-m", "seatrial.execute", "--job")
_PROCESSING = "/opt/ml/processing"
_TRAINING = "/opt/ml/input/data"
_CHECKPOINTS = "/opt/ml/checkpoints"
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Context:
    """What every step of one definition shares."""

    settings: SageMakerSettings
    parameters: Parameters
    channels: Channels
    jobs: Mapping[str, Job]
    read_by_choices: frozenset[str]
    """Jobs whose scalars a choice reads."""

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
        """A scalar of a job, for a condition."""
        job = self.jobs[output.job]
        if self.channels.made[output.job].registration is not None:
            return {"Get": f"Steps.{output.job}.ModelPackageVersion"}
        found = json_path((output.name, *path))
        if job.kind == "training":
            return {"Std:JsonGet": {"S3Uri": self.inside(output.job, MODEL, VALUES, VALUES_FILE), "Path": found}}
        return {"Std:JsonGet": {"PropertyFile": {"Get": f"Steps.{output.job}.PropertyFiles.{VALUES}"}, "Path": found}}


@dataclass(frozen=True)
class Built:
    """A step and the file that it needs."""

    step: dict[str, Json]
    key: str = ""
    content: bytes = b""


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


def step_of(job: Job, context: Context) -> Built:
    """A job's step, without what it waits for.

    Raises:
        DocumentError: SageMaker cannot run it.
    """
    registration = context.channels.made[job.name].registration
    if registration is not None:
        return Built(_registration(job, registration, context))
    training = job.kind == "training"
    mounts = _mounts(job, context, training=training)
    settings = context.settings
    specification = jobfile.specification(job, context.channels, mounts, context.parameters, settings.preload)
    if job.kind == "foreign":
        content = launcher(specification).encode()
        key = jobfile.key(content, jobfile.SCRIPT)
    else:
        content = jobfile.written(specification)
        key = jobfile.key(content)
    arguments = _training(job, context, key) if training else _processing(job, context, key, mounts)
    step: dict[str, Json] = {
        "Name": job.name,
        "Type": "Training" if training else "Processing",
        "DisplayName": _display(job),
        "Description": f"Tasks: {', '.join(job.tasks)}"[:3072],
        "Arguments": arguments,
        "RetryPolicies": _retries(settings),
    }
    if settings.cache_expire_after is not None and job.cache:
        step["CacheConfig"] = {"Enabled": True, "ExpireAfter": settings.cache_expire_after}
    if not training and job.name in context.read_by_choices:
        step["PropertyFiles"] = [{"PropertyFileName": VALUES, "OutputName": VALUES, "FilePath": VALUES_FILE}]
    return Built(step, key, content)


def _mounts(job: Job, context: Context, *, training: bool) -> jobfile.Mounts:
    inputs = context.channels.inputs(job)
    if training:
        read = {pair: f"{_TRAINING}/{_channel(pair)}" for pair in inputs}
        return jobfile.Mounts(read, {MODEL: "/opt/ml/model"}, "/opt/ml/output/data/logs", "/opt/ml/output/failure")
    read = {pair: f"{_PROCESSING}/input/{_channel(pair)}" for pair in inputs}
    written = {name: f"{_PROCESSING}/output/{name}" for name in context.channels.made[job.name].channels}
    return jobfile.Mounts(read, written, f"{_PROCESSING}/output/{LOGS}", "/opt/ml/output/message")


def _channel(pair: tuple[str, str]) -> str:
    """A short, unique name for an input: SageMaker takes 64 characters for a training channel."""
    name = ".".join(pair)
    return name if len(name) <= 64 else f"{name[:47]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def _processing(job: Job, context: Context, key: str, mounts: jobfile.Mounts) -> dict[str, Json]:
    settings = context.settings
    instance = settings.instance(job.name, job.resources, training=False)
    file = f"{_PROCESSING}/input/{JOB}"
    read = [(JOB, context.below_root(key), file)]
    read += [(_channel(p), context.uri(*p), mounts.inputs[p]) for p in context.channels.inputs(job)]
    cluster: dict[str, Json] = {
        "InstanceCount": 1,
        "InstanceType": instance.name,
        "VolumeSizeInGB": settings.volume_gb,
    }
    arguments: dict[str, Json] = {
        "AppSpecification": {
            "ImageUri": context.parameters.image(job.image),
            "ContainerEntrypoint": ["sh", f"{file}/{jobfile.SCRIPT}"]
            if job.kind == "foreign"
            else [*PROGRAM, f"{file}/{jobfile.NAME}"],
        },
        "Environment": _environment(job, context),
        "ProcessingInputs": [_processing_input(*one) for one in read],
        "ProcessingOutputConfig": {
            "Outputs": [
                # what a failed job wrote into its logs has to be there, too
                _output(job, context, LOGS, mounts.logs, "Continuous"),
                *(_output(job, context, name, path, "EndOfJob") for name, path in mounts.outputs.items()),
            ]
        },
        "ProcessingResources": {"ClusterConfig": cluster},
        "RoleArn": context.parameters.role(),
        "StoppingCondition": {"MaxRuntimeInSeconds": settings.max_run_s},
    }
    if settings.kms_key:
        cluster["VolumeKmsKeyId"] = settings.kms_key
        arguments["ProcessingOutputConfig"]["KmsKeyId"] = settings.kms_key
    if settings.subnets:
        arguments["NetworkConfig"] = {"VpcConfig": _vpc(settings)}
    if settings.tags:
        arguments["Tags"] = _tags(settings)
    return arguments


def _processing_input(name: str, uri: Json, path: str) -> Json:
    return {
        "InputName": name,
        "S3Input": {
            "LocalPath": path,
            "S3DataDistributionType": "FullyReplicated",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
            "S3Uri": uri,
        },
    }


def _output(job: Job, context: Context, name: str, path: str, mode: str) -> Json:
    # the last part keeps output "a" from also matching "a-2": an input takes every key that begins like its address
    uri = context.below_root("runs", {"Get": "Execution.PipelineExecutionId"}, job.name, name, "files")
    return {"OutputName": name, "S3Output": {"LocalPath": path, "S3UploadMode": mode, "S3Uri": uri}}


def _training(job: Job, context: Context, key: str) -> dict[str, Json]:
    settings, options = context.settings, job.training
    instance = settings.instance(job.name, job.resources, training=True)
    read = [(JOB, context.below_root(key)), *((_channel(p), context.uri(*p)) for p in context.channels.inputs(job))]
    resources: dict[str, Json] = {
        "InstanceCount": 1,
        "InstanceType": instance.name,
        "VolumeSizeInGB": settings.volume_gb,
    }
    output: dict[str, Json] = {
        "CompressionType": "NONE",  # later jobs read the files, not an archive
        "S3OutputPath": context.below_root("runs", {"Get": "Execution.PipelineExecutionId"}, job.name),
    }
    max_run = options.max_run_s if options else settings.max_run_s
    arguments: dict[str, Json] = {
        "AlgorithmSpecification": {
            "TrainingImage": context.parameters.image(job.image),
            "TrainingInputMode": "File",
            "ContainerEntrypoint": [*PROGRAM, f"{_TRAINING}/{JOB}/{jobfile.NAME}"],
        },
        "Environment": _environment(job, context),
        "InputDataConfig": [_training_channel(*one) for one in read],
        "OutputDataConfig": output,
        "ResourceConfig": resources,
        "RoleArn": context.parameters.role(),
        "StoppingCondition": {"MaxRuntimeInSeconds": max_run},
    }
    hyperparameters = {name: context.parameters.text(name) for name in jobfile.pipeline_parameters(job)}
    if hyperparameters:
        arguments["HyperParameters"] = hyperparameters
    if options is not None and options.keep_alive_s:
        if options.spot:
            raise DocumentError(
                f"job '{job.name}' wants a warm pool on spot capacity",
                why="SageMaker keeps machines warm only when they cannot be taken away.",
                todo="Drop keep_alive_s or spot from its TrainingOptions.",
            )
        resources["KeepAlivePeriodInSeconds"] = options.keep_alive_s
    if options is not None and options.spot:
        arguments["EnableManagedSpotTraining"] = True
        arguments["StoppingCondition"]["MaxWaitTimeInSeconds"] = max_run + settings.max_wait_s
        arguments["CheckpointConfig"] = {
            "LocalPath": _CHECKPOINTS,
            "S3Uri": context.below_root("runs", {"Get": "Execution.PipelineExecutionId"}, job.name, "checkpoints"),
        }
    if settings.kms_key:
        resources["VolumeKmsKeyId"] = settings.kms_key
        output["KmsKeyId"] = settings.kms_key
    if settings.subnets:
        arguments["VpcConfig"] = _vpc(settings)
    if settings.tags:
        arguments["Tags"] = _tags(settings)
    return arguments


def _training_channel(name: str, uri: Json) -> Json:
    source = {"S3DataDistributionType": "FullyReplicated", "S3DataType": "S3Prefix", "S3Uri": uri}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "InputMode": "File"}


def _environment(job: Job, context: Context) -> dict[str, Json]:
    found: dict[str, Json] = {}
    if not (job.cache and context.settings.cache_expire_after):
        # part of what a cached step is compared by: with it, no step would ever be found again
        found["SEATRIAL_RUN"] = {"Get": "Execution.PipelineExecutionId"}
    for name in jobfile.pipeline_parameters(job):
        found[jobfile.environment_name(name)] = context.parameters.text(name)
    for output in jobfile.registered(job, context.channels):
        found[jobfile.version_name(output)] = {"Std:Join": {"On": "", "Values": [context.scalar(output)]}}
    return found


def _vpc(settings: SageMakerSettings) -> Json:
    return {"SecurityGroupIds": list(settings.security_groups), "Subnets": list(settings.subnets)}


def _tags(settings: SageMakerSettings) -> Json:
    return [{"Key": key, "Value": value} for key, value in sorted(settings.tags.items())]


def _retries(settings: SageMakerSettings) -> Json:
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


def _display(job: Job) -> str:
    names = list(dict.fromkeys(job.display.get(task, task) for task in job.tasks))
    text = f"{job.name}: {' → '.join(names)}" if names != [job.name] else job.name
    return text if len(text) <= 256 else text[:255] + "…"


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
        arguments["Tags"] = _tags(context.settings)
    return {
        "Name": job.name,
        "Type": "RegisterModel",
        "DisplayName": _display(job),
        "Arguments": arguments,
        "RetryPolicies": _retries(context.settings)[:1],
    }
