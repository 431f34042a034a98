"""Compiles KFP's own test pipelines for SageMaker, executes them in the offline AWS, and compares every task.

Usage: python tests/conformance/sagemaker_execute.py FOLDER [--table] [--only TEXT] [--no-fuse] [--jobs N]

FOLDER is ``test_data/sdk_compiled_pipelines/valid`` of a checkout of kubeflow/pipelines. Each pipeline that can run on
one machine is compiled for one image that holds Seatrial, uploaded, created, started and followed with boto3 through
the adapter that ``seatrial launch`` uses; its jobs run as processes of this Python. What every task got, gave and said
has to be what ``kfp_expectations.py`` says. A pipeline's own outputs are not compared: SageMaker has none. *refused*:
the compiler says why, or a package that the pipeline needs is not installed. Exit code 0: nothing wrong.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import json
import os
import re
import secrets
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

import boto3  # noqa: E402 - the tests are found first

from seatrial import clouds  # noqa: E402
from seatrial.clouds.base import Execution, PipelineRun, Pipelines  # noqa: E402
from seatrial.document import read_text  # noqa: E402
from seatrial.document.plan import plan  # noqa: E402
from seatrial.errors import SeatrialError  # noqa: E402
from seatrial.rehearsal.aws import Image, OfflineAws  # noqa: E402
from tests.conformance import kfp_expectations  # noqa: E402
from tests.conformance.kfp_suite import Outcome, contents, task_of  # noqa: E402
from tests.rehearsal.offline import trust  # noqa: E402
from tests.unit.clouds.aws.stacks import IMAGE, model_table, stack_table  # noqa: E402

Json = Any
LIMIT_S = 240.0
_STATES = {"succeeded": "SUCCEEDED", "failed": "FAILED", "stopped": "FAILED"}
_NAMES = tuple(f"p{number}" for number in range(1000))
"""The suite's pipelines, as the stack knows them."""
_JOB_S = 1e6
"""Apart in the tasks' times: a job's tasks come after those of the jobs that were started before it."""


@contextmanager
def offline(folder: Path) -> Iterator[Pipelines]:
    """An offline AWS with a bucket, a role and a stack; jobs keep what they write below ``folder``."""
    (folder / "tmp").mkdir()
    (folder / "work").mkdir()
    settings = {"PYTHONPATH": str(REPOSITORY), "TMPDIR": str(folder / "tmp")}
    image = Image(uri=IMAGE, python=Path(sys.executable), workdir=folder / "work", environment=settings)
    with OfflineAws([image], speed=100) as aws:
        os.environ.update(aws.environment())
        boto3.client("s3", **aws.client_settings()).create_bucket(Bucket="trial-artifacts")
        iam = boto3.client("iam", **aws.client_settings())
        iam.create_role(RoleName="trial", AssumeRolePolicyDocument=trust("sagemaker"))
        stacks = folder / "state" / "stacks"
        stacks.mkdir(parents=True)
        (stacks / "aws.suite.json").write_text(
            json.dumps(stack_table(models=model_table("trial", "suite", pipelines=_NAMES)))
        )
        yield clouds.load_pipelines("aws", folder / "state")


def judge(name: str, path: Path, pipelines: Pipelines, number: int, *, fuse: bool) -> dict[str, Json]:
    """Compile, execute and compare one document."""
    expected = replace(kfp_expectations.of(name), outputs={})
    found: dict[str, Json] = {"name": name, "jobs": 0, "tasks": 0, "why": "", "seconds": 0.0}
    began = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory(prefix="kfp-suite-") as place:
            outcome, jobs = _executed(path, expected, Path(place), pipelines, number, fuse=fuse)
        problems = expected.problems(replace(outcome, outputs={}))
        found |= {"jobs": jobs, "tasks": len(outcome.tasks), "why": "; ".join(problems)}
        if problems and outcome.reason:
            found["why"] += f" ({outcome.reason})"
        lacking = re.search(r"needs (the package|packages|[\w.-]+ ?[<>=!~])|is not installed", outcome.reason)
        found["verdict"] = "right" if not problems else "refused" if lacking else "wrong"
    except SeatrialError as refused:
        found |= {"verdict": "refused", "why": refused.what.replace("\n", " ")}
    except Exception:
        found |= {"verdict": "crashed", "why": traceback.format_exc(limit=-3)}
    return found | {"seconds": time.perf_counter() - began}


