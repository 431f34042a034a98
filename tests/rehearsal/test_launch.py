"""``seatrial launch`` against the offline AWS: the same code path as against the real one."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from seatrial import clouds
from seatrial.clouds.aws.pipelines import AwsPipelines
from seatrial.clouds.base import PipelineRun, Prepared, StepState
from seatrial.clouds.launch import Launches, launch, stop
from seatrial.document import read_text
from seatrial.document.compile import compile_pipeline
from seatrial.document.plan import plan
from seatrial.errors import ResourceError
from tests.racing import race
from tests.rehearsal.offline import BUCKET, Cloud, offline

STEPS = """
from dataclasses import dataclass
import time
from seatrial.component import Dataset, Input, component, say
from seatrial.errors import DataError

@dataclass(frozen=True)
class Sum:
    total: int
    label: str

@dataclass(frozen=True)
class Price:
    amount: float

@component(job="count", cache=False)
def add(a: int, b: int) -> Sum:
    print("adding", a, b)
    say(f"{a} + {b}")
    return Sum(a + b, "it's")

@component(function="price")
def price(n: int, label: str, rate: float = 0.5) -> Price:
    raise AssertionError("the function of the cloud is called instead")

@component(job="tell", cache=False)
def tell(amount: float) -> None:
    say(f"amount {amount}")

@component(job="wait", cache=False)
def wait(seconds: float) -> None:
    print("waiting")
    time.sleep(seconds)

@component(job="count", cache=False)
def read(given: Input[Dataset]) -> None:
    say(given.path.read_text())

@component(job="check", cache=False)
def check(n: int) -> None:
    if n > 1:
        raise DataError(f"{n} is more than one", why="One is the most.", todo="Give less.")
"""
HEAD = """
from kfp import dsl
from components.steps import add, check, price, read, tell, wait
from seatrial.component import fail
"""
PIPES = {
    "sums": """
@dsl.pipeline(name="sums")
def sums(model: str, a: int = 2, b: int = 3, least: float = 1.0) -> None:
    summed = add.task(a=a, b=b)
    priced = price.task(n=summed.outputs["total"], label=summed.outputs["label"])
    with dsl.If(priced.outputs["amount"] >= least):
        tell.task(amount=priced.outputs["amount"])
    with dsl.Else():
        fail.task(message=f"{summed.outputs['total']} at {priced.outputs['amount']} is below {least}")
""",
    "waits": """
@dsl.pipeline(name="waits")
def waits(model: str, seconds: float = 0.0) -> None:
    wait.task(seconds=seconds)
""",
    "checks": """
@dsl.pipeline(name="checks")
def checks(model: str, n: int = 1) -> None:
    check.task(n=n)
""",
}
PIPES["dry"] = """
@dsl.pipeline(name="dry")
def dry(model: str, seconds: float = 0.0) -> None:
    wait.task(seconds=seconds)
"""
PIPES["imports"] = """
@dsl.pipeline(name="imports")
def imports(model: str, uri: str) -> None:
    given = dsl.importer(artifact_uri=uri, artifact_class=dsl.Dataset, reimport=False)
    read.task(given=given.output)
"""
PIPES["approved"] = """
@dsl.pipeline(name="approved")
def approved(model: str, version: int) -> None:
    add.task(a=version, b=0)
"""
PRICE = """
def handle(event, context):
    assert event["label"] == "it's"
    return {"amount": event["n"] * event["rate"]}
"""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[Cloud]:
    root = tmp_path_factory.mktemp("launch") / "project"
    shutil.copytree(repository / "tests" / "projects" / "tiny", root)
    for folder in ("components", "pipelines"):
        (root / folder).mkdir()
    (root / "components" / "__init__.py").touch()
    (root / "components" / "steps.py").write_text(STEPS)
    for name, text in PIPES.items():
        (root / "pipelines" / f"{name}.py").write_text(HEAD + text)
    with offline(root) as found:
        found.function("price", PRICE)
        yield found


@pytest.fixture
def reached(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """The offline AWS is where this process finds AWS."""
    for name, value in cloud.aws.environment().items():
        monkeypatch.setenv(name, value)
    return cloud


class Heard:
    """A follower that remembers."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, str]] = []
        self.lines: list[str] = []

    def step(self, step: StepState) -> None:
        self.steps.append((step.name, step.status))

    def line(self, step: StepState, text: str) -> None:
        self.lines.append(f"{step.name}: {text}")


