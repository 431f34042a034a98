"""A probability of 0.3 that means 0.5 sends the wrong bill: the calibration error must see it, and only it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from seatrial.errors import EvaluationError
from seatrial.evaluation.calibration import calibration_bins, expected_calibration_error
from tests.unit.evaluation.samples import binormal


def test_bins_without_ties_equal_scikit_learns_quantile_bins() -> None:
    outcome, (p,) = binormal(3_000, [0.75], rng=np.random.default_rng(0))
    observed, predicted = calibration_curve(outcome, p, n_bins=15, strategy="quantile")
    bins = calibration_bins(p, outcome)
    assert [b.predicted for b in bins] == pytest.approx(predicted)
    assert [b.observed for b in bins] == pytest.approx(observed)


def test_the_error_is_the_weighted_mean_gap_of_the_bins() -> None:
    """By hand: two bins, rows predicted 0.2 of which half are positive, rows predicted 0.8 of which all are."""
    p, y = np.array([0.2, 0.2, 0.8, 0.8]), np.array([0, 1, 1, 1])
    assert expected_calibration_error(p, y, bins=2) == pytest.approx((0.3 + 0.2) / 2)


def test_a_calibrated_model_is_near_zero_and_an_overconfident_one_is_not() -> None:
    outcome, (p,) = binormal(50_000, [0.75], rng=np.random.default_rng(1))
    overconfident = p**2 / (p**2 + (1 - p) ** 2)
    assert expected_calibration_error(p, outcome) < 0.01
    assert expected_calibration_error(overconfident, outcome) > 0.05


def test_tied_rows_share_a_bin_whatever_their_order() -> None:
    """Splitting a tie between bins by position would make the error depend on how the file was sorted."""
    p, y = np.repeat([0.1, 0.5, 0.9], 10), np.tile([0, 0, 0, 1, 1], 6)
    shuffled = np.random.default_rng(2).permutation(p.size)
    assert calibration_bins(p, y) == calibration_bins(p[shuffled], y[shuffled])
    assert len(calibration_bins(p, y)) == 3
    assert len(calibration_bins(np.full(100, 0.3), np.tile([0, 1], 50))) == 1


def test_every_row_is_in_one_bin() -> None:
    p = np.random.default_rng(3).random(101)
    assert sum(b.n for b in calibration_bins(p, np.zeros(101, dtype=int))) == 101


def test_an_empty_sample_has_no_calibration() -> None:
    with pytest.raises(EvaluationError, match="empty"):
        expected_calibration_error(np.array([]), np.array([]))
