"""Whom work runs as."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from infra.aws.documents import Statement, document, trusted_service
from infra.aws.scope import Scope

JOBS = ("data", "training", "evaluation", "release", "monitoring")
"""Classes of jobs: each runs as a role of its own."""
ROLES: Mapping[str, str] = {
    **{job: f"Jobs of class {job}" for job in JOBS},
    "endpoint": "Model servers",
    "pipeline": "Pipelines: start jobs and hand them their roles",
    "launch": "Who launches pipelines: a workflow or a person",
    "events": "EventBridge: starts pipelines when something happens",
}


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

    Owns: one inline policy per role, from ``seatrial.clouds.aws.permissions``. A new model, component or call changes
    them at the next update, and a preview shows how.

    Does not own: policies of the workflows' roles (``github.py``) and of the budget's function (``budget.py``), which
    the program itself needs.
    """

    def __init__(self, scope: Scope, roles: Roles, key: aws.kms.Key, repository: aws.ecr.Repository) -> None:
        super().__init__("seatrial:aws:Permissions", "permissions")
        if importlib.util.find_spec("seatrial.clouds.aws.permissions") is None:
            return
        policies = pulumi.Output.all(key.arn, repository.arn).apply(lambda known: _policies(scope, *known))
        for role, made in roles.roles.items():
            aws.iam.RolePolicy(
                f"{role}-permissions",
                name="derived",
                role=made.name,
                policy=policies[role],
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})


def _policies(scope: Scope, key: str, repository: str) -> dict[str, str]:
    from seatrial.clouds.aws.permissions import Place, derive  # compiles the pipelines, once the ARNs are known

    place = Place(
        partition=scope.partition,
        region=scope.region,
        account=scope.account,
        prefix=scope.prefix,
        bucket=scope.bucket("artifacts"),
        artifact_prefix=scope.settings.artifact_prefix or "",
        kms_key=key,
        repository=repository,
        network=scope.settings.network is not None,
    )
    derived = derive(scope.project, scope.project.models(), place)
    return {role: json.dumps(derived.policy(role), sort_keys=True) for role in ROLES}
