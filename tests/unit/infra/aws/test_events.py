"""Rules are held against the events that AWS documents: a rule that matches nothing is silent for ever.

Events: https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html and
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from moto.events.models import EventPattern

from tests.unit.infra.aws import stacks

pytestmark = stacks.quiet
SAGEMAKER = f"arn:aws:sagemaker:eu-central-1:{stacks.ACCOUNT}"


APPROVED = ("ModelApprovalStatus", "CustomerMetadataProperties")


def _event(source: str, detail_type: str, detail: dict[str, Any], *resources: str) -> dict[str, Any]:
    return {"source": source, "detail-type": detail_type, "detail": detail, "resources": list(resources)}


def _approval(
    group: str = "seatrial-dev-flights", status: str = "Approved", package: str = "Completed", *changed: str
) -> dict[str, Any]:
    detail: dict[str, Any] = {"ModelPackageGroupName": group, "ModelPackageVersion": 2, "ModelApprovalStatus": status}
    detail["ModelPackageStatus"] = package
    if changed:
        detail["UpdatedModelPackageFields"] = list(changed)
    return _event("aws.sagemaker", "SageMaker Model Package State Change", detail)


def _alarm(name: str = "seatrial-dev-flights-drift", state: str = "ALARM") -> dict[str, Any]:
    arn = f"arn:aws:cloudwatch:eu-central-1:{stacks.ACCOUNT}:alarm:{name}"
    detail = {"alarmName": name, "state": {"value": state}, "previousState": {"value": "OK"}}
    return _event("aws.cloudwatch", "CloudWatch Alarm State Change", detail, arn)


def _execution(pipeline: str = "seatrial-dev-flights-train", status: str = "Failed") -> dict[str, Any]:
    arn = f"{SAGEMAKER}:pipeline/{pipeline}"
    detail = {
        "currentPipelineExecutionStatus": status,
        "previousPipelineExecutionStatus": "Executing",
        "pipelineArn": arn,
        "pipelineExecutionArn": f"{arn}/execution/p4jn9xou8a8s",
    }
    return _event("aws.sagemaker", "SageMaker Model Building Pipeline Execution Status Change", detail)


def _job(kind: str, role: str = "seatrial-dev-training", status: str = "Failed") -> dict[str, Any]:
    detail = {
        f"{kind}JobName": "pipelines-x-train",
        f"{kind}JobStatus": status,
        "RoleArn": f"arn:aws:iam::{stacks.ACCOUNT}:role/{role}",
        "FailureReason": "out of memory",
    }
    return _event("aws.sagemaker", f"SageMaker {kind} Job State Change", detail)


def _endpoint(name: str = "seatrial-dev-flights", status: str = "FAILED") -> dict[str, Any]:
    return _event("aws.sagemaker", "SageMaker Endpoint State Change", {"EndpointName": name, "EndpointStatus": status})


@pytest.mark.parametrize(
    ("rule", "matching", "others"),
    [
        (
            "flights-approved",
            _approval(),
            [
                _approval("seatrial-prod-flights"),
                _approval(status="Rejected"),
                _approval(package="Deleted"),
                _approval("seatrial-dev-flights", "Approved", "Completed", "CustomerMetadataProperties"),
                _alarm(),
            ],
        ),
        ("flights-approved", _approval("seatrial-dev-flights", "Approved", "Completed", *APPROVED), []),
        ("flights-drifted", _alarm(), [_alarm("seatrial-dev-flights-error-rate"), _alarm(state="OK")]),
        ("failed-pipelines", _execution(), [_execution("seatrial-prod-flights-train"), _execution(status="Succeeded")]),
        ("failed-training", _job("Training"), [_job("Training", "somebody"), _job("Processing")]),
        ("failed-processing", _job("Processing"), [_job("Processing", status="Completed"), _job("Training")]),
        ("failed-endpoints", _endpoint(), [_endpoint("seatrial-prod-flights"), _endpoint(status="IN_SERVICE")]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_rule_matches_its_event_and_no_other(
    rule: str, matching: dict[str, Any], others: list[dict[str, Any]]
) -> None:
    text = stacks.run("dev").one(":EventRule", rule).inputs["eventPattern"]
    pattern = EventPattern(text, json.loads(text))
    assert pattern.matches_event(matching)
    assert [each for each in others if pattern.matches_event(each)] == []


def test_an_approval_starts_the_release_of_that_version() -> None:
    ran = stacks.run("dev")
    target = ran.one(":EventTarget", "flights-approved-release").inputs
    assert target["arn"] == f"{SAGEMAKER}:pipeline/{ran.outputs['models']['flights']['pipelines']['release']}"
    assert target["roleArn"].endswith(":role/seatrial-dev-events")
    given = target["sagemakerPipelineTarget"]["pipelineParameterLists"]
    assert given == [
        {"name": "model", "value": "flights"},
        {"name": "version", "value": "$.detail.ModelPackageVersion"},
    ]


def test_drift_starts_training_of_that_model() -> None:
    target = stacks.run("dev").one(":EventTarget", "flights-drifted-train").inputs
    assert target["arn"] == f"{SAGEMAKER}:pipeline/seatrial-dev-flights-train"
    assert target["sagemakerPipelineTarget"]["pipelineParameterLists"] == [{"name": "model", "value": "flights"}]


def test_what_failed_is_told_in_words() -> None:
    """The template must be valid for EventBridge: a JSON text with the names of its paths in angle brackets."""
    for target in stacks.run("dev").of(":EventTarget"):
        transformer = target.inputs.get("inputTransformer")
        if transformer is not None:
            text = json.loads(transformer["inputTemplate"])
            assert all(f"<{name}>" in text for name in transformer["inputPaths"])
            assert target.inputs["arn"].endswith(":seatrial-dev-notifications")
