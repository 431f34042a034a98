"""How much better one model is than another on the same rows, and how sure that is.

Rows are resampled, never models: the interval says what other holdouts of this size would have shown, and because both
models see the same rows, what is hard for both cancels. It does not cover that a model trained again would differ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from seatrial.evaluation.bootstrap import Seed, bootstrap
from seatrial.evaluation.metrics import METRICS, SIGN, Metric
from seatrial.evaluation.sample import FloatArray, Outcome, Probability

DECIMALS = 3
"""Shown of a difference; more when its interval is narrow, so that it never reads [0.000, 0.000]."""

MOST_DECIMALS = 9


@dataclass(frozen=True)
class Difference:
    """Challenger minus reference, turned so that positive means that the challenger is better, also for losses.

    ``value`` is measured on the sample; ``low`` and ``high`` are the two-sided percentile interval of ``resamples``
    paired bootstrap resamples at ``confidence``; ``standard_error`` is their standard deviation; ``p_worse`` is the
    share in which the challenger came out behind, an exact tie counting one half. All in the metric's own unit.
    """

    metric: Metric
    value: float
    low: float
    high: float
    confidence: float
    standard_error: float
    p_worse: float
    resamples: int
    n: int

    @property
    def interval(self) -> str:
        """``[0.038, 0.046]``, with as many decimals as its width needs."""
        decimals = _decimals(self)
        return f"[{self.low:.{decimals}f}, {self.high:.{decimals}f}]"

    def over(self, reference: str) -> str:
        """``+0.042 roc_auc over baseline [0.038, 0.046]``; a loss: ``log_loss better by +0.010 than …``."""
        value = f"{self.value:+.{_decimals(self)}f}"
        if SIGN[self.metric] > 0:
            return f"{value} {self.metric} over {reference} {self.interval}"
        return f"{self.metric} better by {value} than {reference} {self.interval}"


def _decimals(difference: Difference) -> int:
    half_width = (difference.high - difference.low) / 2
    if half_width <= 0:
        return DECIMALS
    return min(MOST_DECIMALS, max(DECIMALS, -math.floor(math.log10(half_width))))


def compare(
    challenger: Probability,
    reference: Probability,
    outcome: Outcome,
    *,
    metric: Metric,
    confidence: float,
    resamples: int,
    seed: Seed,
    threads: int | None = None,
) -> Difference:
    """Compare two models by a paired bootstrap; see ``compare_all``."""
    differences = compare_all(
        challenger,
        {"reference": reference},
        outcome,
        metric=metric,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
        threads=threads,
    )
    return differences["reference"]


def compare_all(
    challenger: Probability,
    references: Mapping[str, Probability],
    outcome: Outcome,
    *,
    metric: Metric,
    confidence: float,
    resamples: int,
    seed: Seed,
    threads: int | None = None,
) -> dict[str, Difference]:
    """Compare one model with several on the same resamples, which costs less than one comparison after another.

    Args:
        challenger: shape (n,), probabilities.
        references: by name, the same rows scored by other models.
        outcome: shape (n,), 0 or 1.
        metric: what to compare.
        confidence: two-sided, of the intervals.
        resamples: of the bootstrap.
        seed: equal seeds give equal results on any number of threads.
        threads: see ``bootstrap``.

    Raises:
        EvaluationError: the sample cannot be measured (see ``sample.checked``).

    Source: Efron and Tibshirani (1993), An introduction to the bootstrap, chapters 10 and 13.
    """
    scored = [challenger, *references.values()]
    values = [METRICS[metric](probability, outcome) for probability in scored]
    draws = bootstrap(metric, scored, outcome, resamples=resamples, seed=seed, threads=threads)
    draws = draws[:, ~np.isnan(draws).any(axis=0)]
    return {
        name: _difference(metric, values[0] - values[i], draws[0] - draws[i], confidence, int(np.size(outcome)))
        for i, name in enumerate(references, start=1)
    }


def _difference(metric: Metric, value: float, draws: FloatArray, confidence: float, n: int) -> Difference:
    better = SIGN[metric] * draws
    tail = (1 - confidence) / 2
    low, high = np.quantile(better, [tail, 1 - tail])
    return Difference(
        metric=metric,
        value=SIGN[metric] * value,
        low=float(low),
        high=float(high),
        confidence=confidence,
        standard_error=float(np.std(better, ddof=1)),
        p_worse=float(np.mean(better < 0) + np.mean(better == 0) / 2),
        resamples=better.size,
        n=n,
    )
