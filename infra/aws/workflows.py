"""What the workflows that deploy this program may do: one row per kind of resource, written by hand and on purpose.

The roles of jobs are derived from pipelines; these roles need what the program's own resource types need, and a table
per type is what a reviewer can hold against the list of types. No action is a wildcard. Where a resource is ``*``, the
row says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.aws.documents import Statement
from infra.aws.scope import Scope

_LISTING = "a listing has no resource that could be named"
_NEW = "what is to be made has no ARN yet; the condition asks for this stack's tag on it"


@dataclass(frozen=True)
class Row:
    """One kind of resource: what is read to compare it with the program, and what is written to change it."""

    kind: str
    resources: tuple[str, ...]
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    condition: Mapping[str, Any] = field(default_factory=dict)
    star_reason: str = ""

    def statement(self, *, writes: bool) -> Statement | None:
        """What a workflow may do with it; ``writes``: as the one that deploys."""
        actions = sorted({*self.read, *(self.write if writes else ())})
        if not actions:
            return None
        found: dict[str, Any] = {
            "Sid": self.kind,
            "Effect": "Allow",
            "Action": actions,
            "Resource": list(self.resources),
        }
        return {**found, "Condition": dict(self.condition)} if self.condition else found


def rows(scope: Scope) -> tuple[Row, ...]:
    """All rows of a stack."""
    return (
        *_stores(scope),
        *_identities(scope),
        *_signals(scope),
        *_machines(scope),
        *_networks(scope),
        *_state(scope),
    )


def statements(scope: Scope, *, writes: bool) -> Iterator[Statement]:
    """The policy's statements."""
    for row in rows(scope):
        found = row.statement(writes=writes)
        if found is not None:
            yield found


def _stores(scope: Scope) -> Iterator[Row]:
    bucket = f"arn:{scope.partition}:s3:::{scope.prefix}-*"
    stacks = {"StringEquals": {"aws:ResourceTag/stack": scope.stack}}
    yield Row(
        "Buckets",
        (bucket,),
        (
            "s3:GetAccelerateConfiguration",
            "s3:GetBucketAcl",
            "s3:GetBucketCORS",
            "s3:GetBucketLocation",
            "s3:GetBucketLogging",
            "s3:GetBucketObjectLockConfiguration",
            "s3:GetBucketOwnershipControls",
            "s3:GetBucketPolicy",
            "s3:GetBucketPublicAccessBlock",
            "s3:GetBucketRequestPayment",
            "s3:GetBucketTagging",
            "s3:GetBucketVersioning",
            "s3:GetBucketWebsite",
            "s3:GetEncryptionConfiguration",
            "s3:GetLifecycleConfiguration",
            "s3:GetReplicationConfiguration",
            "s3:ListBucket",
        ),
        (
            "s3:CreateBucket",
            "s3:DeleteBucket",
            "s3:DeleteBucketPolicy",
            "s3:ListBucketVersions",
            "s3:PutBucketLogging",
            "s3:PutBucketOwnershipControls",
            "s3:PutBucketPolicy",
            "s3:PutBucketPublicAccessBlock",
            "s3:PutBucketTagging",
            "s3:PutBucketVersioning",
            "s3:PutEncryptionConfiguration",
            "s3:PutLifecycleConfiguration",
        ),
    )
    if not scope.settings.protect:
        yield Row("Emptying", (f"{bucket}/*",), write=("s3:DeleteObject", "s3:DeleteObjectVersion"))
    yield Row(
        "NewKeys",
        ("*",),
        write=("kms:CreateKey", "kms:TagResource"),
        condition={"StringEquals": {"aws:RequestTag/stack": scope.stack}},
        star_reason=_NEW,
    )
    yield Row(
        "Keys",
        (scope.arn("kms", "key/*"),),
        ("kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags"),
        (
            "kms:CreateAlias",
            "kms:CreateGrant",
            "kms:Decrypt",
            "kms:DeleteAlias",
            "kms:DisableKeyRotation",
            "kms:EnableKeyRotation",
            "kms:GenerateDataKey",
            "kms:PutKeyPolicy",
            "kms:RetireGrant",
            "kms:ScheduleKeyDeletion",
            "kms:UntagResource",
            "kms:UpdateAlias",
            "kms:UpdateKeyDescription",
        ),
        stacks,
    )
    yield Row(
        "KeyNames",
        (scope.arn("kms", f"alias/{scope.prefix}-*"),),
        write=("kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"),
    )
    yield Row("KeyLists", ("*",), ("kms:ListAliases",), star_reason=_LISTING)
    yield Row(
        "Images",
        (scope.arn("ecr", f"repository/{scope.prefix}"),),
        ("ecr:DescribeRepositories", "ecr:GetLifecyclePolicy", "ecr:ListTagsForResource"),
        (
            "ecr:CreateRepository",
            "ecr:DeleteLifecyclePolicy",
            "ecr:DeleteRepository",
            "ecr:PutImageScanningConfiguration",
            "ecr:PutImageTagMutability",
            "ecr:PutLifecyclePolicy",
            "ecr:TagResource",
            "ecr:UntagResource",
        ),
    )


