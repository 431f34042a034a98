"""What a month may cost, and what happens when it costs more."""

from __future__ import annotations

from pathlib import Path

import pulumi
import pulumi_aws as aws

from infra.aws.documents import document
from infra.aws.notifications import Topic, publisher, topic
from infra.aws.scope import Scope

_CODE = Path(__file__).with_name("stop_temporary.py")


class Budget(pulumi.ComponentResource):
    """The stack's monthly budget.

    Owns: the budget of everything that carries this stack's tags, a warning when the forecast nears it, and, once it is
    spent, a function that deletes the endpoints tagged ``seatrial:temporary=true``: its code, its role, its log.

    Does not own: endpoints that serve (nobody wants them off because of a bill), jobs that run, and the activation of
    the tags ``project`` and ``stack`` for cost allocation, which is done once per organisation by its payer account;
    until then the budget sees nothing.
    """

    def __init__(self, scope: Scope, key: aws.kms.Key, notifications: Topic) -> None:
        """``key``: encrypts the way to the function, and its log. ``notifications``: hears of both thresholds."""
        super().__init__("seatrial:aws:Budget", "budget")
        self._scope = scope
        budgets = scope.arn("budgets", "*", region="")
        stop = topic(scope, "budget-stop", key, self, publisher(scope, "budgets", budgets))
        self._function(key, stop)
        limits = scope.settings.budget
        spent = round(limits.monthly_usd * limits.stop_percent / 100, 2)
        aws.budgets.Budget(
            "monthly",
            name=scope.name("monthly"),
            budget_type="COST",
            time_unit="MONTHLY",
            limit_amount=f"{limits.monthly_usd:.2f}",
            limit_unit="USD",
            cost_filters=[
                aws.budgets.BudgetCostFilterArgs(name="TagKeyValue", values=[f"user:stack${scope.stack}"]),
            ],
            notifications=[
                _notification("FORECASTED", limits.warn_percent, "PERCENTAGE", notifications.arn),
                # the same moment, said in two ways: a notification has one topic, and AWS takes no equal one
                # https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_Notification.html
                _notification("ACTUAL", limits.stop_percent, "PERCENTAGE", stop.arn),
                _notification("ACTUAL", spent, "ABSOLUTE_VALUE", notifications.arn),
            ],
            opts=self._below(),
        )
        self.register_outputs({})

    def _function(self, key: aws.kms.Key, stop: Topic) -> None:
        scope = self._scope
        name = scope.name("budget-stop")
        log = aws.cloudwatch.LogGroup(
            "budget-stop-logs",
            name=f"/aws/lambda/{name}",
            retention_in_days=scope.settings.retention.logs_days,
            kms_key_id=key.arn,
            opts=self._below(),
        )
        role = aws.iam.Role(
            "budget-stop-role",
            name=name,
            description=f"Deletes temporary endpoints when the budget is spent, in stack {scope.stack}",
            # AWS documents aws:SourceArn and aws:SourceAccount for what calls a function, and not for what a function's
            # role is told; its own samples have no condition. A function has a role of its own account only, and from
            # somebody who may pass it. https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
            assume_role_policy=document(
                {
                    "Sid": "Lambda",
                    "Effect": "Allow",
                    "Principal": {"Service": "lambda.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ),
            permissions_boundary=scope.settings.boundary,
            opts=self._below(),
        )
        endpoints = scope.arn("sagemaker", f"endpoint/{scope.prefix}-*")
        allowed = aws.iam.RolePolicy(
            "budget-stop-permissions",
            name="own",
            role=role.name,
            policy=document(
                # a list of endpoints has no resource that could be named
                {"Sid": "Find", "Effect": "Allow", "Action": ["sagemaker:ListEndpoints"], "Resource": "*"},
                {"Sid": "Look", "Effect": "Allow", "Action": ["sagemaker:ListTags"], "Resource": endpoints},
                {
                    "Sid": "Delete",
                    "Effect": "Allow",
                    "Action": ["sagemaker:DeleteEndpoint"],
                    "Resource": endpoints,
                    "Condition": {"StringEquals": {"aws:ResourceTag/seatrial:temporary": "true"}},
                },
                {
                    "Sid": "Log",
                    "Effect": "Allow",
                    "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                    "Resource": pulumi.Output.concat(log.arn, ":*"),
                },
            ),
            opts=self._below(),
        )
        function = aws.lambda_.Function(
            "budget-stop",
            name=name,
            description="Deletes endpoints tagged seatrial:temporary=true",
            role=role.arn,
            runtime="python3.12",
            handler="stop_temporary.handler",
            code=pulumi.AssetArchive({_CODE.name: pulumi.FileAsset(str(_CODE))}),
            timeout=900,  # an endpoint that comes up takes minutes, and is not deleted before
            memory_size=128,
            environment=aws.lambda_.FunctionEnvironmentArgs(variables={"PREFIX": scope.prefix}),
            kms_key_arn=key.arn,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[log, allowed]),
        )
        permission = aws.lambda_.Permission(
            "budget-stop-invoked",
            statement_id="sns",
            action="lambda:InvokeFunction",
            function=function.name,
            principal="sns.amazonaws.com",
            source_arn=stop.arn,  # with the account in it; SNS says no other
            opts=self._below(),
        )
        aws.sns.TopicSubscription(
            "budget-stop-subscription",
            topic=stop.arn,
            protocol="lambda",
            endpoint=function.arn,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[permission]),
        )

    def _below(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self)


def _notification(
    kind: str, threshold: float, unit: str, topic: pulumi.Input[str]
) -> aws.budgets.BudgetNotificationArgs:
    return aws.budgets.BudgetNotificationArgs(
        notification_type=kind,
        comparison_operator="GREATER_THAN",
        threshold=threshold,
        threshold_type=unit,
        subscriber_sns_topic_arns=[topic],
    )
