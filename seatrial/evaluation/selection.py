"""Which candidate becomes the challenger: chosen on validation rows, before the holdout is looked at.

The best of several on one sample is partly the luckiest. Among those that the sample cannot tell from the best, the
author's order in ``candidates.py`` decides: the first one within one standard error of the best. Source: Breiman,
Friedman, Olshen and Stone (1984), Classification and Regression Trees, section 3.4.3 (the one-standard-error rule);
the standard error here is that of the paired difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from seatrial.evaluation.comparison import compare_all
from seatrial.evaluation.metrics import METRICS, SIGN, Metric
from seatrial.evaluation.sample import Outcome, Probability

RESAMPLES = 300
"""Enough for a standard error that is right to about 4 %."""


@dataclass(frozen=True)
class Selection:
    """The challenger, and who was best by value alone."""

    chosen: str
    best: str
    """Equal to ``chosen`` unless the difference between them is within one standard error."""


def select(probabilities: Mapping[str, Probability], outcome: Outcome, *, metric: Metric, seed: int = 0) -> Selection:
    """Choose among candidates by the one-standard-error rule.

    Args:
        probabilities: by candidate, in order of preference; shape (n,) each, on the validation rows.
        outcome: shape (n,), 0 or 1. With one class only, nothing can be told and the first candidate is chosen.
        metric: what they are compared by.
        seed: of the bootstrap.
    """
    names = list(probabilities)
    positives = int(np.count_nonzero(outcome))
    if len(names) == 1 or not 0 < positives < np.size(outcome):
        return Selection(names[0], names[0])
    values = {name: SIGN[metric] * METRICS[metric](p, outcome) for name, p in probabilities.items()}
    best = max(names, key=lambda name: values[name])
    others = {name: p for name, p in probabilities.items() if name != best}
    behind = compare_all(
        probabilities[best], others, outcome, metric=metric, confidence=0.95, resamples=RESAMPLES, seed=seed
    )
    for name in names:
        if name == best or behind[name].value <= behind[name].standard_error:
            return Selection(name, best)
    return Selection(best, best)
