"""``seatrial rehearse``: the whole story on the small project, mistakes that it must find, and how it ends."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.rehearsal.conftest import Shell
from tests.unit.reports.test_render import Page

STAGES = ["infra", "train", "release", "retrain", "sabotage", "canary", "destroy"]
ROLLOUT = """
[rollout]
bake_minutes = 20
guardrails = { error_rate = 0.01 }
"""
FIRST = """
[rehearsal]
first = { train_until = "2024-02-01" }
"""
LIBRARIES_OWN = {".ses"}
"""What a library writes to the temporary folder of whoever imports it."""


@pytest.fixture
def stage(tiny: Path) -> Shell:
    """A project that says how it is rehearsed, and a folder for temporary files that nobody else uses."""
    temporary = Path(f"/tmp/rehearse-{os.getpid()}-{time.monotonic_ns()}")  # short: sockets lie below it
    temporary.mkdir()
    model = tiny / "recipes" / "parcels" / "model.toml"
    model.write_text(model.read_text() + ROLLOUT + FIRST)
    return Shell(tiny, {"TMPDIR": str(temporary)})


def left(stage: Shell) -> list[str]:
    """Processes of this project, and temporary files."""
    found = [path.name for path in Path(stage.environment["TMPDIR"]).iterdir() if path.name not in LIBRARIES_OWN]
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            told = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        except OSError:  # it ended meanwhile
            continue
        if str(stage.root).encode() in told:
            found.append(told.replace(b"\0", b" ").decode(errors="replace")[:200])
    return found


def nothing_is_left(stage: Shell) -> None:
    """What was killed ends when it next gets a processor."""
    end = time.monotonic() + 120
    while left(stage) and time.monotonic() < end:
        time.sleep(0.05)
    assert left(stage) == []


def until(holds: Callable[[], Any], limit_s: float = 1200.0) -> Any:
    """What holds at last; a limit for what hangs, and none of speed."""
    end = time.monotonic() + limit_s
    while not (seen := holds()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return seen


def stages(told: Any) -> list[str]:
    return [name for name, _ in itertools.groupby(moment["stage"] for moment in told["moments"])]


def test_the_whole_story_holds_and_leaves_nothing(stage: Shell, tmp_path: Path) -> None:
    alone = Shell(tmp_path / "alone" / "project")
    shutil.copytree(stage.root, alone.root)
    told = stage.json("rehearse", "parcels")

    assert stages(told) == STAGES
    assert all(moment["holds"] for moment in told["moments"])
    assert told["failure"] is None
    assert [moment["at"] for moment in told["moments"]] == sorted(moment["at"] for moment in told["moments"])

    phases = {phase["name"]: phase for phase in told["phases"]}
    assert list(phases) == ["v1 serves", "v2 on a broken build", "after the rollback", "canary of v2", "v2 serves"]
    assert {phase["lost"] for phase in phases.values()} == {phase["wrong"] for phase in phases.values()} == {0}
    assert phases["v2 on a broken build"]["errors"] > 0
    assert [name for name, phase in phases.items() if phase["errors"]] == ["v2 on a broken build"]
    assert set(phases["after the rollback"]["by_version"]) == {"v1"}
    assert set(phases["canary of v2"]["by_version"]) == {"v1", "v2"}
    assert set(phases["v2 serves"]["by_version"]) == {"v2"}

    evidence = {moment["text"]: moment["evidence"] for moment in told["moments"]}
    (granted,) = (text for text in evidence if text.startswith("permissions: "))
    assert granted.endswith(" 0 not used without one, 0 denied")
    assert all("no reason is known" not in line for line in evidence[granted])
    assert len(evidence[granted]) == int(granted.partition(" not used for a reason")[0].rpartition(" ")[2])
    rolled_back = evidence["alarm seatrial-dev-parcels-error-rate rolled v2 back"]
    assert rolled_back[0].startswith("release: parcels v2 was rolled back by SageMaker")
    assert rolled_back[1].startswith("Threshold")
    assert rolled_back[2] == "What served before serves. The champion is v1 again."
    champions = [text for text in evidence if text.endswith("is champion, and the endpoint serves its package")]
    assert champions == [f"v{n} is champion, and the endpoint serves its package" for n in (1, 2)]
    in_order = [m["text"] for m in told["moments"] if m["text"] in champions]
    assert in_order == [champions[0], champions[0], champions[1]]

    assert alone.json("run", "parcels", "--arguments", '{"release": false}')["verdict"] == "promote"
    (version,) = alone.json("models", "parcels")["parcels"]
    assert evidence["registered v2, waiting for approval"] == [f"package {version['digest']}"]

    page = Page(Path(told["report"]).read_text(encoding="utf-8"))
    assert page.open == []
    for text in (*evidence, *phases, *told["proven"], *told["not_proven"], "0 lost, 0 wrong"):
        assert " ".join(text.split()) in page.text
    nothing_is_left(stage)


OVERTAKES = """
from seatrial.rehearsal.story.aws import AwsStory
sound = AwsStory._judged_after_the_release
def as_if_at_its_gate(self, execution):
    self._judges = {step.name for step in self._engineer.state(execution).steps}
    return sound(self, execution)
