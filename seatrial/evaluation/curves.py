"""ROC and precision-recall curves, thinned for pictures: at most ``CURVE_POINTS`` points, both ends kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seatrial.evaluation.sample import BoolArray, FloatArray, IntArray, Outcome, Probability, checked_classes

CURVE_POINTS = 200
"""Enough that a thinned curve cannot be told from the full one on a screen."""


@dataclass(frozen=True)
class Curve:
    """Points of a curve from left to right; ``x`` never falls. Both in [0, 1]."""

    x: tuple[float, ...]
    y: tuple[float, ...]


def roc_curve(probability: Probability, outcome: Outcome) -> Curve:
    """x: share of negatives predicted positive; y: share of positives predicted positive. From (0, 0) to (1, 1)."""
    true, false = _cumulated(*checked_classes(probability, outcome))
    return _thinned(np.append(0, false / false[-1]), np.append(0, true / true[-1]))


def precision_recall_curve(probability: Probability, outcome: Outcome) -> Curve:
    """x: recall; y: precision at that recall. It starts at the highest score's precision; draw it as steps, since
    precision cannot be interpolated (Davis and Goadrich 2006).
    """
    true, false = _cumulated(*checked_classes(probability, outcome))
    precision = true / (true + false)
    return _thinned(np.append(0, true / true[-1]), np.append(precision[0], precision))


def _cumulated(score: FloatArray, positive: BoolArray) -> tuple[IntArray, IntArray]:
    """True and false positives when predicting positive down to each distinct score, from the highest."""
    order = np.argsort(-score, kind="stable")
    last_of_tie = np.append(np.flatnonzero(np.diff(score[order])), score.size - 1)
    true = np.cumsum(positive[order])[last_of_tie]
    return true, last_of_tie + 1 - true


def _thinned(x: FloatArray, y: FloatArray) -> Curve:
    """Keep points evenly spaced along the way that the curve goes."""
    if x.size > CURVE_POINTS:
        way = np.append(0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
        kept = np.unique(np.searchsorted(way, np.linspace(0, way[-1], CURVE_POINTS), side="left"))
        x, y = x[kept], y[kept]
    return Curve(tuple(x.tolist()), tuple(y.tolist()))
