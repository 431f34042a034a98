"""Old results go when a run starts, and never while another run lives."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from seatrial.execute import space

STEPS = """
from pathlib import Path
from seatrial.component import Dataset, Output, component

@component(cache=False)
def fresh(out: Output[Dataset]) -> None:
    out.path.write_text("x" * 1000)

@component()
def kept(out: Output[Dataset]) -> None:
    out.path.write_text("y" * 1000)
"""
PIPE = """
from kfp import dsl
from steps import fresh, kept

@dsl.pipeline(name="p")
def p():
    fresh.task()
    kept.task()
"""
OLD_S = space.UNUSED_S + 60


@pytest.fixture
def steps(bench: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(space, "KEPT_RUNS", 2)
    bench.write("steps.py", STEPS)
    bench.write("pipe.py", PIPE)
    return bench


def aged(path: Path) -> Path:
    """The same path, last touched too long ago."""
    then = time.time() - OLD_S
    os.utime(path, (then, then))
    return path


def entry(bench: Any) -> Path:
    """The one entry of the cache."""
    (found,) = bench.state.glob("cache/*/*/*/entry.json")
    return Path(found)


def test_results_of_the_last_runs_stay_and_every_record_does(steps: Any) -> None:
    runs = [steps.run() for _ in range(4)]
    with_results = [(run.folder / "results").exists() for run in runs]
    # the last run kept two before it made its own
    assert with_results == [False, True, True, True]
    assert all((run.folder / "run.json").exists() for run in runs)
    assert runs[2].record["freed_bytes"] == 0
    assert runs[3].record["freed_bytes"] > 1000
    assert steps.states()["kept"] == "cached"


def test_nothing_is_removed_while_another_run_lives(steps: Any) -> None:
    runs = [steps.run() for _ in range(3)]
    old = aged(entry(steps))
    with space.held(steps.state) as freed:
        assert freed > 1000  # alone until here: the first run's results and the old entry
        assert not old.exists()
        steps.run()
        aged(entry(steps))
        steps.run()
        assert entry(steps).exists()
        assert (runs[1].folder / "results").exists()
    assert steps.run().record["freed_bytes"] > 0
    assert not (runs[1].folder / "results").exists()


def test_a_cached_result_is_kept_from_its_last_use_on(steps: Any) -> None:
    steps.run()
    with space.held(steps.state):  # another run, so nothing is removed yet
        first = aged(entry(steps))
        steps.run()
        assert steps.states()["kept"] == "cached"
    steps.run()
    assert steps.states()["kept"] == "cached"
    assert entry(steps) == first
    aged(first)
    steps.run()
    assert steps.states()["kept"] == "SUCCEEDED"
    assert not first.exists()


def test_copies_from_buckets_go_when_they_are_unused_or_half(tmp_path: Path) -> None:
    for name in ("a/whole-1/f", "a/whole-2/f", "b/partial-1/f", "c/whole-1/f"):
        (tmp_path / "imports" / name).parent.mkdir(parents=True)
        (tmp_path / "imports" / name).write_text("1234")
    aged(tmp_path / "imports/a/whole-1")
    aged(tmp_path / "imports/c/whole-1")
    with space.held(tmp_path) as freed:
        assert freed == 12
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.glob("imports/*/*")) == ["imports/a/whole-2"]
    assert not (tmp_path / "imports/c").exists()
