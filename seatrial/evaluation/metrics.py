"""What a binary classifier is worth: ranking, probabilities, and decisions at a threshold.

Every function takes ``probability`` and ``outcome`` of the same rows (see ``sample``) and treats equal scores as one
group, so that no result depends on the order of rows. One class only, an empty sample, NaN or a probability outside
[0, 1] raises ``EvaluationError`` naming it. Differences between models, and how sure they are, are in ``comparison``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from seatrial.evaluation.sample import BoolArray, FloatArray, Outcome, Probability, checked, checked_classes

Metric: TypeAlias = Literal["roc_auc", "pr_auc", "log_loss", "brier"]

SIGN: dict[Metric, int] = {"roc_auc": 1, "pr_auc": 1, "log_loss": -1, "brier": -1}
"""+1 where higher is better, -1 where lower is."""

PROBABILITY_FLOOR = float(np.finfo(np.float32).eps)
"""Log loss sees probabilities no nearer to 0 or 1 than this, 1.2e-07: packages answer in float32, which rounds a sure
prediction to exactly 0 or 1, and one such row must not make the mean infinite."""


def roc_auc(probability: Probability, outcome: Outcome) -> float:
    """How often a positive row is scored above a negative one, a tie counting one half.

    Returns: in [0, 1]; 0.5 is guessing. Exact: Mann and Whitney's U over the number of pairs.

    Source: Hanley and McNeil (1982), Radiology 143(1), 29-36.
    """
    score, positive = checked_classes(probability, outcome)
    negatives = np.sort(score[~positive])
    positives = score[positive]
    below = np.searchsorted(negatives, positives, side="left").sum()
    up_to = np.searchsorted(negatives, positives, side="right").sum()
    return float((below + up_to) / (2 * positives.size * negatives.size))


def pr_auc(probability: Probability, outcome: Outcome) -> float:
    """Average precision: the mean over positive rows of the precision at their score.

    Returns: in (0, 1]; guessing gives the share of positive rows. No interpolation between points, which flatters.

    Source: Davis and Goadrich (2006), ICML; the same definition as scikit-learn's ``average_precision_score``.
    """
    score, positive = checked_classes(probability, outcome)
    negatives = np.sort(score[~positive])
    positives = np.sort(score[positive])
    true = positives.size - np.searchsorted(positives, positives, side="left")
    false = negatives.size - np.searchsorted(negatives, positives, side="left")
    return float(np.mean(true / (true + false)))


def row_log_loss(score: FloatArray, positive: BoolArray) -> FloatArray:
    """Log loss of each row, in nats; probabilities are kept ``PROBABILITY_FLOOR`` away from 0 and 1."""
    clipped = np.clip(score, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    return np.asarray(-np.log(np.where(positive, clipped, 1 - clipped)))


def row_brier(score: FloatArray, positive: BoolArray) -> FloatArray:
    """Squared error of each row's probability."""
    return np.asarray(np.square(score - positive))


def log_loss(probability: Probability, outcome: Outcome) -> float:
    """Mean negative log likelihood in nats; lower is better. Defined for one class too.

    Source: Good (1952), Rational decisions, Journal of the Royal Statistical Society B 14(1), 107-114.
    """
    return float(np.mean(row_log_loss(*checked(probability, outcome))))


def brier(probability: Probability, outcome: Outcome) -> float:
    """Mean squared error of the probability, in [0, 1]; lower is better. Defined for one class too.

    Source: Brier (1950), Monthly Weather Review 78(1), 1-3.
    """
    return float(np.mean(row_brier(*checked(probability, outcome))))


METRICS: dict[Metric, Callable[[Probability, Outcome], float]] = {
    "roc_auc": roc_auc,
    "pr_auc": pr_auc,
    "log_loss": log_loss,
    "brier": brier,
}
"""Every metric that a gate may decide on."""


@dataclass(frozen=True)
class Confusion:
    """Decisions at a threshold: a row is predicted positive when its probability is at or above it.

    A ratio is None where it has no value: precision when nothing is predicted positive, recall when nothing is
    positive.
    """

    threshold: float
    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int
    precision: float | None
    recall: float | None
    specificity: float | None
    f1: float | None
    accuracy: float


def confusion(probability: Probability, outcome: Outcome, threshold: float) -> Confusion:
    """Count right and wrong decisions at ``threshold``, and the usual ratios of the counts."""
    score, positive = checked(probability, outcome)
    predicted = score >= threshold
    tp = int((predicted & positive).sum())
    fp = int((predicted & ~positive).sum())
    fn = int((~predicted & positive).sum())
    tn = score.size - tp - fp - fn
    return Confusion(
        threshold=float(threshold),
        true_positive=tp,
        false_positive=fp,
        true_negative=tn,
        false_negative=fn,
        precision=_ratio(tp, tp + fp),
        recall=_ratio(tp, tp + fn),
        specificity=_ratio(tn, tn + fp),
        f1=_ratio(2 * tp, 2 * tp + fp + fn),
        accuracy=(tp + tn) / score.size,
    )


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def best_f1_threshold(probability: Probability, outcome: Outcome) -> float:
    """The score at which predicting positive gives the highest F1; the highest such score when several do.

    Choose on validation rows, never on the holdout: a threshold fitted to the holdout flatters what is read off there.
    """
    score, positive = checked_classes(probability, outcome)
    thresholds = np.unique(score)
    positives = np.sort(score[positive])
    predicted = score.size - np.searchsorted(np.sort(score), thresholds, side="left")
    true = positives.size - np.searchsorted(positives, thresholds, side="left")
    f1 = 2 * true / (predicted + positives.size)
    return float(thresholds[np.flatnonzero(f1 == f1.max())[-1]])
