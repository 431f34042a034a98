"""What computes, and the network that it computes in."""

from __future__ import annotations

from collections.abc import Iterator

from infra.aws.scope import Scope
from infra.aws.workflows.row import LISTING, Row


def machines(scope: Scope) -> Iterator[Row]:
    """Model package groups, the tracking server and the budget's function."""
    yield Row(
        "ModelPackageGroups",
        (scope.arn("sagemaker", f"model-package-group/{scope.prefix}-*"),),
        ("sagemaker:DescribeModelPackageGroup", "sagemaker:GetModelPackageGroupPolicy", "sagemaker:ListTags"),
        (
            "sagemaker:AddTags",
            "sagemaker:CreateModelPackageGroup",
            "sagemaker:DeleteModelPackageGroup",
            "sagemaker:DeleteModelPackageGroupPolicy",
            "sagemaker:DeleteTags",
            "sagemaker:PutModelPackageGroupPolicy",
        ),
    )
    if scope.settings.tracking is not None:
        yield Row(
            "Tracking",
            (scope.arn("sagemaker", f"mlflow-tracking-server/{scope.name('mlflow')}"),),
            ("sagemaker:DescribeMlflowTrackingServer", "sagemaker:ListTags"),
            (
                "sagemaker:AddTags",
                "sagemaker:CreateMlflowTrackingServer",
                "sagemaker:DeleteMlflowTrackingServer",
                "sagemaker:DeleteTags",
                "sagemaker:UpdateMlflowTrackingServer",
            ),
        )
    yield Row(
        "Functions",
        (scope.arn("lambda", f"function:{scope.prefix}-*"),),
        (
            "lambda:GetFunction",
            "lambda:GetFunctionCodeSigningConfig",
            "lambda:GetPolicy",
            "lambda:ListTags",
            "lambda:ListVersionsByFunction",
        ),
        (
            "lambda:AddPermission",
            "lambda:CreateFunction",
            "lambda:DeleteFunction",
            "lambda:RemovePermission",
            "lambda:TagResource",
            "lambda:UntagResource",
            "lambda:UpdateFunctionCode",
            "lambda:UpdateFunctionConfiguration",
        ),
    )


def networks(scope: Scope) -> Iterator[Row]:
    """The closed network, where the stack has one."""
    if scope.settings.network is None:
        return
    yield Row(
        "NetworkLists",
        ("*",),
        (
            "ec2:DescribeNetworkAcls",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribePrefixLists",
            "ec2:DescribeRouteTables",
            "ec2:DescribeSecurityGroupRules",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcAttribute",
            "ec2:DescribeVpcEndpoints",
            "ec2:DescribeVpcs",
        ),
        star_reason=LISTING,
    )
    kinds = ("route-table", "security-group", "security-group-rule", "subnet", "vpc", "vpc-endpoint")
    made = {kind: scope.arn("ec2", f"{kind}/*") for kind in kinds}
    ours = {"aws:ResourceTag/stack": scope.stack}
    tagged = {"aws:RequestTag/stack": scope.stack}
    within = ("ec2:CreateRouteTable", "ec2:CreateSecurityGroup", "ec2:CreateSubnet", "ec2:CreateVpcEndpoint")
    rules = ("ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress")
    yield Row("NewNetworks", (made["vpc"],), write=("ec2:CreateVpc",), condition={"StringEquals": tagged})
    # what is made is asked for its tags here; the network that it is made in, in the row Networks
    yield Row(
        "NewInNetworks",
        tuple(made[kind] for kind in ("route-table", "security-group", "subnet", "vpc-endpoint")),
        write=within,
        condition={"StringEquals": tagged},
    )
    # EC2 asks for the rule and for its group: which group it may be is in the row Networks
    yield Row("NewRules", (made["security-group-rule"],), write=rules)
    yield Row(
        "TagsOfNewNetworks",
        tuple(made.values()),
        write=("ec2:CreateTags",),
        condition={
            "StringEquals": {
                **tagged,
                "ec2:CreateAction": sorted(each.partition(":")[2] for each in ("ec2:CreateVpc", *within, *rules)),
            }
        },
    )
    # The provider tags a rule in a call of its own. A stranger's untagged rule could be tagged so, and no more:
    # whatever changes a rule or takes it away asks for its group, too.
    yield Row(
        "TagsOfNewRules",
        (made["security-group-rule"],),
        write=("ec2:CreateTags",),
        condition={"StringEquals": tagged, "Null": {"aws:ResourceTag/stack": "true"}},
    )
    yield Row(
        "NamesOfEndpoints",
        ("*",),
        # CreateVpcEndpoint with private DNS depends on it
        # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
        write=("route53:AssociateVPCWithHostedZone",),
        star_reason="the zone of an endpoint's names is AWS's own, and Route 53 asks for the VPC beside it",
    )
    yield Row(
        "Networks",
        tuple(made.values()),
        write=(
            *within,
            *rules,
            "ec2:AssociateRouteTable",
            "ec2:CreateTags",
            "ec2:DeleteRouteTable",
            "ec2:DeleteSecurityGroup",
            "ec2:DeleteSubnet",
            "ec2:DeleteTags",
            "ec2:DeleteVpc",
            "ec2:DeleteVpcEndpoints",
            "ec2:DisassociateRouteTable",
            "ec2:ModifySecurityGroupRules",
            "ec2:ModifySubnetAttribute",
            "ec2:ModifyVpcAttribute",
            "ec2:ModifyVpcEndpoint",
            "ec2:RevokeSecurityGroupEgress",
            "ec2:RevokeSecurityGroupIngress",
        ),
        condition={"StringEquals": ours},
    )
