"""Times the paired bootstrap of the gate beside the loop that everyone writes with scikit-learn.

Run: ``python benchmarks/bootstrap.py [rows] [resamples]``. Both compare two models on the same rows; the loop is timed
on few resamples and extrapolated, since its cost per resample is constant. Not a test: a shared machine is not a clock.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from seatrial.evaluation.bootstrap import bootstrap
from seatrial.evaluation.metrics import METRICS, Metric

ROWS = 100_000
RESAMPLES = 2_000
LOOP_RESAMPLES = 10
REPEATS = 3
"""The best is reported: what else runs on the machine can only add."""
PREVALENCE = 0.24

SCIKIT_LEARN: dict[Metric, Callable[..., float]] = {
    "roc_auc": roc_auc_score,
    "pr_auc": average_precision_score,
    "log_loss": log_loss,
    "brier": brier_score_loss,
}


def best_of(work: Callable[[], object]) -> float:
    """Seconds of the fastest of ``REPEATS`` runs."""
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main(rows: int = ROWS, resamples: int = RESAMPLES) -> None:
    """Print one line per metric."""
    rng = np.random.default_rng(0)
    outcome = (rng.random(rows) < PREVALENCE).astype(np.int8)
    models = [1 / (1 + np.exp(-(shift * outcome + rng.normal(size=rows)))) for shift in (0.70, 0.65)]
    samples = {"distinct scores": models, "tied scores (3 decimals)": [p.round(3) for p in models]}

    print(
        f"{rows:,} rows x {resamples:,} resamples, 2 models; scikit-learn extrapolated from {LOOP_RESAMPLES} resamples"
    )
    print(f"{'metric':10}{'sample':27}{'1 thread':>10}{'2 threads':>11}{'scikit-learn':>14}{'ratio':>9}")
    for metric in METRICS:
        for name, probabilities in samples.items():

            def ours(threads: int, metric: Metric = metric, p: list[np.ndarray] = probabilities) -> float:
                return best_of(lambda: bootstrap(metric, p, outcome, resamples=resamples, seed=0, threads=threads))

            def loop(metric: Metric = metric, p: list[np.ndarray] = probabilities) -> None:
                for drawn in np.random.default_rng(0).integers(0, rows, size=(LOOP_RESAMPLES, rows)):
                    for probability in p:
                        SCIKIT_LEARN[metric](outcome[drawn], probability[drawn])

            one, two = ours(1), ours(2)
            theirs = best_of(loop) * resamples / LOOP_RESAMPLES
            print(f"{metric:10}{name:27}{one:9.2f}s{two:10.2f}s{theirs:13.1f}s{theirs / min(one, two):8.0f}x")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
