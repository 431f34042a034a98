"""What a role may do, as data: grants with their reasons, and the policy documents that they make."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from seatrial.clouds.aws.stack import StackOutputs
from seatrial.component import JobRole

Json = Any
Role = Literal[JobRole, "endpoint", "pipeline", "launch", "events"]
"""Job classes; model servers; the pipeline itself; who launches; and EventBridge, which starts pipelines."""
ROLES: tuple[Role, ...] = get_args(Role)
Condition = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Operator -> context key -> values: ``{"StringEquals": {"iam:PassedToService": ("sagemaker.amazonaws.com",)}}``."""


@dataclass(frozen=True)
class Place:
    """Where a stack is, as far as its policies name it."""

    partition: str
    region: str
    account: str
    prefix: str
    bucket: str
    """The artifact bucket's name."""
    artifact_prefix: str
    """Keys begin with it: ``""`` or ``"x/y"``."""
    kms_key: str | None
    """The key's ARN; ``None``: the bucket's own setting encrypts."""
    repository: str
    """The ARN of the ECR repository with the project's image."""
    network: bool
    """Whether jobs and servers run in the stack's own subnets."""

    def arn(self, service: str, resource: str) -> str:
        """A resource of this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def role_name(self, role: Role) -> str:
        """A role's name."""
        return f"{self.prefix}-{role}"

    def role(self, role: Role) -> str:
        """A role's ARN."""
        return f"arn:{self.partition}:iam::{self.account}:role/{self.role_name(role)}"

    @property
    def bucket_arn(self) -> str:
        """The artifact bucket."""
        return f"arn:{self.partition}:s3:::{self.bucket}"

    def key(self, key: str) -> str:
        """A key, or the pattern of some, below the artifact root."""
        return f"{self.artifact_prefix}/{key}" if self.artifact_prefix else key

    def objects(self, key: str) -> str:
        """Objects below the artifact root, as an ARN."""
        return f"{self.bucket_arn}/{self.key(key)}"


def place_of(stack: StackOutputs) -> Place:
    """A stack's place, from its outputs. The image's registry says which repository it is in."""
    _, _, repository = stack.image.partition("@")[0].partition("/")
    return Place(
        partition=stack.roles.pipeline.split(":")[1],
        region=stack.region,
        account=stack.account,
        prefix=stack.prefix,
        bucket=stack.bucket,
        artifact_prefix=stack.key().rstrip("/"),
        kms_key=stack.kms_key,
        repository=stack.arn("ecr", f"repository/{repository}"),
        network=bool(stack.subnets),
    )


@dataclass(frozen=True)
class Grant:
    """Some actions on some resources, and why."""

    role: Role
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: Condition = field(default_factory=dict)
    why: str = ""
    star_reason: str = ""
    """Why a resource is ``*``: AWS knows no narrower one for these actions."""
    unused_reason: str = ""
    """Why a rehearsal cannot use it."""

    def __post_init__(self) -> None:
        """Refuse what no review would pass: an action or a resource without a name, a grant without a reason."""
        problems = [f"the action {each} is a wildcard" for each in self.actions if "*" in each]
        if not self.why:
            problems.append("it says not why")
        if "*" in self.resources and not self.star_reason:
            problems.append("its resource is '*', and it says not why")
        if not self.actions or not self.resources:
            problems.append("it names no action or no resource")
        if problems:
            raise ValueError(f"a grant of the role {self.role}: {'; '.join(problems)}")


@dataclass(frozen=True)
class Permissions:
    """All grants of a stack."""

    grants: tuple[Grant, ...]

    def roles(self) -> tuple[Role, ...]:
        """Roles that are granted something, in their order of `ROLES`. No job runs as another, which needs nothing."""
        named = {grant.role for grant in self.grants}
        return tuple(role for role in ROLES if role in named)

    def of(self, role: Role) -> tuple[Grant, ...]:
        """A role's grants."""
        return tuple(grant for grant in self.grants if grant.role == role)

    def policy(self, role: Role) -> dict[str, Json]:
        """A role's policy document: one statement for each grant."""
        return {
            "Version": "2012-10-17",
            "Statement": [_statement(grant, number) for number, grant in enumerate(self.of(role), 1)],
        }


def _statement(grant: Grant, number: int) -> dict[str, Json]:
    found: dict[str, Json] = {
        "Sid": _sid(grant, number),
        "Effect": "Allow",
        "Action": list(grant.actions),
        "Resource": list(grant.resources),
    }
    if grant.condition:
        found["Condition"] = {
            operator: {key: list(values) for key, values in keys.items()} for operator, keys in grant.condition.items()
        }
    return found


def _sid(grant: Grant, number: int) -> str:
    """Letters and digits, unique in its policy: the first action's name, and the statement's number."""
    service, _, action = grant.actions[0].partition(":")
    return f"{re.sub('[^A-Za-z0-9]', '', service).capitalize()}{action}{number}"
