"""Callers' rows: every problem named, nothing right refused."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.package import check
from seatrial.package.check import Problem, check_rows
from seatrial.package.signature import LARGEST_INT, Signature
from tests.unit.package.example import model

SIGNATURE = Signature.of(model())
GOOD: dict[str, Any] = {"month": 1, "carrier": "UA", "wind_gust": 3.5, "origin": "JFK", "seats": 100}


def one(**changes: Any) -> list[str]:
    return [str(p) for p in check_rows(SIGNATURE, [{**GOOD, **changes}])]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"month": 1.0},
        {"month": -LARGEST_INT},
        {"wind_gust": 7},
        {"wind_gust": None},
        {"wind_gust": 1e38},
        {"origin": None},
        {"origin": ""},
        {"carrier": "日本 🛫"},
        {"carrier": "a\0b"},
        {"wind_gust": 1048.36},
    ],
)
def test_a_good_row_passes(changes: dict[str, Any]) -> None:
    """1048.36 mph is outside the declared range: that is monitoring's to notice, not a reason to refuse service."""
    assert one(**changes) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"month": True}, "is a boolean, not a number"),
        ({"month": "1"}, "is text, not a number"),
        ({"month": [1]}, "is a list, not a number"),
        ({"month": 1.5}, "is 1.5, not a whole number"),
        ({"month": None}, "may not be null or empty"),
        ({"month": LARGEST_INT + 1}, "beyond ±16,777,216"),
        ({"month": 10**400}, "beyond ±16,777,216"),
        ({"month": float("nan")}, "NaN or infinite"),
        ({"wind_gust": float("inf")}, "NaN or infinite"),
        ({"wind_gust": 1e39}, "beyond ±3.4e"),
        ({"wind_gust": 10**400}, "beyond ±3.4e"),
        ({"wind_gust": ""}, "is text, not a number"),
        ({"carrier": 3}, "is a number, not text"),
        ({"carrier": {"a": 1}}, "is an object, not text"),
        ({"carrier": None}, "may not be null or empty"),
        ({"carrier": ""}, "may not be null or empty"),
        ({"carrier": "\ud800"}, "not valid Unicode"),
    ],
)
@pytest.mark.parametrize("rows", [1, 50])
def test_a_bad_value_is_named(changes: dict[str, Any], message: str, rows: int) -> None:
    """One row and many take different ways through the check; both must see it."""
    column = next(iter(changes))
    found = check_rows(SIGNATURE, [GOOD] * (rows - 1) + [{**GOOD, **changes}])
    assert [(p.row, p.column) for p in found] == [(rows - 1, column)]
    assert message in found[0].message


def test_every_problem_is_named_at_once() -> None:
    found = check_rows(SIGNATURE, [{"month": "1", "carier": "UA", "seats": 1.5}, 3, GOOD])
    assert [str(p) for p in found] == [
        "row 0, column 'month': is text, not a number",
        "row 0, column 'carrier': is missing",
        "row 0, column 'wind_gust': is missing (send null when the value is not known)",
        "row 0, column 'origin': is missing (send null when the value is not known)",
        "row 0, column 'seats': is 1.5, not a whole number",
        "row 0, column 'carier': is not a column of this model; did you mean 'carrier'?",
        "row 1: is a number, not an object with the columns",
    ]


def test_many_problems_are_capped_and_counted() -> None:
    found = check_rows(SIGNATURE, [{**GOOD, "month": None}] * 2500, limit=10)
    assert len(found) == 11
    assert found[-1] == Problem(None, None, "and 2,490 more problems")


def test_no_rows_have_no_problems() -> None:
    assert check_rows(SIGNATURE, []) == []


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(-5, 5),
    st.floats(),
    st.floats(-5, 5, width=32),
    st.sampled_from(["", "UA", "\ud800", "é"]),
    st.just([]),
)


@settings(max_examples=300)
@given(
    st.dictionaries(st.sampled_from([*GOOD, "other"]), VALUES, max_size=3),
    st.sets(st.sampled_from(list(GOOD)), max_size=1),
)
def test_the_fast_way_agrees_with_the_careful_one(changes: dict[str, Any], dropped: set[str]) -> None:
    """The fast way may only say "look closer"; it must never pass what the careful one refuses, nor the reverse."""
    row = {k: v for k, v in {**GOOD, **changes}.items() if k not in dropped}
    many = [GOOD] * check._VECTORISE_FROM + [row]
    careful = check_rows(SIGNATURE, [row])
    assert [(p.column, p.message) for p in check_rows(SIGNATURE, many)] == [(p.column, p.message) for p in careful]
    assert check._surely_fine(SIGNATURE, many) == (not careful)


@settings(max_examples=200)
@given(st.fixed_dictionaries(dict.fromkeys(GOOD, VALUES)))
def test_what_passes_can_be_packed_without_loss(row: dict[str, Any]) -> None:
    """A row that passes must never crash the server later, nor turn into infinity."""
    if not check_rows(SIGNATURE, [row]):
        packed = SIGNATURE.pack([row])
        assert not np.isinf(packed.numeric).any()
        assert SIGNATURE.unpack(packed)[0]["month"] == row["month"]


def test_a_hostile_body_of_unknown_columns_costs_no_more_hints_than_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []
    real = difflib.get_close_matches

    def counting(word: str, possibilities: Iterable[str], n: int = 3) -> list[str]:
        compared.append(word)
        return real(word, list(possibilities), n)

    monkeypatch.setattr(difflib, "get_close_matches", counting)
    row = {**GOOD, **{f"carrier{i}": 1 for i in range(36_000)}}
    problems = check_rows(SIGNATURE, [row, row])
    assert len(compared) == check.MAX_PROBLEMS
    assert str(problems[0]) == "row 0, column 'carrier0': is not a column of this model; did you mean 'carrier'?"
    assert problems[-1].message == "and 71,900 more problems"
