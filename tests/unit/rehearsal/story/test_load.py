"""Live traffic counts what a caller would see: right by version, failed, wrong, lost."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from seatrial.errors import EndpointError
from seatrial.rehearsal.story.load import Ask, Expected, Load, Refused
from seatrial.reports.rehearsal import Phase

ROWS = [{"x": 1.0}, {"x": 2.0}]


def answer(digest: str, factor: float) -> Ask:
    """A model that multiplies."""

    def ask(body: bytes) -> bytes:
        (row,) = json.loads(body)["instances"]
        return json.dumps({"predictions": [row["x"] * factor], "model": {"digest": digest}}).encode()

    return ask


def refuse(_: bytes) -> bytes:
    raise Refused


def hang_up(_: bytes) -> bytes:
    raise ConnectionResetError("the peer went away")


def counted(make: Callable[[], Ask], requests: int = 40) -> tuple[Phase, str]:
    with Load(make, ROWS, callers=4) as load:
        load.expect("one", Expected("v1", [10.0, 20.0], 1e-6))
        load.begin("only")
        load.reach("only", requests)
    return load.of("only"), load.first_problem()


def test_right_answers_count_for_the_version_that_gave_them() -> None:
    phase, problem = counted(lambda: answer("one", 10.0))
    assert phase.requests >= 40
    assert phase.by_version == {"v1": phase.requests}
    assert (phase.errors, phase.wrong, phase.lost, problem) == (0, 0, 0, "")
    assert phase.p50_ms is not None
    assert phase.p99_ms is not None


@pytest.mark.parametrize(
    "make",
    [
        lambda: answer("one", 10.1),  # not what its package predicts
        lambda: answer("two", 10.0),  # a package that nobody announced
        lambda: lambda _: b"<html>",
        lambda: lambda _: b'{"predictions": [], "model": {"digest": "one"}}',
        lambda: lambda _: b'{"predictions": ["ten"], "model": {"digest": "one"}}',
        lambda: lambda _: b"[]",
        lambda: lambda _: b'{"predictions": [NaN], "model": {"digest": "one"}}',
    ],
)
def test_any_other_answer_is_wrong(make: Callable[[], Ask]) -> None:
    phase, problem = counted(make)
    assert phase.wrong == phase.requests
    assert "was answered" in problem


def test_a_failed_answer_is_no_lost_request_and_no_answer_is() -> None:
    refused, _ = counted(lambda: refuse)
    assert (refused.errors, refused.lost) == (refused.requests, 0)
    lost, problem = counted(lambda: hang_up)
    assert (lost.errors, lost.lost) == (0, lost.requests)
    assert problem == "ConnectionResetError: the peer went away"


def test_requests_count_for_the_phase_in_which_they_were_sent() -> None:
    with Load(lambda: answer("one", 10.0), ROWS, callers=2) as load:
        load.expect("one", Expected("v1", [10.0, 20.0], 1e-6))
        load.begin("first")
        load.reach("first", 10)
        load.begin("second")
        before = load.of("first").requests
        load.reach("second", 30)
        assert load.of("second").requests >= 30
    assert [phase.name for phase in load.phases()] == ["first", "second"]
    assert before <= load.of("first").requests <= before + 2  # what was under way


def test_too_few_answers_in_time_are_an_error() -> None:
    with Load(lambda: answer("one", 10.0), ROWS, callers=1, pause_s=30.0) as load:
        load.begin("slow")
        with pytest.raises(EndpointError, match="of 1000 requests"):
            load.reach("slow", 1000, limit_s=0.2)
