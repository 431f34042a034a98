"""Nothing is public: not by a bucket's settings, not by a policy, not by a network."""

from __future__ import annotations

from collections.abc import Iterator

from rules.documents import SHARED, TRUST, statements
from rules.encryption import BUCKET
from rules.resources import ADVISORY, UNKNOWN, Resource, Settings, Stack, resource_rule, stack_rule

_FLAGS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
_EVERYWHERE = ("0.0.0.0/0", "::/0")
_PINS = (
    "aws:SourceAccount",
    "aws:SourceArn",
    "aws:SourceOrgID",
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:PrincipalOrgID",
    "aws:ResourceAccount",
    "kms:CallerAccount",
)


@stack_rule("bucket-blocks-public-access", "Buckets refuse public access, whatever a policy or an ACL says later.")
def bucket_blocks_public_access(stack: Stack, _settings: Settings) -> Iterator[tuple[Resource, str]]:
    """All four flags: each closes a way of its own."""
    for bucket in stack.of(BUCKET):
        blocks = stack.belonging("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", bucket, "bucket")
        if not blocks:
            yield bucket, "it has no BucketPublicAccessBlock"
        for block in blocks:
            if off := [flag for flag in _FLAGS if not block.says(flag, True)]:
                yield bucket, f"{', '.join(off)} of its BucketPublicAccessBlock is not true"


@stack_rule("bucket-tls-only", "Buckets refuse requests without TLS.")
def bucket_tls_only(stack: Stack, _settings: Settings) -> Iterator[tuple[Resource, str]]:
    """Only a bucket policy can say so."""
    for bucket in stack.of(BUCKET):
        policies = stack.belonging("aws:s3/bucketPolicy:BucketPolicy", bucket, "bucket")
        if any(each.props.get("policy") is UNKNOWN for each in policies):
            continue
        denies = [
            statement
            for policy in policies
            for statement in statements(policy, SHARED)
            if not statement.allows
            and {"s3:*", "*"} & set(statement.actions)
            and any("*" in who for who in statement.principals.values())
            and ("Bool", "aws:securetransport", ("false",))
            in [(o, k, tuple(map(str.lower, v))) for o, k, v in statement.conditions]
        ]
        covered = {resource for each in denies for resource in each.resources}
        everything = "*" in covered or (
            any(r.endswith("/*") for r in covered) and any(not r.endswith("*") for r in covered)
        )
        if not everything:
            yield bucket, "no statement denies s3:* on the bucket and its objects where aws:SecureTransport is false"


@stack_rule("bucket-owner-enforced", "Buckets know no ACLs: what may be read is in policies alone.")
def bucket_owner_enforced(stack: Stack, _settings: Settings) -> Iterator[tuple[Resource, str]]:
    """``BucketOwnerEnforced`` switches ACLs off."""
    for bucket in stack.of(BUCKET):
        controls = stack.belonging("aws:s3/bucketOwnershipControls:BucketOwnershipControls", bucket, "bucket")
        said = [ownership for each in controls for ownership in each.inside("rule", "objectOwnership")]
        if not any(each in ("BucketOwnerEnforced", UNKNOWN) for each in said):
            yield bucket, "it has no BucketOwnershipControls with BucketOwnerEnforced"


@resource_rule(
    "no-public-principal", "No policy lets everyone in.", *SHARED, *TRUST, "aws:lambda/permission:Permission"
)
def no_public_principal(resource: Resource, _settings: Settings) -> Iterator[str]:
    """A condition on the account, the organisation or the source makes ``*`` mean some."""
    for statement in [*statements(resource, SHARED), *statements(resource, TRUST)]:
        if not statement.allows:
            continue
        if statement.not_principals:
            yield f"{statement.label} allows everyone but NotPrincipal"
        elif any("*" in who for who in statement.principals.values()) and not statement.condition(*_PINS):
            yield f"{statement.label} allows Principal *"
    if (
        resource.type.startswith("aws:lambda/")
        and resource.props.get("principal") == "*"
        and not resource.given("principalOrgId")
    ):
        yield "principal is *"


@resource_rule(
    "no-open-ingress",
    "No port is open to the whole internet.",
    "aws:ec2/securityGroup:SecurityGroup",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    "aws:ec2/securityGroupRule:SecurityGroupRule",
)
def no_open_ingress(resource: Resource, _settings: Settings) -> Iterator[str]:
    """Jobs and model servers are called by AWS, from inside."""
    ingress = resource.props.get("type", "ingress") == "ingress"
    for rule in [*resource.each("ingress"), *([resource.props] if ingress else [])]:
        if open_to := _open(rule):
            yield f"it lets {open_to} in"


@resource_rule(
    "no-open-egress",
    "What runs in the network reaches what it needs, through endpoints, and not the whole internet.",
    "aws:ec2/securityGroup:SecurityGroup",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
    "aws:ec2/securityGroupRule:SecurityGroupRule",
    level=ADVISORY,
)
def no_open_egress(resource: Resource, _settings: Settings) -> Iterator[str]:
    """Advisory: a company's network may have a proxy or a firewall behind it."""
    alone = resource.type != "aws:ec2/securityGroup:SecurityGroup" and resource.props.get("type", "egress") == "egress"
    for rule in [*resource.each("egress"), *([resource.props] if alone else [])]:
        if open_to := _open(rule):
            yield f"it lets traffic out to {open_to}"


@resource_rule(
    "no-public-address",
    "What runs here has no public address.",
    "aws:ec2/subnet:Subnet",
    "aws:ec2/instance:Instance",
    "aws:sagemaker/notebookInstance:NotebookInstance",
)
def no_public_address(resource: Resource, _settings: Settings) -> Iterator[str]:
    """Each service calls it by another name."""
    for flag, value in (
        ("mapPublicIpOnLaunch", True),
        ("associatePublicIpAddress", True),
        ("directInternetAccess", "Enabled"),
    ):
        if resource.props.get(flag) == value:
            yield f"{flag} is {value if isinstance(value, str) else 'true'}"


def _open(rule: object) -> str:
    if not isinstance(rule, dict):
        return ""
    found: list[object] = [rule.get("cidrIpv4"), rule.get("cidrIpv6")]
    for several in ("cidrBlocks", "ipv6CidrBlocks"):
        value = rule.get(several)
        found += value if isinstance(value, list) else []
    return ", ".join(str(each) for each in found if each in _EVERYWHERE)


POLICIES = (
    bucket_blocks_public_access,
    bucket_tls_only,
    bucket_owner_enforced,
    no_public_principal,
    no_open_ingress,
    no_open_egress,
    no_public_address,
)
