"""Alarms, logs, events and notifications."""

from __future__ import annotations

import json

from seatrial.rehearsal.infra.provider.base import Props
from tests.rehearsal.infra.provider.conftest import Cloud
from tests.rehearsal.infra.provider.example import Example, policy

CLOUDWATCH = (
    Example(
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        lambda _: {
            "name": "trial-errors",
            "alarmDescription": "errors",
            "namespace": "AWS/SageMaker",
            "metricName": "Invocation5XXErrors",
            "dimensions": {"EndpointName": "trial-flights", "VariantName": "main"},
            "statistic": "Sum",
            "unit": "Count",
            "threshold": 1.0,
            "comparisonOperator": "GreaterThanThreshold",
            "period": 60.0,
            "evaluationPeriods": 2.0,
            "datapointsToAlarm": 1.0,
            "treatMissingData": "notBreaching",
            "actionsEnabled": True,
            "alarmActions": ["arn:aws:sns:us-east-1:123456789012:a", "arn:aws:sns:us-east-1:123456789012:b"],
            "okActions": ["arn:aws:sns:us-east-1:123456789012:a"],
            "insufficientDataActions": ["arn:aws:sns:us-east-1:123456789012:b"],
            "tags": {"owner": "trial"},
        },
        {
            "alarmDescription": None,
            "namespace": "Seatrial",
            "metricName": "Errors",
            "dimensions": {"EndpointName": "trial-flights"},
            "statistic": "Average",
            "unit": None,
            "threshold": 0.5,
            "comparisonOperator": "LessThanThreshold",
            "period": 300.0,
            "evaluationPeriods": 3.0,
            "datapointsToAlarm": 3.0,
            "treatMissingData": None,
            "actionsEnabled": False,
            "alarmActions": ["arn:aws:sns:us-east-1:123456789012:c"],
            "okActions": None,
            "insufficientDataActions": None,
            "tags": {"owner": "others"},
        },
    ),
    Example(
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        lambda _: {
            "name": "trial-latency",
            "namespace": "AWS/SageMaker",
            "metricName": "ModelLatency",
            "extendedStatistic": "p99",
            "threshold": 250000.0,
            "comparisonOperator": "GreaterThanThreshold",
            "period": 60.0,
            "evaluationPeriods": 1.0,
        },
        {"extendedStatistic": "p95"},
    ),
    Example(
        "aws:cloudwatch/dashboard:Dashboard",
        lambda _: {"dashboardName": "trial", "dashboardBody": json.dumps({"widgets": []})},
        {"dashboardBody": json.dumps({"widgets": [{"type": "text", "properties": {"markdown": "a"}}]})},
    ),
    Example(
        "aws:cloudwatch/logGroup:LogGroup",
        lambda cloud: {
            "name": "/aws/sagemaker/Endpoints/trial",
            "retentionInDays": 30.0,
            "kmsKeyId": cloud.key(),
            "tags": {"owner": "trial"},
        },
        {"retentionInDays": 90.0, "kmsKeyId": lambda cloud: cloud.key(), "tags": None},
    ),
    Example(
        "aws:cloudwatch/logGroup:LogGroup",
        lambda cloud: {"retentionInDays": 1.0, "kmsKeyId": cloud.key(), "skipDestroy": False},
        {"retentionInDays": None, "kmsKeyId": None},
    ),
)


def _rule(cloud: Cloud) -> str:
    return str(cloud.made("aws:cloudwatch/eventRule:EventRule", scheduleExpression="rate(1 day)")["id"])


def _pipeline(name: str) -> Props:
    return {"pipelineParameterLists": [{"name": "model", "value": name}, {"name": "version", "value": "$.detail.v"}]}


