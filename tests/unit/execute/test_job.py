"""``python -m seatrial.execute``: a job's part run as a service runs it, in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from seatrial.document import read_text
from seatrial.document.fused import fused_document
from seatrial.document.jobs import Gathered
from seatrial.document.plan import Constant, FirstOf, Job, JobOutput, JobParameter, PipelineParameter, Plan, plan
from seatrial.errors import DocumentError, TaskError
from seatrial.execute import parcel
from seatrial.execute.cache import Stored
from seatrial.execute.job import message, specification
from seatrial.execute.run import Machine, execute

Json = Any
REPOSITORY = Path(__file__).resolve().parents[3]

STAGES = """
from __future__ import annotations
import time
from dataclasses import dataclass
from pathlib import Path
from seatrial.component import Dataset, Input, Output, component, say

@dataclass(frozen=True)
class Made:
    n: int
    names: list[str]
    long: str

@component(job="first")
def make(n: int, data: Output[Dataset]) -> Made:
    data.path.write_text(str(n))
    data.metadata["rows"] = n
    say(f"{n} rows")
    print("making")
    return Made(n=n + 1, names=["a", "b"], long="x" * 300)

@component(job="first")
def each(name: str, data: Input[Dataset], out: Output[Dataset]) -> None:
    out.path.mkdir()
    (out.path / "part.txt").write_text(name + data.path.read_text())

@component(job="second")
def join(outs: Input[list[Dataset]], data: Input[Dataset], long: str, out: Output[Dataset]) -> Made:
    text = ",".join((o.path / "part.txt").read_text() for o in outs)
    out.path.write_text(text)
    return Made(n=data.metadata["rows"], names=[text], long=long)

@component(job="third")
def tell(text: str, names: list[str]) -> Made:
    if text == "break":
        raise ValueError("no good")
    if text == "sleep":
        Path("asleep").touch()
        time.sleep(600)
    return Made(n=len(names), names=names, long=text)
"""

PIPE = """
from kfp import dsl
from stages import each, join, make, tell

@dsl.pipeline(name="p")
def p(n: int = 3, text: str = "hello") -> int:
    a = make.task(n=n)
    with dsl.ParallelFor(a.outputs["names"]) as name:
        b = each.task(name=name, data=a.outputs["data"])
    c = join.task(outs=dsl.Collected(b.outputs["out"]), data=a.outputs["data"], long=a.outputs["long"])
    with dsl.If(c.outputs["n"] > 2):
        tell.task(text=text, names=c.outputs["names"])
    return c.outputs["n"]