AwsStory._judged_after_the_release = as_if_at_its_gate
"""


def test_a_retraining_that_overtakes_the_release_begins_again(stage: Shell) -> None:
    told = stage.json("rehearse", "parcels", damage=OVERTAKES)
    assert stages(told) == STAGES
    retrained = [moment["text"] for moment in told["moments"] if moment["stage"] == "retrain"]
    assert retrained[0] == "the retraining was at its gate before the first version was released: it begins again"
    assert "over champion parcels v1" in retrained[2]
    nothing_is_left(stage)


SOUND = "from seatrial.rehearsal.story import sabotage; sabotage.COMMAND = ('-m', 'seatrial.cli.container', 'serve')"
SKIPS_TO_THE_END = """
from seatrial.rehearsal.story.stack import Stack
from seatrial.rehearsal.story.aws import AwsStory
from seatrial.rehearsal.story.load import Load
def nothing(*_): pass
for each in (
    *("_training", "_trained", "_judged_after_the_release", "_another"),
    *("_release_on_a_broken_build", "_release_on_the_mended_build"),
):
    assert hasattr(AwsStory, each)
    setattr(AwsStory, each, nothing)
AwsStory._release_first = lambda self, _: setattr(self, "load", Load(nothing, []))
"""
LOSES_A_POLICY = """
from seatrial.clouds.aws.session import new_session
from seatrial.rehearsal.story.stack import Stack
sound = Stack.launching
def without_a_policy(self, role):
    iam = new_session().client("iam")
    (name,) = iam.list_role_policies(RoleName="seatrial-dev-evaluation")["PolicyNames"]
    iam.delete_role_policy(RoleName="seatrial-dev-evaluation", PolicyName=name)
    return sound(self, role)
Stack.launching = without_a_policy
"""
ASKS_WHOSE_EVENT_IT_IS = (
    SKIPS_TO_THE_END
    + """
import json
from seatrial.clouds.aws.session import new_session
from seatrial.rehearsal.story import stack
stack._PATIENCE_S = 2.0
def a_failing_pipeline(self, *_):
    session, role = new_session(), self._stack.roles.pipeline
    there = self._aws.client_settings("eu-central-1")
    sagemaker, sns = (session.client(each, **there) for each in ("sagemaker", "sns"))
    (topic,) = (each["TopicArn"] for each in sns.list_topics()["Topics"] if "notifications" in each["TopicArn"])
    said = json.loads(sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])
    for each in said["Statement"]:
        if each["Sid"] == "EventsPublishes":
            each["Condition"] = {"StringEquals": {"aws:SourceAccount": self._stack.account}}
    step = {"Name": "no", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}
    definition = {"Version": "2020-12-01", "Steps": [step]}
    given = {"PipelineDefinition": json.dumps(definition), "RoleArn": role, "ClientRequestToken": "r" * 32}
    sagemaker.create_pipeline(PipelineName="seatrial-dev-fails", **given)
    def fails():
        return sagemaker.start_pipeline_execution(PipelineName="seatrial-dev-fails")["PipelineExecutionArn"]
    self._told(fails())
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps(said))
    self._told(fails())
