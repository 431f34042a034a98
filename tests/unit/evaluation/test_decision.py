"""decision.json is what a promotion is audited by: complete, stable, and refused when it is not whole."""

from __future__ import annotations

import json

import numpy as np
import pytest

from seatrial.errors import EvaluationError
from seatrial.evaluation.decision import SIGNIFICANT_DIGITS, Decision
from seatrial.evaluation.gate import decide
from seatrial.project import Gate
from tests.unit.evaluation.samples import binormal, evidence


@pytest.fixture(scope="module")
def text() -> str:
    rng = np.random.default_rng(0)
    outcome, (a, b, c) = binormal(2_000, [0.75, 0.7, 0.72], rng=rng)
    origin = rng.choice(["EWR", "JFK", "Zürich"], size=2_000, p=[0.5, 0.49, 0.01])
    finding = {"severity": "warning", "kind": "missing", "column": "visib", "message": "2.8 % missing"}
    given = evidence(outcome, a, b, c, slices={"origin": origin}, findings=[finding])
    return decide(given, Gate(resamples=200, slices=("origin",), max_latency_ms={"p99": 5})).to_json()


def test_reading_and_writing_again_changes_nothing(text: str) -> None:
    assert Decision.from_json(text).to_json() == text


def test_it_holds_what_a_report_needs(text: str) -> None:
    table = json.loads(text)
    assert table["schema"] == "seatrial.decision/1"
    assert set(table["models"]) == {"challenger", "baseline", "champion"}
    assert set(table["differences"]) == {"baseline", "champion"}
    performance = table["models"]["challenger"]["performance"]
    assert {"roc", "precision_recall", "calibration", "confusion", "roc_auc"} <= set(performance)
    assert len(table["slices"]) == 3
    assert table["policy"]["confidence"] == 0.95
    assert len(text) < 100_000


def test_numbers_end_before_the_bits_in_which_processors_differ(text: str) -> None:
    """AVX2 and AVX-512 machines round sums differently in the last bits; the digest of the file is compared."""
    value = json.loads(text)["models"]["challenger"]["performance"]["log_loss"]
    assert value == float(f"{value:.{SIGNIFICANT_DIGITS}g}")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"seatrial.decision/1"', '"seatrial.decision/9"', "schema: "),
        ('"verdict": ', '"verdikt": ', "verdict: "),
        ('"promote"', '"approve"', "verdict: "),
        ("{", "", "Invalid JSON"),
    ],
)
def test_a_file_that_is_not_a_whole_decision_is_refused(text: str, old: str, new: str, problem: str) -> None:
    """A truncated or newer file must not be read as some decision with defaults."""
    assert old in text
    with pytest.raises(EvaluationError, match=problem):
        Decision.from_json(text.replace(old, new, 1))
