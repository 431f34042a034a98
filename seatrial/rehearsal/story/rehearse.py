"""Stages a rehearsal: the offline AWS, two builds of the image, this process as its client; gives the report."""

from __future__ import annotations

import datetime as dt
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seatrial.document.model import Document
from seatrial.errors import ProjectError, SeatrialError
from seatrial.project import Model, Project
from seatrial.rehearsal.aws import OfflineAws
from seatrial.rehearsal.infra.offline import program_of, region_of, settings_of, stack_on
from seatrial.rehearsal.infra.settings import ProgramSettings
from seatrial.rehearsal.infra.values import plain
from seatrial.rehearsal.story.aws import AwsStory
from seatrial.rehearsal.story.builds import ACCOUNT, IMAGE, Place, built, choose
from seatrial.rehearsal.story.engineer import Engineer
from seatrial.rehearsal.story.stack import Stack
from seatrial.rehearsal.story.timeline import Timeline
from seatrial.reports.rehearsal import Operations, RehearsalReport
from seatrial.reports.report import Failure, NextStep

SPEED = 600.0
"""Ten minutes of the service's waiting become one second. What programs do takes as long as it takes."""
_PROVEN = (
    "the project's infrastructure, from its own program: up, in use, and destroyed with nothing left",
    "the compiled pipelines, as SageMaker would be sent them, run to the gate's verdict and to a released version",
    "data, packages and decisions pass between jobs through S3 and /opt/ml alone",
    "a version that waits for approval is released by the approval's event",
    "traffic moves step by step, an alarm on real answers moves it back, and no request is lost",
    "each job, server and pipeline ran under its own role, held to the permissions that are derived for it",
    "the registry's champion and what the endpoint serves agree after each step",
)
_PROVEN_OF_THE_IMAGE = "the image itself: every job and server was a container of it, and answered to its words"
_NOT_PROVEN_OF_THE_IMAGE = "the image: jobs and servers ran this machine's Python on the project's folder"
_NOT_PROVEN = (
    "IAM beyond the roles' own and trust policies and the topics': policies of buckets, keys and organisations",
    "start-up times, quotas, instance capacity, VPC and KMS settings: accepted, without effect",
    "eventual consistency, and the exact wording of AWS's errors",
    "Pulumi's own engine and the AWS provider: the program ran against an engine of ours",
)


@dataclass(frozen=True)
class Stage:
    """How a rehearsal is played."""

    speed: float = SPEED
    port: int = 0
    stack: str = "dev"
    """Whose settings the infrastructure has."""
    engine: str = "auto"
    """``podman`` or ``docker`` insists, ``none`` takes namespaces, ``auto`` takes an engine that has the image."""
    image: str = IMAGE
    """The image's name, for the engine."""
    clear: bool = True
    """Remove everything at the end, and look whether anything is left."""


def begins_with(model: Model) -> None:
    """Make sure that a model says what its first version is.

    Raises:
        ProjectError: it does not.
    """
    if not model.rehearsal.first:
        raise ProjectError(
            f"model '{model.name}' does not say what a rehearsal begins with",
            why="The first version has to be one that the whole training pipeline then beats.",
            todo=f"Set it in {model.folder / 'model.toml'}, for example: "
            '[rehearsal] first = { train_until = "2024-03-31" }.',
        )


def rehearse(
    opened: Project,
    model: Model,
    pipelines: Mapping[str, Document],
    stage: Stage,
    line: Timeline,
    afterwards: Callable[[RehearsalReport, Mapping[str, str]], None] = lambda *_: None,
) -> RehearsalReport:
    """Rehearse a model's life on the offline AWS.

    What goes wrong is the report's ``failure``: a rehearsal that breaks off has found something.

    Args:
        opened: the project.
        model: which model.
        pipelines: the project's ``train`` and ``release``, compiled.
        stage: how it is played.
        line: is told what happens; its clock runs already.
        afterwards: is told what came of it and what a client needs in its environment. So long the offline AWS stays.

    Raises:
        UsageError: the image is of other sources than the project.
        ResourceError: the engine does not answer or has no such image, or this machine can isolate no jobs.
    """
    started = dt.datetime.now(dt.UTC)
    program = program_of(opened.root)
    settings = settings_of(program, stage.stack)
    place = choose(opened, stage.engine, stage.image)
    with line.stage("infra"):
        line.tell(f"jobs and servers run in {place.name}", place.why)
    failure: Failure | None = None
    with (
        built(opened, place, _repository(settings)) as (builds, images),
        tempfile.TemporaryDirectory(prefix="seatrial-rehearsal-") as state,
        OfflineAws(images, port=stage.port, speed=stage.speed, engine=place.engine or "none", every_role=True) as aws,
        _environment(aws, region_of(settings)),
    ):
        infra, provider = stack_on(
            aws,
            settings,
            program,
            Path(state),
            config={"image": builds.sound, "endpoint": _endpoint(settings)},
            told=lambda step: line.going_on(str(step)),
        )
        stack = Stack(infra, provider, aws, region_of(settings))
        engineer = Engineer(opened, model, pipelines, aws, stack.region, line, Path(state))
        story = AwsStory(opened, model, aws, stack, builds, engineer, line)
        try:
            story.tell(clear=stage.clear)
        except SeatrialError as found:
            failure = Failure(line.stage_now, found.what, found.why, found.todo)
        report = _report(model, started, place, line, story, aws.calls(), failure)
        afterwards(report, engineer.environment)
    return report


def _report(
    model: Model,
    started: dt.datetime,
    place: Place,
    line: Timeline,
    story: AwsStory,
    calls: Mapping[str, Mapping[str, int]],
    failure: Failure | None,
) -> RehearsalReport:
    after = NextStep(f"seatrial launch {model.name} --cloud aws", "The same against the real service:")
    return RehearsalReport(
        model=model.name,
        cloud="aws",
        started=started,
        seconds=line.seconds,
        isolation=place.name,
        moments=tuple(line.moments),
        phases=story.load.phases() if story.load else (),
        operations=Operations(calls["executed"], calls["stored"], calls["unsupported"]),
        proven=() if failure else (*_PROVEN, *((_PROVEN_OF_THE_IMAGE,) if place.engine else ())),
        not_proven=(
            *(("the rest of the story: it broke off",) if failure else ()),
            *(() if place.engine else (_NOT_PROVEN_OF_THE_IMAGE,)),
            *_NOT_PROVEN,
        ),
        failure=failure,
        next_steps=() if failure else (after,),
    )


def _endpoint(settings: ProgramSettings) -> dict[str, Any]:
    """The stack's endpoint, on two machines at least: of one there is no part that a canary could be."""
    given = plain(settings.config.get(f"{settings.project}:endpoint")) or {}
    return {**given, "instances": max(2, int(given.get("instances", 1)))}


def _repository(settings: ProgramSettings) -> str:
    """Where the stack's program puts the project's image."""
    prefix = plain(settings.config.get(f"{settings.project}:prefix"))
    return f"{ACCOUNT}.dkr.ecr.{region_of(settings)}.amazonaws.com/{prefix}"


@contextmanager
def _environment(aws: OfflineAws, region: str) -> Iterator[None]:
    """This process as a client of the offline AWS and of nothing else; as it was, afterwards."""
    before = dict(os.environ)
    for name in [name for name in before if name.startswith(("AWS_", "SEATRIAL_STACK"))]:
        del os.environ[name]
    os.environ.update(aws.environment(region))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
