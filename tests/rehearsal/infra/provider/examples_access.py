"""Roles, policies and groups of model versions."""

from __future__ import annotations

from tests.rehearsal.infra.provider.conftest import Cloud, trust
from tests.rehearsal.infra.provider.example import Example, policy


def _role(cloud: Cloud) -> str:
    return str(cloud.made("aws:iam/role:Role", assumeRolePolicy=trust("sagemaker"))["id"])


IAM = (
    Example(
        "aws:iam/role:Role",
        lambda _: {
            "name": "trial-role",
            "assumeRolePolicy": trust("sagemaker"),
            "description": "jobs",
            "maxSessionDuration": 7200.0,
            "path": "/trial/",
            "permissionsBoundary": "arn:aws:iam::123456789012:policy/boundary",
            "forceDetachPolicies": True,
            "tags": {"owner": "trial"},
        },
        {
            "assumeRolePolicy": trust("lambda"),
            "description": None,
            "maxSessionDuration": 3600.0,
            "permissionsBoundary": None,
            "tags": None,
        },
    ),
    Example(
        "aws:iam/rolePolicy:RolePolicy",
        lambda cloud: {"name": "derived", "role": _role(cloud), "policy": policy("s3:GetObject", "s3:PutObject")},
        {"policy": policy("s3:GetObject")},
    ),
    Example(
        "aws:iam/openIdConnectProvider:OpenIdConnectProvider",
        lambda _: {
            "url": "https://token.actions.example.com",
            "clientIdLists": ["sts.amazonaws.com"],
            "thumbprintLists": ["6938fd4d98bab03faadb97b34396831e3780aea1"],
            "tags": {"owner": "trial"},
        },
        {
            "clientIdLists": ["sts.amazonaws.com.cn", "others"],
            "thumbprintLists": ["1c58a3a8518e8759bf075b76b750d4f2df264fcd"],
            "tags": {"owner": "others"},
        },
    ),
)


POLICIES = (
    Example(
        "aws:iam/policy:Policy",
        lambda _: {
            "name": "trial-more",
            "path": "/trial/",
            "description": "more",
            "policy": policy("s3:GetObject", "s3:PutObject"),
            "tags": {"owner": "trial"},
        },
        {"policy": policy("s3:GetObject"), "tags": {"owner": "others"}},
    ),
    Example(
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        lambda cloud: {
            "role": _role(cloud),
            "policyArn": cloud.made("aws:iam/policy:Policy", policy=policy("s3:GetObject"))["arn"],
        },
    ),
)


def _group(cloud: Cloud) -> str:
    token = "aws:sagemaker/modelPackageGroup:ModelPackageGroup"
    return str(cloud.made(token, modelPackageGroupName=cloud.name("group"))["id"])


SAGEMAKER = (
    Example(
        "aws:sagemaker/modelPackageGroup:ModelPackageGroup",
        lambda _: {
            "modelPackageGroupName": "trial-flights",
            "modelPackageGroupDescription": "Versions of flights.",
            "tags": {"owner": "trial"},
        },
        {"tags": {"owner": "others"}},
    ),
    Example(
        "aws:sagemaker/modelPackageGroupPolicy:ModelPackageGroupPolicy",
        lambda cloud: {
            "modelPackageGroupName": _group(cloud),
            "resourcePolicy": policy("sagemaker:DescribeModelPackage", Principal={"AWS": "210987654321"}),
        },
        {"resourcePolicy": policy("sagemaker:ListModelPackages", Principal={"AWS": "210987654321"})},
    ),
)
