"""``kill -9`` of the run or of a step, at random moments: the same command finishes and does nothing twice."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from seatrial.package.read import Package
from tests.processes import children


def finished(state: Path) -> dict[str, str]:
    """Cache key and entry of every task that any run has finished."""
    return {p.parent.name: p.name for p in state.glob("cache/*/*/*") if (p / "entry.json").exists()}


def consistent(state: Path) -> None:
    """What must hold after any kill, before anything is repaired."""
    for entry in state.glob("cache/*/*/*"):
        table = json.loads((entry / "entry.json").read_text())
        for name, (size, _) in table["files"].items():
            assert (entry / "outputs" / name).stat().st_size == size
    database = state / "registry" / "mlflow.db"
    if not database.exists():
        return
    # not read-only: after a kill in the middle of a commit the first to open it plays SQLite's own journal back
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=rw", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        versions = connection.execute("SELECT version, source FROM model_versions").fetchall()
        champions = connection.execute(
            "SELECT version FROM registered_model_aliases WHERE alias = 'champion'"
        ).fetchall()
    assert len(champions) <= 1
    assert {v for (v,) in champions} <= {v for v, _ in versions}
    for _, source in versions:
        assert Package.open(Path(source.removeprefix("file://"))).replay_golden().passed


@pytest.mark.parametrize("whom", ["the run", "a step"])
def test_kill_at_random_moments(shell: Any, whom: str) -> None:
    """Five moments or more, drawn over the length of a whole run; every one resumes what the one before left."""
    seed = random.randrange(10**6)
    moments = random.Random(seed)
    kept: dict[str, str] = {}
    killed = 0
    for turn in range(20):
        if turn >= 5 and killed >= 2:
            break
        process = shell.start("run", "parcels", "--json", start_new_session=True)
        try:
            time.sleep(moments.uniform(0.4, 4.0))
            servers = children(process.pid)
            steps: list[int] = []
            while process.poll() is None and not steps:  # a slow machine has not begun yet
                servers = children(process.pid)
                steps = [t for s in servers for t in children(s)]
                time.sleep(0.002)
            victims = [process.pid] if whom == "the run" else steps
            for pid in victims[:1]:
                if process.poll() is None:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                        killed += 1
            out, err = process.communicate(timeout=shell.patience_s)
        finally:
            process.kill()
            process.wait()
        assert "Traceback" not in err, f"seed {seed}: {err}"
        if whom == "a step" and victims and process.returncode != 0:
            assert "killed by SIGKILL" in json.loads(out)["error"]["what"], f"seed {seed}: {out}"
        end = time.monotonic() + shell.patience_s
        while any(children(s) for s in servers) and time.monotonic() < end:
            time.sleep(0.02)
        assert [t for s in servers for t in children(s)] == [], "a task outlived its run"
        consistent(shell.state)
        now = finished(shell.state)
        assert {k: now.get(k) for k in kept} == kept, f"seed {seed}: a finished step was done again"
        kept = now
        if process.returncode == 0:  # it was done before its moment: there is nothing left to kill, so begin anew
            shell.run("endpoint", "stop", "--all")
            shutil.rmtree(shell.state)
            kept = {}
    final = shell.json("run", "parcels")
    assert final["verdict"] == "promote"
    now = finished(shell.state)
    lost = {k for k, entry in kept.items() if now.get(k) != entry}
    # an endpoint that was killed with its run is brought up again: that result is rightly made anew
    assert len(lost) <= 2, f"seed {seed}: {lost}"
    assert killed >= 2, f"seed {seed}: nothing was killed"
    consistent(shell.state)
    assert [v["version"] for v in shell.json("models")["parcels"]] == [1]
    assert list((shell.state / "work").iterdir()) == []
    assert shell.json("run", "parcels")["executed"] == 0


def test_two_runs_at_once_leave_one_champion(shell: Any) -> None:
    """Both trained on the same evidence; the registry lets one of them promote, and the other finds it done."""
    with shell.start("run", "parcels", "--json") as one, shell.start("run", "parcels", "--json") as two:
        ended = [process.communicate(timeout=shell.patience_s) for process in (one, two)]
        codes = [one.returncode, two.returncode]
    assert all("Traceback" not in err for _, err in ended)
    assert codes == [0, 0], ended
    versions = shell.json("models")["parcels"]
    assert [v["aliases"] for v in versions] == [["champion"]]
    consistent(shell.state)


def test_a_dead_runs_work_is_removed_by_the_next(shell: Any) -> None:
    process = shell.start("run", "parcels", start_new_session=True)
    while process.poll() is None and not list(shell.state.glob("work/*/*")):
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert list(shell.state.glob("work/*"))
    shell.json("run", "parcels")
    assert list(shell.state.glob("work/*")) == []