EVENTS = (
    Example(
        "aws:cloudwatch/eventRule:EventRule",
        lambda _: {
            "name": "trial-approved",
            "description": "approved",
            "eventPattern": json.dumps({"source": ["aws.sagemaker"], "detail": {"A": [{"prefix": "x"}]}}),
            "state": "ENABLED",
            "tags": {"owner": "trial"},
        },
        {
            "description": None,
            "eventPattern": json.dumps({"source": ["aws.cloudwatch"]}),
            "state": "DISABLED",
            "tags": {"owner": "others"},
        },
    ),
    Example(
        "aws:cloudwatch/eventRule:EventRule",
        lambda _: {"scheduleExpression": "cron(0 6 * * ? *)"},
        {"scheduleExpression": "rate(2 hours)"},
    ),
    Example(
        "aws:cloudwatch/eventTarget:EventTarget",
        lambda cloud: {
            "rule": _rule(cloud),
            "targetId": "train",
            "arn": "arn:aws:sagemaker:us-east-1:123456789012:pipeline/trial-train",
            "roleArn": "arn:aws:iam::123456789012:role/trial-events",
            "sagemakerPipelineTarget": _pipeline("flights"),
            "retryPolicy": {"maximumEventAgeInSeconds": 3600.0, "maximumRetryAttempts": 10.0},
            "deadLetterConfig": {"arn": "arn:aws:sqs:us-east-1:123456789012:dead"},
        },
        {
            "arn": "arn:aws:sagemaker:us-east-1:123456789012:pipeline/trial-release",
            "roleArn": "arn:aws:iam::123456789012:role/trial-others",
            "sagemakerPipelineTarget": _pipeline("parcels"),
            "retryPolicy": {"maximumEventAgeInSeconds": 60.0, "maximumRetryAttempts": 1.0},
            "deadLetterConfig": None,
        },
    ),
    Example(
        "aws:cloudwatch/eventTarget:EventTarget",
        lambda cloud: {
            "rule": _rule(cloud),
            "arn": "arn:aws:sns:us-east-1:123456789012:told",
            "inputTransformer": {"inputPaths": {"what": "$.detail.a"}, "inputTemplate": '"<what> failed."'},
        },
        {"inputTransformer": {"inputPaths": {"why": "$.detail.b"}, "inputTemplate": '"<why>."'}},
    ),
    Example(
        "aws:cloudwatch/eventTarget:EventTarget",
        lambda cloud: {"rule": _rule(cloud), "arn": "arn:aws:sns:us-east-1:123456789012:a", "input": '{"a": 1}'},
        {"input": '{"a": 2}'},
    ),
    Example(
        "aws:cloudwatch/eventTarget:EventTarget",
        lambda cloud: {"rule": _rule(cloud), "arn": "arn:aws:sns:us-east-1:123456789012:a", "inputPath": "$.detail"},
        {"inputPath": "$.source"},
    ),
)


def _topic(cloud: Cloud) -> str:
    return str(cloud.made("aws:sns/topic:Topic")["id"])


def _publish(cloud: Cloud, service: str) -> Props:
    topic = _topic(cloud)
    return {"arn": topic, "policy": policy("sns:Publish", resource=topic, Principal={"Service": service})}


SNS = (
    Example(
        "aws:sns/topic:Topic",
        lambda cloud: {
            "name": "trial-notifications",
            "displayName": "trial",
            "kmsMasterKeyId": cloud.key(),
            "tags": {"owner": "trial"},
        },
        {"displayName": None, "kmsMasterKeyId": lambda cloud: cloud.key(), "tags": {"owner": "others"}},
    ),
    Example(
        "aws:sns/topicPolicy:TopicPolicy",
        lambda cloud: _publish(cloud, "budgets.amazonaws.com"),
        {"policy": policy("sns:Publish", Principal={"Service": "events.amazonaws.com"})},
    ),
    Example(
        "aws:sns/topicSubscription:TopicSubscription",
        lambda cloud: {"topic": _topic(cloud), "protocol": "email", "endpoint": "who@example.com"},
    ),
)
