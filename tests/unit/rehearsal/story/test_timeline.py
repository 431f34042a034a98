"""The timeline keeps what happened in order, tells it at once, and turns an error into its stage's last moment."""

from __future__ import annotations

import pytest

from seatrial.errors import EndpointError, RehearsalError
from seatrial.rehearsal.story.timeline import Timeline
from seatrial.reports.rehearsal import Moment


def test_moments_are_told_as_they_happen_with_their_stage_and_evidence() -> None:
    told: list[Moment] = []
    line = Timeline(told=told.append)
    with line.stage("train"):
        line.tell("a model", "two lines\nof evidence", "")
        assert [moment.text for moment in told] == ["a model"]
    with line.stage("release"):
        line.check(True, "it serves", "v1", otherwise="it does not")
    assert told == line.moments
    assert [(m.stage, m.text, m.evidence, m.holds) for m in told] == [
        ("train", "a model", ("two lines", "of evidence"), True),
        ("release", "it serves", ("v1",), True),
    ]
    assert 0 <= told[0].at <= told[1].at <= line.seconds


def test_what_does_not_hold_ends_the_stage_and_says_why() -> None:
    line = Timeline()
    with pytest.raises(RehearsalError) as refused, line.stage("canary"):
        line.check(False, "all is well", "3 lost", "", "2 wrong", otherwise="requests were lost")
    assert (refused.value.what, refused.value.why) == ("requests were lost", "3 lost; 2 wrong")
    (moment,) = line.moments
    assert (moment.stage, moment.text, moment.evidence, moment.holds) == (
        "canary",
        "requests were lost",
        ("3 lost; 2 wrong",),
        False,
    )
    assert line.stage_now == "canary"


def test_a_reason_and_an_answer_of_its_own_take_the_place_of_the_usual_ones() -> None:
    with pytest.raises(RehearsalError) as refused:
        Timeline().check(False, "", "evidence", otherwise="no", why="no guardrail", todo="set one")
    assert (refused.value.why, refused.value.todo) == ("no guardrail", "set one")


def test_an_error_of_the_machinery_is_told_too_and_goes_on() -> None:
    line = Timeline()
    with pytest.raises(EndpointError), line.stage("release"):
        line.tell("approved")
        raise EndpointError("no answer", why="It hangs.", todo="Look.")
    assert [(m.text, m.holds) for m in line.moments] == [("approved", True), ("no answer", False)]


def test_what_goes_on_is_said_and_not_kept() -> None:
    said: list[str] = []
    line = Timeline(doing=said.append)
    with line.stage("train"):
        line.going_on("job 1 running")
    assert said == ["train", "train: job 1 running"]
    assert line.moments == []
