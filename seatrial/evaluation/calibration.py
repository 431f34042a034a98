"""Whether probabilities mean what they say: of rows predicted at 0.3, do 30 % turn out positive?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seatrial.evaluation.sample import Outcome, Probability, checked

CALIBRATION_BINS = 15
"""As in Guo et al. (2017), On calibration of modern neural networks, ICML."""


@dataclass(frozen=True)
class CalibrationBin:
    """Rows of similar probability: how many, what was predicted on average, and the share that turned out positive."""

    n: int
    predicted: float
    observed: float


def calibration_bins(
    probability: Probability, outcome: Outcome, bins: int = CALIBRATION_BINS
) -> tuple[CalibrationBin, ...]:
    """The reliability curve: bins of equal mass, from low to high probability.

    Rows of equal probability share a bin, so the result does not depend on the order of rows; with many ties there are
    fewer than ``bins`` bins, and none is empty.

    Raises:
        EvaluationError: the sample cannot be measured (see ``sample.checked``).
    """
    score, positive = checked(probability, outcome)
    rank = np.searchsorted(np.sort(score), score, side="left")
    index = rank * bins // score.size
    n = np.bincount(index, minlength=bins)
    predicted = np.bincount(index, weights=score, minlength=bins)
    observed = np.bincount(index, weights=positive, minlength=bins)
    return tuple(
        CalibrationBin(int(n[i]), float(predicted[i] / n[i]), float(observed[i] / n[i])) for i in np.flatnonzero(n)
    )


def expected_calibration_error(probability: Probability, outcome: Outcome, bins: int = CALIBRATION_BINS) -> float:
    """Mean over rows of ``|predicted - observed|`` of the row's bin, in [0, 1]; lower is better.

    Bins of equal mass rather than equal width: their estimate is less biased, and an empty region cannot hide. It is
    still biased upwards: a perfectly calibrated model shows up to about ``0.4 * sqrt(bins / n)`` at n rows (0.005 at
    100,000, 0.05 at 1,000; the most where outcomes are as uncertain as a coin), so a limit below that rejects
    everything.

    Source: Naeini, Cooper and Hauskrecht (2015), AAAI, for the error; Nguyen and O'Connor (2015), EMNLP, for equal-mass
    bins; Roelofs et al. (2022), AISTATS, for their bias.
    """
    curve = calibration_bins(probability, outcome, bins)
    total = sum(b.n for b in curve)
    return sum(b.n * abs(b.predicted - b.observed) for b in curve) / total
