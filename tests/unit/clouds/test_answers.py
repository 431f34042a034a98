"""A server's refusal is told to a person, also when a service cut it short."""

from __future__ import annotations

import json

import pytest

from seatrial.clouds.answers import refusal_text

PROBLEMS = [{"row": i, "column": "month", "message": 'is "missing"'} for i in range(30)]
REFUSAL = json.dumps(
    {"error": {"code": "invalid_request", "message": "30 problems", "problems": PROBLEMS}}, separators=(",", ":")
).encode()


def test_the_first_problems_are_told() -> None:
    told = refusal_text(REFUSAL).splitlines()
    assert told[:2] == ["30 problems", '  0 month is "missing"']
    assert (len(told), told[-1]) == (10, "  … and 22 more")


@pytest.mark.parametrize("length", range(60, len(REFUSAL), 37))
def test_what_is_left_of_a_refusal_that_was_cut_is_told(length: int) -> None:
    """SageMaker hands on the first 1024 characters or so."""
    told = refusal_text(REFUSAL[:length]).splitlines()
    assert told[0] == "30 problems"
    assert told[-1] == "  …"
    assert all(line == f'  {i} month is "missing"' for i, line in enumerate(told[1:-1]))


@pytest.mark.parametrize("text", ["Internal Server Error", "", "{", '{"error": []}', "[1]"])
def test_another_servers_text_is_told_as_it_is(text: str) -> None:
    assert refusal_text(text.encode()) == text
