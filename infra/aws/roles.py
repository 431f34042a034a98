"""Whom work runs as."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.aws.documents import Statement, document, trusted_service
from infra.aws.scope import Scope
from seatrial.clouds.aws.permissions import Place, derive
from seatrial.component import ROLES as JOBS

Document = Mapping[str, Any]
ROLES: Mapping[str, str] = {
    **{job: f"Jobs of class {job}" for job in JOBS},
    "endpoint": "Model servers",
    "pipeline": "Pipelines: start jobs and hand them their roles",
    "launch": "Who launches pipelines: a workflow or a person",
    "events": "EventBridge: starts pipelines when something happens",
}
_SOME_KEY = "00000000-0000-0000-0000-000000000000"
"""Stands for the key's id until it is known: policies are derived, cut and checked before anything is made."""
_WITHIN, _BESIDE = 10_000, 6_000
"""Characters of statements; a little is left for what is around them."""


class Roles(pulumi.ComponentResource):
    """One role per class of work, and who may act as each.

    Owns: the roles and their trust. A service is trusted for this account's own resources only.

    Does not own: what they may do. That is derived from the compiled pipelines, see ``Permissions``; a line written
    here by hand would be a line that nothing in the project needs.
    """

    def __init__(self, scope: Scope, *launchers: pulumi.Input[str]) -> None:
        """``launchers``: roles of this stack that may act as ``launch``."""
        super().__init__("seatrial:aws:Roles", "roles")
        named = [*scope.settings.launchers, *launchers] or [scope.root]
        sagemaker = trusted_service(scope, "sagemaker", scope.arn("sagemaker", "*"))
        trust: dict[str, Statement] = dict.fromkeys(ROLES, sagemaker)
        trust["events"] = trusted_service(scope, "events", scope.arn("events", f"rule/{scope.prefix}-*"))
        trust["launch"] = {
            "Sid": "Launchers",
            "Effect": "Allow",
            "Principal": {"AWS": named},
            "Action": "sts:AssumeRole",
        }
        self.roles = {
            role: aws.iam.Role(
                f"{role}-role",
                name=scope.name(role),
                description=f"{described}, in stack {scope.stack}",
                assume_role_policy=document(trust[role]),
                permissions_boundary=scope.settings.boundary,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for role, described in ROLES.items()
        }
        self.register_outputs({role: found.arn for role, found in self.roles.items()})

    def arn(self, role: str) -> pulumi.Output[str]:
        """One role's ARN."""
        return self.roles[role].arn


class Permissions(pulumi.ComponentResource):
    """What each role may do: exactly what the project's pipelines and the engine's declared calls need.

    Owns: the policies of the roles, from ``seatrial.clouds.aws.permissions``. A new model, component or call changes
    them at the next update, and a preview shows how. A pipeline that cannot be compiled stops the program before
    anything is changed. What does not fit into a role itself goes into managed policies of its own.

    Does not own: policies of the workflows' roles (``github.py``) and of the budget's function (``budget.py``), which
    the program itself needs.
    """

    def __init__(self, scope: Scope, roles: Roles, key: aws.kms.Key) -> None:
        """``key``: encrypts what the jobs read and write."""
        super().__init__("seatrial:aws:Permissions", "permissions")
        self._scope = scope
        self._key = key
        place = Place(
            partition=scope.partition,
            region=scope.region,
            account=scope.account,
            prefix=scope.prefix,
            bucket=scope.bucket("artifacts"),
            artifact_prefix=scope.settings.artifact_prefix or "",
            kms_key=scope.arn("kms", f"key/{_SOME_KEY}"),
            repository=scope.arn("ecr", f"repository/{scope.prefix}"),
            network=scope.settings.network is not None,
        )
        derived = derive(scope.project, scope.project.models(), place)
        for role in derived.roles():
            inline, *more = parts(derived.policy(role))
            made = roles.roles[role]
            aws.iam.RolePolicy(
                f"{role}-permissions", name="derived", role=made.name, policy=self._text(inline), opts=self._below()
            )
            for number, part in enumerate(more, 2):
                self._managed(made, f"{role}-{number}", part)
        self.register_outputs({})

    def _managed(self, role: aws.iam.Role, name: str, part: Document) -> None:
        policy = aws.iam.Policy(
            f"{name}-permissions",
            name=self._scope.name(name),
            description="Derived from the project's pipelines; what did not fit into the role itself",
            policy=self._text(part),
            opts=self._below(),
        )
        aws.iam.RolePolicyAttachment(f"{name}-attached", role=role.name, policy_arn=policy.arn, opts=self._below())

    def _text(self, part: Document) -> pulumi.Output[str]:
        text = json.dumps(part, sort_keys=True, separators=(",", ":"))
        return self._key.key_id.apply(lambda key: text.replace(_SOME_KEY, key))

    def _below(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self)


def parts(policy: Document) -> list[Document]:
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
