"""Runs an operation of the registry again and again, killed with SIGKILL at its first line, its second, and so on.

Started as a program by ``test_registry_crash.py``: forking is safe in a process with one thread. Prints what it saw as
JSON: how many lines it killed at, and every violation that a kill left behind.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from seatrial.clouds.base import RunRecord
from seatrial.clouds.champions import CHAMPION, PREVIOUS
from seatrial.clouds.local import registry as registry_module
from seatrial.clouds.local.mlflow_database import MlflowDatabase
from seatrial.clouds.local.registry import LocalRegistry
from seatrial.clouds.local.registry_state import database_path
from seatrial.clouds.local.tracking import LocalTracking
from tests.contract.registry_samples import MODEL, register, verify, violations

WATCHED = str(Path(registry_module.__file__).parents[1])


def first_registration(state: Path) -> None:
    register(LocalRegistry(state, verify), state.parent / "incoming", "first")


def registration(state: Path) -> None:
    register(LocalRegistry(state, verify), state.parent / "incoming", "new")


def promotion(state: Path) -> None:
    LocalRegistry(state, verify).promote(MODEL, 3, expected_champion=2)


def rollback(state: Path) -> None:
    LocalRegistry(state, verify).rollback(MODEL, 2)


def log_run(state: Path) -> None:
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    LocalTracking(state).log_run(RunRecord("r", MODEL, "finished", start, metrics={"roc_auc": 0.7}, tags={"a": "b"}))


def careless_promotion(state: Path) -> None:
    """The mistake that the other operations must not make: each alias in its own transaction."""
    for alias, number in ((PREVIOUS, 2), (CHAMPION, 3)):
        with MlflowDatabase(database_path(state)).write() as connection:
            registry_module._set_alias(connection, MODEL, alias, number)


OPERATIONS = {
    f.__name__: f for f in (first_registration, registration, promotion, rollback, log_run, careless_promotion)
}


def killed_at(line: int, operation: Callable[[Path], None], state: Path) -> bool:
    """Run it in a child that is killed at that line of the registry's code; False when it ended before."""
    child = os.fork()
    if child == 0:
        passed = 0

        def trace(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal passed
            if not frame.f_code.co_filename.startswith(WATCHED):
                return None
            if event == "line":
                passed += 1
                if passed == line:
                    os.kill(os.getpid(), signal.SIGKILL)
            return trace

        sys.settrace(trace)
        operation(state)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status) and os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"the operation failed by itself at line {line}")
    return os.WIFSIGNALED(status)


def main() -> None:
    operation, folder = OPERATIONS[sys.argv[1]], Path(sys.argv[2])
    pristine = folder / "pristine"
    if operation is not first_registration:
        registry = LocalRegistry(pristine, verify)
        for content in "abc":
            register(registry, folder / "incoming", content)
        registry.promote(MODEL, 1, expected_champion=None)
        registry.promote(MODEL, 2, expected_champion=1)
    line, found = 0, []
    while True:
        line += 1
        state = folder / "work" / "state"
        shutil.rmtree(state.parent, ignore_errors=True)
        if pristine.exists():
            shutil.copytree(pristine, state)
        if not killed_at(line, operation, state):
            break
        found += [f"line {line}: {violation}" for violation in violations(LocalRegistry(state, verify))]
        if operation is not careless_promotion:
            operation(state)  # the same command again finishes
            found += [f"line {line}, repeated: {violation}" for violation in violations(LocalRegistry(state, verify))]
            packages = database_path(state).parent / "packages"
            found += [f"line {line}: {orphan} is left" for orphan in packages.glob(".incoming-*")]
    print(json.dumps({"lines": line - 1, "violations": found}))  # noqa: T201 - its output is its result


if __name__ == "__main__":
    main()
