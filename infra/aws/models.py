"""What every model has that outlives its versions."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.aws.documents import document
from infra.aws.notifications import Topic
from infra.aws.scope import Scope
from seatrial.clouds.aws import drift, guardrails
from seatrial.clouds.aws.guardrails import Alarm
from seatrial.clouds.aws.names import VARIANT, Names
from seatrial.project import Rollout


class ModelShell(pulumi.ComponentResource):
    """The shell of one model, made for every folder in ``training/`` that holds a ``model.toml``.

    Owns: the model package group and who else may read it, the alarms of the rollout's guardrails (their thresholds are
    model.toml's), the alarm for drift, the dashboard, and the endpoint's log group with its retention.

    Does not own what changes with a version: model packages, SageMaker models, endpoint configurations, the endpoint,
    its traffic and its scaling. The engine makes those: if a program held the endpoint's configuration, an automatic
    rollback would make its next update delete the one that serves, and a scalable target cannot be registered before
    the endpoint exists. Log groups of temporary endpoints are made by SageMaker.
    """

    names: Names
    drift: aws.cloudwatch.MetricAlarm

    def __init__(self, scope: Scope, names: Names, rollout: Rollout, key: aws.kms.Key, topic: Topic) -> None:
        """``key``: encrypts the log group. ``topic``: hears of alarms."""
        super().__init__("seatrial:aws:ModelShell", names.model)
        self.names = names
        self._scope = scope
        self._topic = topic
        self._group()
        aws.cloudwatch.LogGroup(
            f"{names.model}-logs",
            name=f"/aws/sagemaker/Endpoints/{names.endpoint}",
            retention_in_days=scope.settings.retention.logs_days,
            kms_key_id=key.arn,
            opts=self._below(),
        )
        watched = guardrails.alarms(names, rollout)
        for each in watched:
            self._alarm(each)
        found = drift.alarm(names)
        self.drift = self._alarm(found)
        aws.cloudwatch.Dashboard(
            f"{names.model}-dashboard",
            dashboard_name=names.endpoint,
            dashboard_body=json.dumps(_dashboard(scope.region, names, (*watched, found)), sort_keys=True),
            opts=self._below(),
        )
        self.register_outputs({"group": names.group, "endpoint": names.endpoint})

    def _group(self) -> None:
        scope, names = self._scope, self.names
        group = aws.sagemaker.ModelPackageGroup(
            f"{names.model}-group",
            model_package_group_name=names.group,
            model_package_group_description=f"Versions of the model {names.model}, kept by Seatrial.",
            opts=pulumi.ResourceOptions(parent=self, protect=scope.settings.protect),
        )
        if not scope.settings.readers:
            return
        accounts = [f"arn:{scope.partition}:iam::{account}:root" for account in scope.settings.readers]
        versions = scope.arn("sagemaker", f"model-package/{names.group}/*")
        aws.sagemaker.ModelPackageGroupPolicy(
            f"{names.model}-readers",
            model_package_group_name=group.model_package_group_name,
            resource_policy=document(
                {
                    "Sid": "ReadGroup",
                    "Effect": "Allow",
                    "Principal": {"AWS": accounts},
                    "Action": ["sagemaker:DescribeModelPackageGroup"],
                    "Resource": scope.arn("sagemaker", f"model-package-group/{names.group}"),
                },
                {
                    "Sid": "ReadVersions",
                    "Effect": "Allow",
                    "Principal": {"AWS": accounts},
                    "Action": ["sagemaker:DescribeModelPackage", "sagemaker:ListModelPackages"],
                    "Resource": versions,
                },
            ),
            opts=self._below(),
        )

    def _alarm(self, alarm: Alarm) -> aws.cloudwatch.MetricAlarm:
        return aws.cloudwatch.MetricAlarm(
            f"{self.names.model}-{alarm.guardrail.replace('_', '-')}",
            name=alarm.name,
            alarm_description=alarm.description,
            namespace=alarm.namespace,
            metric_name=alarm.metric,
            dimensions=dict(alarm.dimensions),
            statistic=alarm.statistic,
            extended_statistic=alarm.percentile,
            threshold=alarm.threshold,
            comparison_operator=alarm.comparison,
            period=alarm.period_s,
            evaluation_periods=alarm.periods,
            treat_missing_data=alarm.missing,
            alarm_actions=[self._topic.arn],
            opts=self._below(),
        )

    def _below(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self)


def _dashboard(region: str, names: Names, alarms: tuple[Alarm, ...]) -> dict[str, Any]:
    """Traffic, then each alarm's metric with its threshold."""
    traffic = {
        "title": "Requests and errors",
        "stat": "Sum",
        "metrics": [
            ["AWS/SageMaker", metric, "EndpointName", names.endpoint, "VariantName", VARIANT]
            for metric in ("Invocations", "Invocation4XXErrors", "Invocation5XXErrors")
        ],
    }
    watched = [
        {
            "title": alarm.name,
            "stat": alarm.statistic or alarm.percentile,
            "metrics": [[alarm.namespace, alarm.metric, *(part for pair in alarm.dimensions.items() for part in pair)]],
            "annotations": {"horizontal": [{"label": "alarm", "value": alarm.threshold}]},
        }
        for alarm in alarms
    ]
    return {
        "widgets": [
            {
                "type": "metric",
                "x": 12 * (number % 2),
                "y": 6 * (number // 2),
                "width": 12,
                "height": 6,
                "properties": {"region": region, "period": 60, "view": "timeSeries", **properties},
            }
            for number, properties in enumerate([traffic, *watched])
        ]
    }
