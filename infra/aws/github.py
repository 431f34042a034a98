"""Workflows that act in the account, without a key that could be copied."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from infra.aws import workflows
from infra.aws.documents import Statement, document
from infra.aws.policies import grant
from infra.aws.scope import Scope
from infra.aws.settings import GitHub

_HOST = "token.actions.githubusercontent.com"
_AUDIENCE = "sts.amazonaws.com"


class Workflows(pulumi.ComponentResource):
    """GitHub's identity provider, and one role for each thing that workflows do here.

    Owns: the provider (unless the account has it), the role ``preview`` (reads, for pull requests), the role ``deploy``
    (runs ``pulumi up``) and the role ``release`` (pushes the image, and acts as ``launch``), each pinned to the
    repository and to a pull request, the branch or the environment.

    Does not own: the workflows, and approvals: those belong to the environment's settings on GitHub. ``deploy`` cannot
    write to the roles made here: a change of what workflows may do is brought up by a person.
    """

    def __init__(self, scope: Scope, settings: GitHub) -> None:
        super().__init__("seatrial:aws:Workflows", "workflows")
        self._scope = scope
        self._issuer = self._provided(settings)
        deployed = (
            f"repo:{settings.repository}:environment:{settings.environment}"
            if settings.environment
            else f"repo:{settings.repository}:ref:refs/heads/{settings.branch}"
        )
        preview = self._role(
            "preview", f"repo:{settings.repository}:pull_request", "Compares the program with the account"
        )
        deploy = self._role("deploy", deployed, "Runs pulumi up")
        self.release = self._role("release", deployed, "Pushes the image and launches pipelines")
        own = _not_itself(scope)
        self._allow("preview", preview, *workflows.statements(scope, writes=False))
        self._allow("deploy", deploy, *workflows.statements(scope, writes=True), own)
        self._allow("release", self.release, *self._releases())
        self.register_outputs({"preview": preview.arn, "deploy": deploy.arn, "release": self.release.arn})

    def _allow(self, name: str, role: aws.iam.Role, *statements: Statement) -> None:
        policy = {"Version": "2012-10-17", "Statement": list(statements)}
        grant(self._scope, role, f"github-{name}", policy, self)

    def _releases(self) -> tuple[Statement, ...]:
        """Push the image, and become ``launch`` for the rest."""
        scope = self._scope
        return (
            # the token is the account's: AWS knows no resource for it
            {"Sid": "SignIn", "Effect": "Allow", "Action": ["ecr:GetAuthorizationToken"], "Resource": "*"},
            {
                "Sid": "Push",
                "Effect": "Allow",
                "Action": [
                    "ecr:BatchCheckLayerAvailability",
                    "ecr:BatchGetImage",
                    "ecr:CompleteLayerUpload",
                    "ecr:DescribeImages",
                    "ecr:GetDownloadUrlForLayer",
                    "ecr:InitiateLayerUpload",
                    "ecr:PutImage",
                    "ecr:UploadLayerPart",
                ],
                "Resource": scope.arn("ecr", f"repository/{scope.prefix}"),
            },
            {
                "Sid": "Launch",
                "Effect": "Allow",
                "Action": ["sts:AssumeRole"],
                "Resource": scope.arn("iam", f"role/{scope.name('launch')}", region=""),
            },
        )

    def _provided(self, settings: GitHub) -> pulumi.Input[str]:
        if settings.provider_arn is not None:
            return settings.provider_arn
        return aws.iam.OpenIdConnectProvider(
            "github",
            url=f"https://{_HOST}",
            client_id_lists=[_AUDIENCE],
            opts=pulumi.ResourceOptions(parent=self),
        ).arn

    def _role(self, name: str, subject: str, description: str) -> aws.iam.Role:
        scope = self._scope
        return aws.iam.Role(
            f"github-{name}-role",
            name=scope.name("github", name),
            description=f"{description}, in stack {scope.stack}",
            assume_role_policy=document(
                {
                    "Sid": "Workflow",
                    "Effect": "Allow",
                    "Principal": {"Federated": self._issuer},
                    "Action": "sts:AssumeRoleWithWebIdentity",
                    "Condition": {"StringEquals": {f"{_HOST}:aud": _AUDIENCE, f"{_HOST}:sub": subject}},
                }
            ),
            permissions_boundary=scope.settings.boundary,
            opts=pulumi.ResourceOptions(parent=self),
        )


def _not_itself(scope: Scope) -> Statement:
    """Whoever can deploy could otherwise let itself do more, or move its boundary, whose name may have the prefix."""
    own = f"{scope.name('github')}-*"
    boundary = [scope.settings.boundary] if scope.settings.boundary else []
    return {
        "Sid": "NotItself",
        "Effect": "Deny",
        "Action": [
            "iam:AttachRolePolicy",
            "iam:CreatePolicy",
            "iam:CreatePolicyVersion",
            "iam:CreateRole",
            "iam:DeletePolicy",
            "iam:DeletePolicyVersion",
            "iam:DeleteRole",
            "iam:DeleteRolePolicy",
            "iam:DetachRolePolicy",
            "iam:PutRolePermissionsBoundary",
            "iam:PutRolePolicy",
            "iam:UpdateAssumeRolePolicy",
        ],
        "Resource": [*(scope.arn("iam", f"{kind}/{own}", region="") for kind in ("policy", "role")), *boundary],
    }
