"""Keys that encrypt what is stored."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from infra.aws.documents import Statement, document
from infra.aws.scope import Scope

_ADMINISTER = (
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:RetireGrant",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
)
"""What the account may let its roles do with a key: named, because ``kms:*`` would be handed on as such."""


class Keys(pulumi.ComponentResource):
    """Two keys, each rotated every year: one for artifacts, one for operations.

    Owns: the keys, their aliases, and who may use them at all. A role uses a key only if the key's policy leaves that
    to the account *and* the role's own policy says so; services that act by themselves are named here, and only on the
    key of operations: nothing that sends notifications can read an artifact.

    Does not own: what each role may do with them (derived, see ``roles.py``), and keys of other accounts.
    """

    artifacts: aws.kms.Key
    """Objects, images, captured traffic."""
    operations: aws.kms.Key
    """Notifications and log groups."""

    def __init__(self, scope: Scope) -> None:
        super().__init__("seatrial:aws:Keys", "keys")
        self._scope = scope
        self.artifacts = self._key("artifacts", "Artifacts, images and captured traffic")
        self.operations = self._key("operations", "Notifications and logs", *self._services())
        self.register_outputs({"artifacts": self.artifacts.arn, "operations": self.operations.arn})

    def _key(self, kind: str, description: str, *more: Statement) -> aws.kms.Key:
        scope = self._scope
        key = aws.kms.Key(
            f"{kind}-key",
            description=f"{description} of {scope.prefix}",
            enable_key_rotation=True,
            deletion_window_in_days=scope.settings.retention.key_deletion_days,
            policy=document(self._account(), *more),
            opts=pulumi.ResourceOptions(parent=self, protect=scope.settings.protect),
        )
        aws.kms.Alias(
            f"{kind}-alias",
            name=f"alias/{scope.name(kind)}",
            target_key_id=key.key_id,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return key

    def _account(self) -> Statement:
        return {
            "Sid": "AccountDecides",
            "Effect": "Allow",
            "Principal": {"AWS": self._scope.root},
            "Action": list(_ADMINISTER),
            "Resource": "*",  # in a key's policy: this key
        }

    def _services(self) -> list[Statement]:
        scope = self._scope
        notify = [
            {
                "Sid": f"{service.capitalize()}Notifies",
                "Effect": "Allow",
                "Principal": {"Service": f"{service}.amazonaws.com"},
                "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:SourceAccount": scope.account}},
            }
            for service in ("budgets", "cloudwatch")
        ]
        # EventBridge says of no event whose it is; SNS says for which topic it encrypts
        # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
        topics = scope.arn("sns", f"{scope.prefix}-*")
        events = {
            "Sid": "EventsNotifies",
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
            "Resource": "*",
            "Condition": {"ArnLike": {"kms:EncryptionContext:aws:sns:topicArn": topics}},
        }
        groups = scope.arn("logs", "log-group:*")
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
        logs = {
            "Sid": "LogGroupsOfThisAccount",
            "Effect": "Allow",
            "Principal": {"Service": f"logs.{scope.region}.amazonaws.com"},
            "Action": [
                "kms:Decrypt",
                "kms:DescribeKey",
                "kms:Encrypt",
                "kms:GenerateDataKey",
                "kms:ReEncryptFrom",
                "kms:ReEncryptTo",
            ],
            "Resource": "*",
            "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
        }
        return [*notify, events, logs]
