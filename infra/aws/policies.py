"""What a role may do, however long the list is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.aws.scope import Scope

Policy = Mapping[str, Any]
_WITHIN, _BESIDE = 10_000, 6_000
"""Characters of statements, of IAM's 10,240 and 6,144: a little is left for what is around them."""


def grant(
    scope: Scope,
    role: aws.iam.Role,
    name: str,
    policy: Policy,
    parent: pulumi.Resource,
    finished: Callable[[str], pulumi.Input[str]] = str,
) -> None:
    """Give a role a policy: within the role, and what does not fit as managed policies beside it.

    Args:
        scope: the stack.
        role: whom.
        name: of the role, without the stack's prefix.
        policy: plain, so that it can be measured before anything is made.
        parent: the component that owns it.
        finished: fills in what only an update knows.
    """
    below = pulumi.ResourceOptions(parent=parent)
    within, *more = [finished(json.dumps(part, sort_keys=True, separators=(",", ":"))) for part in parts(policy)]
    aws.iam.RolePolicy(f"{name}-permissions", name="own", role=role.name, policy=within, opts=below)
    for number, text in enumerate(more, 2):
        beside = aws.iam.Policy(
            f"{name}-permissions-{number}",
            name=scope.name(name, str(number)),
            description=f"What does not fit into the role {scope.name(name)}",
            policy=text,
            opts=below,
        )
        aws.iam.RolePolicyAttachment(
            f"{name}-permissions-{number}-attached", role=role.name, policy_arn=beside.arn, opts=below
        )


def parts(policy: Policy) -> list[Policy]:
    """A policy as the documents that a role can have: one within the role, and the rest beside it.

    IAM counts characters: 10,240 in all policies within a role, 6,144 in each beside it.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    """
    found: list[list[Any]] = [[]]
    for statement in policy["Statement"]:
        limit = _WITHIN if len(found) == 1 else _BESIDE
        if found[-1] and len(json.dumps([*found[-1], statement], separators=(",", ":"))) > limit:
            found.append([])
        found[-1].append(statement)
    return [{"Version": policy["Version"], "Statement": statements} for statements in found]
