"""The function that runs when the budget is spent, against the offline AWS: it deletes what is tagged, and no more."""

from __future__ import annotations

import io
import json
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from infra.aws import stop_temporary
from seatrial.clouds.aws.deployment import TEMPORARY
from seatrial.rehearsal.aws import Image, OfflineAws
from tests.unit.infra.aws import stacks

URI = "123456789012.dkr.ecr.us-east-1.amazonaws.com/trial:1"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


class Time:
    """Lambda's context, and the clock that it looks at."""

    def __init__(self, seconds: float) -> None:
        self.left = seconds
        self.slept: list[float] = []

    def get_remaining_time_in_millis(self) -> int:
        return int(self.left * 1000)

    def sleep(self, seconds: float) -> None:
        self.left -= seconds
        self.slept.append(seconds)


class Coming:
    """SageMaker with temporary endpoints that cannot be deleted before so many tries."""

    class exceptions:  # noqa: N801 - boto3's name
        ClientError = ClientError

    def __init__(self, **tries: int) -> None:
        self.tries = tries
        self.gone: list[str] = []

    def get_paginator(self, operation: str) -> Any:
        status = {name: "Deleting" if name in self.gone else "Creating" for name in self.tries}
        pages = {
            "list_endpoints": {
                "Endpoints": [
                    {"EndpointName": f"seatrial-dev-{name}", "EndpointArn": name, "EndpointStatus": each}
                    for name, each in status.items()
                ]
            },
            "list_tags": {"Tags": [TEMPORARY]},
        }
        return SimpleNamespace(paginate=lambda **_: [pages[operation]])

    def delete_endpoint(self, EndpointName: str) -> None:
        name = EndpointName.removeprefix("seatrial-dev-")
        assert name not in self.gone, "it is going already"
        self.tries[name] -= 1
        if self.tries[name] > 0:
            said = {"Code": "ValidationException", "Message": "Cannot delete an endpoint that is Creating"}
            raise ClientError({"Error": said}, "DeleteEndpoint")
        self.gone.append(name)


@pytest.fixture
def lent(monkeypatch: pytest.MonkeyPatch) -> Callable[[Coming, Time], dict[str, list[str]]]:
    """Run the function with a client and a clock that stand in."""

    def run(client: Coming, clock: Time) -> dict[str, list[str]]:
        monkeypatch.setenv("PREFIX", "seatrial-dev")
        monkeypatch.setattr(boto3, "client", lambda _: client)
        monkeypatch.setattr(time, "sleep", clock.sleep)
        return stop_temporary.handler({}, clock)

    return run


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
    done = stop_temporary.handler({}, Time(900))
    assert done["deleted"] == ["seatrial-dev-flights-check-v3"]
    assert sorted(done["kept"]) == ["seatrial-dev-flights", "seatrial-dev-other"]


def test_nothing_to_delete_is_no_error(sagemaker: Any) -> None:
    assert stop_temporary.handler({}, Time(900)) == {"deleted": [], "kept": []}


def test_an_endpoint_that_comes_up_is_tried_again(lent: Any) -> None:
    """SageMaker refuses until it is up; Lambda's own retries would both be over by then."""
    client, clock = Coming(ready=1, late=4), Time(900)
    done = lent(client, clock)
    assert done == {"deleted": ["seatrial-dev-late", "seatrial-dev-ready"], "kept": []}
    assert client.gone == ["ready", "late"]
    assert clock.slept == [30, 30, 30]


def test_what_never_comes_up_fails_loudly_in_time(lent: Any) -> None:
    """A function that is cut off by its time-out says nothing of what is left."""
    client, clock = Coming(ready=1, never=1000), Time(900)
    with pytest.raises(RuntimeError, match=r"^not deleted: seatrial-dev-never: .*Creating"):
        lent(client, clock)
    assert client.gone == ["ready"]
    assert 0 < clock.left < 60, "all of the time was used, and some was left to say so"


@stacks.quiet
def test_lambda_gives_the_function_the_time_that_endpoints_take() -> None:
    """15 minutes: the most that Lambda has."""
    assert stacks.run("dev").one(":Function", "budget-stop").inputs["timeout"] == 900


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
