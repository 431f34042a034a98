"""Functions and budgets."""

from __future__ import annotations

from seatrial.rehearsal.infra.provider.base import Props, blob
from tests.rehearsal.infra.provider.conftest import Cloud, packed, trust
from tests.rehearsal.infra.provider.example import Example


def _code(source: str) -> Props:
    return blob("archive", packed(source))


def _function(cloud: Cloud) -> str:
    role = cloud.made("aws:iam/role:Role", assumeRolePolicy=trust("lambda"))["arn"]
    token, code = "aws:lambda/function:Function", _code("def handler(event, context): ...")
    return str(cloud.made(token, role=role, runtime="python3.12", handler="main.handler", code=code)["id"])


LAMBDA = (
    Example(
        "aws:lambda/function:Function",
        lambda cloud: {
            "name": "trial-stop",
            "description": "stops",
            "role": cloud.made("aws:iam/role:Role", assumeRolePolicy=trust("lambda"))["arn"],
            "runtime": "python3.12",
            "handler": "main.handler",
            "code": _code("def handler(event, context): ..."),
            "timeout": 60.0,
            "memorySize": 256.0,
            "environment": {"variables": {"PREFIX": "trial"}},
            "kmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/one",
            "tags": {"owner": "trial"},
        },
        {
            "description": None,
            "role": lambda cloud: cloud.made("aws:iam/role:Role", assumeRolePolicy=trust("lambda"))["arn"],
            "runtime": "python3.13",
            "handler": "main.other",
            "code": _code("def other(event, context): ..."),
            "timeout": None,
            "memorySize": 512.0,
            "environment": None,
            "kmsKeyArn": None,
            "tags": {"owner": "others"},
        },
    ),
    Example(
        "aws:lambda/permission:Permission",
        lambda cloud: {
            "statementId": "sns",
            "function": _function(cloud),
            "action": "lambda:InvokeFunction",
            "principal": "sns.amazonaws.com",
            "sourceArn": "arn:aws:sns:us-east-1:123456789012:trial-stop",
            "sourceAccount": "123456789012",
        },
    ),
)


def _told(percent: float, *emails: str) -> Props:
    heard: Props = {"subscriberSnsTopicArns": ["arn:aws:sns:us-east-1:123456789012:told"]}
    if emails:
        heard["subscriberEmailAddresses"] = list(emails)
    said = {"notificationType": "ACTUAL", "comparisonOperator": "GREATER_THAN", "thresholdType": "PERCENTAGE"}
    return {**said, "threshold": percent, **heard}


BUDGETS = (
    Example(
        "aws:budgets/budget:Budget",
        lambda _: {
            "name": "trial-monthly",
            "budgetType": "COST",
            "timeUnit": "MONTHLY",
            "limitAmount": "200.00",
            "limitUnit": "USD",
            "costFilters": [{"name": "TagKeyValue", "values": ["user:stack$dev", "user:stack$prod"]}],
            "notifications": [_told(80.0), _told(100.0, "who@example.com", "and@example.com")],
            "tags": {"owner": "trial"},
        },
        {
            "budgetType": "RI_COVERAGE",
            "timeUnit": "QUARTERLY",
            "limitAmount": "300",
            "limitUnit": "PERCENTAGE",
            "costFilters": [{"name": "Service", "values": ["Amazon SageMaker"]}],
            "notifications": [_told(90.0)],
            "tags": {"owner": "others"},
        },
    ),
)
