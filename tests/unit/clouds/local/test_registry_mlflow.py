"""Stock MLflow 3.17.2 and the registry look at the same files and must see the same.

The registry writes MLflow's tables itself; this is what keeps that honest. One MLflow process, started once, answers
for all the states that the tests of this module compare.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import math
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from seatrial.clouds.base import CandidateRecord, RunRecord
from seatrial.clouds.local import registry_state
from seatrial.clouds.local.registry import LocalRegistry
from seatrial.clouds.local.registry_state import database_path
from seatrial.clouds.local.tracking import LocalTracking, mlflow_run_id
from seatrial.errors import RegistryError
from tests.contract.registry_samples import MODEL, register, verify

ROOT = Path(__file__).parents[4]
START = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)
RECORD = RunRecord(
    run="run-a",
    model=MODEL,
    status="finished",
    started=START,
    ended=START + dt.timedelta(seconds=61.5),
    parameters={"seed": 7, "note": "n" * 7000},
    metrics={"holdout.rows": 1000, "undefined": math.nan, "endless": math.inf},
    tags={"verdict": "promote", "git_commit": "30e1f80"},
    candidates={
        "lightgbm": CandidateRecord({"trees": 200, "shuffle": False}, {"roc_auc": 0.694}),
        "baseline": CandidateRecord({"l2": 0.1}, {"roc_auc": 0.652}),
    },
    folder=Path("/runs/a"),
)
UNFINISHED = RunRecord("run-a", MODEL, "running", START, parameters={"seed": 6}, metrics={"early": 1.0})


@dataclass(frozen=True)
class Seen:
    """One MLflow process's view, and the files that it saw."""

    folder: Path
    fresh: Path
    touched: Path
    mlflow: dict[str, Any]
    ours: dict[str, dict[str, Any]]


def our_answers(database: Path, digests: dict[str, list[str]]) -> dict[str, Any]:
    return {
        "champion": registry_state.champion(database, MODEL),
        "champion_for": {which: registry_state.champion_for(database, MODEL, d) for which, d in digests.items()},
        "has_version": [registry_state.has_version(database, MODEL, digest) for digest in digests["all"]],
    }


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("mlflow")
    state = folder / "state"
    registry, tracking = LocalRegistry(state, verify), LocalTracking(state)
    databases: dict[str, tuple[str, dict[str, list[str]]]] = {}
    ours: dict[str, dict[str, Any]] = {}

    def snapshot(name: str) -> None:
        known = [v.digest for v in registry.versions(MODEL)]
        digests = {"all": [*known, "0" * 64], "last": known[-1:], "none": []}
        copy = folder / f"{name}.db"
        shutil.copy(database_path(state), copy)
        databases[name] = (str(copy), digests)
        ours[name] = our_answers(copy, digests)

    tracking.log_run(UNFINISHED)
    snapshot("a run")
    tracking.log_run(RECORD)
    for content in "abc":
        register(registry, folder, content)
    snapshot("versions")
    registry.promote(MODEL, 1, expected_champion=None)
    snapshot("first champion")
    registry.promote(MODEL, 3, expected_champion=1)
    snapshot("second champion")
    registry.rollback(MODEL)
    snapshot("rolled back")
    registry.promote(MODEL, 2, expected_champion=1)
    snapshot("third champion")
    touched = folder / "touched" / "registry" / "mlflow.db"
    touched.parent.mkdir(parents=True)
    shutil.copy(database_path(state), touched)
    for _ in range(2):
        registry.rollback(MODEL)
    snapshot("no champion")

    fresh = folder / "fresh.db"
    order = {"fresh": str(fresh), "model": MODEL, "databases": databases, "touched": str(touched)}
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.clouds.local.registry_seen_by_mlflow"],
        cwd=ROOT,
        input=json.dumps(order),
        capture_output=True,
        text=True,
        env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Seen(folder, fresh, touched, json.loads(done.stdout), ours)


