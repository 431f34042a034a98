"""Evidence that does not belong together must not reach a decision."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from seatrial.errors import EvaluationError
from tests.unit.evaluation.samples import evidence, model

OUTCOME = np.array([0, 1, 0, 1], dtype=np.int8)
P = np.array([0.1, 0.9, 0.2, 0.8])


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"outcome": np.array([0, 1, 2, 1])}, "outcome is neither 0 nor 1 in 1 of 4 rows"),
        ({"challenger": model("m", P[:3])}, r"challenger m: shape \(3,\), outcome has \(4,\)"),
        ({"champion": model("m", P + 1, version="2")}, r"champion m v2: probability is outside \[0, 1\] in 4 of 4"),
        ({"baseline": model("m", P * np.nan)}, "baseline m: probability is NaN in 4 of 4 rows"),
        ({"challenger": model("m", P, threshold=2)}, r"threshold 2 is outside \[0, 1\]"),
        ({"slices": {"origin": np.array(["a"])}}, r"slice column 'origin' has shape \(1,\)"),
        ({"parity_difference": float("nan")}, "parity_difference is nan"),
        ({"latency_ms": {"p99": -1.0}}, "p99 is -1.0"),
        ({"size_mb": float("inf")}, "size_mb is inf"),
        ({"findings": [{"message": "?"}]}, "has no severity"),
    ],
)
def test_what_cannot_be_evidence_is_named(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(EvaluationError, match=problem):
        replace(evidence(OUTCOME, P, P), **changes)


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(EvaluationError) as caught:
        evidence(OUTCOME, P * np.nan, P[:2], size_mb=-1.0)
    assert all(part in caught.value.what for part in ("challenger", "baseline", "size_mb"))


def test_an_empty_holdout_is_evidence() -> None:
    """That there is too little data is the gate's answer, not an error."""
    assert evidence(OUTCOME[:0], P[:0], P[:0]).n == 0
