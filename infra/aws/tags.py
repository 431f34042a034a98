"""Mandatory tags: on everything that can carry them, whoever wrote the component.

Owns which types can. A resource's own tags win, because they say something more particular.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pulumi

TAGGABLE = frozenset(
    {
        "aws:budgets/budget:Budget",
        "aws:cloudwatch/eventRule:EventRule",
        "aws:cloudwatch/logGroup:LogGroup",
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        "aws:ec2/routeTable:RouteTable",
        "aws:ec2/securityGroup:SecurityGroup",
        "aws:ec2/subnet:Subnet",
        "aws:ec2/vpc:Vpc",
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        "aws:ecr/repository:Repository",
        "aws:iam/openIdConnectProvider:OpenIdConnectProvider",
        "aws:iam/policy:Policy",
        "aws:iam/role:Role",
        "aws:kms/key:Key",
        "aws:lambda/function:Function",
        "aws:s3/bucket:Bucket",
        "aws:sagemaker/mlflowTrackingServer:MlflowTrackingServer",
        "aws:sagemaker/modelPackageGroup:ModelPackageGroup",
        "aws:sns/topic:Topic",
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    }
)


def tagging(tags: Mapping[str, str]) -> Callable[[pulumi.ResourceTransformArgs], pulumi.ResourceTransformResult | None]:
    """The transform that adds the tags."""

    def add(resource: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        if not resource.custom or resource.type_ not in TAGGABLE:
            return None
        properties: dict[str, Any] = dict(resource.props)
        properties["tags"] = {**tags, **(properties.get("tags") or {})}
        return pulumi.ResourceTransformResult(props=properties, opts=resource.opts)

    return add
