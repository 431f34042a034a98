# ruff: noqa: S608  (identifiers go through tables.quoted and strings through tables.literal; none is a caller's)
"""Columns that know the answer: declared as unknown at prediction time, or too good to be true.

A column that a delay's cause cannot explain but that separates the classes almost alone is nearly always written after
the fact (``dep_delay`` for a late arrival). Training on it gives splendid scores that production never sees.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from seatrial.data.dataset import Dataset, Ints, Tally
from seatrial.data.findings import Finding
from seatrial.data.tables import quoted

IMPLAUSIBLE_AUC = 0.90
"""One column alone above this is leakage, whatever the others do."""
SUSPECT_AUC = 0.85
STANDS_OUT_BY = 0.15
"""Above ``SUSPECT_AUC`` it is leakage when it also stands out so far above every column that is not suspect: in the
flights, ``dep_delay`` alone gives 0.899 and the best honest column 0.63."""
MIN_CLASS_ROWS = 20
"""With fewer rows of a class, chance alone gives such values."""
_SMOOTHING = 20.0
"""Rows of the mean rate that are added to each category before its target rate is taken."""


def leakage(data: Dataset) -> Iterator[Finding]:
    """Blockers for every feature that is declared unavailable or predicts the label implausibly well."""
    measured = measure(data)
    honest = max((auc for auc, lower in measured.values() if lower < SUSPECT_AUC), default=0.5)
    for name in data.model.columns:
        auc, lower = measured.get(name, (0.5, 0.5))
        implausible = lower > IMPLAUSIBLE_AUC or (lower > SUSPECT_AUC and auc - honest > STANDS_OUT_BY)
        declared = name in data.model.unavailable_at_prediction
        reasons = []
        if declared:
            reasons.append("model.toml lists it under unavailable_at_prediction")
        if implausible:
            reasons.append(f"alone it tells the label with ROC AUC {auc:.3f} (best column beside such: {honest:.3f})")
        if reasons:
            yield Finding(
                "blocker",
                "leakage",
                name,
                f"knows the answer: {'; '.join(reasons)}. What is only known "
                "afterwards cannot be sent, so scores with it will not hold in production; remove it from [columns]",
                data.rows,
                limit=f"ROC AUC {IMPLAUSIBLE_AUC}, or {SUSPECT_AUC} and {STANDS_OUT_BY} above the others",
            )
    yield from _key_order(data)


def measure(data: Dataset) -> dict[str, tuple[float, float]]:
    """Each feature's ROC AUC as the only predictor, at least 0.5, and its lower bound (two standard errors).

    Numbers are taken as they are, in either direction; categories by their target rate on other rows; for both, whether
    the value is missing counts too.
    """
    if not data.comparable:
        return {}
    results = {}
    for name in data.features():
        tally = data.tally(name)
        positives, negatives = _classes(tally.label, tally.rows)
        if min(positives, negatives) >= MIN_CLASS_ROWS:
            numeric = data.model.columns[name].numeric
            results[name] = max(_present(tally) if numeric else _by_rate(tally), _missingness(tally))
    return results


def auc(score: npt.NDArray[np.float64], label: Ints, rows: Ints) -> float:
    """ROC AUC of grouped rows: the chance that a positive row scores above a negative one, ties counting half.

    Args:
        score: shape (k,), finite.
        label: shape (k,), 0 or 1; both occur.
        rows: shape (k,), how many rows each entry stands for.

    Source: Hanley & McNeil (1982), Radiology 143, 29-36.
    """
    _, place = np.unique(score, return_inverse=True)
    positives = np.bincount(place, weights=np.where(label == 1, rows, 0))
    negatives = np.bincount(place, weights=np.where(label == 0, rows, 0))
    below = np.cumsum(negatives) - negatives
    return float((positives * (below + negatives / 2)).sum() / (positives.sum() * negatives.sum()))


def _bounded(value: float, positives: int, negatives: int) -> tuple[float, float]:
    """The AUC in its better direction, and two standard errors below it (Hanley & McNeil 1982, formula 2)."""
    a = max(value, 1 - value)
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    variance = (a * (1 - a) + (positives - 1) * (q1 - a * a) + (negatives - 1) * (q2 - a * a)) / (positives * negatives)
    return a, a - 2 * math.sqrt(max(variance, 0.0))


def _classes(label: Ints, rows: Ints) -> tuple[int, int]:
    positives = int(rows[label == 1].sum())
    return positives, int(rows.sum()) - positives


def _present(tally: Tally) -> tuple[float, float]:
    known = ~tally.missing
    positives, negatives = _classes(tally.label[known], tally.rows[known])
    if min(positives, negatives) < MIN_CLASS_ROWS:
        return 0.5, 0.5
    return _bounded(auc(tally.values[known], tally.label[known], tally.rows[known]), positives, negatives)


def _missingness(tally: Tally) -> tuple[float, float]:
    positives, negatives = _classes(tally.label, tally.rows)
    return _bounded(auc(tally.missing.astype(np.float64), tally.label, tally.rows), positives, negatives)


def _by_rate(tally: Tally) -> tuple[float, float]:
    """By the category's target rate, taken from the other four folds: a category seen once must not predict itself."""
    _, category = np.unique(tally.values.astype(str), return_inverse=True)
    shape = (int(category.max()) + 1, 5)
    rows, positives = np.zeros(shape), np.zeros(shape)
    np.add.at(rows, (category, tally.fold), tally.rows)
    np.add.at(positives, (category, tally.fold), tally.rows * tally.label)
    mean = positives.sum() / rows.sum()
    others, others_positive = rows.sum(1, keepdims=True) - rows, positives.sum(1, keepdims=True) - positives
    rate = (others_positive + _SMOOTHING * mean) / (others + _SMOOTHING)
    score = rate[category, tally.fold]
    return _bounded(auc(score, tally.label, tally.rows), *_classes(tally.label, tally.rows))


def _key_order(data: Dataset) -> Iterator[Finding]:
    """An export that lists one class first: the key tells the label, and a sample by it would be worthless."""
    model = data.model
    if not {*model.key, model.label} <= data.usable:
        return
    label = quoted(model.label)
    found = data.connection.execute(
        f"SELECT {label} AS y FROM dataset WHERE {label} IN (0, 1) ORDER BY {', '.join(map(quoted, model.key))}"
    ).fetchnumpy()["y"]
    y = np.asarray(found, dtype=np.int64)
    positives, negatives = _classes(y, np.ones_like(y))
    if min(positives, negatives) < MIN_CLASS_ROWS:
        return
    value, lower = _bounded(auc(np.arange(len(y), dtype=np.float64), y, np.ones_like(y)), positives, negatives)
    if lower > IMPLAUSIBLE_AUC:
        yield Finding(
            "warning",
            "order",
            model.key[0],
            f"its order tells the label (ROC AUC {value:.3f}): were the rows exported one class after the other?",
            data.rows,
            limit=f"ROC AUC {IMPLAUSIBLE_AUC}",
        )
