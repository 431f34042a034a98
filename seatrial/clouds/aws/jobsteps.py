"""One job as one SageMaker step: a processing job, a training job, or what the service does itself."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from seatrial.clouds.aws import jobfile
from seatrial.clouds.aws.channels import JOB, LOGS, MODEL, VALUES, VALUES_FILE
from seatrial.clouds.aws.context import Context, display, retries, tags
from seatrial.clouds.aws.ownsteps import step_without_machine
from seatrial.clouds.aws.settings import Instance, SageMakerSettings
from seatrial.document.jobs import Job
from seatrial.errors import DocumentError
from seatrial.execute.foreign import launcher

Json = Any

PROGRAM = ("python3", "-m", "seatrial.execute", "--job")
_PROCESSING = "/opt/ml/processing"
_TRAINING = "/opt/ml/input/data"
_CHECKPOINTS = "/opt/ml/checkpoints"


@dataclass(frozen=True)
class Built:
    """A step and the file that it needs."""

    step: dict[str, Json]
    key: str = ""
    content: bytes = b""


def step_of(job: Job, context: Context) -> Built:
    """A job's step, without what it waits for.

    Raises:
        DocumentError: SageMaker cannot run it.
    """
    own = context.channels.made[job.name].own
    if own is not None:
        return Built(step_without_machine(job, own, context))
    training = job.kind == "training"
    mounts = _mounts(job, context, training=training)
    settings = context.settings
    specification = jobfile.specification(job, context.channels, mounts, context.parameters, settings)
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
        "DisplayName": display(job),
        "Description": f"Tasks: {', '.join(job.tasks)}"[:3072],
        "Arguments": arguments,
        "RetryPolicies": retries(settings),
    }
    if settings.cache_expire_after is not None and job.cache:
        step["CacheConfig"] = {"Enabled": True, "ExpireAfter": settings.cache_expire_after}
    if not training and job.name in context.read_by_steps:
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
        "RoleArn": context.parameters.role(job.role),
        "StoppingCondition": {"MaxRuntimeInSeconds": settings.max_run_s},
    }
    if settings.kms_key:
        cluster |= _volume_key(settings, instance)
        arguments["ProcessingOutputConfig"]["KmsKeyId"] = settings.kms_key
    if settings.subnets:
        arguments["NetworkConfig"] = {"VpcConfig": _vpc(settings)}
    if settings.tags:
        arguments["Tags"] = tags(settings)
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
        "RoleArn": context.parameters.role(job.role),
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
        resources |= _volume_key(settings, instance)
        output["KmsKeyId"] = settings.kms_key
    if settings.subnets:
        arguments["VpcConfig"] = _vpc(settings)
    if settings.tags:
        arguments["Tags"] = tags(settings)
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
    for output in jobfile.told_by_steps(job, context.channels):
        found[jobfile.output_name(output)] = {"Std:Join": {"On": "", "Values": [context.scalar(output)]}}
    return found


def _volume_key(settings: SageMakerSettings, instance: Instance) -> Json:
    """A job that names a key for a machine with local disks is refused, although those are always encrypted."""
    return {} if instance.local_disk else {"VolumeKmsKeyId": settings.kms_key}


def _vpc(settings: SageMakerSettings) -> Json:
    return {"SecurityGroupIds": list(settings.security_groups), "Subnets": list(settings.subnets)}
