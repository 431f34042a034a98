"""The rehearsal of infrastructure on the offline AWS: what holds is told, and each seeded mistake ends it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pulumi_aws", reason="the extra 'infra' is not installed")

from seatrial.errors import ProjectError
from seatrial.rehearsal.infra import offline, rehearse
from seatrial.rehearsal.infra.provider.aws import AwsProvider
from seatrial.rehearsal.infra.provider.base import Props
from seatrial.rehearsal.infra.state import Resource
from seatrial.rehearsal.infra.story import InfraStory
from seatrial.rehearsal.story.timeline import Timeline
from seatrial.reports.rehearsal import RehearsalReport
from seatrial.reports.render import render_rehearsal
from tests.rehearsal.infra.conftest import PROGRAMS

LOG, VERSIONS = "aws:cloudwatch/logGroup:LogGroup", "aws:s3/bucketVersioning:BucketVersioning"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PROGRAMS / "small", tmp_path / "small"))


def rehearsed(program: Path, stack: str = "dev") -> RehearsalReport:
    return rehearse.rehearse_infra(program, stack, Timeline())


def test_a_stack_s_life(program: Path) -> None:
    report = rehearsed(program)
    assert report.failure is None, report.failure
    told = [f"{moment.stage}: {moment.text}" for moment in report.moments]
    assert [text for text in told if "state = cloud" not in text] == [
        "preview: 4 to create, nothing touched",
        "up: 4 created, as previewed",
        "again: nothing changed: 4 are as they were",
        "change: changed setting: update LogGroup log (retentionInDays), and nothing else",
        "refresh: somebody deleted the bucket small-things, and it shows: 2 differences",
        "refresh: refresh noticed: 2 gone, the bucket and what belongs to it",
        "refresh: the next up made them again: 2 created",
        *(text for text in told if text.startswith("failure: an update broke off half-way: ")),
        *(text for text in told if text.startswith("failure: the next up did the rest, nothing twice: ")),
        "destroy: 8 deleted, each before what it needs",
        "destroy: 0 left, in the cloud and in the state",
    ]
    assert sum("state = cloud" in text for text in told) == 7
    assert not report.operations.unsupported
    page = render_rehearsal(report)
    assert "small" in page
    assert "live requests" not in page


def test_a_protected_stack_is_unprotected_on_purpose(program: Path) -> None:
    report = rehearsed(program, "prod")
    assert report.failure is None, report.failure
    told = [moment.text for moment in report.moments if moment.stage == "destroy"]
    assert told[0] == "destroy refused: 1 protected, nothing was deleted"
    assert told[2] == "unprotected on purpose: 1"
    assert rehearse._PROVEN_PROTECTED in report.proven


def test_a_kept_bucket_is_emptied_by_hand(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = InfraStory._refused

    def filled(self: InfraStory, protected: tuple[Resource, ...]) -> None:
        for body in (b"one", b"two"):
            self._s3.put_object(Bucket="small-things", Key="thing", Body=body)
        refused(self, protected)

    monkeypatch.setattr(InfraStory, "_refused", filled)
    report = rehearsed(program, "prod")
    assert report.failure is None, report.failure
    told = {moment.text: moment.evidence for moment in report.moments if moment.stage == "destroy"}
    assert told["emptied by hand: 1"] == ("things held 2 objects",)
    assert "0 left, in the cloud and in the state" in told


class Forgetful(AwsProvider):
    """Drops the tags of what it makes."""

    def create(self, type: str, inputs: Props) -> tuple[str, Props]:
        id, outputs = super().create(type, {k: v for k, v in inputs.items() if k != "tags"})
        return id, outputs | {k: v for k, v in inputs.items() if k == "tags"}


class Idle(AwsProvider):
    """Says that it changed a log group."""

    def update(self, type: str, id: str, outputs: Props, inputs: Props) -> Props:
        return outputs | inputs if type == LOG else super().update(type, id, outputs, inputs)


class Restless(AwsProvider):
    """Reads the retention in another unit."""

    def check(self, type: str, name: str, inputs: Props, olds: Props | None) -> tuple[Props, list[str]]:
        found, problems = super().check(type, name, inputs, olds)
        return (found | {"retentionInDays": 14 if olds else 7} if type == LOG else found), problems


class Littering(AwsProvider):
    """Deletes no log group."""

    def delete(self, type: str, id: str, outputs: Props) -> None:
        if type != LOG:
            super().delete(type, id, outputs)


class Eager(AwsProvider):
    """Makes something while it checks."""

    def check(self, type: str, name: str, inputs: Props, olds: Props | None) -> tuple[Props, list[str]]:
        if type == LOG and olds is None:
            self._session.call("logs", "CreateLogGroup", logGroupName="/early")
        return super().check(type, name, inputs, olds)


@pytest.mark.parametrize(
    ("provider", "stage", "what", "why"),
    [
        (
            Forgetful,
            "up",
            "state and cloud differ in 1 places",
            'things tags: the state says {"of": "small"}, the cloud nothing',
        ),
        (Restless, "again", "a second update, of the same program, is not without effect", "retentionInDays: 7 → 14"),
        (Idle, "change", "state and cloud differ in 1 places", "retentionInDays: the state says 14, the cloud 7"),
        (Littering, "destroy", "left behind: aws:cloudwatch/logGroup:LogGroup /small/log", ""),
        (Eager, "preview", "a preview changed the cloud or the state", ""),
    ],
)
def test_a_provider_s_defect_ends_the_rehearsal(
    program: Path, monkeypatch: pytest.MonkeyPatch, provider: type[AwsProvider], stage: str, what: str, why: str
) -> None:
    monkeypatch.setattr(offline, "AwsProvider", provider)
    failure = rehearsed(program).failure
    assert failure is not None
    assert (failure.task, failure.what.startswith(what)) == (stage, True), failure
    assert why in failure.why


def _in(file: str, *changes: tuple[str, str]) -> Callable[[Path], None]:
    def change(program: Path) -> None:
        text = (program / file).read_text()
        for one, other in changes:
            assert one in text
            text = text.replace(one, other)
        (program / file).write_text(text)

    return change


_MISTAKES: list[tuple[Callable[[Path], None], str, str]] = [
    (_in("rehearsal.toml", ("log = [", "versions = [")), "change", "the changed setting did this: update LogGroup log"),
    (_in("rehearsal.toml", ("readers = 2", "days = 30")), "failure", "the update was to fail half-way, and succeeded"),
    (_in("rehearsal.toml", ('"things"', '"log"')), "refresh", "the program has no bucket 'log'"),
    (
        _in("__main__.py", ("    bucket=bucket.bucket,", '    bucket="small-things",')),
        "up", "versions (aws:s3/bucketVersioning:BucketVersioning) could not be created",
    ),
    (_in("__main__.py", ("retention_in_days=", "retention_in_day=")), "preview", "preview failed: the program failed"),
    (
        _in(
            "__main__.py",
            ("aws.cloudwatch.LogGroup", "aws.sqs.Queue"),
            (', retention_in_days=config.require_int("days")', ""),
        ),
        "preview", "preview failed: log: 'aws:sqs/queue:Queue' is not rehearsed",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("mistake", "stage", "what"), _MISTAKES)
def test_a_program_s_mistake_ends_the_rehearsal(
    program: Path, mistake: Callable[[Path], None], stage: str, what: str
) -> None:
    mistake(program)
    failure = rehearsed(program).failure
    assert failure is not None
    assert (failure.task, what in failure.what) == (stage, True), failure


def test_a_script_is_checked_whole(program: Path) -> None:
    (program / "rehearsal.toml").write_text("deletd = 'x'\n[failure]\nsettings = {}\nfault = { kind = 'rain' }\n")
    with pytest.raises(ProjectError) as wrong:
        rehearsed(program)
    told: Any = str(wrong.value)
    for problem in ("deletd", "deleted", "change", "failure.settings", "fault"):
        assert problem in told