def _executed(
    path: Path, expected: Any, place: Path, pipelines: Pipelines, number: int, *, fuse: bool
) -> tuple[Outcome, int]:
    text = path.read_text()
    for old, new in expected.shortened.items():
        text = text.replace(old, new)
    for file, content in expected.files.items():
        (place / file).write_text(content)
    document = read_text(text, path.name)
    arguments = json.loads(json.dumps(expected.arguments).replace("FOLDER", str(place)))
    run = PipelineRun(
        name=_NAMES[number],
        model="suite",
        document=document,
        plan=plan(document, fuse=fuse, image="seatrial"),
        image="seatrial",
        arguments=arguments,
    )
    prepared = pipelines.prepare(run)
    pipelines.deploy(prepared)
    execution = pipelines.start(prepared, secrets.token_hex(20))
    ended = _ended(pipelines, execution)
    records = [_later(record, at) for at, step in enumerate(ended.steps) for record in pipelines.records(step)]
    executed = [record for record in records if record["state"] in ("SUCCEEDED", "FAILED")]
    content = contents(executed, place)
    tasks = tuple(task_of(record, content) for record in executed)
    reason = next((step.reason for step in ended.steps if step.status == "failed"), ended.reason)
    said = [line for step in ended.steps if step.status == "failed" for line in pipelines.last_lines(step, 6)]
    return Outcome(_STATES[ended.status], " | ".join([reason, *said]).strip(" |"), tasks), len(ended.steps)


def _ended(pipelines: Pipelines, execution: str) -> Execution:
    end = time.monotonic() + LIMIT_S
    while True:
        found = pipelines.state(execution)
        assert found is not None
        if found.over:
            return found
        if time.monotonic() > end:
            pipelines.stop(execution)
            raise TimeoutError(
                f"did not end within {LIMIT_S:.0f} s: {[s for s in found.steps if s.status == 'running']}"
            )
        time.sleep(0.2)


def _later(record: Mapping[str, Json], job: int) -> dict[str, Json]:
    return {**record, "started": record["started"] + job * _JOB_S}


def main() -> int:
    """Execute and print the table."""
    parser = argparse.ArgumentParser(description="Execute KFP's own compiled pipelines in the offline AWS.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--table", action="store_true", help="one line per document")
    parser.add_argument("--only", default="", help="documents whose name contains this")
    parser.add_argument("--no-fuse", action="store_true", help="a job for each task")
    parser.add_argument("--jobs", type=int, default=max(2, os.cpu_count() or 2))
    given = parser.parse_args()
    names = [path.relative_to(given.folder).as_posix() for path in sorted(given.folder.rglob("*.yaml"))]
    runnable = [name for name in names if given.only in name and kfp_expectations.of(name).runnable]
    # what the suite arranges for a run (the open-source back-end's word for a status, a stand-in for a bucket) has no
    # place in a cloud's job
    chosen = [name for name in runnable if not (kfp_expectations.of(name).machine or kfp_expectations.of(name).bucket)]
    with tempfile.TemporaryDirectory(prefix="sagemaker-suite-") as folder, offline(Path(folder)) as pipelines:

        def one(item: tuple[int, str]) -> dict[str, Json]:
            number, name = item
            return judge(name, given.folder / name, pipelines, number, fuse=not given.no_fuse)

        with concurrent.futures.ThreadPoolExecutor(given.jobs) as pool:
            found = []
            for each in pool.map(one, enumerate(chosen)):
                found.append(each)
                if given.table or each["verdict"] in ("wrong", "crashed"):
                    jobs = f"{each['jobs']:3} steps {each['tasks']:3} tasks {each['seconds']:6.1f} s"
                    print(f"{each['verdict']:8} {each['name']:75} {jobs}  {each['why'][:600]}", flush=True)
    counts = collections.Counter(each["verdict"] for each in found)
    figures = ", ".join(f"{counts[verdict]} {verdict}" for verdict in ("right", "wrong", "refused", "crashed"))
    left_out = ", ".join(sorted(set(runnable) - set(chosen)))
    print(f"\n{len(found)} pipelines that can run on one machine, executed as SageMaker definitions: {figures}")
    print(f"left out, since what they need has to be arranged: {left_out or 'none'}")
    return 1 if counts["wrong"] or counts["crashed"] else 0


if __name__ == "__main__":
    sys.exit(main())
