"""Each job under its own role: what is derived is enough, and nothing of it can be spared."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

import seatrial
from seatrial import clouds, project
from seatrial.clouds.aws.failures import denial
from seatrial.clouds.aws.permissions import uses
from seatrial.rehearsal.aws import Image, OfflineAws
from tests.rehearsal.account import Account
from tests.rehearsal.conftest import Shell
from tests.unit.clouds.aws.stacks import ACCOUNT, IMAGE

_ENGINE = Path(seatrial.__file__).parents[1]
ROLE = "rehearsal-evaluation"
NEEDED = {
    *("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetAuthorizationToken"),
    *("ecr:GetDownloadUrlForLayer", "logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"),
    *("s3:GetObject", "s3:ListBucket", "s3:PutObject", "sagemaker:DescribeModelPackage"),
}


@dataclass
class Trial:
    """An account whose evaluation job ran once, and can run again."""

    root: Path
    aws: OfflineAws
    account: Account
    request: dict[str, Any]
    """What the pipeline started the job with."""
    count: int = 0

    def client(self, service: str) -> Any:
        return boto3.client(service, **self.aws.client_settings())

    def grant(self, without: str = "") -> None:
        """The role's policy, without one action."""
        policy = self.account.permissions.policy("evaluation")
        for statement in policy["Statement"]:
            statement["Action"] = [each for each in statement["Action"] if each != without]
        policy["Statement"] = [each for each in policy["Statement"] if each["Action"]]
        self.client("iam").put_role_policy(RoleName=ROLE, PolicyName="derived", PolicyDocument=json.dumps(policy))

    def again(self) -> tuple[str, str]:
        """Run the job once more; how it ended, and why."""
        self.count += 1
        name = f"pipelines-again-{self.count}"
        client = self.client("sagemaker")
        client.create_processing_job(**self.request, ProcessingJobName=name)
        while (said := client.describe_processing_job(ProcessingJobName=name))["ProcessingJobStatus"] == "InProgress":
            time.sleep(0.1)
        return said["ProcessingJobStatus"], said.get("ExitMessage") or said.get("FailureReason", "")


@pytest.fixture
def trial(tiny: Path) -> Iterator[Trial]:
    told = {"PYTHONPATH": f"{tiny}:{_ENGINE}", "SEATRIAL_HOME": "/opt/ml/seatrial"}
    image = Image(uri=IMAGE, python=Path(sys.executable), workdir=tiny, environment=told)
    opened = project.load(tiny)
    with OfflineAws([image], speed=100) as aws:
        account = Account(aws.client_settings(), account=ACCOUNT, prefix="rehearsal")
        stack = account.furnish(IMAGE, opened, opened.model("parcels"), ["train", "release"])
        stacks = tiny / ".seatrial" / "stacks"
        stacks.mkdir(parents=True)
        (stacks / "aws.dev.json").write_text(stack.model_dump_json())
        launching = Shell(tiny, {"PYTHONPATH": str(_ENGINE), **aws.environment(), **account.launching(stack)})
        found = launching.json(*("launch", "parcels", "--cloud", "aws", "--arguments", '{"release": false}'))
        assert found["status"] == "succeeded", found
        client = boto3.client("sagemaker", **aws.client_settings())
        names = [each["ProcessingJobName"] for each in client.list_processing_jobs()["ProcessingJobSummaries"]]
        job = client.describe_processing_job(ProcessingJobName=next(name for name in names if "-decide-" in name))
        given = ("ProcessingInputs", "ProcessingOutputConfig", "ProcessingResources", "AppSpecification", "Environment")
        yield Trial(tiny, aws, account, {key: job[key] for key in (*given, "RoleArn", "StoppingCondition")})


def test_whatever_is_taken_from_a_role_is_missed_by_name(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    granted = trial.account.permissions.of("evaluation")
    needed = {action for grant in granted if not grant.unused_reason for action in grant.actions}
    assert needed == NEEDED
    assert trial.aws.permissions()["denied"] == []
    for name, value in trial.aws.environment().items():
        monkeypatch.setenv(name, value)
    clouds.load("aws", trial.root / ".seatrial").registry.promote("parcels", 1, expected_champion=None)
    assert trial.again() == ("Completed", "")
    for action in sorted(needed):
        trial.grant(without=action)
        status, reason = trial.again()
        assert status == "Failed", action
        lacking = denial(reason) or reason
        assert f"access denied: role {ROLE} lacks {action} on " in lacking, (action, reason)
    denied = {use.action for use in uses(trial.aws.permissions()["denied"], "rehearsal")}
    assert denied == needed
    trial.grant()
    assert trial.again() == ("Completed", "")
