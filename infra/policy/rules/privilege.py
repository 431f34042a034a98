"""Least privilege: actions by name, resources by name, and a written reason where AWS knows no resource."""

from __future__ import annotations

from collections.abc import Iterator

from rules.documents import IDENTITY, KEYS, SHARED, TRUST, Statement, Unreadable, documents, parsed, statements
from rules.resources import Resource, Settings, resource_rule, strings

_LISTING = "a listing has no resource"
_NEW = "the interface has no name before the service makes it"
STAR_REASONS = {
    "ecr:GetAuthorizationToken": "the token is the account's",
    "cloudwatch:PutMetricData": "a metric is no resource; a condition names the namespaces",
    "cloudwatch:DescribeAlarms": _LISTING,
    "cloudwatch:GetMetricData": "a metric is no resource",
    "cloudwatch:GetMetricStatistics": "a metric is no resource",
    "cloudwatch:ListMetrics": _LISTING,
    "logs:DescribeLogGroups": _LISTING,
    "sagemaker:ListEndpointConfigs": _LISTING,
    "sagemaker:ListEndpoints": _LISTING,
    "sagemaker:ListModels": _LISTING,
    "sagemaker:ListModelPackageGroups": _LISTING,
    "sagemaker:ListModelPackages": _LISTING,
    "sagemaker:ListPipelines": _LISTING,
    "sagemaker:ListProcessingJobs": _LISTING,
    "sagemaker:ListTrainingJobs": _LISTING,
    "sagemaker:ListTransformJobs": _LISTING,
    "application-autoscaling:DescribeScalableTargets": _LISTING,
    "application-autoscaling:DescribeScalingPolicies": _LISTING,
    "kms:ListAliases": _LISTING,
    "route53:AssociateVPCWithHostedZone": "the zone of a network endpoint's names is AWS's own",
    "s3:ListAllMyBuckets": _LISTING,
    "sts:GetCallerIdentity": "who one is concerns no resource",
    "tag:GetResources": _LISTING,
    "ec2:CreateNetworkInterface": _NEW,
    "ec2:CreateNetworkInterfacePermission": _NEW,
    "ec2:DeleteNetworkInterface": _NEW,
    "ec2:DeleteNetworkInterfacePermission": _NEW,
    "ec2:DescribeDhcpOptions": _LISTING,
    "ec2:DescribeNetworkAcls": _LISTING,
    "ec2:DescribeNetworkInterfaces": _LISTING,
    "ec2:DescribePrefixLists": _LISTING,
    "ec2:DescribeRouteTables": _LISTING,
    "ec2:DescribeSecurityGroupRules": _LISTING,
    "ec2:DescribeSecurityGroups": _LISTING,
    "ec2:DescribeSubnets": _LISTING,
    "ec2:DescribeVpcAttribute": _LISTING,
    "ec2:DescribeVpcEndpoints": _LISTING,
    "ec2:DescribeVpcs": _LISTING,
}
"""Why a statement with one of these actions may have the resource ``*``. Others may not, unless a setting says why."""
_CONDITIONED = {
    "cloudwatch:PutMetricData": "cloudwatch:namespace",
}
_BROAD = ("AdministratorAccess", "PowerUserAccess", "IAMFullAccess")


@resource_rule(
    "documents-readable",
    "Policies are documents that can be read, or nothing else here means anything.",
    *IDENTITY,
    *TRUST,
    *SHARED,
)
def documents_readable(resource: Resource, _settings: Settings) -> Iterator[str]:
    """The other rules skip what they cannot read."""
    for where in (IDENTITY, TRUST, SHARED):
        for document in documents(resource, where):
            try:
                parsed(document)
            except Unreadable as wrong:
                yield f"{where.get(resource.type, 'inlinePolicies')}: {wrong}"


@resource_rule("no-wildcard-action", "Allowed actions are named one by one.", *IDENTITY, *TRUST, *SHARED)
def no_wildcard_action(resource: Resource, _settings: Settings) -> Iterator[str]:
    """A wildcard also allows what AWS adds next year. A network endpoint's policy only narrows what identities may."""
    for statement in _allowing(resource):
        if statement.not_actions:
            yield f"{statement.label} allows everything but {', '.join(statement.not_actions)}"
        wild = [action for action in statement.actions if "*" in action or "?" in action]
        if wild and not _account_owns_key(resource, statement) and resource.type != "aws:ec2/vpcEndpoint:VpcEndpoint":
            yield f"{statement.label} allows {', '.join(wild)}"


