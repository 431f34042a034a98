"""Endpoints serve: each answer comes from a process that loaded the model, also while a deployment runs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError


def _config(bench: Any, name: str, models: dict[str, tuple[str, float]], **more: Any) -> None:
    """A configuration with a variant for each entry: what its model says, and its weight."""
    variants = []
    for variant, (text, weight) in models.items():
        model = bench.model(f"{name}-{variant}", text)
        variants.append(
            {
                "VariantName": variant,
                "ModelName": model,
                "InitialInstanceCount": 1,
                "InstanceType": "ml.m5.large",
                "InitialVariantWeight": weight,
            }
        )
    bench.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=variants, **more)


def _settled(bench: Any, name: str) -> dict[str, Any]:
    said: dict[str, Any] = bench.until(
        lambda: bench.sagemaker.describe_endpoint(EndpointName=name),
        lambda d: d["EndpointStatus"] in ("InService", "Failed"),
    )
    return said


@contextmanager
def _serving(bench: Any, name: str, models: dict[str, tuple[str, float]], **more: Any) -> Iterator[Callable[..., str]]:
    """An endpoint that serves; gives what invokes it."""
    _config(bench, name, models, **more)
    bench.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    assert _settled(bench, name)["EndpointStatus"] == "InService", _settled(bench, name)
    runtime = bench.client("sagemaker-runtime")

    def invoke(body: str = "x", **named: Any) -> str:
        answer = runtime.invoke_endpoint(EndpointName=name, Body=body.encode(), ContentType="text/csv", **named)
        return str(answer["Body"].read().decode())

    try:
        yield invoke
    finally:
        _settled(bench, name)
        bench.sagemaker.delete_endpoint(EndpointName=name)
        bench.until(lambda: [e for e in _names(bench) if e == name], lambda found: not found)


def _names(bench: Any) -> list[str]:
    return [each["EndpointName"] for each in bench.sagemaker.list_endpoints()["Endpoints"]]


def _alarm(bench: Any, endpoint: str) -> str:
    bench.client("cloudwatch").put_metric_alarm(
        AlarmName=f"{endpoint}-errors", Namespace="AWS/SageMaker", MetricName="Invocation5XXErrors",
        Statistic="Average",
        Dimensions=[{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "main"}],
        Period=60, EvaluationPeriods=1, Threshold=0.05, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    return f"{endpoint}-errors"


def _canary(alarm: str, *, wait_s: int = 60) -> dict[str, Any]:
    size = {"Type": "CAPACITY_PERCENT", "Value": 20}
    routing = {"Type": "CANARY", "CanarySize": size, "WaitIntervalInSeconds": wait_s}
    return {
        "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing},
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": alarm}]},
    }


def test_an_endpoint_answers_from_its_model(bench: Any) -> None:
    """moto answers with the same canned text for every endpoint; and nothing is left when it is deleted."""
    with _serving(bench, "says", {"main": ("hello", 1)}) as invoke:
        assert invoke("world") == "hello:world"
        with pytest.raises(ClientError, match="already existing endpoint"):
            bench.sagemaker.create_endpoint(EndpointName="says", EndpointConfigName="says")
    with pytest.raises(ClientError, match="not found"):
        invoke()


def test_traffic_is_split_by_weight(bench: Any) -> None:
    """400 requests at 3:1: 300, give or take six standard deviations; a named variant gets all its own."""
    with _serving(bench, "split", {"a": ("a", 3), "b": ("b", 1)}) as invoke, ThreadPoolExecutor(4) as pool:
        counted = Counter(pool.map(lambda _: invoke(), range(400)))
        assert 248 <= counted["a:x"] <= 352
        assert {invoke(TargetVariant="b") for _ in range(5)} == {"b:x"}


def test_a_server_that_does_not_come_up_fails_the_endpoint(bench: Any) -> None:
    """With what it said; InService would be a lie."""
    _config(bench, "bad-model", {"main": ("ends", 1)})
    bench.sagemaker.create_endpoint(EndpointName="bad-model", EndpointConfigName="bad-model")
    said = _settled(bench, "bad-model")
    assert said["EndpointStatus"] == "Failed"
    assert "no such model format" in said["FailureReason"]
    bench.sagemaker.delete_endpoint(EndpointName="bad-model")


def test_a_canary_moves_the_traffic_and_loses_nothing(bench: Any) -> None:
    """Requests at concurrency 4 all the way through: each is answered by the old or the new model."""
    with _serving(bench, "canary", {"main": ("old", 1)}) as invoke, ThreadPoolExecutor(4) as pool:
        _config(bench, "canary-2", {"main": ("new", 1)})
        alarm = _alarm(bench, "canary")
        bench.sagemaker.update_endpoint(
            EndpointName="canary", EndpointConfigName="canary-2", DeploymentConfig=_canary(alarm)
        )
        answers: Counter[str] = Counter()
        while bench.sagemaker.describe_endpoint(EndpointName="canary")["EndpointStatus"] == "Updating":
            answers.update(pool.map(lambda _: invoke(), range(20)))
        said = _settled(bench, "canary")
        assert (said["EndpointConfigName"], said.get("FailureReason")) == ("canary-2", None)
        assert set(answers) <= {"old:x", "new:x"}
        assert answers["old:x"]
        assert {invoke() for _ in range(10)} == {"new:x"}


def test_a_challenger_that_errors_is_rolled_back_by_its_alarm(bench: Any) -> None:
    """The alarm is evaluated on real answers; the champion goes on, and only the canary's share failed."""
    with _serving(bench, "rollback", {"main": ("old", 1)}) as invoke:
        _config(bench, "rollback-2", {"main": ("breaks", 1)})
        alarm = _alarm(bench, "rollback")
        bench.sagemaker.update_endpoint(
            EndpointName="rollback", EndpointConfigName="rollback-2", DeploymentConfig=_canary(alarm, wait_s=1800)
        )
        good = failed = 0
        while bench.sagemaker.describe_endpoint(EndpointName="rollback")["EndpointStatus"] != "InService":
            try:
                assert invoke() == "old:x"
                good += 1
            except ClientError as error:
                assert error.response["Error"]["Code"] == "ModelError"
                assert error.response["OriginalStatusCode"] == 500
                failed += 1
        said = _settled(bench, "rollback")
        assert said["EndpointConfigName"] == "rollback"
        assert alarm in said["FailureReason"]
        assert failed and good > failed
        assert {invoke() for _ in range(10)} == {"old:x"}
        told = bench.client("cloudwatch").describe_alarm_history(AlarmName=alarm)["AlarmHistoryItems"]
        assert any(item["HistorySummary"].endswith("to ALARM") for item in told)