def connected(cloud: Cloud, record: Any = None) -> Any:
    return clouds.load_pipelines("aws", cloud.state, record=record)


def prepared(cloud: Cloud, name: str, **arguments: Any) -> Prepared:
    text = compile_pipeline(cloud.root / "pipelines" / f"{name}.py", root=cloud.root, image="seatrial")
    document = read_text(text)
    run = PipelineRun(name, "parcels", document, plan(document), "seatrial", {"model": "parcels", **arguments})
    found: Prepared = connected(cloud).prepare(run)
    return found


def launched(cloud: Cloud, work: Prepared, follower: Heard, **options: Any) -> Any:
    return launch(connected(cloud), work, Launches(cloud.state), follower, started=lambda *_: None, **options)


def test_jobs_functions_and_choices_run_and_are_told(reached: Cloud) -> None:
    """A function of the cloud answers in place of its Python, and a job reads what it answered."""
    heard = Heard()
    ended = launched(reached, prepared(reached, "sums", b=4), heard)
    assert ended.status == "succeeded"
    assert [name for name, status in heard.steps if status == "succeeded"] == ["count", "price", "condition-2", "tell"]
    assert "count:   add | adding 2 4" in heard.lines
    afterwards = Heard()
    connected(reached).follow(ended.id, afterwards)
    assert "count:   add | adding 2 4" in afterwards.lines, "also of a job that ended between two looks"
    told = {step.name: connected(reached).records(step) for step in ended.steps}
    assert [task["summary"] for task in told["count"]] == ["2 + 4"]
    assert [task["summary"] for task in told["tell"]] == ["amount 3.0"]


def test_a_job_imports_from_a_bucket(reached: Cloud) -> None:
    """And says in words what it cannot import."""
    reached.client("s3").put_object(Bucket=BUCKET, Key="given/numbers.txt", Body=b"one two")
    work = prepared(reached, "imports", uri=f"s3://{BUCKET}/given/numbers.txt")
    ended = launched(reached, work, Heard())
    assert ended.status == "succeeded"
    summaries = {task["name"]: task["summary"] for step in ended.steps for task in connected(reached).records(step)}
    assert summaries["read"] == "one two"
    missing = f"s3://{BUCKET}/given/letters.txt"
    ended = launched(reached, prepared(reached, "imports", uri=missing), Heard())
    assert ended.status == "failed"
    said = "\n".join(line for step in ended.steps for line in connected(reached).last_lines(step, 20))
    assert f"imports {missing}" in said or f"cannot import {missing}" in said


def test_a_failure_ends_the_execution_with_its_message(reached: Cloud) -> None:
    ended = launched(reached, prepared(reached, "sums", least=9.5), Heard())
    assert ended.status == "failed"
    assert {step.name: step.reason for step in ended.steps}["fail"] == "5 at 2.5 is below 9.5"
    done = reached.json("launch", "parcels", "--pipeline", "sums", "--arguments", '{"least": 9.5}', code=1)
    assert done["error"]["what"] == "fail: 5 at 2.5 is below 9.5"


def test_a_dry_run_tells_what_is_then_sent_and_sends_nothing(reached: Cloud) -> None:
    work = prepared(reached, "dry", seconds=0.25)  # nobody else puts it there
    recorded: list[Any] = []
    dry = connected(reached, recorded.append)
    dry.deploy(work)
    dry.start(work, "t" * 40)
    assert [request.operation for request in recorded] == ["PutObject", "CreatePipeline", "StartPipelineExecution"]
    assert dry.assumed == ""
    pipelines = reached.client("sagemaker").list_pipelines()["PipelineSummaries"]
    assert work.pipeline not in [each["PipelineName"] for each in pipelines]
    connected(reached).deploy(work)
    made = reached.client("sagemaker").describe_pipeline(PipelineName=work.pipeline)
    assert made["PipelineDefinition"] == recorded[1].parameters["PipelineDefinition"] == work.definition
    body = reached.client("s3").get_object(Bucket=BUCKET, Key=recorded[0].parameters["Key"])["Body"].read()
    assert body == recorded[0].parameters["Body"]


