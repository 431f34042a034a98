"""Packages are compared on one holdout, the gate decides, and what it lets through is registered once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components.evaluate import evaluate
from components.gate import gate
from components.register import is_registered, register
from seatrial.component import Artifact, Dataset, Metrics, Model
from seatrial.errors import PackageError
from seatrial.evaluation.decision import Decision


def test_the_best_on_validation_is_the_challenger(line: Any) -> None:
    _, evaluation, package = line.evaluated()
    measured = json.loads(evaluation.path.read_text())
    assert line.results["evaluate"].challenger == measured["challenger"] == "lightgbm"
    assert line.results["evaluate"].champion_version == 0
    assert (
        measured["models"]["lightgbm"]["validation"]["roc_auc"]
        > measured["models"]["logistic"]["validation"]["roc_auc"]
    )
    assert package.metadata["candidate"] == "lightgbm"


def test_the_gate_promotes_what_is_better(line: Any) -> None:
    decided = Decision.from_json(line.decision().path.read_text())
    assert line.results["gate"].decision == decided.verdict == "promote"
    assert "no champion yet" in decided.headline


def test_a_blocker_rejects_and_says_why(line: Any, tmp_path: Path) -> None:
    scores, evaluation, _ = line.evaluated()
    finding = {
        "severity": "blocker",
        "kind": "leakage",
        "column": "delay_hours",
        "message": "not known yet",
        "count": 1,
    }
    (tmp_path / "findings").write_text(
        json.dumps({"dataset": "parcels", "rows": 1, "found": [{**finding, "examples": [], "limit": ""}]})
    )
    result = gate("parcels", scores, evaluation, Artifact(tmp_path / "findings"), Artifact(tmp_path / "decision"))
    assert result.decision == "reject"
    assert "leakage in column 'delay_hours'" in Decision.from_json((tmp_path / "decision").read_text()).headline


def test_registering_twice_gives_one_version(line: Any) -> None:
    package = line.evaluated()[2]
    first = register("parcels", package, line.decision())
    assert register("parcels", package, line.decision()) == first
    decided = Decision.from_json(line.decision().path.read_text())
    state = str(line.folder / "state")
    assert is_registered("local", state, "parcels", decided.models["challenger"].digest) == [first.version]


def test_another_package_than_the_one_that_was_judged_is_refused(line: Any) -> None:
    with pytest.raises(PackageError, match="not"):
        register("parcels", line.package("logistic"), line.decision())


def test_the_champion_is_scored_again_on_this_holdout(line: Any, tmp_path: Path) -> None:
    """A stored score would be of other rows."""
    from seatrial.clouds import load

    version = register("parcels", line.evaluated()[2], line.decision()).version
    registry = load("local", line.folder / "state").registry
    registry.promote("parcels", version, expected_champion=None)
    outputs = (Dataset(tmp_path / "s"), Metrics(tmp_path / "e"), Model(tmp_path / "p"))
    _, validation, holdout = line.parts()
    scores, measured_at, package = outputs
    result = evaluate("parcels", [line.package("logistic")], validation, holdout, scores, measured_at, package)
    measured = json.loads((tmp_path / "e").read_text())
    assert result.champion_version == version
    assert (
        measured["models"]["champion"]["holdout"]
        == json.loads(line.evaluated()[1].path.read_text())["models"]["lightgbm"]["holdout"]
    )
    decided = gate("parcels", outputs[0], outputs[1], line.findings(), Artifact(tmp_path / "d"))
    assert decided.decision == "reject"
    # with its own package among the candidates, it is compared with what it replaced
    unchanged = evaluate(
        "parcels",
        [line.package("logistic"), line.package("lightgbm")],
        validation,
        holdout,
        Dataset(tmp_path / "s2"),
        Metrics(tmp_path / "e2"),
        Model(tmp_path / "p2"),
    )
    assert unchanged.champion_version == 0
