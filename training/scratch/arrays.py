"""Array types, and the one check that everything handed to a fit passes.

A problem in the data is cheap to name here and expensive to find later: a NaN turns every weight into NaN in one step,
and a label of 2 trains without complaint.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from seatrial.errors import DataError, UsageError

Array: TypeAlias = npt.NDArray[np.floating[Any]]
"""Real numbers of either precision: float32 to train and predict, float64 to check gradients."""
Float32: TypeAlias = npt.NDArray[np.float32]
Float64: TypeAlias = npt.NDArray[np.float64]
FloatType: TypeAlias = type[np.float32] | type[np.float64]
Parameters: TypeAlias = dict[str, int | float | str]
"""What a package's lineage records about a fit: its settings and what the fit found."""

BLOCK = 4096
"""Rows handled at once where only a sum over rows, or one row's result, is wanted: bounds memory and stays in cache."""


def blocks(rows: int) -> Iterator[slice]:
    """Cut ``rows`` rows into slices of at most ``BLOCK``, in order."""
    for start in range(0, rows, BLOCK):
        yield slice(start, min(start + BLOCK, rows))


def check_sample(*samples: tuple[str, npt.NDArray[Any], npt.NDArray[Any]], binary: bool) -> None:
    """Refuse a sample that cannot be trained on, naming every problem in every sample.

    Args:
        samples: (name, x, y) with x: shape (n, k) and y: shape (n,). The first one is trained on, and sets k.
        binary: whether y must be 0 or 1, and both must occur where it is trained on.

    Raises:
        DataError: anything is wrong.
    """
    problems = []
    for position, (name, x, y) in enumerate(samples):
        problems += [f"{name}: {problem}" for problem in (*_table(x), *_target(x, y, binary, trained_on=position == 0))]
    first = samples[0][1]
    problems += [
        f"{name}: x has {x.shape[1]} columns, but {samples[0][0]} has {first.shape[1]}"
        for name, x, _ in samples[1:]
        if x.ndim == 2 and first.ndim == 2 and x.shape[1] != first.shape[1]
    ]
    if problems:
        raise DataError(
            "the model cannot be fitted: " + "; ".join(problems),
            why="One such value spreads to every weight, or is learned as if it were true.",
            todo="Impute or drop missing values, scale the columns, and make y 0 or 1, before the fit."
            if binary
            else "Impute or drop missing values, and scale the columns, before the fit.",
        )


def check_features(x: npt.NDArray[Any], columns: int) -> None:
    """Refuse rows that a fitted model cannot answer for. No rows at all is a fine question with an empty answer.

    Args:
        x: shape (n, columns).
        columns: how many the model was fitted on.

    Raises:
        DataError: x has another shape, is not numeric, or holds NaN or infinity.
    """
    problems = [problem for problem in _table(x) if problem != _NO_ROWS]
    if x.ndim == 2 and x.shape[1] not in (0, columns):
        problems.append(f"x has {x.shape[1]} columns, the model was fitted on {columns}")
    if problems:
        raise DataError(
            "the model cannot predict: " + "; ".join(problems),
            why="A missing value has no probability, and columns are recognised by their position alone.",
            todo="Send the columns of the fit, in their order, after the same preparation.",
        )


def check_settings(*problems: str | None) -> None:
    """Refuse a fit whose settings are wrong; each argument is one problem, or None.

    Raises:
        UsageError: at least one is not None.
    """
    found = [problem for problem in problems if problem]
    if found:
        raise UsageError(
            "the fit's settings are wrong: " + "; ".join(found),
            why="Training would fail late, or not train at all, without saying so.",
            todo="Correct the arguments of the fit.",
        )


_NO_ROWS = "x has no rows"


def _table(x: npt.NDArray[Any]) -> list[str]:
    if x.ndim != 2:
        return [f"x must have shape (rows, columns), not {x.shape}"]
    if x.dtype.kind not in "fiub":
        return [f"x must be numeric, not {x.dtype}"]
    problems = []
    if x.shape[0] == 0:
        problems.append(_NO_ROWS)
    if x.shape[1] == 0:
        problems.append("x has no columns")
    if not problems and not _finite(x):
        wrong = [column for column in range(x.shape[1]) if not np.isfinite(x[:, column]).all()]
        shown = ", ".join(map(str, wrong[:10])) + (", ..." if len(wrong) > 10 else "")
        problems.append(f"x holds NaN or infinity in {len(wrong)} of {x.shape[1]} columns (position {shown})")
    return problems


def _target(x: npt.NDArray[Any], y: npt.NDArray[Any], binary: bool, trained_on: bool) -> list[str]:
    if y.ndim != 1:
        return [f"y must have shape (rows,), not {y.shape}"]
    if y.dtype.kind not in "fiub":
        return [f"y must be numeric, not {y.dtype}"]
    problems = []
    if x.ndim == 2 and x.shape[0] != y.shape[0]:
        problems.append(f"x has {x.shape[0]} rows, but y has {y.shape[0]}")
    if not _finite(y):
        problems.append(f"y holds NaN or infinity in {int((~np.isfinite(y)).sum())} rows")
    elif binary:
        other = y[(y != 0) & (y != 1)]
        if len(other):
            problems.append(f"y must be 0 or 1, but {len(other)} rows hold something else, such as {other[0]:g}")
        elif trained_on and len(y) and (y == y[0]).all():
            problems.append(f"y is {y[0]:g} in every row, so there is nothing to tell apart")
    return problems


def _finite(values: npt.NDArray[Any]) -> bool:
    """One pass without a temporary of the table's size: NaN and infinity survive a sum, float32 cannot overflow it."""
    if values.dtype.kind != "f":
        return True
    if values.dtype.itemsize > 4:
        return bool(np.isfinite(values).all())
    with np.errstate(invalid="ignore"):
        return bool(np.isfinite(values.sum(dtype=np.float64)))
