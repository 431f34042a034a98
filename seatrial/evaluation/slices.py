"""Whether any part of the population loses: one comparison per slice, and one honest answer for all of them.

A model that is better on average may be worse for one carrier, one airport, one month. Testing twenty slices at 5 %
each raises a false alarm two times in three, so p-values are adjusted for their number (Holm). A slice that is too
small to tell is listed as such: silence would read as health.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from seatrial.errors import MissingExtra
from seatrial.evaluation.comparison import Difference, compare
from seatrial.evaluation.metrics import METRICS, Metric
from seatrial.evaluation.sample import IntArray, Outcome, Probability

MIN_SLICE_CLASS_ROWS = 20
"""Rows of the rarer class below which a slice is too small: with fewer, the metric's distribution is too skewed and too
coarse for its p-value to be trusted."""

MOST_TOO_SMALL = 50
"""Too-small values listed one by one per column, largest first; the rest are one entry, so that a column with a hundred
thousand values cannot bury the report."""

MISSING = "(missing)"

Status: TypeAlias = Literal["holds", "worse", "too_small"]
SliceColumns: TypeAlias = Mapping[str, npt.NDArray[Any]]
"""Column name to the value of each row as text, shape (n,); an empty text is a missing value."""


@dataclass(frozen=True)
class SliceResult:
    """One value of one column. ``difference``, the p-values and the metrics are None when the slice is too small.

    ``difference`` has an ordinary interval at the stated confidence, for reading; what is decided on is ``p_adjusted``.
    """

    column: str
    value: str
    n: int
    positives: int
    status: Status
    challenger: float | None = None
    reference: float | None = None
    difference: Difference | None = None
    p_value: float | None = None
    p_adjusted: float | None = None


@dataclass(frozen=True, eq=False)
class _Slice:
    column: str
    value: str
    rows: IntArray
    positives: int

    @property
    def n(self) -> int:
        return self.rows.size

    @property
    def rarer(self) -> int:
        return min(self.positives, self.n - self.positives)

    def enough(self, min_rows: int) -> bool:
        return self.n >= min_rows and self.rarer >= MIN_SLICE_CLASS_ROWS

    def too_small(self) -> SliceResult:
        return SliceResult(self.column, self.value, self.n, self.positives, "too_small")


def compare_slices(
    challenger: Probability,
    reference: Probability,
    outcome: Outcome,
    columns: SliceColumns,
    *,
    metric: Metric,
    margin: float,
    confidence: float,
    resamples: int,
    min_rows: int,
    seed: int,
    threads: int | None = None,
) -> tuple[SliceResult, ...]:
    """Test each slice for "the challenger is not worse than the reference by more than ``margin``".

    The p-value is that of a t test with the bootstrap's standard error. It resolves the far tail, which the share of
    resamples cannot: with 2,000 of them and 100 slices no share is small enough for Holm's first step.

    Args:
        challenger: shape (n,), probabilities.
        reference: shape (n,), probabilities of the model to compare with.
        outcome: shape (n,), 0 or 1.
        columns: what to slice by.
        metric: what to compare.
        margin: how much a slice may lose, in the metric's unit.
        confidence: a slice is ``worse`` when its adjusted p-value is below ``1 - confidence``; the probability that any
            slice is called so when none is, is at most that.
        resamples: of each slice's bootstrap.
        min_rows: fewer rows make a slice ``too_small``, as do fewer than ``MIN_SLICE_CLASS_ROWS`` of either class.
        seed: a slice's resamples depend on it and on the slice's name, not on which other slices there are.
        threads: see ``bootstrap``.

    Returns: by column, in the order given, then by value; the too-small ones that were folded into one entry last.

    Raises:
        EvaluationError: the sample cannot be measured (see ``sample.checked``).

    Source: Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics
    6(2), 65-70.
    """
    by_column = {column: _slices(column, values, outcome) for column, values in columns.items()}
    tested = [s for slices in by_column.values() for s in slices if s.enough(min_rows)]
    differences = [
        compare(
            challenger[s.rows],
            reference[s.rows],
            outcome[s.rows],
            metric=metric,
            confidence=confidence,
            resamples=resamples,
            seed=(seed, zlib.crc32(f"{s.column}={s.value}".encode())),
            threads=threads,
        )
        for s in tested
    ]
    p_values = [p_worse_than_margin(d, margin, s.rarer) for d, s in zip(differences, tested, strict=True)]
    results = [
        SliceResult(
            column=s.column,
            value=s.value,
            n=s.n,
            positives=s.positives,
            status="worse" if adjusted < 1 - confidence else "holds",
            challenger=METRICS[metric](challenger[s.rows], outcome[s.rows]),
            reference=METRICS[metric](reference[s.rows], outcome[s.rows]),
            difference=difference,
            p_value=p,
            p_adjusted=adjusted,
        )
        for s, difference, p, adjusted in zip(tested, differences, p_values, holm(p_values), strict=True)
    ]
    ordered: list[SliceResult] = []
    for column, slices in by_column.items():
        listed, folded = _too_small([s for s in slices if not s.enough(min_rows)])
        ordered += sorted([r for r in results if r.column == column] + listed, key=lambda r: _as_read(r.value)) + folded
    return tuple(ordered)


def p_worse_than_margin(difference: Difference, margin: float, rarer_rows: int) -> float:
    """One-sided p-value against "the challenger loses at most ``margin``"; small means that it loses more.

    Student's t with ``rarer_rows - 1`` degrees of freedom, the least that Welch and Satterthwaite's formula can give
    for two classes, hence on the safe side: with 25 positive rows per slice the normal distribution raises a false
    alarm in 6.3 % of samples instead of 5 %.

    Args:
        difference: with the bootstrap's standard error.
        margin: how much may be lost, in the metric's unit.
        rarer_rows: rows of the rarer class.

    Source: the hypothesis is Blackwelder's (1982), Controlled Clinical Trials 3(4), 345-353, tested from the other
    side; degrees of freedom as in Brunner and Munzel (2000), Biometrical Journal 42(1), 17-25.
    """
    try:
        from scipy.special import stdtr  # Student's t distribution function
    except ImportError as exc:
        raise MissingExtra("Testing slices", "scipy", "train") from exc
    distance = difference.value + margin
    if difference.standard_error == 0:
        return 1.0 if distance >= 0 else 0.0
    return float(stdtr(rarer_rows - 1, distance / difference.standard_error))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for their number, so that rejecting those below a level errs at most that often, in any of them.

    Valid whatever the dependence: slices of different columns share rows. Source: Holm (1979).
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted


def _slices(column: str, values: npt.NDArray[Any], outcome: Outcome) -> list[_Slice]:
    names, index = np.unique(np.asarray(values, dtype=np.str_), return_inverse=True)
    ends = np.cumsum(np.bincount(index, minlength=names.size))[:-1]
    groups = np.split(np.argsort(index, kind="stable"), ends) if names.size else []
    return [
        _Slice(column, str(name) or MISSING, rows, int(np.count_nonzero(outcome[rows])))
        for name, rows in zip(names, groups, strict=True)
    ]


def _too_small(slices: list[_Slice]) -> tuple[list[SliceResult], list[SliceResult]]:
    """Those to list one by one, and at most one entry that stands for the others."""
    by_size = sorted(slices, key=lambda s: (-s.n, s.value))
    rest = by_size[MOST_TOO_SMALL:]
    folded = []
    if rest:
        n, positives = sum(s.n for s in rest), sum(s.positives for s in rest)
        folded = [SliceResult(rest[0].column, f"({len(rest)} other values)", n, positives, "too_small")]
    return [s.too_small() for s in by_size[:MOST_TOO_SMALL]], folded


def _as_read(value: str) -> tuple[float, str]:
    """Sort key: numbers by size, so that month 2 comes before month 10; then text."""
    try:
        number = float(value)
    except ValueError:
        return math.inf, value
    return (math.inf if math.isnan(number) else number), value
