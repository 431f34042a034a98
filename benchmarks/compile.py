"""Time to compile ten tasks, without imports: a document to SageMaker; beside it ``kfp`` and the ``sagemaker`` SDK.

The same chain of ten tasks for all, in turn, in one run; figures are medians. The SDK (730 MB) is no part of our
environment: name an interpreter that has ``sagemaker==3.27.0`` and ``moto`` in ``$SAGEMAKER_PYTHON``.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

warnings.simplefilter("ignore")

TASKS = 10
ROUNDS = 15
GOAL_MS = 30.0
SDK = Path(__file__).resolve().parents[1] / "tests" / "conformance" / "sagemaker_sdk_pipelines.py"

OURS = """
from __future__ import annotations
from seatrial.component import Dataset, Input, Output, component

@component()
def step(index: int, out: Output[Dataset], data: Input[Dataset] | None = None) -> None:
    out.path.write_text(str(index))
"""

PIPELINE = """
from kfp import dsl
from bench_steps import step

@dsl.pipeline(name="chain")
def chain():
    data = step.task(index=0).outputs["out"]
    for index in range(1, {tasks}):
        data = step.task(index=index, data=data).outputs["out"]
"""

THEIRS = """
from kfp import compiler, dsl
from kfp.dsl import Dataset, Input, Output

@dsl.component
def first(index: int, out: Output[Dataset]):
    pass

@dsl.component
def step(index: int, data: Input[Dataset], out: Output[Dataset]):
    pass

def chain():
    data = first(index=0).outputs["out"]
    for index in range(1, {tasks}):
        data = step(index=index, data=data).outputs["out"]

def compile_to(path):
    compiler.Compiler().compile(dsl.pipeline(name="chain")(chain), path)
"""


def kfp(folder: Path) -> Callable[[], None]:
    """KFP's own compiler, from the pipeline's function to its document."""
    (folder / "bench_kfp.py").write_text(THEIRS.format(tasks=TASKS))
    sys.path.insert(0, str(folder))
    compile_to = importlib.import_module("bench_kfp").compile_to
    return lambda: compile_to(str(folder / "kfp.yaml"))


def document_text(folder: Path) -> str:
    """The chain of our components, as a document."""
    from seatrial.document.compile import compile_pipeline

    (folder / "bench_steps.py").write_text(OURS)
    (folder / "pipe.py").write_text(PIPELINE.format(tasks=TASKS))
    return compile_pipeline(folder / "pipe.py", root=folder, image="bench")


def ours(text: str, *, fuse: bool, checked: bool) -> Callable[[], None]:
    """Read the document, plan its jobs and write the definition; check it too, where asked."""
    from seatrial.clouds.aws.check import check
    from seatrial.clouds.aws.pipeline import compiled
    from seatrial.clouds.aws.settings import SageMakerSettings
    from seatrial.document import read_text
    from seatrial.document.plan import plan

    settings = SageMakerSettings()

    def run() -> None:
        document = read_text(text)
        result = compiled(document, plan(document, fuse=fuse), settings)
        assert result.text()
        if checked:
            assert not check(result.definition).problems

    return run


@contextlib.contextmanager
def sdk() -> Iterator[Callable[[], float] | None]:
    """Seconds that the SDK needs for ten steps, each call anew; ``None`` where it is not installed."""
    python = os.environ.get("SAGEMAKER_PYTHON")
    if python is None:
        print("  sagemaker SDK: skipped, since $SAGEMAKER_PYTHON names no interpreter that has it")
        yield None
        return
    command = [python, str(SDK), "--time", "ten"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        asked, answered = child.stdin, child.stdout

        def run() -> float:
            asked.write("\n")
            asked.flush()
            return float(answered.readline())

        yield run
        asked.close()


def timed(run: Callable[[], None]) -> Callable[[], float]:
    """The same, giving seconds."""

    def measured() -> float:
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    return measured


def main() -> None:
    """Print each figure, and how it compares with ours."""
    logging.disable(logging.CRITICAL)
    print(f"{TASKS} tasks, {ROUNDS} rounds in turn, medians, imports not counted, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder, sdk() as theirs:
        text = document_text(Path(folder))
        runs = {
            "seatrial: document to 10 SageMaker jobs": timed(ours(text, fuse=False, checked=False)),
            "seatrial: the same, fused to 1 job": timed(ours(text, fuse=True, checked=False)),
            "seatrial: 10 jobs, checked by botocore": timed(ours(text, fuse=False, checked=True)),
            "kfp: function to document": timed(kfp(Path(folder))),
        }
        if theirs is not None:
            runs["sagemaker SDK: 10 steps to definition"] = theirs
        for run in runs.values():
            run()  # warm: byte code, botocore's shapes, the SDK's first calls
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        for index in range(ROUNDS):
            for name in sorted(runs, reverse=bool(index % 2)):
                seconds[name].append(runs[name]())
    first = statistics.median(next(iter(seconds.values())))
    for name, found in seconds.items():
        median = statistics.median(found)
        print(
            f"  {name:<42}{1000 * median:8.1f} ms  (from {1000 * min(found):.1f} to {1000 * max(found):.1f})"
            f"   {median / first:7.2f} x the first"
        )
    print(f"  goal: the first at most {GOAL_MS:.0f} ms: {'met' if 1000 * first <= GOAL_MS else 'MISSED'}")


if __name__ == "__main__":
    main()
