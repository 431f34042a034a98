"""2,000 requests and more, eight at a time, while a deployment runs: none lost, and each version gets its share.

A request counts for a stage of the deployment when DescribeEndpoint named that stage both before it was sent and
after it was answered. The share of the new version among a stage's requests must lie in the binomial interval that
holds it with probability 1 - 1e-6: false alarms are out of the question, and at the few hundred requests that each
stage sees a share that is off by a half is not.
"""

from __future__ import annotations

import itertools
import threading
import time
from bisect import bisect_left, bisect_right
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from scipy.stats import binom

LEAST = 2000
AT_ONCE = 8
LEVEL = 1 - 1e-6
SPEED = 100  # of the bench's server
FEWEST_IN_STAGE = 100  # fewer would let any split pass
WANTED_IN_STAGE = 400  # the waits are as long as this takes on the machine at hand
LONGEST_WAIT_S = 3600  # the service's


@dataclass(frozen=True)
class Sent:
    """One request: when it was sent and answered, and by which version; ``error`` is the model's own, '' for none."""

    begun: float
    ended: float
    version: str
    error: str = ""


@dataclass
class Told:
    """What DescribeEndpoint said: the words of the stage, or the endpoint's status; true at a moment in between."""

    asked: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)

    def stage_of(self, sent: Sent) -> str | None:
        """The stage that held while the request was under way, None where it changed or was not looked at."""
        before, after = bisect_right(self.answered, sent.begun) - 1, bisect_left(self.asked, sent.ended)
        if before < 0 or after >= len(self.stages) or len(set(self.stages[before : after + 1])) > 1:
            return None
        return self.stages[before]


@dataclass
class Watched:
    """A deployment under traffic, seen from outside."""

    sent: list[Sent]
    lost: list[str]
    told: Told
    said: dict[str, Any]
    name: str

    def by_stage(self) -> dict[str, list[str]]:
        """The versions that answered, or the errors that came, in each stage."""
        found: dict[str, list[str]] = {}
        for each in self.sent:
            stage = self.told.stage_of(each)
            if stage is not None:
                found.setdefault(stage, []).append(each.error or each.version)
        return found

    def at(self, percent: int) -> list[str]:
        """What came in the stage with this share."""
        return self.by_stage().get(f"{percent}% of the traffic goes to the new fleet", [])

    def require_share(self, percent: int, version: str) -> None:
        """The stage with this share gave it to this version."""
        answers = self.at(percent)
        count, total = answers.count(version), len(answers)
        low, high = binom.interval(LEVEL, total, percent / 100)
        assert total >= FEWEST_IN_STAGE
        assert low <= count <= high, f"{count} of {total} at {percent} %: outside {low:.0f} to {high:.0f}"

    def require_nothing_lost(self) -> None:
        """Every request was answered, by a version that was meant to answer."""
        assert self.lost == []
        assert len(self.sent) >= LEAST


def _config(bench: Any, name: str, text: str) -> str:
    bench.model(name, text)
    variant = {"VariantName": "main", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    bench.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    return name


def _settled(bench: Any, name: str) -> dict[str, Any]:
    said: dict[str, Any] = bench.until(
        lambda: bench.sagemaker.describe_endpoint(EndpointName=name),
        lambda d: d["EndpointStatus"] in ("InService", "Failed"),
    )
    return said


def _deployed(bench: Any, name: str, new: str, kind: str, percent: int, **more: Any) -> Watched:
    """A deployment under traffic; again where the machine was too busy elsewhere for a stage to be judged."""
    stages = range(percent, 100, percent) if kind == "LINEAR" else (percent,)
    for attempt in range(3):
        seen = _deployed_once(bench, f"{name}-{attempt}", new, kind, percent, **more)
        if all(len(seen.at(each)) >= FEWEST_IN_STAGE for each in stages):
            break
    return seen


def _deployed_once(
    bench: Any, name: str, new: str, kind: str, percent: int, *, alarmed: bool = False, least: int = LEAST
) -> Watched:
    """Serve 'old', deploy ``new`` under traffic by shifts of ``kind`` and ``percent``, and delete the endpoint."""
    bench.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=_config(bench, name, "old"))
    assert _settled(bench, name)["EndpointStatus"] == "InService"
    _config(bench, f"{name}-2", new)
    runtime = boto3.client(
        "sagemaker-runtime", config=Config(retries={"total_max_attempts": 1}, max_pool_connections=AT_ONCE),
        **bench.aws.client_settings(),
    )  # fmt: skip
    sent, lost, told, over = list[Sent](), list[str](), Told(), threading.Event()
    numbers = itertools.count()

    def ask() -> None:
        while not over.is_set() or len(sent) < least:
            number = next(numbers)
            begun = time.monotonic()
            try:
                answer = runtime.invoke_endpoint(EndpointName=name, Body=str(number).encode(), ContentType="text/csv")
                version, _, echoed = answer["Body"].read().decode().partition(":")
                if echoed != str(number):
                    lost.append(f"request {number} got the answer of {echoed}")
                sent.append(Sent(begun, time.monotonic(), version))
            except ClientError as error:
                if error.response["Error"]["Code"] != "ModelError":
                    lost.append(str(error))
                text = str(error.response.get("OriginalMessage", ""))
                sent.append(Sent(begun, time.monotonic(), "", text.partition(":")[0]))
            except BotoCoreError as error:
                lost.append(str(error))

    def look() -> dict[str, Any]:
        told.asked.append(time.monotonic())
        said: dict[str, Any] = bench.sagemaker.describe_endpoint(EndpointName=name)
        told.answered.append(time.monotonic())
        pending = said.get("PendingDeploymentSummary", {}).get("ProductionVariants")
        told.stages.append(pending[0]["VariantStatus"][0]["StatusMessage"] if pending else said["EndpointStatus"])
        return said

    with ThreadPoolExecutor(AT_ONCE) as pool:
        askers = [pool.submit(ask) for _ in range(AT_ONCE)]
        try:
            begun = time.monotonic()
            bench.until(lambda: len(sent), lambda count: count >= WANTED_IN_STAGE // 4)
            wait_s = ceil((time.monotonic() - begun) * WANTED_IN_STAGE / len(sent) * SPEED)
            deployment = _shifting(bench, name, kind, percent, min(wait_s, LONGEST_WAIT_S), alarmed=alarmed)
            look()
            bench.sagemaker.update_endpoint(
                EndpointName=name, EndpointConfigName=f"{name}-2", DeploymentConfig=deployment
            )
            bench.until(look, lambda d: d["EndpointStatus"] == "InService", limit_s=300)
            settled = time.monotonic()
            bench.until(lambda: sum(each.begun > settled for each in list(sent)), lambda after: after >= 50)
        finally:
            over.set()
        for asker in askers:
            asker.result()
    said = look()
    bench.sagemaker.delete_endpoint(EndpointName=name)
    after = [each for each in sent if each.begun > settled]
    final = "old" if said["EndpointConfigName"] == name else new
    assert {each.error or each.version for each in after} == {final}
    return Watched(sent, lost, told, said, name)


def _shifting(bench: Any, name: str, kind: str, percent: int, wait_s: int, *, alarmed: bool) -> dict[str, Any]:
    size = {"CANARY": "CanarySize", "LINEAR": "LinearStepSize"}[kind]
    routing = {
        "Type": kind, size: {"Type": "CAPACITY_PERCENT", "Value": percent}, "WaitIntervalInSeconds": wait_s,
    }  # fmt: skip
    deployment: dict[str, Any] = {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}}
    if alarmed:
        alarm = _alarm(bench, name, period_s=60 * ceil(min(wait_s, LONGEST_WAIT_S / 3) / 60))
        deployment["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": alarm}]}
        routing["WaitIntervalInSeconds"] = min(3 * wait_s, LONGEST_WAIT_S)
    return deployment


