"""What every metric is computed from: probabilities and outcomes of the same rows, checked once and completely.

A wrong value must never become a plausible metric, so nothing is repaired here: no NaN is dropped and nothing is
clipped.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from seatrial.errors import EvaluationError

FloatArray: TypeAlias = npt.NDArray[np.float64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
IntArray: TypeAlias = npt.NDArray[np.int64]

Probability: TypeAlias = npt.NDArray[np.floating[Any]]
"""Shape (n,), float32 or float64: the model's probability of the positive class, in [0, 1]."""

Outcome: TypeAlias = npt.NDArray[Any]
"""Shape (n,), integer, boolean or float: 1 where the positive class happened, else 0."""


def probability_problems(probability: Probability) -> list[str]:
    """Everything that keeps ``probability`` from being one; empty when nothing does."""
    values = np.asarray(probability)
    if values.ndim != 1 or values.dtype.kind != "f":
        return [f"probability is {values.dtype} of shape {values.shape}, expected float of shape (n,)"]
    problems = []
    if missing := int(np.isnan(values).sum()):
        problems.append(f"probability is NaN in {missing} of {values.size} rows")
    if outside := int(((values < 0) | (values > 1)).sum()):
        problems.append(f"probability is outside [0, 1] in {outside} of {values.size} rows")
    return problems


def outcome_problems(outcome: Outcome) -> list[str]:
    """Everything that keeps ``outcome`` from being one; empty when nothing does."""
    values = np.asarray(outcome)
    if values.ndim != 1 or values.dtype.kind not in "biuf":
        return [f"outcome is {values.dtype} of shape {values.shape}, expected 0 and 1 of shape (n,)"]
    if wrong := int(((values != 0) & (values != 1)).sum()):
        return [f"outcome is neither 0 nor 1 in {wrong} of {values.size} rows"]
    return []


def checked(probability: Probability, outcome: Outcome) -> tuple[FloatArray, BoolArray]:
    """Return the scores as float64 and whether each row is positive.

    Raises:
        EvaluationError: the sample is empty, the lengths differ, a probability is NaN or outside [0, 1], or an
            outcome is neither 0 nor 1. Every problem is named.
    """
    problems = probability_problems(probability) + outcome_problems(outcome)
    if np.shape(probability) != np.shape(outcome):
        problems.append(f"probability has shape {np.shape(probability)}, outcome has {np.shape(outcome)}")
    elif np.size(outcome) == 0:
        problems.append("the sample is empty")
    if problems:
        raise EvaluationError(
            "cannot measure: " + "; ".join(problems),
            why="A metric of such values would be a number without a meaning.",
            todo="Correct what produced the predictions; nothing is dropped or clipped for you.",
        )
    return np.asarray(probability, dtype=np.float64), np.asarray(outcome) == 1


def checked_classes(probability: Probability, outcome: Outcome) -> tuple[FloatArray, BoolArray]:
    """``checked``, and both classes are present.

    Raises:
        EvaluationError: as ``checked``; or every row is of one class, so that nothing can be ranked.
    """
    score, positive = checked(probability, outcome)
    positives = int(positive.sum())
    if positives in (0, positive.size):
        raise EvaluationError(
            f"cannot measure: all {positive.size} rows are {'positive' if positives else 'negative'}",
            why="Ranking metrics compare positive with negative rows; with one class they have no value.",
            todo="Evaluate on rows of both classes.",
        )
    return score, positive
