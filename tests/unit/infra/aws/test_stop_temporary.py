"""The function that runs when the budget is spent, against the offline AWS: it deletes what is tagged, and no more."""

from __future__ import annotations

import io
import json
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from infra.aws import stop_temporary
from seatrial.clouds.aws.deployment import TEMPORARY
from seatrial.rehearsal.aws import Image, OfflineAws
from tests.unit.infra.aws import stacks

URI = "123456789012.dkr.ecr.us-east-1.amazonaws.com/trial:1"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@pytest.fixture
def sagemaker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    image = Image(uri=URI, python=Path(sys.executable), workdir=tmp_path, serve=("python", "-c", "exit(1)"))
    with OfflineAws([image], speed=100) as aws:
        for name, value in aws.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PREFIX", "seatrial-dev")
        client = boto3.client("sagemaker")
        packed = io.BytesIO()
        tarfile.open(fileobj=packed, mode="w:gz").close()
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="trial-bucket")
        s3.put_object(Bucket="trial-bucket", Key="model.tar.gz", Body=packed.getvalue())
        role = boto3.client("iam").create_role(RoleName="trial", AssumeRolePolicyDocument=json.dumps(TRUST))
        container = {"Image": URI, "ModelDataUrl": "s3://trial-bucket/model.tar.gz"}
        client.create_model(ModelName="m", ExecutionRoleArn=role["Role"]["Arn"], PrimaryContainer=container)
        variant = {"VariantName": "live", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
        client.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
        yield client


def _make(sagemaker: Any, name: str, *tags: dict[str, str]) -> None:
    """An endpoint that has settled: SageMaker deletes none that is still coming up."""
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName="c", Tags=list(tags))
    while sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "Creating":
        time.sleep(0.05)


def test_only_temporary_endpoints_of_this_stack_are_deleted(sagemaker: Any) -> None:
    """What serves customers, and what belongs to another stack, stays."""
    _make(sagemaker, "seatrial-dev-flights", {"Key": "stack", "Value": "dev"})
    _make(sagemaker, "seatrial-dev-flights-check-v3", {"Key": "stack", "Value": "dev"}, TEMPORARY)
    _make(sagemaker, "seatrial-dev-other", {"Key": TEMPORARY["Key"], "Value": "false"})
    _make(sagemaker, "not-seatrial-dev-flights", TEMPORARY)
    done = stop_temporary.handler({}, None)
    assert done["deleted"] == ["seatrial-dev-flights-check-v3"]
    assert sorted(done["kept"]) == ["seatrial-dev-flights", "seatrial-dev-other"]


def test_nothing_to_delete_is_no_error(sagemaker: Any) -> None:
    assert stop_temporary.handler({}, None) == {"deleted": [], "kept": []}


def test_the_tag_is_the_engines() -> None:
    """The function's file stands alone in Lambda, and so repeats it."""
    assert stop_temporary.TAG == TEMPORARY


@stacks.quiet
def test_the_function_is_this_file_and_hears_of_the_budget() -> None:
    ran = stacks.run("dev")
    function = ran.one(":Function", "budget-stop")
    module, _, name = function.inputs["handler"].partition(".")
    assert Path(stop_temporary.__file__).stem == module
    assert callable(getattr(stop_temporary, name))
    budget = ran.one(":Budget", "monthly").inputs
    stop = ran.one(":Topic", "budget-stop").inputs["name"]
    (heard,) = [each for each in budget["notifications"] if each["subscriberSnsTopicArns"][0].endswith(f":{stop}")]
    assert (heard["notificationType"], heard["thresholdType"], heard["threshold"]) == ("ACTUAL", "PERCENTAGE", 100)
    subscribed = ran.one(":TopicSubscription", "budget-stop-subscription").inputs
    assert subscribed["topic"].endswith(f":{stop}")
    assert ran.one(":Permission", "budget-stop-invoked").inputs["sourceArn"] == subscribed["topic"]


@stacks.quiet
def test_people_hear_of_what_is_spent_when_the_function_does() -> None:
    """A notification has one topic: the same moment is said once in percent, and once in dollars."""
    limits = json.dumps({"monthly_usd": 333.33, "stop_percent": 110})
    budget = stacks.run("dev", {"budget": limits}).one(":Budget", "monthly").inputs
    told = [
        (each["notificationType"], each["thresholdType"], each["threshold"], each["subscriberSnsTopicArns"])
        for each in budget["notifications"]
    ]
    people, stop = (
        [f"arn:aws:sns:eu-central-1:{stacks.ACCOUNT}:seatrial-dev-{name}"] for name in ("notifications", "budget-stop")
    )
    assert told == [
        ("FORECASTED", "PERCENTAGE", 80, people),
        ("ACTUAL", "PERCENTAGE", 110, stop),
        ("ACTUAL", "ABSOLUTE_VALUE", 366.66, people),
    ]