"""


class Service:
    """Starts each job of a plan as a process, with folders between them."""

    def __init__(self, root: Path, planned: Plan, arguments: Mapping[str, Json]) -> None:
        self.root = root
        self.planned = planned
        self.arguments = arguments

    def folder(self, job: str) -> Path:
        return self.root / "service" / job

    def specification(self, job: Job, **more: Json) -> Path:
        folder = self.folder(job.name)
        folder.mkdir(parents=True, exist_ok=True)
        outputs = job.document["root"].get("outputDefinitions", {})
        table = {
            "format": 1,
            "job": job.name,
            "document": job.document,
            "parameters": {name: self.reference(value) for name, value in job.parameters.items()},
            "artifacts": {n: [str(self.folder(o.job) / o.name) for o in found] for n, found in job.artifacts.items()},
            "outputs": {
                "artifacts": {name: str(folder / name) for name in outputs.get("artifacts", {})},
                "parameters": str(folder / "outputs.json"),
            },
            "failure": str(folder / "failure"),
            "state": str(folder / "state"),
            "logs": str(folder / "logs"),
            "root": str(self.root),
            **more,
        }
        path = folder / "job.json"
        path.write_text(json.dumps(table))
        return path

    def reference(self, value: JobParameter) -> Json:
        if isinstance(value, PipelineParameter):
            return {"environment": f"P_{value.name}", "absent": "null"}
        if isinstance(value, Constant):
            return {"value": value.value}
        if isinstance(value, JobOutput):
            return {"file": str(self.folder(value.job) / "outputs.json"), "name": value.name}
        assert isinstance(value, FirstOf | Gathered)
        return {"first" if isinstance(value, FirstOf) else "all": [self.reference(output) for output in value.outputs]}

    def command(self, job: Job, **more: Json) -> tuple[list[str], dict[str, str]]:
        given = {f"P_{name}": "null" if value is None else str(value) for name, value in self.arguments.items()}
        path = os.pathsep.join([str(self.root), str(REPOSITORY)])
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.root), "PYTHONPATH": path, **given}
        return [sys.executable, "-m", "seatrial.execute", "--job", str(self.specification(job, **more))], environment

    def run(self, job: Job, **more: Json) -> Any:
        command, environment = self.command(job, **more)
        return subprocess.run(command, env=environment, cwd=self.root, capture_output=True, text=True, timeout=120)

    def values(self, job: str) -> Json:
        return json.loads((self.folder(job) / "outputs.json").read_text())


@pytest.fixture
def service(bench: Any) -> Service:
    bench.write("stages.py", STAGES)
    bench.write("pipe.py", PIPE)
    return Service(bench.root, plan(read_text(bench.compile())), {"n": 5, "text": "hello"})


def test_the_jobs_of_a_plan_run_one_after_the_other(service: Service, bench: Any) -> None:
    """Values, artifacts and metadata arrive as in one run of the whole document."""
    first, second, third = service.planned.jobs()
    assert [job.name for job in (first, second, third)] == ["first", "second", "third"]
    for job in (first, second, third):
        ran = service.run(job)
        assert ran.returncode == 0, ran.stderr + ran.stdout
    whole = bench.run({"n": 5, "text": "hello"})
    assert service.values("second")["join-n"] == whole.record["outputs"]["Output"] == 5
    assert not (service.folder("second") / "join-out").exists()  # nobody takes it, so it does not leave the job
    found = parcel.unpack(service.folder("first") / "each-out") or []
    assert [(Path(a.uri) / "part.txt").read_text() for a in found] == ["a5", "b5"]
    record = json.loads((service.folder("third") / "logs/run.json").read_text())
    told = next(t for t in record["tasks"] if t["name"] == "tell")
    assert told["outputs"] == whole.task("tell")["outputs"]


def test_each_task_keeps_its_log_and_its_result(service: Service) -> None:
    first = service.planned.jobs()[0]
    ran = service.run(first)
    assert "make | making" in ran.stdout
    assert "make: 5 rows" in ran.stdout
    logs = service.folder("first") / "logs"
    assert (logs / "make.txt").read_text() == "making\n"
    assert {t["name"] for t in json.loads((logs / "run.json").read_text())["tasks"]} == {"make", "each"}
    again = service.run(first)
    assert "make cached" in again.stdout
    assert "cached" not in service.run(first, cache=False).stdout


def test_long_values_travel_in_files(service: Service) -> None:
    """A service gives arguments and variables 256 characters; a task's output may be longer."""
    first, second, _ = service.planned.jobs()
    assert service.run(first).returncode == 0
    assert len(service.values("first")["make-long"]) == 300
    text = service.specification(second).read_text()
    assert "x" * 300 not in text
    assert service.run(second).returncode == 0


def test_a_failed_task_leaves_its_message_and_a_code(service: Service) -> None:
    service.arguments = {"n": 5, "text": "break"}
    first, second, third = service.planned.jobs()
    assert service.run(first).returncode == service.run(second).returncode == 0
    ran = service.run(third)
    assert ran.returncode == 1
    told = (service.folder("third") / "failure").read_text()
    assert told.startswith("tell: failed: exit code 1")
    assert "ValueError: no good" in told
    assert len(told) <= 1024
    assert (service.folder("third") / "logs/run.json").exists()
    assert not (service.folder("third") / "outputs.json").exists()


def test_a_stopped_job_ends_its_tasks_and_says_so(service: Service) -> None:
    service.arguments = {"n": 5, "text": "sleep"}
    first, second, third = service.planned.jobs()
    assert service.run(first).returncode == service.run(second).returncode == 0
    command, environment = service.command(third)
    with subprocess.Popen(command, env=environment, cwd=service.root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "▶ tell\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
    assert "the job was stopped" in (service.folder("third") / "failure").read_text()
    assert [p for p in Path("/proc").glob("[0-9]*/environ") if _has(p, str(service.root))] == []


def _has(environ: Path, text: str) -> bool:
    try:
        return b"P_text=sleep\0" in environ.read_bytes() and text.encode() in environ.read_bytes()
    except OSError:
        return False


def test_everything_wrong_with_a_specification_is_told_at_once(service: Service) -> None:
    table = json.loads(service.specification(service.planned.jobs()[1]).read_text())
    table["surprise"] = 1
    table["parameters"]["first-make-long"] = {"vlaue": 1}
    table["artifacts"]["nothing"] = ["/x"]
    table["outputs"] = {}
    table["buckets"] = "seatrial.nowhere:at_all"
    with pytest.raises(DocumentError) as caught:
        specification(table)
    for told in ("surprise", "vlaue", "nothing", "outputs.parameters", "seatrial.nowhere"):
        assert told in caught.value.what
    with pytest.raises(DocumentError, match="format"):
        specification({"format": 2})


def test_a_specification_that_is_not_there_is_an_error_of_three_lines(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "seatrial.execute", "--job", str(tmp_path / "none.json")]
    ran = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(REPOSITORY)})
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    assert "none.json cannot be read" in ran.stderr


