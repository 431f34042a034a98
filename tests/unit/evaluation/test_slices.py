"""A better average must not hide a worse part, and twenty parts must not raise an alarm among them by chance."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from seatrial.evaluation.comparison import Difference
from seatrial.evaluation.slices import (
    MIN_SLICE_CLASS_ROWS,
    MISSING,
    MOST_TOO_SMALL,
    SliceResult,
    compare_slices,
    holm,
    p_worse_than_margin,
)
from tests.unit.evaluation.samples import Floats, Labels, binormal


def compared(
    outcome: Labels, challenger: Floats, reference: Floats, columns: dict[str, npt.NDArray[Any]], **changes: Any
) -> tuple[SliceResult, ...]:
    settings: dict[str, Any] = {"metric": "roc_auc", "margin": 0.01, "confidence": 0.95, "resamples": 300, "seed": 0}
    return compare_slices(challenger, reference, outcome, columns, **{**settings, "min_rows": 200, **changes})


def test_a_slice_that_loses_is_found_although_the_average_wins() -> None:
    """The reason for slices: better by 0.05 for nine tenths, useless for one carrier."""
    rng = np.random.default_rng(0)
    outcome, (challenger, reference) = binormal(20_000, [0.75, 0.7], rng=rng)
    carrier = rng.choice(["AA", "B6", "UA"], p=[0.5, 0.4, 0.1], size=outcome.size)
    hit = carrier == "UA"
    challenger[hit] = rng.permutation(challenger[hit])
    results = {r.value: r for r in compared(outcome, challenger, reference, {"carrier": carrier})}
    assert {value: r.status for value, r in results.items()} == {"AA": "holds", "B6": "holds", "UA": "worse"}
    lost = results["UA"]
    assert lost.challenger is not None
    assert lost.reference is not None
    assert lost.difference is not None
    assert lost.p_adjusted is not None
    assert lost.challenger == pytest.approx(0.5, abs=0.05)
    assert lost.reference == pytest.approx(0.7, abs=0.05)
    assert lost.difference.value == lost.challenger - lost.reference
    assert lost.p_adjusted < 1e-6


def test_losing_less_than_the_margin_holds() -> None:
    """Negative control of the margin: the same loss fails a smaller one."""
    outcome, (challenger, reference) = binormal(40_000, [0.7, 0.72], rng=np.random.default_rng(1))
    everyone = {"all": np.full(outcome.size, "x")}
    assert compared(outcome, challenger, reference, everyone, margin=0.05)[0].status == "holds"
    assert compared(outcome, challenger, reference, everyone, margin=0.0)[0].status == "worse"


def test_what_is_too_small_is_listed_with_its_rows() -> None:
    """By rows, by the rarer class, and by having one class only; never left out."""
    rng = np.random.default_rng(2)
    outcome, (challenger, reference) = binormal(1_000, [0.7, 0.7], rng=rng)
    origin = np.full(1_000, "EWR", dtype="<U9")
    positives, negatives = np.flatnonzero(outcome == 1), np.flatnonzero(outcome == 0)
    origin[positives[: MIN_SLICE_CLASS_ROWS - 1]] = "rare"
    origin[negatives[:250]] = "rare"
    origin[negatives[250:500]] = "one class"
    origin[positives[100:120]] = "few rows"
    origin[negatives[500:530]] = "few rows"
    results = {r.value: r for r in compared(outcome, challenger, reference, {"origin": origin})}
    assert {v: r.status for v, r in results.items()} == {
        "EWR": "holds",
        "few rows": "too_small",
        "one class": "too_small",
        "rare": "too_small",
    }
    assert (results["one class"].n, results["one class"].positives) == (250, 0)
    assert sum(r.n for r in results.values()) == 1_000
    assert results["rare"].difference is None


def test_a_column_of_many_values_is_folded_and_still_adds_up() -> None:
    """A tail number as a slice must not make a report of 4,000 lines, nor a report that omits them."""
    outcome, (challenger, reference) = binormal(4_000, [0.7, 0.7], rng=np.random.default_rng(3))
    tail = np.array([f"N{i // 4}" for i in range(4_000)])
    results = compared(outcome, challenger, reference, {"tail": tail})
    assert len(results) == MOST_TOO_SMALL + 1
    assert results[-1].value == "(950 other values)"
    assert sum(r.n for r in results) == 4_000
    assert sum(r.positives for r in results) == outcome.sum()


def test_values_are_in_the_order_in_which_a_person_reads_them() -> None:
    outcome, (p, q) = binormal(60, [0.7, 0.7], rng=np.random.default_rng(4))
    month = np.tile(["10", "2", "", "x"], 15)
    values = [r.value for r in compared(outcome, p, q, {"month": month})]
    assert values == ["2", "10", MISSING, "x"]


def test_a_slice_does_not_depend_on_which_others_are_tested() -> None:
    """Adding a slice column to model.toml must not move the intervals of the others."""
    rng = np.random.default_rng(5)
    outcome, (p, q) = binormal(2_000, [0.72, 0.7], rng=rng)
    carrier, origin = rng.choice(["AA", "UA"], size=2_000), rng.choice(["EWR", "JFK"], size=2_000)
    alone = compared(outcome, p, q, {"carrier": carrier})
    beside = compared(outcome, p, q, {"origin": origin, "carrier": carrier})[2:]
    assert [r.difference for r in alone] == [r.difference for r in beside]
    assert [r.p_value for r in alone] == [r.p_value for r in beside]


def test_no_rows_and_no_columns_give_no_slices() -> None:
    empty = np.array([])
    assert compared(empty.astype(np.int8), empty, empty, {"carrier": empty.astype(str)}) == ()
    assert compared(*binormal_pair(), {}) == ()


def binormal_pair() -> tuple[Labels, Floats, Floats]:
    outcome, (p, q) = binormal(100, [0.7, 0.7], rng=np.random.default_rng(6))
    return outcome, p, q


def test_holm_gives_the_published_adjustment() -> None:
    """By hand from Holm's definition: times 4, 3, 2, 1, and never falling; capped at 1."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_p_value_is_that_of_a_one_sided_t_test() -> None:
    """Quantiles of Student's t from a printed table: 1.711 at 24 degrees of freedom, 1.645 at very many."""

    def lost(value: float, error: float) -> Difference:
        return Difference("roc_auc", value, 0, 0, 0.95, error, 0.5, 2000, 1000)

    assert p_worse_than_margin(lost(-0.01, 0.005), margin=0.01, rarer_rows=25) == pytest.approx(0.5)
    for quantile, rarer_rows in ((1.711, 25), (1.645, 1_000_000)):
        difference = lost(-0.01 - quantile * 0.005, 0.005)
        assert p_worse_than_margin(difference, margin=0.01, rarer_rows=rarer_rows) == pytest.approx(0.05, abs=1e-4)
    assert p_worse_than_margin(lost(0.0, 0.0), margin=0.0, rarer_rows=25) == 1.0
    assert p_worse_than_margin(lost(-0.1, 0.0), margin=0.0, rarer_rows=25) == 0.0
