"""Positive must mean better, an interval must cover what it says, and equal models must differ by exactly nothing."""

from __future__ import annotations

import numpy as np
import pytest

from seatrial.evaluation.comparison import Difference, compare, compare_all
from seatrial.evaluation.metrics import METRICS, SIGN, Metric
from tests.unit.evaluation.samples import binormal

ALL: list[Metric] = list(METRICS)


@pytest.mark.parametrize("metric", ALL)
def test_positive_means_that_the_challenger_is_better(metric: Metric) -> None:
    """Losses fall when a model improves: an unturned sign would promote the worse model."""
    outcome, (better, worse) = binormal(4_000, [0.85, 0.65], rng=np.random.default_rng(0))
    up = compare(better, worse, outcome, metric=metric, confidence=0.95, resamples=300, seed=0)
    down = compare(worse, better, outcome, metric=metric, confidence=0.95, resamples=300, seed=0)
    assert 0 < up.low < up.value < up.high
    assert up.p_worse == 0
    assert (down.value, down.p_worse) == (-up.value, 1)
    assert down.low == pytest.approx(-up.high)
    assert up.value == SIGN[metric] * (METRICS[metric](better, outcome) - METRICS[metric](worse, outcome))


@pytest.mark.parametrize("metric", ALL)
def test_identical_predictions_differ_by_exactly_zero(metric: Metric) -> None:
    """Rounding noise of 1e-17 with a positive lower bound would promote a model over itself."""
    outcome, (p,) = binormal(3_001, [0.7], rng=np.random.default_rng(1))
    same = compare(p, p.copy(), outcome, metric=metric, confidence=0.95, resamples=300, seed=0)
    assert (same.value, same.low, same.high, same.standard_error, same.p_worse) == (0, 0, 0, 0, 0.5)


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss"])
def test_the_interval_covers_the_true_difference_as_often_as_it_says(metric: Metric) -> None:
    """300 samples at 90 %: outside 84-95 % has a probability below 0.001 if the interval is right."""
    truth = 0.05 if metric == "roc_auc" else None
    if truth is None:
        outcome, (a, b) = binormal(1_000_000, [0.75, 0.7], rng=np.random.default_rng(99))
        truth = METRICS[metric](b, outcome) - METRICS[metric](a, outcome)
    covered = 0
    for seed in range(300):
        outcome, (a, b) = binormal(400, [0.75, 0.7], rng=np.random.default_rng(seed))
        found = compare(a, b, outcome, metric=metric, confidence=0.9, resamples=200, seed=seed, threads=1)
        covered += found.low <= truth <= found.high
    assert 0.84 <= covered / 300 <= 0.95


def test_comparing_with_several_gives_what_comparing_with_each_gives() -> None:
    """Shared resamples are a saving, not another statistic."""
    outcome, (a, b, c) = binormal(500, [0.75, 0.7, 0.65], rng=np.random.default_rng(2))
    together = compare_all(a, {"b": b, "c": c}, outcome, metric="roc_auc", confidence=0.95, resamples=200, seed=7)
    alone = compare(a, c, outcome, metric="roc_auc", confidence=0.95, resamples=200, seed=7)
    assert together["c"] == alone


def test_resamples_of_one_class_are_left_out_and_counted() -> None:
    outcome = np.array([1] + [0] * 9)
    p = np.linspace(0.9, 0.1, 10)
    found = compare(p, p[::-1], outcome, metric="roc_auc", confidence=0.95, resamples=1_000, seed=0)
    assert 550 < found.resamples < 750
    assert found.value == 1


@pytest.mark.parametrize(
    ("metric", "value", "low", "high", "text"),
    [
        ("roc_auc", 0.0421, 0.0381, 0.0459, "+0.042 roc_auc over baseline [0.038, 0.046]"),
        ("roc_auc", 0.12, 0.05, 0.2, "+0.120 roc_auc over baseline [0.050, 0.200]"),
        ("roc_auc", 0.00012, 0.00004, 0.0002, "+0.00012 roc_auc over baseline [0.00004, 0.00020]"),
        ("roc_auc", 0.0, 0.0, 0.0, "+0.000 roc_auc over baseline [0.000, 0.000]"),
        ("brier", 0.12, 0.05, 0.2, "brier better by +0.120 than baseline [0.050, 0.200]"),
    ],
)
def test_a_difference_reads_as_a_sentence(metric: Metric, value: float, low: float, high: float, text: str) -> None:
    """Three decimals, and more where the interval is too narrow for them."""
    assert Difference(metric, value, low, high, 0.95, 0.01, 0.1, 2000, 1000).over("baseline") == text