def test_what_is_there_is_not_sent_again(reached: Cloud) -> None:
    work = prepared(reached, "checks")
    connected(reached).deploy(work)
    recorded: list[Any] = []
    connected(reached, recorded.append).deploy(work)
    assert recorded == []
    other = prepared(reached, "sums")
    changed = Prepared(work.pipeline, "", other.definition, other.files, {}, {})
    connected(reached, recorded.append).deploy(changed)
    assert "UpdatePipeline" in [request.operation for request in recorded]


def test_a_dry_run_needs_no_aws(reached: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """To review what would be sent, nobody needs an account."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    recorded: list[Any] = []
    dry = connected(reached, recorded.append)
    dry.deploy(prepared(reached, "sums"))
    assert "no AWS credentials" in dry.assumed
    assert recorded[-1].operation == "CreatePipeline"


def test_many_launchers_at_once_start_one_execution(reached: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them find no pipeline before any of them creates it."""
    work = replace(prepared(reached, "waits", seconds=3.0), pipeline="trial-parcels-together")
    looked, asked = threading.Barrier(4, timeout=120), AwsPipelines._asked

    def together(self: AwsPipelines, operation: str, *more: Any, **parameters: Any) -> Any:
        found = asked(self, operation, *more, **parameters)
        if operation == "DescribePipeline":
            assert found is None
            looked.wait()
        return found

    def person(_: int) -> str:
        ended = launch(
            connected(reached), work, Launches(reached.state), Heard(), started=lambda id, _: started.append(id)
        )
        return str(ended.status)

    monkeypatch.setattr(AwsPipelines, "_asked", together)
    started: list[str] = []
    assert race(4, person) == ["succeeded"] * 4
    assert len(started) == 4
    assert reached.executions(work.pipeline) == [started[0]]
    assert set(started) == {started[0]}
    assert not list(Launches(reached.state).of(work.pipeline))


def test_what_was_launched_runs_although_somebody_deploys_another_before_it_starts(
    reached: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two commits on one stack. The execution of the other's definition is stopped; with a given token, too."""
    mine = replace(prepared(reached, "sums"), pipeline="trial-parcels-shared")
    changed = json.loads(mine.definition)
    changed["Parameters"].append({"Name": "Added", "Type": "Integer", "DefaultValue": 1})
    others = replace(mine, definition=json.dumps(changed))
    deploy, between, started = AwsPipelines.deploy, [others], list[str]()

    def deployed(self: AwsPipelines, work: Prepared) -> None:
        deploy(self, work)
        if between:
            deploy(self, between.pop())

    monkeypatch.setattr(AwsPipelines, "deploy", deployed)
    pipelines, launches = connected(reached), Launches(reached.state, "given" * 8)
    ended = launch(pipelines, mine, launches, Heard(), started=lambda id, _: started.append(id))
    assert ended.status == "succeeded"
    assert [step.name for step in ended.steps if step.status == "succeeded"]
    states = {each: connected(reached).state(each).status for each in reached.executions(mine.pipeline)}
    assert len(states) == 2
    assert states.pop(started[0]) == "succeeded"
    assert set(states.values()) <= {"stopping", "stopped"}
    launch(pipelines, mine, launches, Heard(), started=lambda id, _: started.append(id))
    assert started == [started[0]] * 2  # the same token finds the same execution

    monkeypatch.setattr(AwsPipelines, "deploy", lambda self, _: deploy(self, others))
    with pytest.raises(ResourceError, match="others deploy the pipeline trial-parcels-shared all the time"):
        launch(pipelines, mine, launches, Heard(), again=True, started=lambda *_: pytest.fail("it started"))


def test_a_person_sees_tasks_jobs_and_the_end(reached: Cloud) -> None:
    done = reached.run("launch", "parcels", "--pipeline", "sums")
    assert done.returncode == 0, done.stderr
    for told in ("✔ add         2 + 3", "✔ count       job", "✔ price       done by the service", "succeeded"):
        assert told in done.stdout


def test_a_killed_launcher_finds_its_execution_again(reached: Cloud) -> None:
    """And when its end has been told, the same command starts anew."""
    command = ("launch", "parcels", "--pipeline", "waits", "--arguments", '{"seconds": 2.5}')
    before = len(reached.executions("trial-parcels-waits"))
    with reached.start(*command) as first:
        assert first.stdout is not None
        line = next(text for text in first.stdout if "started" in text)
        first.kill()
    again = reached.json(*command)
    assert again["found"] is True
    assert again["execution"] == line.split()[-1]
    assert again["status"] == "succeeded"
    assert len(reached.executions("trial-parcels-waits")) == before + 1
    third = reached.json(*command)
    assert third["found"] is False
    assert third["execution"] != again["execution"]


def test_an_interrupted_launcher_leaves_the_execution_and_stop_ends_it(reached: Cloud) -> None:
    command = ("launch", "parcels", "--pipeline", "waits", "--arguments", '{"seconds": 600}')
    with reached.start(*command) as first:
        assert first.stdout is not None
        next(text for text in first.stdout if "started" in text)
        first.send_signal(2)
        out, _ = first.communicate(timeout=600)
    assert first.returncode == 130
    assert "goes on in the cloud" in out
    (execution,) = reached.json("launch", "parcels", "--pipeline", "waits", "--stop")["stopped"]
    ended = reached.json(*command, code=1)
    assert (ended["execution"], ended["status"]) == (execution, "stopped")
    assert ended["error"]["what"] == "the execution was stopped"


def test_again_starts_a_second_one(reached: Cloud) -> None:
    work = prepared(reached, "waits", seconds=30.0)
    pipelines, launches = connected(reached), Launches(reached.state)
    first = launches.open(work)
    pipelines.deploy(work)
    first = launches.note(first, pipelines.start(work, first.token))
    second = launches.open(work, again=True)
    assert second.token != first.token
    second = launches.note(second, pipelines.start(work, second.token))
    assert second.execution != first.execution
    assert stop(pipelines, launches, work.pipeline) == [second.execution]
    pipelines.stop(first.execution)
    pipelines.stop(first.execution)  # asked twice, as after a crash
    launches.forget(first)
    assert list(launches.of(work.pipeline)) == [second], "a newer launch is not forgotten with an older one"
    launches.forget(second)


def test_an_execution_that_is_not_there_any_more_is_started_anew(reached: Cloud) -> None:
    work = prepared(reached, "waits", seconds=0.1)
    launches = Launches(reached.state)
    gone = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/trial-parcels-waits/execution/gonegonegone"
    launches.note(launches.open(work), gone)
    ended = launched(reached, work, Heard())
    assert ended.status == "succeeded"
    assert ended.id != gone


def test_a_failing_task_is_told_in_its_own_words(reached: Cloud) -> None:
    ended = reached.json("launch", "parcels", "--pipeline", "checks", "--arguments", '{"n": 2}', code=1)
    assert ended["error"] == {
        "what": "check: 2 is more than one",
        "why": "One is the most.",
        "todo": "Give less.",
    }
    (failed,) = [step for step in ended["steps"] if step["status"] == "failed"]
    step = StepState("check", "failed", failed["job"])
    assert any("2 is more than one" in line for line in connected(reached).last_lines(step, 50))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ('{"n": "two", "m": 1}', ["'m' is unknown", "'n'"]),
        ('{"n": null}', ["'n' is null"]),
    ],
)
def test_wrong_arguments_start_nothing(reached: Cloud, arguments: str, told: list[str]) -> None:
    done = reached.run("launch", "parcels", "--pipeline", "checks", "--arguments", arguments)
    assert done.returncode == 2
    assert all(text in done.stderr for text in told), done.stderr


