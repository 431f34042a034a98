"""Whether validation and holdout look like training: values never seen, and distributions that moved."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from seatrial.data.dataset import PARTS, Dataset, Tally
from seatrial.data.findings import Finding

BINS = 10
MIN_PSI = 0.25
"""What is called a major shift (Siddiqi 2006, Credit Risk Scorecards). Below it nobody acts, however significant."""
FALSE_ALARMS = 0.01
"""Chance that a table without drift gets any drift warning: the limit rises where samples are small, since PSI above
0.1 on *identical* data is 86 % likely at 100 rows."""

Floats = npt.NDArray[np.float64]


def unseen(data: Dataset) -> Iterator[Finding]:
    """Categories of validation or holdout that training never saw: the model has nothing to say about them."""
    for name in data.features():
        if data.model.columns[name].numeric:
            continue
        tally = data.tally(name)
        known = set(tally.values[(tally.part == 0) & ~tally.missing])
        if not known:
            continue
        strange: dict[str, int] = {}
        for value, rows in zip(tally.values[tally.part > 0], tally.rows[tally.part > 0], strict=True):
            if value and value not in known:
                strange[value] = strange.get(value, 0) + int(rows)
        if strange:
            ordered = sorted(strange.items(), key=lambda item: (-item[1], item[0]))
            total = sum(strange.values())
            where = f"{total:,} {'row' if total == 1 else 'rows'} of validation and holdout"
            named = ", ".join(f"{value} ({rows:,})" for value, rows in ordered[:5]) + (
                ", …" if len(ordered) > 5 else ""
            )
            yield Finding(
                "warning",
                "unseen",
                name,
                f"{named} never seen in training ({where})",
                total,
                tuple(value for value, _ in ordered[:5]),
            )


def drift(data: Dataset) -> Iterator[Finding]:
    """Features whose distribution moved between training and a later part."""
    names = data.features()
    for name in names:
        tally = data.tally(name)
        counts = _binned(tally) if data.model.columns[name].numeric else _counted(tally)
        moved = []
        for part in (1, 2):
            if counts.shape[1] < 2 or min(counts[0].sum(), counts[part].sum()) == 0:
                continue
            value, limit = psi(counts[0], counts[part]), psi_limit(counts[0], counts[part], comparisons=2 * len(names))
            if value > max(limit, MIN_PSI):
                moved.append((PARTS[part], value, max(limit, MIN_PSI), int(counts[part].sum())))
        if moved:
            unit = data.model.columns[name].unit
            where = " and ".join(
                f"{part} (PSI {value:.2f}{_means(tally, PARTS.index(part), unit)})" for part, value, _, _ in moved
            )
            yield Finding(
                "warning",
                "drift",
                name,
                f"moved from training to {where}",
                sum(rows for *_, rows in moved),
                limit=f"PSI {max(limit for _, _, limit, _ in moved):.2f}",
            )


def psi(reference: Floats, other: Floats) -> float:
    """Population stability index of two histograms over the same bins; half a row is added to each bin.

    Args:
        reference: shape (k,), counts.
        other: shape (k,), counts.
    """
    p = (reference + 0.5) / (reference.sum() + 0.5 * len(reference))
    q = (other + 0.5) / (other.sum() + 0.5 * len(other))
    return float(((p - q) * np.log(p / q)).sum())


def psi_limit(reference: Floats, other: Floats, *, comparisons: int) -> float:
    """What PSI stays below without drift, in all ``comparisons`` together, but for ``FALSE_ALARMS``.

    Without drift, PSI / (1/n + 1/m) is distributed as chi-squared with k - 1 degrees of freedom.
    Source: Yurdakul (2018), Statistical properties of population stability index, Western Michigan University.
    The quantile: Wilson & Hilferty (1931), PNAS 17, 684-688.
    """
    freedom = max(len(reference) - 1, 1)
    z = NormalDist().inv_cdf(1 - FALSE_ALARMS / max(comparisons, 1))
    quantile = freedom * (1 - 2 / (9 * freedom) + z * math.sqrt(2 / (9 * freedom))) ** 3
    return float(quantile * (1 / reference.sum() + 1 / other.sum()))


def _binned(tally: Tally) -> Floats:
    """Rows per part and bin, shape (3, bins): edges at training's quantiles, and one bin for missing values."""
    train = (tally.part == 0) & ~tally.missing
    values, rows = tally.values[train], tally.rows[train]
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(rows[order])
    if not len(reached):
        return np.zeros((3, 0))
    at = np.searchsorted(reached, np.arange(1, BINS) / BINS * reached[-1])
    edges = np.unique(values[order][at])
    place = np.searchsorted(edges, tally.values, side="left")  # NaN sorts last
    return _table(tally, np.where(tally.missing, len(edges) + 1, place))


def _counted(tally: Tally) -> Floats:
    """Rows per part and category, shape (3, categories): training's most frequent 20, the others together."""
    train = tally.part == 0
    names, place = np.unique(tally.values.astype(str), return_inverse=True)
    frequency = np.bincount(place[train], weights=tally.rows[train], minlength=len(names))
    rank = np.empty(len(names), dtype=np.int64)
    rank[np.argsort(-frequency, kind="stable")] = np.arange(len(names))
    return _table(tally, np.minimum(rank[place], 2 * BINS))


def _table(tally: Tally, place: npt.NDArray[np.int64]) -> Floats:
    counts = np.zeros((3, int(place.max()) + 1))
    np.add.at(counts, (tally.part, place), tally.rows)
    return counts[:, counts.sum(0) > 0]


def _means(tally: Tally, part: int, unit: str) -> str:
    if tally.values.dtype.kind != "f":
        return ""
    finite = ~tally.missing & np.isfinite(tally.values)
    means = []
    for number in (0, part):
        chosen = finite & (tally.part == number)
        if not chosen.any():
            return ""
        means.append(f"{np.average(tally.values[chosen], weights=tally.rows[chosen]):.4g}")
    return f", mean {means[0]} → {means[1]}{f' {unit}' if unit else ''}"