@resource_rule(
    "star-resource-has-reason",
    "A resource of * has a written reason: in the pack, or in its settings.",
    *IDENTITY,
    "aws:iam/role:Role",
    settings={
        "reasons": {
            "type": "object",
            "additionalProperties": {"type": "string", "minLength": 10},
            "default": {},
            "description": "More actions for which AWS knows no narrower resource, each with the reason.",
        }
    },
)
def star_resource_has_reason(resource: Resource, settings: Settings) -> Iterator[str]:
    """Resource policies are about the resource that they are on, so that their ``*`` is that one."""
    reasons = {action.lower() for action in (*STAR_REASONS, *settings["reasons"])}
    for statement in statements(resource, IDENTITY):
        if not statement.allows:
            continue
        if statement.not_resources:
            yield f"{statement.label} allows every resource but {', '.join(statement.not_resources)}"
        if not any(_star(each) for each in statement.resources):
            continue
        if bare := [action for action in statement.actions if action.lower() not in reasons]:
            yield f"{statement.label} allows {', '.join(bare)} on *"
        for action, key in _CONDITIONED.items():
            if action in statement.actions and not statement.condition(key):
                yield f"{statement.label} allows {action} on * without a condition on {key}"


@resource_rule("pass-role-pinned", "A role is passed by name, and to one service.", *IDENTITY, "aws:iam/role:Role")
def pass_role_pinned(resource: Resource, _settings: Settings) -> Iterator[str]:
    """Who may pass any role to any service has every role's rights."""
    for statement in statements(resource, IDENTITY):
        if statement.allows and "iam:passrole" in map(str.lower, statement.actions):
            if any(each.endswith(("*", "role/*")) for each in statement.resources):
                yield f"{statement.label} passes any role: {', '.join(statement.resources)}"
            if not statement.condition("iam:PassedToService"):
                yield f"{statement.label} has no condition on iam:PassedToService"


@resource_rule(
    "no-broad-managed-policy",
    "Roles have policies of this program, and not AWS's broad ones.",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    "aws:iam/policyAttachment:PolicyAttachment",
    "aws:iam/rolePolicyAttachmentsExclusive:RolePolicyAttachmentsExclusive",
    "aws:iam/role:Role",
    settings={"allowed": strings((), "ARNs of managed policies that are known and wanted.")},
)
def no_broad_managed_policy(resource: Resource, settings: Settings) -> Iterator[str]:
    """``AmazonSageMakerFullAccess`` reads every bucket with "sagemaker" in its name, and passes roles."""
    several = [resource.props.get(name) for name in ("managedPolicyArns", "policyArns")]
    attached = [
        resource.props.get("policyArn"),
        *(each for found in several if isinstance(found, list) for each in found),
    ]
    for arn in attached:
        if isinstance(arn, str) and arn not in settings["allowed"]:
            name = arn.rpartition("/")[2]
            if name in _BROAD or "FullAccess" in name:
                yield f"{name} is attached"


@resource_rule(
    "no-long-lived-keys",
    "Nobody has an access key: people and workflows sign in for a while.",
    "aws:iam/user:User",
    "aws:iam/accessKey:AccessKey",
)
def no_long_lived_keys(_resource: Resource, _settings: Settings) -> Iterator[str]:
    """A key that leaks works until somebody notices; it would also lie in Pulumi's state."""
    yield "use a role, and OIDC or single sign-on"


def _allowing(resource: Resource) -> Iterator[Statement]:
    for where in (IDENTITY, TRUST, SHARED):
        yield from (each for each in statements(resource, where) if each.allows)


def _account_owns_key(resource: Resource, statement: Statement) -> bool:
    """A key that its own account may not administer can be lost for good: AWS's documents grant it ``kms:*``."""
    owners = statement.principals.get("AWS", ())
    return (
        resource.type in KEYS
        and statement.actions == ("kms:*",)
        and len(statement.principals) == len(owners) == 1
        and owners[0].endswith(":root")
    )


def _star(resource: str) -> bool:
    """``*``, and its disguises ``arn:aws:s3:::*`` and ``arn:aws:sagemaker:*:*:*``."""
    return not resource.split(":", 5)[-1].strip("*/")


POLICIES = (
    documents_readable,
    no_wildcard_action,
    star_resource_has_reason,
    pass_role_pinned,
    no_broad_managed_policy,
    no_long_lived_keys,
)
