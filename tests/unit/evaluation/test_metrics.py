"""A metric that is slightly wrong decides wrongly in silence: each is held against scikit-learn, ties included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from seatrial.errors import EvaluationError
from seatrial.evaluation.metrics import (
    METRICS,
    PROBABILITY_FLOOR,
    Confusion,
    best_f1_threshold,
    brier,
    confusion,
    log_loss,
    pr_auc,
    roc_auc,
)
from seatrial.evaluation.sample import Outcome, Probability

LEVELS = 7
"""Few distinct scores: almost every row is tied."""


@st.composite
def samples(draw: st.DrawFn) -> tuple[Probability, Outcome]:
    """Both classes, scores on a coarse grid that includes exactly 0 and exactly 1."""
    rows = draw(st.lists(st.tuples(st.integers(0, LEVELS), st.integers(0, 1)), min_size=0, max_size=40))
    rows += [(draw(st.integers(0, LEVELS)), 0), (draw(st.integers(0, LEVELS)), 1)]
    level, outcome = np.array(draw(st.permutations(rows))).T
    return level / LEVELS, outcome


def sklearn_log_loss(outcome: Outcome, probability: Probability) -> float:
    return float(sk.log_loss(outcome, probability.clip(PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR), labels=[0, 1]))


@settings(max_examples=150)
@given(samples())
def test_metrics_equal_scikit_learn_with_ties(sample: tuple[Probability, Outcome]) -> None:
    """Trees give few distinct scores; a tie counted as a win is a better model on paper only."""
    probability, outcome = sample
    assert roc_auc(probability, outcome) == pytest.approx(sk.roc_auc_score(outcome, probability), abs=1e-12)
    assert pr_auc(probability, outcome) == pytest.approx(sk.average_precision_score(outcome, probability), abs=1e-12)
    assert log_loss(probability, outcome) == pytest.approx(sklearn_log_loss(outcome, probability), rel=1e-9)
    assert brier(probability, outcome) == pytest.approx(sk.brier_score_loss(outcome, probability), abs=1e-12)


@settings(max_examples=100)
@given(samples(), st.integers(0, LEVELS))
def test_confusion_equals_scikit_learn(sample: tuple[Probability, Outcome], level: int) -> None:
    probability, outcome = sample
    found = confusion(probability, outcome, level / LEVELS)
    predicted = probability >= level / LEVELS
    (tn, fp), (fn, tp) = sk.confusion_matrix(outcome, predicted, labels=[0, 1])
    assert (found.true_negative, found.false_positive, found.false_negative, found.true_positive) == (tn, fp, fn, tp)
    assert found.accuracy == pytest.approx(sk.accuracy_score(outcome, predicted))
    assert found.recall == pytest.approx(sk.recall_score(outcome, predicted))
    assert found.specificity == pytest.approx(sk.recall_score(1 - outcome, ~predicted))
    if predicted.any():
        assert found.precision == pytest.approx(sk.precision_score(outcome, predicted))
        assert found.f1 == pytest.approx(sk.f1_score(outcome, predicted))


def test_a_ratio_without_a_value_is_none_rather_than_zero() -> None:
    """A precision of 0 says that every alarm was false; without alarms nothing is known."""
    found = confusion(np.array([0.1, 0.2]), np.array([0, 0]), threshold=0.5)
    assert found == Confusion(0.5, 0, 0, 2, 0, precision=None, recall=None, specificity=1.0, f1=None, accuracy=1.0)


@settings(max_examples=100)
@given(samples())
def test_no_threshold_has_a_higher_f1_than_the_chosen_one(sample: tuple[Probability, Outcome]) -> None:
    probability, outcome = sample
    f1 = {t: confusion(probability, outcome, t).f1 or 0.0 for t in np.unique(probability)}
    chosen = best_f1_threshold(probability, outcome)
    assert f1[chosen] == pytest.approx(max(f1.values()))
    assert all(f1[t] < f1[chosen] or t <= chosen for t in f1)


@settings(max_examples=50)
@given(samples(), st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(sample: tuple[Probability, Outcome], random: Any) -> None:
    """Parquet promises no order: a metric that depended on it would change between identical runs."""
    probability, outcome = sample
    order = list(range(outcome.size))
    random.shuffle(order)
    assert roc_auc(probability[order], outcome[order]) == roc_auc(probability, outcome)
    assert pr_auc(probability[order], outcome[order]) == pytest.approx(pr_auc(probability, outcome), rel=1e-12)


def test_a_sure_and_wrong_float32_prediction_keeps_log_loss_finite() -> None:
    """Packages answer in float32, where 1 - 1e-9 is 1: one such row must not make the mean infinite."""
    assert log_loss(np.array([1.0], dtype=np.float32), np.array([0])) == pytest.approx(-np.log(PROBABILITY_FLOOR))


@pytest.mark.parametrize("metric", [roc_auc, pr_auc, log_loss, brier])
@pytest.mark.parametrize(
    ("probability", "outcome", "problem"),
    [
        ([], [], "the sample is empty"),
        ([0.1, np.nan, 0.3], [0, 1, 0], "NaN in 1 of 3 rows"),
        ([0.1, 1.5, -0.1], [0, 1, 0], r"outside \[0, 1\] in 2 of 3 rows"),
        ([0.1, 0.2], [0, 2], "neither 0 nor 1 in 1 of 2 rows"),
        ([0.1, 0.2], [0.0, np.nan], "neither 0 nor 1 in 1 of 2 rows"),
        ([0.1, 0.2, 0.3], [0, 1], r"shape \(3,\), outcome has \(2,\)"),
        ([[0.1], [0.2]], [0, 1], "expected float of shape"),
    ],
)
def test_what_cannot_be_measured_is_named(
    metric: Callable[[Probability, Outcome], float], probability: list[Any], outcome: list[Any], problem: str
) -> None:
    with pytest.raises(EvaluationError, match=problem):
        metric(np.array(probability, dtype=np.float64), np.array(outcome))


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(EvaluationError) as caught:
        brier(np.array([np.nan, 2.0, 0.5]), np.array([0, 3]))
    assert all(p in caught.value.what for p in ("NaN in 1", "outside [0, 1] in 1", "neither 0 nor 1", "shape (3,)"))


@pytest.mark.parametrize("metric", [roc_auc, pr_auc, best_f1_threshold])
@pytest.mark.parametrize("label", [0, 1])
def test_one_class_cannot_be_ranked(metric: Callable[[Probability, Outcome], float], label: int) -> None:
    """scikit-learn answers NaN or 0 with a warning here, which a gate would compare as a number."""
    with pytest.raises(EvaluationError, match="all 2 rows are " + ("positive" if label else "negative")):
        metric(np.array([0.1, 0.2]), np.array([label, label]))


def test_every_metric_of_the_policy_exists() -> None:
    """``gate.metric`` in model.toml is a closed list; each must be computable."""
    from seatrial.project import Gate

    for metric in METRICS:
        assert Gate(metric=metric).metric == metric