AwsStory._release_on_a_broken_build = a_failing_pipeline
"""
)
FORGETS_THE_RULE = (
    SKIPS_TO_THE_END
    + """
empty = Stack.empty
def empty_most(self):
    empty(self)
    self._clients["logs"].create_log_group(logGroupName="forgotten")
Stack.empty = empty_most
"""
)


@pytest.mark.parametrize(
    ("change", "damage", "where", "what", "todo"),
    [
        (("", ""), SOUND, "sabotage", "a server that fails under traffic was released", "did not break"),
        (
            ("guardrails = { error_rate = 0.01 }\n", ""),
            "",
            "sabotage",
            "a server that fails under traffic was released",
            "guardrails = { error_rate",
        ),
        (("", ""), LOSES_A_POLICY, "train", "access denied: role seatrial-dev-evaluation lacks", "Correct that"),
        (
            ("", ""),
            ASKS_WHOSE_EVENT_IT_IS,
            "sabotage",
            "nobody was told of arn:aws:sagemaker",
            "policies let in",
        ),
        (("", ""), FORGETS_THE_RULE, "destroy", "left behind: LogGroup forgotten", "fix it"),
    ],
    ids=[
        "a broken build that is sound",
        "no guardrail on errors",
        "a policy got lost",
        "EventBridge is shut out",
        "something is left behind",
    ],
)
def test_what_does_not_hold_is_found_and_named(
    stage: Shell, change: tuple[str, str], damage: str, where: str, what: str, todo: str
) -> None:
    stage.settings(*change)
    told = stage.json("rehearse", "parcels", code=1, damage=damage)
    assert told["failure"]["task"] == where
    assert stages(told)[-1] == where
    assert what in told["failure"]["what"]
    assert todo in told["failure"]["todo"]
    last = told["moments"][-1]
    assert (last["stage"], last["holds"], last["text"]) == (where, False, told["failure"]["what"])
    assert told["proven"] == []
    assert "did not come to its end" in Page(Path(told["report"]).read_text(encoding="utf-8")).text
    nothing_is_left(stage)


def test_a_first_version_that_is_not_beaten_is_found_and_what_is_there_can_be_looked_at(stage: Shell) -> None:
    """``--serve`` keeps the offline AWS, after a failure too: v1 serves, for programs that know nothing of Seatrial."""
    stage.settings('first = { train_until = "2024-02-01" }', "first = { seed = 0 }")
    with stage.start("rehearse", "parcels", "--serve", "--json") as process:
        assert process.stdout is not None
        text = "".join(itertools.takewhile(lambda line: line != "}\n", process.stdout)) + "}"
        told = json.loads(text)
        environment = told["environment"]
        assert told["failure"]["task"] == "retrain"
        assert told["failure"]["what"] == "the whole pipeline makes the same package as [rehearsal] first: v1"
        assert "[rehearsal] first" in told["failure"]["todo"]
        client = {
            "endpoint_url": environment["AWS_ENDPOINT_URL"],
            "region_name": environment["AWS_REGION"],
            "aws_access_key_id": environment["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": environment["AWS_SECRET_ACCESS_KEY"],
        }
        sagemaker = boto3.client("sagemaker", **client)
        (endpoint,) = sagemaker.list_endpoints()["Endpoints"]
        assert (endpoint["EndpointName"], endpoint["EndpointStatus"]) == ("seatrial-dev-parcels", "InService")
        body = (stage.root / "recipes" / "parcels" / "example.json").read_bytes()
        answer = boto3.client("sagemaker-runtime", **client).invoke_endpoint(
            EndpointName="seatrial-dev-parcels", Body=body, ContentType="application/json"
        )
        assert json.loads(answer["Body"].read())["model"]["version"] == "1"
        another = Shell(stage.root, environment)
        assert [v["aliases"] for v in another.json("models", "parcels", "--cloud", "aws")["parcels"]] == [["champion"]]
        decided = another.run("models", "parcels", "--reject", "1", "--note", "Ada: too slow", "--cloud", "aws")
        assert decided.returncode == 0, decided.stderr
        (listed,) = sagemaker.list_model_packages(ModelPackageGroupName=endpoint["EndpointName"])[
            "ModelPackageSummaryList"
        ]
        said_of_it = sagemaker.describe_model_package(ModelPackageName=listed["ModelPackageArn"])
        assert (said_of_it["ModelApprovalStatus"], said_of_it["ApprovalDescription"]) == ("Rejected", "Ada: too slow")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=stage.patience_s)
    assert process.returncode == 1
    assert f"export AWS_ENDPOINT_URL={environment['AWS_ENDPOINT_URL']}" in said
    assert "Traceback" not in said
    nothing_is_left(stage)


def test_a_story_that_holds_is_kept_until_ctrl_c_and_then_ends_well(stage: Shell) -> None:
    with stage.start("rehearse", "parcels", "--serve", "--json", damage=SKIPS_TO_THE_END) as process:
        assert process.stdout is not None
        told = json.loads("".join(itertools.takewhile(lambda line: line != "}\n", process.stdout)) + "}")
        assert (told["failure"], stages(told)) == (None, ["infra"])
        put_there = Shell(stage.root, told["environment"]).json(
            "launch", "parcels", "--cloud", "aws", "--pipeline", "release", "--no-start", "--dry-run"
        )
        assert put_there == {"requests": [], "assumed": None}, "what the story put there is there still, unchanged"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=stage.patience_s)
    assert process.returncode == 0
    assert f"export AWS_ENDPOINT_URL={told['environment']['AWS_ENDPOINT_URL']}" in said
    assert "Traceback" not in said
    nothing_is_left(stage)


def test_a_model_that_names_no_first_version_is_told_what_to_write(stage: Shell) -> None:
    stage.settings(FIRST, "")
    refused = stage.run("rehearse", "parcels")
    assert refused.returncode == 2
    assert "does not say what a rehearsal begins with" in refused.stderr
    assert "model.toml, for example: [rehearsal] first = {" in refused.stderr
    nothing_is_left(stage)


def ignoring() -> None:
    """As shells without a terminal start what runs in the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.mark.parametrize(
    ("number", "group", "before"),
    [
        (signal.SIGINT, True, None),
        (signal.SIGINT, False, ignoring),
        (signal.SIGTERM, False, None),
        (signal.SIGKILL, False, None),
    ],
    ids=["Ctrl-C", "SIGINT without a terminal", "SIGTERM", "SIGKILL"],
)
def test_ended_in_the_middle_it_leaves_nothing_that_runs(
    stage: Shell, number: int, group: bool, before: Callable[[], None] | None
) -> None:
    def a_job_runs() -> bool:
        return any(each.startswith("unshare --user") for each in left(stage))

    with stage.start("rehearse", "parcels", start_new_session=True, preexec_fn=before) as process:
        until(a_job_runs)
        (os.killpg if group else os.kill)(process.pid, number)
        _, said = process.communicate(timeout=stage.patience_s)
    assert "Traceback" not in said
    if number == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
        until(lambda: all("seatrial-" in each and " " not in each for each in left(stage)))  # folders, no process
    else:
        assert process.returncode == 130
        nothing_is_left(stage)
