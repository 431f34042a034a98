"""Curves are for eyes: thin enough to embed, and not to be told from the full ones."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from seatrial.evaluation.curves import CURVE_POINTS, Curve, precision_recall_curve, roc_curve
from seatrial.evaluation.metrics import roc_auc
from seatrial.evaluation.performance import measure
from tests.unit.evaluation.samples import binormal


def area(curve: Curve) -> float:
    return float(np.trapezoid(curve.y, curve.x))


def test_a_small_roc_curve_is_complete() -> None:
    p, y = np.array([0.1, 0.4, 0.4, 0.8, 0.9]), np.array([0, 0, 1, 1, 0])
    false, true, _ = sk.roc_curve(y, p, drop_intermediate=False)
    assert roc_curve(p, y) == Curve(tuple(false), tuple(true))


def test_a_small_precision_recall_curve_is_complete() -> None:
    p, y = np.array([0.1, 0.4, 0.4, 0.8, 0.9]), np.array([0, 0, 1, 1, 0])
    precision, recall, _ = sk.precision_recall_curve(y, p)
    curve = precision_recall_curve(p, y)
    assert curve.x[1:] == pytest.approx(recall[::-1][1:])
    assert curve.y[1:] == pytest.approx(precision[::-1][1:])


def test_a_thinned_curve_keeps_its_ends_its_direction_and_its_area() -> None:
    y, (p,) = binormal(50_000, [0.75], rng=np.random.default_rng(0))
    roc, pr = roc_curve(p, y), precision_recall_curve(p, y)
    for curve in (roc, pr):
        assert len(curve.x) <= CURVE_POINTS
        assert np.all(np.diff(curve.x) >= 0)
        assert curve.x[0] == 0
        assert curve.x[-1] == 1
    assert (roc.y[0], roc.y[-1]) == (0, 1)
    assert area(roc) == pytest.approx(roc_auc(p, y), abs=1e-4)
    assert pr.y[-1] == pytest.approx(y.mean())


@pytest.mark.parametrize("outcome", [[], [0, 0], [1, 1]])
def test_a_sample_that_cannot_be_ranked_still_gives_what_it_can(outcome: list[int]) -> None:
    """The gate must answer ``not_enough_data`` to an empty or one-class holdout, not fail on a curve."""
    found = measure(np.linspace(0.2, 0.8, len(outcome)), np.array(outcome), threshold=0.5)
    assert (found.roc_auc, found.pr_auc, found.roc, found.precision_recall) == (None, None, None, None)
    assert (found.brier is not None) == bool(outcome)
    assert (found.n, found.positives) == (len(outcome), sum(outcome))
