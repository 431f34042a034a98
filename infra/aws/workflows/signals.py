"""What tells somebody: alarms, dashboards, logs, events, topics, budgets."""

from __future__ import annotations

from collections.abc import Iterator

from infra.aws.scope import Scope
from infra.aws.workflows.row import LISTING, Row


def signals(scope: Scope) -> Iterator[Row]:
    """Everything that watches and tells."""
    yield Row(
        "Alarms",
        (scope.arn("cloudwatch", f"alarm:{scope.prefix}-*"),),
        ("cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource"),
        (
            "cloudwatch:DeleteAlarms",
            "cloudwatch:PutMetricAlarm",
            "cloudwatch:TagResource",
            "cloudwatch:UntagResource",
        ),
    )
    yield Row(
        "Dashboards",
        (scope.arn("cloudwatch", f"dashboard/{scope.prefix}-*", region=""),),
        ("cloudwatch:GetDashboard",),
        ("cloudwatch:DeleteDashboards", "cloudwatch:PutDashboard"),
    )
    groups = tuple(
        scope.arn("logs", f"log-group:{each}/{scope.prefix}-*") for each in ("/aws/lambda", "/aws/sagemaker/Endpoints")
    )
    yield Row(
        "Logs",
        groups,
        ("logs:ListTagsForResource",),
        (
            "logs:AssociateKmsKey",
            "logs:CreateLogGroup",
            "logs:DeleteLogGroup",
            "logs:DeleteRetentionPolicy",
            "logs:DisassociateKmsKey",
            "logs:PutRetentionPolicy",
            "logs:TagResource",
            "logs:UntagResource",
        ),
    )
    yield Row("LogLists", ("*",), ("logs:DescribeLogGroups",), star_reason=LISTING)
    yield Row(
        "Events",
        (scope.arn("events", f"rule/{scope.prefix}-*"),),
        ("events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule"),
        (
            "events:DeleteRule",
            "events:DisableRule",
            "events:EnableRule",
            "events:PutRule",
            "events:PutTargets",
            "events:RemoveTargets",
            "events:TagResource",
            "events:UntagResource",
        ),
    )
    yield Row(
        "Topics",
        (scope.arn("sns", f"{scope.prefix}-*"),),
        (
            "sns:GetSubscriptionAttributes",
            "sns:GetTopicAttributes",
            "sns:ListSubscriptionsByTopic",
            "sns:ListTagsForResource",
        ),
        (
            "sns:CreateTopic",
            "sns:DeleteTopic",
            "sns:SetSubscriptionAttributes",
            "sns:SetTopicAttributes",
            "sns:Subscribe",
            "sns:TagResource",
            "sns:Unsubscribe",
            "sns:UntagResource",
        ),
    )
    yield Row(
        "Budgets",
        (scope.arn("budgets", f"budget/{scope.prefix}-*", region=""),),
        ("budgets:ListTagsForResource", "budgets:ViewBudget"),
        ("budgets:ModifyBudget", "budgets:TagResource", "budgets:UntagResource"),
    )
