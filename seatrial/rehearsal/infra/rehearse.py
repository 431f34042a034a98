"""Stages a rehearsal of infrastructure: the offline AWS, the provider, a place for the state; gives the report."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seatrial.clouds.aws.session import new_session
from seatrial.errors import SeatrialError
from seatrial.rehearsal.aws import OfflineAws
from seatrial.rehearsal.infra.analyzer import analyzing
from seatrial.rehearsal.infra.offline import region_of, settings_of, stack_on
from seatrial.rehearsal.infra.review import Checks
from seatrial.rehearsal.infra.script import read_script
from seatrial.rehearsal.infra.settings import ProgramSettings
from seatrial.rehearsal.infra.story import InfraStory
from seatrial.rehearsal.story.timeline import Timeline
from seatrial.reports.rehearsal import Operations, RehearsalReport
from seatrial.reports.report import Failure, NextStep

_PROVEN = (
    "the program as it is, run by Pulumi's own SDK in a process of its own, registers resources that can be made",
    "every resource type that it uses is applied to the offline AWS through its public API, and read back from there",
    "an update is what its preview said; again, it does nothing; a changed setting changes what it must, alone",
    "what somebody deletes by hand is noticed and made again; what broke off half-way is finished, nothing twice",
    "everything is deleted before what it needs, and nothing is left",
)
_PROVEN_PROTECTED = "what is protected cannot be destroyed by mistake"
_PROVEN_REVIEWED = (
    "what is registered has the provider's names and types, AWS's enumerations and patterns, and actions that IAM "
    "knows, and breaks none of the policy pack's"
)
_NOT_PROVEN = (
    "Pulumi's own engine and command line: this engine is ours, written to the same protocol",
    "the AWS provider itself: its defaults, its diffs, its order of calls, its waiting and its retries",
    "AWS where the offline AWS is laxer: quotas, names that others have taken, the wording of errors",
    "eventual consistency, and how long anything takes",
    "whether who deploys is allowed to: the offline AWS asks nobody here",
)


def rehearse_infra(program: Path, stack: str, line: Timeline) -> RehearsalReport:
    """Rehearse a stack's life on the offline AWS.

    What goes wrong is the report's ``failure``: a rehearsal that breaks off has found something.

    Args:
        program: the folder with ``Pulumi.yaml`` and ``rehearsal.toml``.
        stack: such as ``dev``.
        line: is told what happens; its clock runs already.

    Raises:
        UsageError: the program's settings or its script are wrong.
        MissingExtra: Pulumi's SDK is not installed.
    """
    started = dt.datetime.now(dt.UTC)
    script = read_script(program)
    settings = settings_of(program, stack)
    failure: Failure | None = None
    with (
        tempfile.TemporaryDirectory(prefix="seatrial-infra-") as state,
        OfflineAws(engine="none") as aws,
        _checks(program, settings) as checks,
    ):
        infra, provider = stack_on(
            aws, settings, program, Path(state), told=lambda step: line.going_on(str(step)), review=checks
        )
        story = InfraStory(infra, provider, aws, script, _s3(aws, region_of(settings)), line)
        protected = False
        try:
            story.tell()
            protected = any("protected" in moment.text for moment in line.moments)
        except SeatrialError as found:
            failure = Failure(line.stage_now, found.what, found.why, found.todo)
        calls = aws.calls()
    reviewed = () if checks is None else (f"{_PROVEN_REVIEWED} {len(checks.policies)} policies",)
    called = f"{program.parent.name}/{program.name}"
    compared = f"after each of {len(story.comparisons)} operations state and cloud agreed in "
    compared += f"{sum(properties for _, properties in story.comparisons):,} comparisons of properties"
    return RehearsalReport(
        model=f"{called} ({stack})",
        cloud="aws",
        started=started,
        seconds=line.seconds,
        isolation="",
        moments=tuple(line.moments),
        operations=Operations(calls["executed"], calls["stored"], calls["unsupported"]),
        proven=() if failure else (*_PROVEN, *((_PROVEN_PROTECTED,) if protected else ()), *reviewed, compared),
        not_proven=(*(("the rest of the story: it broke off",) if failure else ()), *_NOT_PROVEN),
        failure=failure,
        next_steps=() if failure else (NextStep(f"pulumi preview -C {called} -s {stack}", "With Pulumi itself:"),),
    )


@contextmanager
def _checks(program: Path, settings: ProgramSettings) -> Iterator[Checks | None]:
    """The static proof and the policy pack beside the program; ``None``: it has none beside it."""
    pack = program.resolve().parent / "policy"
    if not (pack / "PulumiPolicy.yaml").is_file():
        yield None
        return
    with analyzing(pack, project=settings.project, stack=settings.stack) as analyzer:
        yield Checks(analyzer)


def _s3(aws: OfflineAws, region: str) -> Any:
    return new_session().client("s3", **aws.client_settings(region))
