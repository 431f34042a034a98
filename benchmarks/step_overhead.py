"""Overhead of one isolated step: a chain of ten trivial steps, here and in ``kfp.local``, in turn, in one run.

Both run each step in a process of its own. KFP's ``SubprocessRunner(use_venv=False)`` starts a Python per step; ours
forks a warm process. Each round runs both, alternating which goes first; the figures are medians over the rounds.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

warnings.simplefilter("ignore")

STEPS = 10
ROUNDS = 5

OURS = """
from __future__ import annotations
from dataclasses import dataclass
from seatrial.component import component

@dataclass(frozen=True)
class Added:
    n: int

@component()
def add(n: int) -> Added:
    return Added(n + 1)
"""

PIPELINE = """
from kfp import dsl
from steps import add

@dsl.pipeline(name="chain")
def chain(n: int = 0) -> int:
    for _ in range({steps}):
        n = add.task(n=n).outputs["n"]
    return n
"""

THEIRS = """
from kfp import dsl

@dsl.component(install_kfp_package=False)
def add(n: int) -> int:
    return n + 1

@dsl.pipeline(name="chain")
def chain(n: int = 0) -> int:
    for _ in range({steps}):
        n = add(n=n).output
    return n
"""


class Silent:
    """An observer that shows nothing."""

    def started(self, record: object) -> None:
        """Nothing."""

    def event(self, record: object, event: object) -> None:
        """Nothing."""

    def ended(self, record: object) -> None:
        """Nothing."""


def ours(folder: Path) -> Callable[[], float]:
    """Prepare our chain; the call runs it without the cache and returns seconds."""
    from seatrial.document import read_text
    from seatrial.document.compile import compile_pipeline
    from seatrial.execute.run import Machine, execute

    (folder / "steps.py").write_text(OURS)
    (folder / "pipe.py").write_text(PIPELINE.format(steps=STEPS))
    document = read_text(compile_pipeline(folder / "pipe.py", root=folder, image="bench"))

    def run() -> float:
        start = time.perf_counter()
        ran = execute(document, {}, Machine(root=folder, state=folder / "state", use_cache=False), Silent())
        seconds = time.perf_counter() - start
        assert ran.error is None and ran.record["outputs"] == {"Output": STEPS}, ran.error
        return seconds

    return run


def theirs(folder: Path) -> Callable[[], float]:
    """Prepare KFP's chain."""
    from kfp import local

    (folder / "kfp_chain.py").write_text(THEIRS.format(steps=STEPS))
    sys.path.insert(0, str(folder))
    import importlib

    chain = importlib.import_module("kfp_chain").chain
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(folder / "kfp"))

    def run() -> float:
        start = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            task = chain()
        seconds = time.perf_counter() - start
        assert task.output == STEPS
        return seconds

    return run


def main() -> None:
    """Print both figures and their ratio."""
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "kfp_side").mkdir()
        runners = {"seatrial": ours(folder), "kfp.local": theirs(folder / "kfp_side")}
        for run in runners.values():
            run()  # warm: byte code, file cache
        seconds: dict[str, list[float]] = {name: [] for name in runners}
        for i in range(ROUNDS):
            for name in sorted(runners, reverse=bool(i % 2)):
                seconds[name].append(runners[name]())
    print(f"{STEPS}-step chain, one process per step, {ROUNDS} rounds in turn, {os.cpu_count()} cores")
    per_step = {}
    for name, found in seconds.items():
        milliseconds = sorted(1000 * s / STEPS for s in found)
        per_step[name] = statistics.median(milliseconds)
        print(f"  {name:<10} {per_step[name]:7.1f} ms a step  (from {milliseconds[0]:.1f} to {milliseconds[-1]:.1f})")
    print(f"  ratio      {per_step['seatrial'] / per_step['kfp.local']:.2f}  (goal: at most 0.50)")


if __name__ == "__main__":
    main()