def _identities(scope: Scope) -> Iterator[Row]:
    roles = scope.arn("iam", f"role/{scope.prefix}-*", region="")
    bounded = scope.settings.boundary
    inside = {"StringEquals": {"iam:PermissionsBoundary": bounded}} if bounded else {}
    yield Row(
        "Roles",
        (roles,),
        (
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListInstanceProfilesForRole",
            "iam:ListRolePolicies",
        ),
        (
            "iam:DeleteRole",
            "iam:TagRole",
            "iam:UntagRole",
            "iam:UpdateAssumeRolePolicy",
            "iam:UpdateRole",
            "iam:UpdateRoleDescription",
        ),
    )
    yield Row(
        "RolesInsideBoundary",
        (roles,),
        write=("iam:CreateRole", "iam:DeleteRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"),
        condition=inside,
    )
    yield Row(
        "HandOver",
        tuple(scope.arn("iam", f"role/{scope.name(each)}", region="") for each in ("budget-stop", "events", "mlflow")),
        write=("iam:PassRole",),
        condition={
            "StringEquals": {
                "iam:PassedToService": ["events.amazonaws.com", "lambda.amazonaws.com", "sagemaker.amazonaws.com"]
            }
        },
    )
    yield Row(
        "GitHub",
        (scope.arn("iam", "oidc-provider/token.actions.githubusercontent.com", region=""),),
        ("iam:GetOpenIDConnectProvider",),
        (
            "iam:AddClientIDToOpenIDConnectProvider",
            "iam:CreateOpenIDConnectProvider",
            "iam:DeleteOpenIDConnectProvider",
            "iam:RemoveClientIDFromOpenIDConnectProvider",
            "iam:TagOpenIDConnectProvider",
            "iam:UntagOpenIDConnectProvider",
            "iam:UpdateOpenIDConnectProviderThumbprint",
        ),
    )


def _signals(scope: Scope) -> Iterator[Row]:
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
    yield Row("LogLists", ("*",), ("logs:DescribeLogGroups",), star_reason=_LISTING)
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


def _machines(scope: Scope) -> Iterator[Row]:
    yield Row(
        "ModelPackageGroups",
        (scope.arn("sagemaker", f"model-package-group/{scope.prefix}-*"),),
        ("sagemaker:DescribeModelPackageGroup", "sagemaker:GetModelPackageGroupPolicy", "sagemaker:ListTags"),
        (
            "sagemaker:AddTags",
            "sagemaker:CreateModelPackageGroup",
            "sagemaker:DeleteModelPackageGroup",
            "sagemaker:DeleteModelPackageGroupPolicy",
            "sagemaker:DeleteTags",
            "sagemaker:PutModelPackageGroupPolicy",
        ),
    )
    if scope.settings.tracking is not None:
        yield Row(
            "Tracking",
            (scope.arn("sagemaker", f"mlflow-tracking-server/{scope.name('mlflow')}"),),
            ("sagemaker:DescribeMlflowTrackingServer", "sagemaker:ListTags"),
            (
                "sagemaker:AddTags",
                "sagemaker:CreateMlflowTrackingServer",
                "sagemaker:DeleteMlflowTrackingServer",
                "sagemaker:DeleteTags",
                "sagemaker:UpdateMlflowTrackingServer",
            ),
        )
    yield Row(
        "Functions",
        (scope.arn("lambda", f"function:{scope.prefix}-*"),),
        (
            "lambda:GetFunction",
            "lambda:GetFunctionCodeSigningConfig",
            "lambda:GetPolicy",
            "lambda:ListTags",
            "lambda:ListVersionsByFunction",
        ),
        (
            "lambda:AddPermission",
            "lambda:CreateFunction",
            "lambda:DeleteFunction",
            "lambda:RemovePermission",
            "lambda:TagResource",
            "lambda:UntagResource",
            "lambda:UpdateFunctionCode",
            "lambda:UpdateFunctionConfiguration",
        ),
    )


def _networks(scope: Scope) -> Iterator[Row]:
    if scope.settings.network is None:
        return
    yield Row(
        "NetworkLists",
        ("*",),
        (
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribePrefixLists",
            "ec2:DescribeRouteTables",
            "ec2:DescribeSecurityGroupRules",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcAttribute",
            "ec2:DescribeVpcEndpoints",
            "ec2:DescribeVpcs",
        ),
        star_reason=_LISTING,
    )
    made = tuple(
        scope.arn("ec2", f"{kind}/*")
        for kind in ("route-table", "security-group", "security-group-rule", "subnet", "vpc", "vpc-endpoint")
    )
    yield Row(
        "NewNetworks",
        made,
        write=(
            "ec2:AuthorizeSecurityGroupEgress",
            "ec2:AuthorizeSecurityGroupIngress",
            "ec2:CreateRouteTable",
            "ec2:CreateSecurityGroup",
            "ec2:CreateSubnet",
            "ec2:CreateTags",
            "ec2:CreateVpc",
            "ec2:CreateVpcEndpoint",
        ),
    )
    yield Row(
        "Networks",
        made,
        write=(
            "ec2:AssociateRouteTable",
            "ec2:DeleteRouteTable",
            "ec2:DeleteSecurityGroup",
            "ec2:DeleteSubnet",
            "ec2:DeleteTags",
            "ec2:DeleteVpc",
            "ec2:DeleteVpcEndpoints",
            "ec2:DisassociateRouteTable",
            "ec2:ModifySubnetAttribute",
            "ec2:ModifyVpcAttribute",
            "ec2:ModifyVpcEndpoint",
            "ec2:RevokeSecurityGroupEgress",
            "ec2:RevokeSecurityGroupIngress",
        ),
        condition={"StringEquals": {"aws:ResourceTag/stack": scope.stack}},
    )


def _state(scope: Scope) -> Iterator[Row]:
    github = scope.settings.github
    if github is None or github.state is None:
        return
    bucket = f"arn:{scope.partition}:s3:::{github.state.bucket}"
    yield Row("State", (bucket,), ("s3:GetBucketLocation", "s3:ListBucket"))
    # a preview, too, takes the lock that keeps an update from running at the same time
    yield Row("StateFiles", (f"{bucket}/.pulumi/*",), ("s3:DeleteObject", "s3:GetObject", "s3:PutObject"))
    if github.state.key_arn is not None:
        yield Row("StateKey", (github.state.key_arn,), ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"))