def schema(path: Path) -> list[str]:
    """Its tables, columns, constraints and indices; MLflow's migrations write them in an order that varies."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        statements = [row[0] for row in connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")]
    return sorted(" ".join(sorted(re.split(r",\s+|\s+", statement))) for statement in statements)


def test_the_schema_is_what_mlflow_makes(seen: Seen) -> None:
    """After an upgrade of MLflow this is the test that fails; docs/registry.md says how to make the file anew."""
    assert schema(seen.folder / "versions.db") == schema(seen.fresh)
    with contextlib.closing(sqlite3.connect(seen.fresh)) as connection:
        assert connection.execute("SELECT * FROM alembic_version").fetchall() == [("dc11669786a5",)]


def test_probes_answer_what_mlflow_answers_in_every_state(seen: Seen) -> None:
    assert len(seen.ours) == 7
    for state, ours in seen.ours.items():
        theirs = {key: seen.mlflow[state][key] for key in ours}
        assert ours == theirs, state
    champions = {state: ours["champion"] and ours["champion"]["version"] for state, ours in seen.ours.items()}
    assert list(champions.values()) == [None, None, 1, 3, 1, 2, None]
    assert seen.ours["second champion"]["champion_for"]["last"]["version"] == 1


def test_mlflow_shows_versions_with_their_aliases_tags_and_runs(seen: Seen) -> None:
    shown = seen.mlflow["third champion"]
    assert (shown["champion"]["version"], shown["previous"]["version"]) == (2, 1)
    assert sorted(map(int, shown["versions"])) == [1, 2, 3]
    version = shown["versions"]["2"]
    assert version["tags"]["verdict"] == "promote"
    assert version["tags"]["seatrial.promoted_over"] == "1"
    assert version["run"] == mlflow_run_id("run-b")
    assert version["status"] == "READY"
    folder = Path(version["source"].removeprefix("file://"))
    assert verify(folder) == version["tags"]["seatrial.package_digest"]


def test_a_resumed_run_is_one_run_with_its_last_values(seen: Seen) -> None:
    """MLflow's own client would refuse the changed parameter and keep both values of a metric."""
    assert seen.mlflow["a run"]["runs"]["run-a"]["status"] == "RUNNING"
    (run,) = seen.mlflow["versions"]["runs"].values()
    assert run["id"] == mlflow_run_id("run-a")
    assert (run["status"], run["artifacts"]) == ("FINISHED", "file:///runs/a")
    assert run["end"] - run["start"] == 61_500
    note = run["parameters"].pop("note")
    assert (len(note), note[-1]) == (6000, "…")
    assert run["parameters"] == {
        "seed": "7",
        "lightgbm/trees": "200",
        "lightgbm/shuffle": "False",
        "baseline/l2": "0.1",
    }
    assert run["metrics"] == {
        "holdout.rows": "1000.0",
        "undefined": "nan",
        "endless": "1.7976931348623157e+308",
        "lightgbm/roc_auc": "0.694",
        "baseline/roc_auc": "0.652",
    }
    assert set(run["history"].values()) == {1}
    assert run["tags"]["verdict"] == "promote"
    assert run["tags"]["seatrial.run"] == "run-a"


def test_what_mlflow_changes_by_hand_is_respected(seen: Seen) -> None:
    """People use MLflow's pages: a version deleted there is gone here, and its number is not used again."""
    state = seen.touched.parents[1]
    registry, tracking = LocalRegistry(state, verify), LocalTracking(state)
    assert [v.number for v in registry.versions(MODEL)] == [1, 3, 4]
    assert dict(registry.version(MODEL, 1).tags) == {"verdict": "promote", "reviewed_by": "somebody"}
    champion = registry.champion(MODEL)
    assert champion is not None
    assert champion.number == 1
    with pytest.raises(RegistryError, match="no version 2"):
        registry.promote(MODEL, 2, expected_champion=1)
    with pytest.raises(RegistryError, match="registered by something else"):
        registry.promote(MODEL, 4, expected_champion=1)
    assert register(registry, seen.folder / "anew", "b") == 5
    tracking.log_run(RECORD)  # its experiment was deleted on MLflow's pages
    with contextlib.closing(sqlite3.connect(seen.touched)) as connection:
        assert connection.execute("SELECT lifecycle_stage FROM experiments WHERE name = ?", (MODEL,)).fetchone() == (
            "active",
        )


@pytest.mark.parametrize("name", ["", "a//b", "../up", "/root", "emoji 🙂", "x" * 251, "a\nb", "."])
def test_names_that_mlflow_cannot_show_are_all_refused_at_once(tmp_path: Path, name: str) -> None:
    tracking = LocalTracking(tmp_path)
    record = RunRecord("r", MODEL, "finished", START, parameters={name: 1}, metrics={"fine/name": 1.0, "not;fine": 2.0})
    with pytest.raises(RegistryError) as caught:
        tracking.log_run(record)
    assert repr(name) in caught.value.what
    assert "'not;fine'" in caught.value.what
    assert "fine/name" not in caught.value.what
    assert not database_path(tmp_path).exists()
