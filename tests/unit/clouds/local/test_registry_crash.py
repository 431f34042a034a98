"""The registry under kill -9 and under several processes at once."""

from __future__ import annotations

import collections
import json
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from seatrial.clouds.local import registry_state
from seatrial.clouds.local.registry import LocalRegistry
from seatrial.clouds.local.registry_state import database_path
from tests.contract.registry_samples import MODEL, register, verify, violations

ROOT = Path(__file__).parents[4]
HERE = "tests.unit.clouds.local"


@pytest.fixture
def memory_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where there is one; on a disk these tests would do little but wait for fsync."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


def kill_at_every_line(operation: str, folder: Path) -> tuple[int, list[str]]:
    command = [sys.executable, "-m", f"{HERE}.registry_killed_at_every_line", operation, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    return result["lines"], result["violations"]


@pytest.mark.parametrize("operation", ["first_registration", "registration", "promotion", "rollback", "log_run"])
def test_a_kill_at_any_line_leaves_the_old_state_or_the_new(operation: str, memory_folder: Path) -> None:
    """And the same command again finishes the work: nothing is duplicated, nothing is left behind."""
    lines, found = kill_at_every_line(operation, memory_folder)
    assert lines > 40
    assert found == []


def test_moving_aliases_one_by_one_would_be_noticed(memory_folder: Path) -> None:
    """The check above can fail: aliases in two transactions leave a mixture when killed between them."""
    _, found = kill_at_every_line("careless_promotion", memory_folder)
    assert any("previous" in violation for violation in found)


@pytest.fixture
def state(tmp_path: Path, memory_folder: Path) -> Path:
    state = memory_folder / "state"
    registry = LocalRegistry(state, verify)
    for content in "abcdef":
        register(registry, tmp_path, content)
    registry.promote(MODEL, 1, expected_champion=None)
    return state


def start_promoters(state: Path, count: int, times: int) -> list[subprocess.Popen[str]]:
    """Start processes that hold the same evidence, and let them go together once all are ready."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", f"{HERE}.registry_promoter", str(state), "6", str(times), str(seed)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in range(count)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return processes


def outcomes(processes: Iterable[subprocess.Popen[str]]) -> list[list[str]]:
    return [line.split() for process in processes for line in process.communicate()[0].splitlines()]


def test_of_two_runs_with_the_same_evidence_one_becomes_champion(state: Path) -> None:
    processes = start_promoters(state, 2, 1)
    results = outcomes(processes)
    assert [p.returncode for p in processes] == [0, 0]
    assert sorted(result[0] for result in results) == ["stale", "won"]
    (winner,) = [int(result[1]) for result in results if result[0] == "won"]
    assert registry_state.champion(database_path(state), MODEL) == {
        "version": winner,
        "digest": LocalRegistry(state, verify).version(MODEL, winner).digest,
    }


def test_promotions_from_four_processes_form_one_chain(state: Path) -> None:
    """Each promotion replaced the champion that it said: none was lost, and none happened on stale evidence."""
    processes = start_promoters(state, 4, 20)
    results = outcomes(processes)
    assert [p.returncode for p in processes] == [0, 0, 0, 0]
    assert len(results) == 80
    balance = collections.Counter[int]()
    for kind, version, over in results:
        if kind == "won":
            balance[int(version)] += 1
            balance[int(over)] -= 1
    # A walk from v1 to the champion enters each version as often as it leaves it, but for its two ends.
    champion = registry_state.champion(database_path(state), MODEL)
    assert champion is not None
    balance[1] += 1
    balance[champion["version"]] -= 1
    assert set(balance.values()) == {0}
    assert violations(LocalRegistry(state, verify)) == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_processes_killed_while_promoting_leave_a_registry_in_order(state: Path, seed: int) -> None:
    chance = random.Random(seed)
    processes = start_promoters(state, 4, 20)
    killers = [threading.Timer(chance.uniform(0, 0.25), process.kill) for process in processes[:3]]
    for killer in killers:
        killer.start()
    outcomes(processes)
    for killer in killers:
        killer.join()
    assert processes[3].returncode == 0
    assert violations(LocalRegistry(state, verify)) == []
    assert registry_state.champion(database_path(state), MODEL) is not None


def test_concurrent_registrations_of_one_package_make_one_version(tmp_path: Path) -> None:
    """Also the very first ones, which race to make the database."""
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        from seatrial.clouds.local.registry import LocalRegistry
        from tests.contract.registry_samples import register, verify
        print("ready", flush=True)
        sys.stdin.readline()
        for content in "abc":
            register(LocalRegistry(Path(sys.argv[1]), verify), Path(sys.argv[2]), content)
    """)
    state = tmp_path / "state"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(state), str(tmp_path / str(n))],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate()
    assert [p.returncode for p in processes] == [0, 0, 0, 0]
    assert len(LocalRegistry(state, verify).versions(MODEL)) == 3
    assert violations(LocalRegistry(state, verify)) == []


def test_a_commit_cut_in_half_is_taken_back_by_the_next_reader(state: Path) -> None:
    """The probe is often the first to look after a crash; then it is the one to play SQLite's journal back."""
    path = database_path(state)
    before = registry_state.champion(path, MODEL)
    child = textwrap.dedent("""
        import os, signal, sqlite3, sys
        connection = sqlite3.connect(sys.argv[1], isolation_level=None)
        connection.execute("PRAGMA cache_size = 1")  # so that pages reach the file before the commit
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE registered_model_aliases SET version = 6")
        for n in range(200):
            connection.execute("INSERT INTO experiment_tags VALUES (?, ?, 1)", (str(n), "x" * 5000))
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO experiments (experiment_id, name) VALUES (1, 'x')")
    connection.close()
    undisturbed = path.read_bytes()
    done = subprocess.run([sys.executable, "-c", child, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.with_name("mlflow.db-journal").stat().st_size > 0
    assert path.read_bytes() != undisturbed
    assert registry_state.champion(path, MODEL) == before
    assert path.read_bytes() == undisturbed


def test_a_registry_made_before_a_fork_works_in_the_child(state: Path) -> None:
    """The fork server hands its objects down; a shared SQLite connection would corrupt the file."""
    script = textwrap.dedent("""
        import os, sys
        from pathlib import Path
        from seatrial.clouds.local.registry import LocalRegistry
        from tests.contract.registry_samples import MODEL, verify
        registry = LocalRegistry(Path(sys.argv[1]), verify)
        assert registry.champion(MODEL).number == 1
        if os.fork() == 0:
            registry.promote(MODEL, 2, expected_champion=1)
            os._exit(0)
        assert os.wait()[1] == 0
        assert registry.champion(MODEL).number == 2
    """)
    done = subprocess.run([sys.executable, "-W", "error", "-c", script, str(state)], cwd=ROOT, check=False)
    assert done.returncode == 0