def _alarm(bench: Any, endpoint: str, period_s: int) -> str:
    """Goes off when two periods in a row see more than 5 % errors."""
    bench.client("cloudwatch").put_metric_alarm(
        AlarmName=f"{endpoint}-errors", Namespace="AWS/SageMaker", MetricName="Invocation5XXErrors",
        Statistic="Average",
        Dimensions=[{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "main"}],
        Period=period_s, EvaluationPeriods=2, Threshold=0.05, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    return f"{endpoint}-errors"


def test_a_canary_completes_and_loses_nothing(bench: Any) -> None:
    """A fifth of the traffic first, then all of it; the alarm stays quiet."""
    seen = _deployed(bench, "whole", "new", "CANARY", 20, alarmed=True)
    seen.require_nothing_lost()
    seen.require_share(20, "new")
    assert {each.error for each in seen.sent} == {""}
    assert {each.version for each in seen.sent} == {"old", "new"}
    assert (seen.said["EndpointConfigName"], seen.said.get("FailureReason")) == (f"{seen.name}-2", None)


def test_a_bad_version_is_rolled_back_and_the_old_one_answers_on(bench: Any) -> None:
    """Its own errors reach only its share of the requests, and end with the alarm; no answer is missing."""
    seen = _deployed(bench, "back", "breaks", "CANARY", 20, alarmed=True)
    seen.require_nothing_lost()
    seen.require_share(20, "breaks")
    assert {each.error or each.version for each in seen.sent} == {"old", "breaks"}
    assert seen.said["EndpointConfigName"] == seen.name
    assert f"{seen.name}-errors" in seen.said["FailureReason"]


def test_linear_steps_shift_the_share_that_they_say(bench: Any) -> None:
    """A quarter, a half, three quarters, all."""
    seen = _deployed(bench, "steps", "new", "LINEAR", 25)
    seen.require_nothing_lost()
    for percent in (25, 50, 75):
        seen.require_share(percent, "new")
    assert seen.said["EndpointConfigName"] == f"{seen.name}-2"


def test_a_split_that_is_off_and_a_request_that_is_lost_are_caught(bench: Any) -> None:
    """The checks above can fail: a canary of 50 % is no canary of 10 %, and a closed connection is no answer."""
    for turn in range(3):
        bench.aws.fault("no-answer", operation="InvokeEndpoint", target=f"off-{turn}", times=1)
        seen = _deployed_once(bench, f"off-{turn}", "new", "CANARY", 50, least=0)
        if len(seen.at(50)) >= FEWEST_IN_STAGE:
            break
    seen.told.stages = [each.replace("50%", "10%") for each in seen.told.stages]
    with pytest.raises(AssertionError, match=r"at 10 %: outside"):
        seen.require_share(10, "new")
    with pytest.raises(AssertionError):
        seen.require_nothing_lost()
    assert len(seen.lost) == 1
    bench.aws.clear_faults()
