"""Roles, policies and the identity provider."""

from __future__ import annotations

from collections.abc import Iterator

from infra.aws.scope import Scope
from infra.aws.workflows.row import Row


def identities(scope: Scope) -> Iterator[Row]:
    """Roles and policies of this stack, and GitHub's provider."""
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
        "Policies",
        (scope.arn("iam", f"policy/{scope.prefix}-*", region=""),),
        ("iam:GetPolicy", "iam:GetPolicyVersion", "iam:ListPolicyVersions"),
        (
            "iam:CreatePolicy",
            "iam:CreatePolicyVersion",
            "iam:DeletePolicy",
            "iam:DeletePolicyVersion",
            "iam:TagPolicy",
            "iam:UntagPolicy",
        ),
    )
    yield Row(
        "OwnPoliciesOnly",
        (roles,),
        write=("iam:AttachRolePolicy", "iam:DetachRolePolicy"),
        condition={"ArnLike": {"iam:PolicyARN": scope.arn("iam", f"policy/{scope.prefix}-*", region="")}},
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