def test_following_looks_less_often_while_nothing_happens(reached: Cloud) -> None:
    """A job of an hour is not asked about every 200 milliseconds."""
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        time.sleep(seconds / 4)

    pipelines = connected(reached)
    assert isinstance(pipelines, AwsPipelines)
    quiet = AwsPipelines(pipelines._stack, pipelines._aws, pause=pause)
    work = prepared(reached, "waits", seconds=8.0)
    quiet.deploy(work)
    quiet.follow(quiet.start(work, "q" * 40), Heard())
    assert max(pauses) > 1.2 * min(pauses)
    assert max(pauses) <= 10


def test_a_given_token_finds_the_execution_from_a_fresh_machine(reached: Cloud, tmp_path: Path) -> None:
    """A workflow that is run again knows nothing of what the first run wrote down."""
    work = prepared(reached, "waits", seconds=0.1)

    def run_on(machine: str, token: str) -> str:
        launches = Launches(tmp_path / machine, token)
        return launch(connected(reached), work, launches, Heard(), started=lambda *_: None).id

    first = run_on("first", "workflow-run-1".ljust(32, "-"))
    assert run_on("second", "workflow-run-1".ljust(32, "-")) == first
    assert run_on("third", "workflow-run-2".ljust(32, "-")) != first
    assert run_on("fourth", "") != first


