"""Everything that a report shows of one model on one sample, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seatrial.evaluation.calibration import CalibrationBin, calibration_bins, expected_calibration_error
from seatrial.evaluation.curves import Curve, precision_recall_curve, roc_curve
from seatrial.evaluation.metrics import Confusion, brier, confusion, log_loss, pr_auc, roc_auc
from seatrial.evaluation.sample import Outcome, Probability


@dataclass(frozen=True)
class Performance:
    """One model on one sample. What the sample cannot tell is None or empty: ranking needs both classes, anything a
    row."""

    n: int
    positives: int
    roc_auc: float | None
    pr_auc: float | None
    log_loss: float | None
    brier: float | None
    calibration_error: float | None
    confusion: Confusion | None
    roc: Curve | None
    precision_recall: Curve | None
    calibration: tuple[CalibrationBin, ...]


def measure(probability: Probability, outcome: Outcome, threshold: float) -> Performance:
    """Measure a model, with decisions at ``threshold``; a sample that is empty or of one class gives what it can.

    Raises:
        EvaluationError: a probability is NaN or outside [0, 1], an outcome is neither 0 nor 1, or the lengths differ.
    """
    n = int(np.size(outcome))
    positives = int(np.count_nonzero(outcome))
    ranks = 0 < positives < n
    return Performance(
        n=n,
        positives=positives,
        roc_auc=roc_auc(probability, outcome) if ranks else None,
        pr_auc=pr_auc(probability, outcome) if ranks else None,
        log_loss=log_loss(probability, outcome) if n else None,
        brier=brier(probability, outcome) if n else None,
        calibration_error=expected_calibration_error(probability, outcome) if n else None,
        confusion=confusion(probability, outcome, threshold) if n else None,
        roc=roc_curve(probability, outcome) if ranks else None,
        precision_recall=precision_recall_curve(probability, outcome) if ranks else None,
        calibration=calibration_bins(probability, outcome) if n else (),
    )
