"""Parity: does the package answer what the training framework answers?

Converters are wrong in silence, so this is measured on every row of the holdout, recorded, and judged by the gate.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field

from seatrial.errors import PackageError
from seatrial.package.candidate import FloatVector
from seatrial.project import Settings

NOTICEABLE = 1e-6
"""Absolute difference of a probability from which a row is counted: ten times what float32 rounding explains."""


class Parity(Settings):
    """How far the package's probabilities are from the framework's, on the same rows."""

    rows: int = Field(ge=0)
    max_abs: float = Field(ge=0, le=1)
    mean_abs: float = Field(ge=0, le=1)
    noticeable_rows: int = Field(ge=0)
    """Rows that differ by more than ``NOTICEABLE``."""
    worst_row: int | None
    """Index in the holdout; None when there are no rows."""
    framework: float | None
    """The framework's probability for the worst row."""
    package: float | None
    """The package's probability for the worst row."""

    @classmethod
    def measure(cls, framework: FloatVector, package: FloatVector) -> Self:
        """Compare two vectors of probabilities, shape (n,) each.

        Raises:
            PackageError: either is not a vector of n finite probabilities: there is no difference to speak of then.
        """
        for who, values in (("the training framework", framework), ("the package", package)):
            _require_probabilities(who, values, len(package))
        if not len(package):
            return cls(rows=0, max_abs=0, mean_abs=0, noticeable_rows=0, worst_row=None, framework=None, package=None)
        difference = np.abs(framework.astype(np.float64) - package.astype(np.float64))
        worst = int(difference.argmax())
        return cls(
            rows=len(package),
            max_abs=float(difference[worst]),
            mean_abs=float(difference.mean()),
            noticeable_rows=int((difference > NOTICEABLE).sum()),
            worst_row=worst,
            framework=float(framework[worst]),
            package=float(package[worst]),
        )


def _require_probabilities(who: str, values: FloatVector, rows: int) -> None:
    problem = None
    if values.shape != (rows,):
        problem = f"gave shape {values.shape} for {rows} rows"
    else:
        wrong = ~((values >= 0) & (values <= 1))
        if wrong.any():
            row = int(wrong.argmax())
            problem = f"gave {values[row]} for row {row} ({int(wrong.sum()):,} such rows)"
    if problem:
        raise PackageError(
            f"{who} {problem}, not a probability",
            why="Everything after this, from metrics to traffic, takes the answers to be probabilities.",
            todo="Look for missing values that an estimator cannot take (impute them in features.py) and for overflow.",
        )
