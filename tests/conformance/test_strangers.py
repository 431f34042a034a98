"""The comparison with moto's tests notices what it is there for."""

from __future__ import annotations

import pytest

from tests.conformance import strangers_moto
from tests.conformance.strangers_moto import PASSED, SKIPPED, Difference, read_differences, unexplained

_LISTED = Difference("stricter", "Could not assume role", frozenset({"t::role"}))
_PLAIN = {"t::same": PASSED, "t::role": PASSED, "t::skipped": SKIPPED}
_OURS = {"t::same": PASSED, "t::role": "ClientError: Could not assume role x", "t::skipped": SKIPPED}


def test_a_listed_difference_is_none_to_complain_of() -> None:
    assert unexplained(_PLAIN, _OURS, [_LISTED]) == []


@pytest.mark.parametrize(
    ("ours", "listed", "complaint"),
    [
        ({"t::same": "AssertionError"}, [_LISTED], "t::same: AssertionError"),
        ({"t::role": "AssertionError"}, [_LISTED], "but it shows: AssertionError"),
        ({"t::role": PASSED}, [_LISTED], "there is none"),
        ({}, [], "t::role: ClientError"),
        ({}, [_LISTED, Difference("twice", ".", frozenset({"t::role"}))], "listed 2 times"),
        ({}, [_LISTED, Difference("gone", ".", frozenset({"t::gone"}))], "moto has no such test"),
    ],
)
def test_anything_else_is(ours: dict[str, str], listed: list[Difference], complaint: str) -> None:
    complaints = unexplained(_PLAIN, _OURS | ours, listed)
    assert len(complaints) == 1
    assert complaint in complaints[0]


def test_a_difference_of_timing_may_stay_away_but_not_change() -> None:
    timing = Difference("timing", "Could not assume role", frozenset({"t::role"}), sometimes=True)
    assert unexplained(_PLAIN, _OURS | {"t::role": PASSED}, [timing]) == []
    assert len(unexplained(_PLAIN, _OURS | {"t::role": "AssertionError"}, [timing])) == 1


def test_a_test_that_did_not_run_is_no_pass() -> None:
    ours = {key: value for key, value in _OURS.items() if key != "t::same"}
    assert unexplained(_PLAIN, ours, [_LISTED]) == ["t::same: not run"]


def test_every_difference_has_a_reason_and_is_listed_once() -> None:
    differences = read_differences(strangers_moto.HERE / "strangers_moto_differences.toml")
    listed = [test for each in differences for test in each.tests]
    assert listed
    assert len(listed) == len(set(listed))
    assert all(each.reason and each.shows and each.tests for each in differences)
