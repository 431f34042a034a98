"""A wide document: 10 groups of 20 tasks, here and in ``kfp.local``, and the memory of the runner while it goes.

The tasks do next to nothing, so the time of a run divided by its tasks is what a task costs; beside it stands the CPU
time of runner and tasks, which other work on the machine does not change. Memory is the runner's resident set when 50,
100, 150 and 200 tasks have ended. ``kfp.local`` runs loops two items at a time, each task as a new Python process.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

warnings.simplefilter("ignore")

GROUPS, WIDTH = 10, 20
TASKS = GROUPS * WIDTH

OWN = """
from __future__ import annotations
from dataclasses import dataclass
from seatrial.component import component

@dataclass(frozen=True)
class Added:
    n: int

@component()
def add(a: int, b: int) -> Added:
    return Added(a + b)
"""

OWN_PIPELINE = """
from kfp import dsl
from steps import add

@dsl.pipeline(name="fan-out")
def fan_out() -> None:
    with dsl.ParallelFor(list(range({groups}))) as a:
        with dsl.ParallelFor(list(range({width}))) as b:
            add.task(a=a, b=b)
"""

EMBEDDED_PIPELINE = """
from kfp import dsl

@dsl.component
def add(a: int, b: int) -> int:
    return a + b

@dsl.pipeline(name="fan-out")
def fan_out() -> None:
    with dsl.ParallelFor(list(range({groups}))) as a:
        with dsl.ParallelFor(list(range({width}))) as b:
            add(a=a, b=b)
"""


class Memory:
    """An observer that notes the runner's resident memory at every fiftieth end of a task."""

    def __init__(self) -> None:
        self.ended_tasks = 0
        self.mib: list[float] = []

    def started(self, record: object) -> None:
        """Nothing."""

    def event(self, record: object, event: object) -> None:
        """Nothing."""

    def ended(self, record: object) -> None:
        """Measure."""
        del record
        self.ended_tasks += 1
        if self.ended_tasks % 50 == 0:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            self.mib.append(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)


def cpu_s() -> float:
    """CPU time of this process and of those that it has waited for."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def ours(folder: Path, pipeline: str) -> Callable[[bool], tuple[float, Memory]]:
    """Prepare a document; the call runs it and returns seconds and memory."""
    from seatrial.document import read_text
    from seatrial.document.compile import compile_pipeline
    from seatrial.execute.run import Machine, execute

    folder.mkdir()
    (folder / "steps.py").write_text(OWN)
    (folder / "pipe.py").write_text(pipeline.format(groups=GROUPS, width=WIDTH))
    document = read_text(compile_pipeline(folder / "pipe.py", root=folder, image="bench"))

    def run(use_cache: bool) -> tuple[float, Memory]:
        memory = Memory()
        start = time.perf_counter()
        ran = execute(document, {}, Machine(root=folder, state=folder / "state", use_cache=use_cache), memory)
        seconds = time.perf_counter() - start
        assert ran.error is None, ran.error
        assert sum(t["outputs"] != {} for t in ran.record["tasks"]) == TASKS
        return seconds, memory

    return run


def theirs(folder: Path, groups: int) -> float:
    """Run a part of the same document in ``kfp.local``; returns seconds."""
    from kfp import local

    folder.mkdir()
    (folder / "kfp_fan_out.py").write_text(
        EMBEDDED_PIPELINE.replace("@dsl.component\n", "@dsl.component(install_kfp_package=False)\n").format(
            groups=groups, width=WIDTH
        )
    )
    sys.path.insert(0, str(folder))
    import importlib

    pipeline = importlib.import_module("kfp_fan_out").fan_out
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(folder / "root"))
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        pipeline()
    return time.perf_counter() - start


def main() -> None:
    """Print the figures."""
    logging.disable(logging.CRITICAL)
    print(f"{TASKS} tasks ({GROUPS} x {WIDTH}), one process each, {os.cpu_count()} cores; goal: at most 20 ms a task")
    print("MiB: resident memory of the runner when 50, 100, 150 and 200 tasks have ended")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name, pipeline in (("own components", OWN_PIPELINE), ("embedded functions", EMBEDDED_PIPELINE)):
            run = ours(folder / name.split()[0], pipeline)
            for title, use_cache in (("all run", False), ("all cached", True)):
                before = cpu_s()
                seconds, memory = run(use_cache)
                cpu = 1000 * (cpu_s() - before) / TASKS
                rss = " ".join(f"{m:.1f}" for m in memory.mib)
                print(f"  {name:<19} {title:<10} {1000 * seconds / TASKS:6.1f} ms a task ({cpu:4.1f} CPU)   {rss} MiB")
        groups = 2
        try:
            seconds = theirs(folder / "kfp_side", groups)
            each = 1000 * seconds / (groups * WIDTH)
            print(f"  kfp.local           all run    {each:6.1f} ms a task   ({groups * WIDTH} of them)")
        except Exception as exc:  # noqa: BLE001 - what kfp.local cannot do is a finding, not our failure
            print(f"  kfp.local           did not run it: {type(exc).__name__}: {str(exc)[:200]}")


if __name__ == "__main__":
    main()
