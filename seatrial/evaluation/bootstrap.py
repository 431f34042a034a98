"""The paired bootstrap: a metric of several models, again and again on rows drawn with replacement.

Exact where it can be. Each resample is Efron's: n rows drawn uniformly with replacement, as counts per row
(multinomial), and every model is scored on the same counts. ROC AUC and average precision are those of the resampled
rows, ties included, not an approximation by bins or pairs; a test compares them with scikit-learn on repeated rows.

Fast because rows are sorted once, not once per resample: a resample then costs one cumulative sum and one look-up per
model. Work goes through in blocks of about ``BLOCK_ROWS`` drawn rows, which fit a core's cache, so memory is bounded
whatever the number of resamples. Each block has its own random stream, derived from the seed and the block's number:
the result depends on neither the number of threads nor their timing.

Source: Efron (1979), Bootstrap methods: another look at the jackknife, Annals of Statistics 7(1), 1-26.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

import numpy as np

from seatrial.evaluation.metrics import Metric, row_brier, row_log_loss
from seatrial.evaluation.sample import BoolArray, FloatArray, IntArray, Outcome, Probability, checked, checked_classes

BLOCK_ROWS = 1 << 16
"""Drawn rows per block: 512 KiB of counts, so that a block's arrays stay in a core's second-level cache."""

Statistic: TypeAlias = Callable[[IntArray], FloatArray]
"""Counts per row, shape (b, n), to the metric of each resample, shape (b,)."""

Seed: TypeAlias = int | Sequence[int]


def bootstrap(
    metric: Metric,
    probabilities: Sequence[Probability],
    outcome: Outcome,
    *,
    resamples: int,
    seed: Seed,
    threads: int | None = None,
) -> FloatArray:
    """The metric of each model on each resample of the rows.

    Args:
        metric: what to compute.
        probabilities: k arrays of shape (n,), one per model, all on the rows of ``outcome``.
        outcome: shape (n,), 0 or 1.
        resamples: how many times rows are drawn.
        seed: equal seeds give equal results on any number of threads.
        threads: at most so many run at once; by default one per core that this process may use.

    Returns: shape (k, resamples), in the metric's own unit and direction. NaN where a resample drew one class only and
        the metric ranks: possible only when one class has very few rows.

    Raises:
        EvaluationError: the sample cannot be measured (see ``sample.checked``).
    """
    ranks = metric in ("roc_auc", "pr_auc")
    samples = [(checked_classes if ranks else checked)(p, outcome) for p in probabilities]
    positive = samples[0][1]
    n = positive.size
    by_class = np.argsort(positive, kind="stable")  # negatives, then positives
    positive = positive[by_class]

    per_block = max(1, BLOCK_ROWS // n)
    blocks = range(0, resamples, per_block)
    workers = min(len(blocks), threads or len(os.sched_getaffinity(0)))
    result = np.empty((len(samples), resamples))

    def work(worker: int) -> None:
        statistics = [_STATISTICS[metric](score[by_class], positive, per_block) for score, _ in samples]
        for block in range(worker, len(blocks), workers):
            start = blocks[block]
            size = min(per_block, resamples - start)
            counts = _draw(np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(block,))), size, n)
            for row, statistic in zip(result, statistics, strict=True):
                row[start : start + size] = statistic(counts)

    if workers == 1:
        work(0)
    else:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(work, range(workers)))  # list: raises what a worker raised
    return result


def _draw(rng: np.random.Generator, size: int, n: int) -> IntArray:
    """How often each of n rows is drawn when n are drawn with replacement: shape (size, n), each row sums to n."""
    drawn = rng.integers(0, n, size=(size, n))
    drawn += n * np.arange(size)[:, None]
    return np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n)


def _roc_auc(score: FloatArray, positive: BoolArray, size: int) -> Statistic:
    """Mann and Whitney's U over the number of pairs, with a tie worth one half.

    The smaller class is sorted and cumulated, the larger one looks up how much of it lies below: the table that is
    read at random is then small. In integers, hence exact.
    """
    negatives = int((~positive).sum())
    rows = [slice(0, negatives), slice(negatives, None)]
    few_is_positive = negatives * 2 > positive.size
    many, few = rows if few_is_positive else rows[::-1]
    order = np.argsort(score[few], kind="stable")
    ranked = score[few][order]
    below = np.searchsorted(ranked, score[many], side="left")
    up_to = np.searchsorted(ranked, score[many], side="right")
    tied = not np.array_equal(below, up_to)
    drawn = np.empty((size, ranked.size), dtype=np.int64)
    cumulated = np.zeros((size, ranked.size + 1), dtype=np.int64)
    beaten = np.empty((size, below.size), dtype=np.int64)

    def statistic(counts: IntArray) -> FloatArray:
        b = len(counts)
        counts[:, few].take(order, axis=1, out=drawn[:b], mode="clip")
        np.cumsum(drawn[:b], axis=1, out=cumulated[:b, 1:])
        few_drawn = cumulated[:b, -1]
        cumulated[:b].take(below, axis=1, out=beaten[:b], mode="clip")
        won = np.einsum("ij,ij->i", counts[:, many], beaten[:b])
        if tied:
            cumulated[:b].take(up_to, axis=1, out=beaten[:b], mode="clip")
            won += np.einsum("ij,ij->i", counts[:, many], beaten[:b])
        pairs = few_drawn * (positive.size - few_drawn) * (2 if tied else 1)
        with np.errstate(invalid="ignore"):  # 0 / 0: one class was not drawn
            return np.asarray((pairs - won if few_is_positive else won) / pairs, dtype=np.float64)

    return statistic


def _pr_auc(score: FloatArray, positive: BoolArray, size: int) -> Statistic:
    """Average precision: the mean over positive rows of the precision at their score, ties in one group."""
    negatives = int((~positive).sum())
    from_top = np.argsort(-score[negatives:], kind="stable")
    positives = -score[negatives:][from_top]  # ascending, as searchsorted wants
    negatives_from_top = np.argsort(-score[:negatives], kind="stable")
    last_tied = np.searchsorted(positives, positives, side="right") - 1
    negatives_above = np.searchsorted(-score[:negatives][negatives_from_top], positives, side="right")
    drawn, true, at_tie, false_at = (np.empty((size, positives.size), dtype=np.int64) for _ in range(4))
    precision = np.empty((size, positives.size))
    negatives_drawn = np.empty((size, negatives), dtype=np.int64)
    false = np.zeros((size, negatives + 1), dtype=np.int64)

    def statistic(counts: IntArray) -> FloatArray:
        b = len(counts)
        counts[:, negatives:].take(from_top, axis=1, out=drawn[:b], mode="clip")
        np.cumsum(drawn[:b], axis=1, out=true[:b])
        true[:b].take(last_tied, axis=1, out=at_tie[:b], mode="clip")
        counts[:, :negatives].take(negatives_from_top, axis=1, out=negatives_drawn[:b], mode="clip")
        np.cumsum(negatives_drawn[:b], axis=1, out=false[:b, 1:])
        predicted = false[:b].take(negatives_above, axis=1, out=false_at[:b], mode="clip")
        predicted += at_tie[:b]
        np.maximum(predicted, 1, out=predicted)  # 0 only where nothing was drawn, which then weighs nothing
        np.divide(at_tie[:b], predicted, out=precision[:b])
        with np.errstate(invalid="ignore"):  # 0 / 0: no positive row was drawn
            return np.asarray(np.einsum("ij,ij->i", drawn[:b], precision[:b]) / true[:b, -1], dtype=np.float64)

    return statistic


def _mean(loss: FloatArray) -> Statistic:
    def statistic(counts: IntArray) -> FloatArray:
        return np.asarray(np.einsum("ij,j->i", counts, loss) / loss.size, dtype=np.float64)

    return statistic


_STATISTICS: dict[Metric, Callable[[FloatArray, BoolArray, int], Statistic]] = {
    "roc_auc": _roc_auc,
    "pr_auc": _pr_auc,
    "log_loss": lambda score, positive, _: _mean(row_log_loss(score, positive)),
    "brier": lambda score, positive, _: _mean(row_brier(score, positive)),
}