def test_an_update_to_a_server_that_does_not_come_up_changes_nothing(bench: Any) -> None:
    """The old servers never stopped."""
    with _serving(bench, "keeps", {"main": ("old", 1)}) as invoke:
        _config(bench, "keeps-2", {"main": ("ends", 1)})
        bench.sagemaker.update_endpoint(EndpointName="keeps", EndpointConfigName="keeps-2")
        said = _settled(bench, "keeps")
        assert (said["EndpointStatus"], said["EndpointConfigName"]) == ("InService", "keeps")
        assert "did not pass the ping health check" in said["FailureReason"]
        assert invoke() == "old:x"


def test_requests_are_captured_and_measured(bench: Any) -> None:
    """What monitoring will read: the bytes that went in and came out, and the counts in CloudWatch."""
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{bench.bucket}/captured",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    }
    with _serving(bench, "watched", {"main": ("seen", 1)}, DataCaptureConfig=capture) as invoke:
        for number in range(3):
            invoke(str(number))
        prefix = "captured/watched/main/"
        found = bench.until(
            lambda: bench.s3.list_objects_v2(Bucket=bench.bucket, Prefix=prefix).get("Contents", []), bool
        )
        lines = [json.loads(line) for each in found for line in bench.read(each["Key"]).splitlines()]
        data = lines[0]["captureData"]
        assert (data["endpointInput"]["data"], data["endpointOutput"]["data"]) == ("0", "seen:0")
        assert data["endpointInput"]["encoding"] == "CSV"
        assert bench.until(lambda: _counted(bench, "watched"), lambda count: count == 3) == 3