def test_a_launch_that_was_written_half_is_replaced(tmp_path: Path) -> None:
    """The machine lost power while the note was written."""
    work = Prepared("p", "d", "{}", {}, {}, {})
    launches = Launches(tmp_path)
    first = launches.open(work)
    assert launches.open(work) == first
    (tmp_path / "launches" / "p" / "d.json").write_text(json.dumps({"token": 1})[:5])
    second = launches.open(work)
    assert second.token != first.token
    assert launches.open(work) == second


def test_an_approval_starts_a_pipeline_that_was_put_there(reached: Cloud) -> None:
    """The version travels in the event: a person approves, and nobody types a number."""
    put = reached.json("launch", "parcels", "--pipeline", "approved", "--no-start")
    sagemaker, events = reached.client("sagemaker"), reached.client("events")
    made = sagemaker.describe_pipeline(PipelineName=put["pipeline"])
    assert reached.executions(put["pipeline"]) == []
    detail = {"ModelPackageGroupName": ["trial-approved"], "ModelApprovalStatus": ["Approved"]}
    events.put_rule(
        Name="approved",
        EventPattern=json.dumps(
            {
                "source": ["aws.sagemaker"],
                "detail-type": ["SageMaker Model Package State Change"],
                "detail": detail,
            }
        ),
    )
    parameters = [{"Name": "model", "Value": "parcels"}, {"Name": "version", "Value": "$.detail.ModelPackageVersion"}]
    target = {
        "Id": "release",
        "Arn": made["PipelineArn"],
        "RoleArn": made["RoleArn"],
        "SageMakerPipelineParameters": {"PipelineParameterList": parameters},
    }
    assert events.put_targets(Rule="approved", Targets=[target])["FailedEntryCount"] == 0
    sagemaker.create_model_package_group(ModelPackageGroupName="trial-approved")
    arns = [
        sagemaker.create_model_package(
            ModelPackageGroupName="trial-approved", ModelApprovalStatus="PendingManualApproval"
        )["ModelPackageArn"]
        for _ in range(2)
    ]
    assert reached.executions(put["pipeline"]) == [], "waiting is no approval"
    sagemaker.update_model_package(ModelPackageArn=arns[1], ModelApprovalStatus="Approved")
    end = time.monotonic() + 600
    while not reached.executions(put["pipeline"]) and time.monotonic() < end:
        time.sleep(0.05)
    (execution,) = reached.executions(put["pipeline"])
    ended = connected(reached).follow(execution, Heard())
    assert ended.status == "succeeded"
    assert [task["summary"] for task in connected(reached).records(ended.steps[0])] == ["2 + 0"]
