"""Whom work runs as."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from infra.aws.documents import Statement, document, trusted_service
from infra.aws.policies import grant
from infra.aws.scope import Scope
from seatrial.clouds.aws.permissions import Place, derive
from seatrial.component import ROLES as JOBS

ROLES: Mapping[str, str] = {
    **{job: f"Jobs of class {job}" for job in JOBS},
    "endpoint": "Model servers",
    "pipeline": "Pipelines: start jobs and hand them their roles",
    "launch": "Who launches pipelines: a workflow or a person",
    "events": "EventBridge: starts pipelines when something happens",
}
_SOME_KEY = "00000000-0000-0000-0000-000000000000"
"""Stands for the key's id until it is known: policies are derived, cut and checked before anything is made."""


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
            grant(scope, roles.roles[role], role, derived.policy(role), self, self._with_key)
        self.register_outputs({})

    def _with_key(self, text: str) -> pulumi.Output[str]:
        return self._key.key_id.apply(lambda key: text.replace(_SOME_KEY, key))