def _counted(bench: Any, endpoint: str) -> float:
    now = datetime.now(UTC)
    points = bench.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SageMaker", MetricName="Invocations", Statistics=["Sum"], Period=3600,
        Dimensions=[{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "main"}],
        StartTime=now - timedelta(hours=1), EndTime=now + timedelta(hours=1),
    )["Datapoints"]  # fmt: skip
    return float(sum(point["Sum"] for point in points))


HALF = {"Type": "CAPACITY_PERCENT", "Value": 50}


@pytest.mark.parametrize(
    ("deployment", "words"),
    [
        ({"RollingUpdatePolicy": {"WaitIntervalInSeconds": 0, "MaximumBatchSize": HALF}},
         "does not support RollingUpdatePolicy"),
        ({"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": {"Type": "LINEAR", "WaitIntervalInSeconds": 1}}},
         "LinearStepSize is required"),
        (_canary("no-such-alarm"), "Could not find the rollback alarm"),
    ],
)  # fmt: skip
def test_a_deployment_that_could_not_run_is_refused(bench: Any, deployment: dict[str, Any], words: str) -> None:
    """Before anything moves. A mistyped alarm would otherwise never roll anything back."""
    name = f"refuses-{len(words)}"
    with _serving(bench, name, {"main": ("old", 1)}), pytest.raises(ClientError, match=words):
        bench.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=name, DeploymentConfig=deployment)


def test_weights_go_to_variants_that_exist_once_each(bench: Any) -> None:
    """They were read over; the update said that it was done."""
    with _serving(bench, "weighed", {"a": ("a", 1), "b": ("b", 1)}) as invoke:

        def weigh(*wanted: tuple[str, float]) -> None:
            bench.sagemaker.update_endpoint_weights_and_capacities(
                EndpointName="weighed",
                DesiredWeightsAndCapacities=[{"VariantName": name, "DesiredWeight": weight} for name, weight in wanted],
            )

        with pytest.raises(ClientError, match="not present within endpoint configuration"):
            weigh(("a", 0), ("c", 1))
        with pytest.raises(ClientError, match="non-unique"):
            weigh(("a", 0), ("a", 1))
        assert {each["CurrentWeight"] for each in _settled(bench, "weighed")["ProductionVariants"]} == {1.0}
        weigh(("a", 0), ("b", 1))
        assert {invoke() for _ in range(10)} == {"b:x"}


def test_weights_and_instances_are_kept_where_an_update_asks_for_it(bench: Any) -> None:
    with _serving(bench, "kept", {"a": ("a", 1), "b": ("b", 1)}):
        weights = [{"VariantName": "a", "DesiredWeight": 0.0}, {"VariantName": "b", "DesiredWeight": 1.0}]
        bench.sagemaker.update_endpoint_weights_and_capacities(EndpointName="kept", DesiredWeightsAndCapacities=weights)
        _settled(bench, "kept")
        for kept, expected in ((True, [0.0, 1.0]), (False, [1.0, 1.0])):
            bench.sagemaker.update_endpoint(
                EndpointName="kept", EndpointConfigName="kept", RetainAllVariantProperties=kept
            )
            variants = _settled(bench, "kept")["ProductionVariants"]
            assert [each["CurrentWeight"] for each in variants] == expected


@pytest.mark.parametrize("kept", ["ExcludeRetainedVariantProperties", "RetainDeploymentConfig"])
def test_what_an_update_would_keep_is_refused(bench: Any, kept: str) -> None:
    """It was read over, and the weights of the new configuration taken."""
    name = kept.lower()
    with _serving(bench, name, {"main": ("one", 1)}) as invoke:
        with pytest.raises(ClientError, match=f"does not support {kept}"):
            asked = [{"VariantPropertyType": "DesiredWeight"}] if kept.startswith("Exclude") else True
            bench.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=name, **{kept: asked})
        assert invoke() == "one:x"


def test_what_is_not_there_is_named_by_its_arn(bench: Any) -> None:
    """As AWS names it."""
    with pytest.raises(ClientError, match='endpoint "arn:aws:sagemaker:us-east-1:123456789012:endpoint/none"'):
        bench.sagemaker.describe_endpoint(EndpointName="none")
