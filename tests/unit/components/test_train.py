"""A candidate becomes a package that answers as its framework did."""

from __future__ import annotations

from typing import Any

import pytest

from components.train import train
from seatrial.component import Model
from seatrial.errors import ProjectError
from seatrial.package.read import Package


@pytest.mark.parametrize("candidate", ["logistic", "lightgbm"])
def test_it_builds_a_package(line: Any, candidate: str) -> None:
    package = Package.open(line.package(candidate).path)
    result = line.results[candidate]
    assert result.digest == package.digest
    assert result.parity < 1e-6
    assert result.score > 0.6
    assert package.replay_golden().passed
    assert package.lineage.candidate == candidate


def test_the_same_inputs_give_the_same_package(line: Any, tmp_path: Any) -> None:
    line.package("lightgbm")
    rows, validation, holdout = line.parts()
    again = train("parcels", "lightgbm", rows, validation, holdout, line.profile(), Model(tmp_path / "again"))
    assert again.digest == line.results["lightgbm"].digest


def test_an_unknown_candidate_is_named(line: Any, tmp_path: Any) -> None:
    rows, validation, holdout = line.parts()
    with pytest.raises(ProjectError, match="no candidate 'forest'"):
        train("parcels", "forest", rows, validation, holdout, line.profile(), Model(tmp_path / "p"))
