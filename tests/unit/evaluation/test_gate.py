"""Each condition is seeded with the mistake that it exists for, and must name it; the rest of the evidence is good."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from seatrial.errors import EvaluationError
from seatrial.evaluation.decision import Decision
from seatrial.evaluation.evidence import Evidence
from seatrial.evaluation.gate import decide
from seatrial.project import Gate
from tests.unit.evaluation.samples import binormal, evidence, model

RESAMPLES = 300


def good(champion_auc: float | None = None, *, n: int = 4_000, **changes: Any) -> Evidence:
    """A challenger of AUC 0.78 against a baseline of 0.70 on three airports, nothing else wrong."""
    rng = np.random.default_rng(0)
    outcome, (challenger, baseline, champion) = binormal(n, [0.78, 0.70, champion_auc or 0.5], rng=rng)
    fields: dict[str, Any] = {"slices": {"origin": rng.choice(["EWR", "JFK", "LGA"], p=[0.5, 0.35, 0.15], size=n)}}
    return evidence(outcome, challenger, baseline, champion if champion_auc else None, **{**fields, **changes})


def decided(given: Evidence, **policy: Any) -> Decision:
    return decide(given, Gate(resamples=RESAMPLES, slices=("origin",), **policy))


def failed(decision: Decision) -> list[str]:
    return [c.name for c in decision.conditions if c.passed is False]


def why(decision: Decision, name: str) -> str:
    return next(c.why for c in decision.conditions if c.name == name)


def test_a_better_challenger_is_promoted_and_the_headline_says_why() -> None:
    decision = decided(good(), minimum={"roc_auc": 0.7}, max_calibration_error=0.05, max_latency_ms={"p99": 5.0})
    assert decision.promoted
    assert failed(decision) == []
    baseline = decision.differences["baseline"]
    assert decision.headline == f"PROMOTE lightgbm: {baseline.over('baseline')}; no champion yet; 3 slices hold"
    assert baseline.over("baseline") in decision.reasons


def test_conditions_keep_one_order() -> None:
    """The report is a table that people compare between runs."""
    names = [c.name for c in decided(good(0.7), minimum={"roc_auc": 0.7}, max_latency_ms={"p99": 5.0}).conditions]
    assert names == [
        *("holdout_rows", "class_rows", "findings", "new_package", "beats_baseline", "champion", "slices"),
        *("minimum_roc_auc", "calibration", "parity", "latency_p50", "latency_p95", "latency_p99", "size"),
    ]


def test_an_equal_challenger_does_not_beat_the_baseline() -> None:
    given = good()
    same = replace(given, challenger=model("copy", given.baseline.probability))
    decision = decided(same)
    assert decision.verdict == "reject"
    assert failed(decision) == ["beats_baseline"]
    assert "+0.000 roc_auc over baseline [0.000, 0.000]: not surely more than 0" in decision.reasons


def test_the_baseline_is_not_promoted_over_itself() -> None:
    given = good()
    decision = decided(replace(given, challenger=given.baseline))
    assert decision.verdict == "reject"
    assert decision.reasons == ("logistic is the baseline itself",)


def test_beating_the_baseline_by_less_than_asked_is_not_enough() -> None:
    assert failed(decided(good(), beat_baseline_by=0.02)) == []
    assert failed(decided(good(), beat_baseline_by=0.2)) == ["beats_baseline"]


@pytest.mark.parametrize("metric", ["roc_auc", "pr_auc", "log_loss", "brier"])
def test_every_metric_can_decide(metric: str) -> None:
    assert decided(good(0.7), metric=metric).promoted
    worse = decided(good(0.9), metric=metric)
    assert "champion" in failed(worse)
    assert "over champion flights v3" in why(worse, "champion") or "than champion flights v3" in why(worse, "champion")


@pytest.mark.parametrize(
    ("rule", "margin", "promoted"), [("better", 0.05, False), ("not_worse", 0.05, True), ("not_worse", 0.0, False)]
)
def test_the_champion_rule_is_the_policys(rule: str, margin: float, promoted: bool) -> None:
    """An equal model passes non-inferiority with a margin, and nothing stricter."""
    decision = decided(good(0.78), champion=rule, champion_margin=margin, slice_margin=0.05)
    assert decision.promoted is promoted
    assert failed(decision) == ([] if promoted else ["champion"])


def test_a_model_worse_than_the_margin_fails_non_inferiority() -> None:
    decision = decided(good(0.88), champion="not_worse", champion_margin=0.01, slice_margin=0.5)
    assert failed(decision) == ["champion"]
    assert "it may lose more than 0.01" in why(decision, "champion")


def test_the_champion_is_not_promoted_again() -> None:
    """A cached run hands in the same package: registering it twice would make `previous` point at itself."""
    given = good(0.7)
    assert given.champion is not None
    again = replace(given, challenger=replace(given.champion, name="lightgbm", version=None))
    decision = decided(again)
    assert decision.verdict == "reject"
    assert "lightgbm is already the champion: the packages are identical" in decision.reasons


def test_a_slice_that_loses_to_the_champion_rejects() -> None:
    given = good(0.7)
    hit = given.slices["origin"] == "LGA"
    broken = given.challenger.probability.copy()
    broken[hit] = np.random.default_rng(1).permutation(broken[hit])
    decision = decided(replace(given, challenger=model("lightgbm", broken)), champion="not_worse", champion_margin=0.2)
    assert failed(decision) == ["slices"]
    assert "1 of 3 slices lose more than 0.01: origin=LGA" in why(decision, "slices")
    assert decision.slice_reference == "champion"


def test_slices_too_small_to_test_do_not_pass_unseen() -> None:
    decision = decided(good(), min_slice_rows=3_000)
    condition = next(c for c in decision.conditions if c.name == "slices")
    assert condition.passed is None
    assert condition.why == "none of 3 slices is large enough to test"
    assert any("3 slices too small to test: origin=EWR" in note for note in decision.notes)
    assert decision.headline.endswith("no champion yet; none of 3 slices is large enough to test")


def test_a_slice_column_that_evaluation_lost_is_an_error() -> None:
    with pytest.raises(EvaluationError, match="lacks slice column origin"):
        decided(good(slices={}))


@pytest.mark.parametrize(
    ("changes", "policy", "name", "said"),
    [
        ({}, {"minimum": {"roc_auc": 0.95}}, "minimum_roc_auc", "is below 0.95"),
        ({}, {"minimum": {"pr_auc": 0.95}}, "minimum_pr_auc", "is below 0.95"),
        ({}, {"max_calibration_error": 0.001}, "calibration", "is above 0.001"),
        ({"parity_difference": 0.026}, {}, "parity", "difference to the framework 0.026 is above 1e-05"),
        ({"parity_difference": None}, {}, "parity", "was not measured, the limit is 1e-05"),
        ({"latency_ms": {"p99": 9.0}}, {"max_latency_ms": {"p99": 5}}, "latency_p99", "9 ms is above 5 ms"),
        ({"latency_ms": {}}, {"max_latency_ms": {"p99": 5}}, "latency_p99", "was not measured, the limit is 5 ms"),
        ({"size_mb": 80.0}, {"max_size_mb": 50}, "size", "package size 80 MB is above 50 MB"),
        ({"size_mb": None}, {"max_size_mb": 50}, "size", "was not measured, the limit is 50 MB"),
    ],
)
def test_each_limit_rejects_by_name(changes: dict[str, Any], policy: dict[str, Any], name: str, said: str) -> None:
    """A limit that nobody measured fails too: otherwise a broken probe would open the gate."""
    decision = decided(good(**changes), **policy)
    assert decision.verdict == "reject"
    assert failed(decision) == [name]
    assert said in why(decision, name)
    assert why(decision, name) in decision.headline


def test_leakage_rejects_and_says_which_column_and_why() -> None:
    """The model looks splendid on a holdout that leaks: only the finding knows."""
    leak = {"severity": "blocker", "kind": "leakage", "column": "dep_delay", "message": "not known at prediction time"}
    warning = {"severity": "warning", "kind": "missing", "column": "visib", "message": "2.8 % missing"}
    decision = decided(good(findings=(leak, warning)))
    assert decision.verdict == "reject"
    assert decision.reasons == ("leakage in column 'dep_delay': not known at prediction time",)
    assert decided(good(findings=(warning,))).promoted


def test_all_failures_are_listed_not_only_the_first() -> None:
    given = good(0.9, parity_difference=0.5, size_mb=99.0)
    decision = decided(given, max_size_mb=1, max_calibration_error=0.0001, minimum={"roc_auc": 0.99})
    assert failed(decision) == ["champion", "slices", "minimum_roc_auc", "calibration", "parity", "size"]
    assert len(decision.reasons) == 6


@pytest.mark.parametrize("n", [0, 1, 2, 20, 200])
@pytest.mark.parametrize("champion_auc", [None, 0.7])
def test_too_few_rows_are_their_own_verdict(n: int, champion_auc: float | None) -> None:
    """A reject would be read as "the model is bad"; nobody knows that from 200 rows."""
    decision = decided(good(champion_auc, n=n), minimum={"roc_auc": 0.7}, max_calibration_error=0.5)
    assert decision.verdict == "not_enough_data"
    assert f"the holdout has {n} rows, at least 1,000 are needed" in decision.reasons
    assert decision.headline.startswith("NOT ENOUGH DATA lightgbm: the holdout has")
    assert Decision.from_json(decision.to_json()).verdict == "not_enough_data"
    if n == 200:
        assert decision.differences["baseline"].n == n


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_is_too_little_data_and_no_crash(label: int) -> None:
    given = good(0.7)
    decision = decided(replace(given, outcome=np.full(given.n, label)), minimum={"roc_auc": 0.7})
    assert decision.verdict == "not_enough_data"
    untold = {c.name for c in decision.conditions if c.passed is None}
    assert {"beats_baseline", "champion", "slices", "minimum_roc_auc"} <= untold
    assert decision.differences == {}


def test_a_single_positive_row_does_not_crash() -> None:
    given = good(0.7)
    outcome = np.zeros(given.n, dtype=int)
    outcome[0] = 1
    assert decided(replace(given, outcome=outcome)).verdict == "not_enough_data"


def test_a_champion_that_saw_the_holdout_is_noted() -> None:
    decision = decided(good(0.7, champion_saw_holdout=True))
    assert any("champion flights v3 was trained on rows of this holdout" in note for note in decision.notes)
    assert decided(good(0.7)).notes == ()


def test_the_same_evidence_gives_the_same_bytes_on_any_number_of_threads() -> None:
    given, policy = good(0.75), Gate(resamples=RESAMPLES, slices=("origin",))
    one, two = (decide(given, policy, threads=t).to_json() for t in (1, 2))
    assert one == two


def test_shuffled_labels_are_rejected() -> None:
    """The negative control of the whole gate: there is nothing to learn, so nothing may be promoted."""
    given = good()
    shuffled = np.random.default_rng(1).permutation(given.outcome)
    assert "beats_baseline" in failed(decided(replace(given, outcome=shuffled)))
