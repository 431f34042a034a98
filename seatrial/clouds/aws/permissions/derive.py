"""Permissions from what there is: the project's compiled pipelines, and the calls that adapters declare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from seatrial import project
from seatrial.clouds.aws.names import model_shell
from seatrial.clouds.aws.permissions.compiled import Steps, Work, steps_of
from seatrial.clouds.aws.permissions.declared import LAUNCH, SERVICE, USES, Scope, declared
from seatrial.clouds.aws.permissions.grants import Grant, Permissions, Place, Role
from seatrial.clouds.aws.permissions.platform import platform
from seatrial.component import ROLES as JOB_ROLES

_LOGS: Mapping[str, str] = {
    "Processing": "/aws/sagemaker/ProcessingJobs",
    "Training": "/aws/sagemaker/TrainingJobs",
}
_JOBS: Mapping[str, str] = {"Processing": "processing-job", "Training": "training-job"}
_NOT_STOPPED = "nothing is stopped in a story"


def derive(opened: project.Project, models: Iterable[str], place: Place) -> Permissions:
    """What each role of a stack needs for these models, and no more. Reads the project; no network, no credentials.

    Raises:
        DocumentError: a pipeline of the project cannot be compiled.
        ProjectError: there is no such model, or its name cannot become a resource's.
        MissingExtra: kfp is not installed.
    """
    steps = steps_of(opened, place)
    shells = {
        each: model_shell(place.prefix, each, guardrails=opened.model(each).rollout.guardrails, pipelines=steps.names)
        for each in models
    }
    named = {each: shell.endpoint for each, shell in shells.items()}
    scope = Scope(
        place,
        tuple(named.values()),
        tuple(name for shell in shells.values() for name in shell.pipelines.values()),
        tuple(name for shell in shells.values() for name in shell.alarms.values()),
    )
    grants = [
        *(grant for role in JOB_ROLES if role in steps.work for grant in _job(role, steps.work[role], steps, scope)),
        *_endpoint(named, scope),
        *_pipeline(steps, scope),
        *declared("launch", LAUNCH, scope),
        *_events(scope),
    ]
    return Permissions(tuple(grant for role in _ordered(grants) for grant in _with_key(role, grants, place)))


def _ordered(grants: Iterable[Grant]) -> list[Role]:
    return list(dict.fromkeys(grant.role for grant in grants))


def _job(role: Role, work: Work, steps: Steps, scope: Scope) -> Iterator[Grant]:
    place = scope.place
    jobs = f"the {'job' if len(work.jobs) == 1 else 'jobs'} {', '.join(sorted(work.jobs))}"
    logs = tuple(_LOGS[kind] for kind in sorted(steps.kinds) if kind in _LOGS)
    yield from platform(role, place, tuple(f"{each}:log-stream:pipelines-*" for each in logs), logs)
    calls = [call for use in sorted(work.uses) for call in USES[use]]
    asked = list(declared(role, calls, scope))
    reads = tuple(sorted(work.reads))
    yield Grant(role, ("s3:GetObject",), tuple(place.objects(key) for key in reads), why=f"read what {jobs} is given")
    if not any(grant.actions == ("s3:ListBucket",) for grant in asked):
        yield Grant(
            role,
            ("s3:ListBucket",),
            (place.bucket_arn,),
            {"StringLike": {"s3:prefix": tuple(place.key(f"{key.removesuffix('/*')}*") for key in reads)}},
            why=f"find what {jobs} is given",
        )
    else:
        found = f"; find what {jobs} is given"
        asked = [replace(each, why=each.why + found) if "s3:ListBucket" in each.actions else each for each in asked]
    yield Grant(
        role,
        ("s3:PutObject",),
        tuple(place.objects(key) for key in sorted(work.writes)),
        why=f"keep what {jobs} makes",
    )
    yield from asked


def _endpoint(named: Mapping[str, str], scope: Scope) -> Iterator[Grant]:
    place = scope.place
    streams = tuple(
        f"/aws/sagemaker/Endpoints/{name}{rest}:log-stream:*" for name in named.values() for rest in ("", "-check-v*")
    )
    yield from platform("endpoint", place, streams, ("/aws/sagemaker/Endpoints",))
    yield Grant("endpoint", ("s3:GetObject",), (place.objects("packages/*"),), why="fetch the package that is served")
    yield Grant(
        "endpoint",
        ("s3:PutObject",),
        tuple(place.objects(f"capture/{model}/*") for model in named),
        why="keep captured traffic, for monitoring",
    )
    if scope.alarms:
        # https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-configuration.html
        yield Grant(
            "endpoint",
            ("cloudwatch:DescribeAlarms",),
            tuple(place.arn("cloudwatch", f"alarm:{name}") for name in scope.alarms),
            why="SageMaker looks at a rollout's alarms as the role of the model that it brings up",
        )


def _pipeline(steps: Steps, scope: Scope) -> Iterator[Grant]:
    place = scope.place
    for kind in sorted(set(_JOBS) & steps.kinds):
        jobs = (place.arn("sagemaker", f"{_JOBS[kind]}/pipelines-*"),)
        starts = (f"sagemaker:Create{kind}Job", f"sagemaker:Describe{kind}Job", "sagemaker:AddTags")
        yield Grant("pipeline", starts, jobs, why="start jobs, tag them and wait for them")
        yield Grant(
            "pipeline",
            (f"sagemaker:Stop{kind}Job",),
            jobs,
            why="stop jobs with the pipeline",
            unused_reason=_NOT_STOPPED,
        )
    yield Grant(
        "pipeline",
        ("iam:PassRole",),
        tuple(place.role(role) for role in JOB_ROLES if role in steps.work),
        {"StringEquals": {"iam:PassedToService": (SERVICE,)}},
        why="let each job run as the role of its class",
    )
    if steps.values:
        yield Grant(
            "pipeline",
            ("s3:GetObject",),
            tuple(place.objects(key) for key in sorted(steps.values)),
            why="read the scalars that choices between jobs ask for",
        )
    if "RegisterModel" in steps.kinds:
        groups = tuple(place.arn("sagemaker", f"model-package-group/{name}") for name in scope.endpoints)
        versions = tuple(place.arn("sagemaker", f"model-package/{name}/*") for name in scope.endpoints)
        actions = ("sagemaker:CreateModelPackage", "sagemaker:DescribeModelPackage")
        yield Grant("pipeline", actions, versions, why="register models")
        yield Grant("pipeline", ("sagemaker:CreateModelPackageGroup",), groups, why="begin a model's versions")
    if steps.functions:
        yield Grant("pipeline", ("lambda:InvokeFunction",), tuple(sorted(steps.functions)), why="call functions")


def _events(scope: Scope) -> Iterator[Grant]:
    yield Grant(
        "events",
        ("sagemaker:StartPipelineExecution",),
        tuple(scope.place.arn("sagemaker", f"pipeline/{name}") for name in scope.pipelines),
        why="start a pipeline when a version is approved, an alarm goes off or its time has come",
    )


def _with_key(role: Role, grants: Iterable[Grant], place: Place) -> Iterator[Grant]:
    """A role's grants, and what its objects and disks take besides where the stack has a key of its own.

    A disk takes a grant by who starts the job and by the job's own role, an output the right to encrypt:
    https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html
    """
    mine = [grant for grant in grants if grant.role == role]
    yield from mine
    if place.kms_key is None:
        return
    actions = {action for grant in mine for action in grant.actions}
    wanted = [("kms:Decrypt", "s3:GetObject"), ("kms:GenerateDataKey", "s3:PutObject")]
    found = tuple(kms for kms, s3 in wanted if s3 in actions)
    via = {"StringEquals": {"kms:ViaService": (f"s3.{place.region}.amazonaws.com",)}}
    if found:
        yield Grant(role, found, (place.kms_key,), via, why="objects are encrypted with the stack's key")
    job = role in JOB_ROLES
    if job or role == "pipeline":
        yield Grant(
            role,
            ("kms:CreateGrant",),
            (place.kms_key,),
            {"Bool": {"kms:GrantIsForAWSResource": ("true",)}},
            why="jobs' disks are encrypted with the stack's key",
        )
    if job and "s3:PutObject" in actions:
        # SageMaker asks the key itself, not by way of S3
        yield Grant(role, ("kms:Encrypt",), (place.kms_key,), why="what jobs make is encrypted with the stack's key")