def test_a_long_message_keeps_what_matters() -> None:
    error = TaskError("failed: exit code 1", why="log\n" + "a" * 3000 + "\nlast line", todo="Read the log.")
    told = message(error)
    assert len(told) <= 1024
    assert told.startswith("failed: exit code 1\n…")
    assert told.endswith("last line\nRead the log.")


def test_parcels_keep_files_folders_addresses_and_order(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("1")
    (tmp_path / "folder/sub").mkdir(parents=True)
    (tmp_path / "folder/sub/x").write_text("2")
    given = [
        parcel.stored("a", "system.Dataset", {"k": 1}, str(tmp_path / "file")),
        parcel.stored("b", "system.Model", {}, str(tmp_path / "folder")),
        parcel.stored("c", "system.Artifact", {}, "s3://bucket/key"),
    ]
    parcel.pack(given, tmp_path / "parcel")
    found = parcel.unpack(tmp_path / "parcel") or []
    assert [(a.name, a.schema, a.metadata, a.digest) for a in found] == [
        (a.name, a.schema, a.metadata, a.digest) for a in given
    ]
    assert parcel.unpack(tmp_path / "nothing") is None
    (tmp_path / "parcel/artifact.json").write_text("{")
    with pytest.raises(TaskError, match="cannot be read"):
        parcel.unpack(tmp_path / "parcel")


def test_a_fused_document_runs_to_the_same_outputs(service: Service, bench: Any) -> None:
    """What Vertex AI is given: jobs as executors, run here by the executor of any document."""
    document = read_text(bench.compile())
    spec = fused_document(document, service.planned, allow_tags=True)
    tasks = spec["root"]["dag"]["tasks"]
    assert set(tasks) == {"first", "second", "condition-2"}
    machine = Machine(root=bench.root, state=bench.state)
    ran = execute(read_text(json.dumps(spec)), {"n": 5}, machine, bench.heard)
    assert ran.error is None, ran.error
    assert ran.record["outputs"] == bench.run({"n": 5}).record["outputs"] == {"Output": 5}
    with pytest.raises(DocumentError, match="named by tags: bench"):
        fused_document(document, service.planned)


def test_a_job_given_nothing_by_a_branch_that_was_not_taken_goes_on(tmp_path: Path) -> None:
    """``{"first": [...]}`` and folders that nobody wrote."""
    source = tmp_path / "x"
    source.write_text("1")
    parcel.pack([Stored("x", "system.Dataset", str(source), {}, "")], tmp_path / "taken")
    document = {
        "pipelineInfo": {"name": "p"},
        "schemaVersion": "2.1.0",
        "root": {
            "inputDefinitions": {
                "parameters": {"v": {"parameterType": "STRING"}},
                "artifacts": {"a": {"artifactType": {"schemaTitle": "system.Dataset"}, "isOptional": True}},
            },
            "dag": {"tasks": {}},
        },
    }
    spec = specification(
        {
            "format": 1,
            "document": document,
            "parameters": {"v": {"first": [{"file": str(tmp_path / "no.json"), "name": "v"}, {"value": "b"}]}},
            "artifacts": {"a": [str(tmp_path / "skipped"), str(tmp_path / "taken")]},
            "outputs": {},
        }
    )
    assert spec.parameters == {"v": "b"}
    assert [a.uri for a in spec.artifacts["a"]] == [str(tmp_path / "taken/0")]


def test_a_task_sees_of_its_jobs_environment_what_the_job_was_told_to_hand_on(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How the cloud is reached, and nothing that would change a result unseen."""
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_PROFILE", "mine")
    more: Json = {
        "inherit": ["AWS_REGION", "AWS_ENDPOINT_URL"],
        "environment": {"SEATRIAL_TARGET": "aws"},
        "parameters": {},
    }
    table = json.loads(service.specification(service.planned.jobs()[0], **more).read_text())
    assert specification(table).environment == {"AWS_REGION": "eu-west-1", "SEATRIAL_TARGET": "aws"}
