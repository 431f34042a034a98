"""Whom the stack tells."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from infra.aws.documents import Statement, document
from infra.aws.scope import Scope

Topic = aws.sns.TopicPolicy
"""A topic once its policy is there: whoever uses its ``arn`` waits until publishing is allowed."""


def topic(scope: Scope, name: str, key: aws.kms.Key, parent: pulumi.Resource, *publishers: Statement) -> Topic:
    """An encrypted topic into which only ``publishers`` of this account publish, and only over TLS.

    Args:
        scope: the stack.
        name: what the topic's name ends with.
        key: encrypts what is published.
        parent: the component that owns it.
        publishers: who, as `publisher` says it.
    """
    made = aws.sns.Topic(
        name, name=scope.name(name), kms_master_key_id=key.arn, opts=pulumi.ResourceOptions(parent=parent)
    )
    tls = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sns:Publish",
        "Resource": made.arn,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    allowed = [{**each, "Resource": made.arn} for each in publishers]
    return aws.sns.TopicPolicy(
        f"{name}-policy",
        arn=made.arn,
        policy=document(tls, *allowed),
        opts=pulumi.ResourceOptions(parent=parent),
    )


def publisher(scope: Scope, service: str, source: str) -> Statement:
    """A service that may publish on behalf of this account's own resources.

    Args:
        scope: the stack.
        service: such as ``cloudwatch``.
        source: pattern of the ARNs on whose behalf.
    """
    return {
        "Sid": f"{service.capitalize()}Publishes",
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sns:Publish",
        "Condition": {"StringEquals": {"aws:SourceAccount": scope.account}, "ArnLike": {"aws:SourceArn": source}},
    }


def eventbridge() -> Statement:
    """EventBridge, without conditions: it does not tell a topic on whose behalf it publishes, so none would ever hold.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sns-permissions
    """
    return {
        "Sid": "EventsPublishes",
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sns:Publish",
    }


class Notifications(pulumi.ComponentResource):
    """The topic on which people hear of failures, alarms and the budget.

    Owns: the topic, who may publish on it, and subscriptions by e-mail (each address has to confirm once).

    Does not own: what is published (``models.py``, ``events.py``, ``budget.py``), and subscriptions of other kinds: a
    chat or a pager subscribes to the topic from its own stack.
    """

    topic: Topic

    def __init__(self, scope: Scope, key: aws.kms.Key) -> None:
        super().__init__("seatrial:aws:Notifications", "notifications")
        self.topic = topic(
            scope,
            "notifications",
            key,
            self,
            publisher(scope, "budgets", scope.arn("budgets", "*", region="")),
            publisher(scope, "cloudwatch", scope.arn("cloudwatch", f"alarm:{scope.prefix}-*")),
            eventbridge(),
        )
        for email in scope.settings.emails:
            aws.sns.TopicSubscription(
                f"to-{email}",
                topic=self.topic.arn,
                protocol="email",
                endpoint=email,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({"topic": self.topic.arn})
