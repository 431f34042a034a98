"""Everything that costs says whose it is."""

from __future__ import annotations

import json
from typing import Any

from pulumi_policy import ReportViolation, ResourceValidationArgs, ResourceValidationPolicy
from pulumi_policy.policy import PolicyConfigSchema

from rules.resources import MANDATORY, UNKNOWN, plain, strings

TAGGED = (
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
    "aws:s3/bucketV2:BucketV2",
    "aws:sagemaker/endpoint:Endpoint",
    "aws:sagemaker/endpointConfiguration:EndpointConfiguration",
    "aws:sagemaker/mlflowTrackingServer:MlflowTrackingServer",
    "aws:sagemaker/model:Model",
    "aws:sagemaker/modelPackageGroup:ModelPackageGroup",
    "aws:sns/topic:Topic",
    "aws:sqs/queue:Queue",
)
"""Types with ``tags`` that a stack here has or may soon have."""
_SETTINGS = {"keys": strings(("project", "stack", "owner", "cost-centre", "managed-by"), "Tags that have to be there.")}


def _validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
    if args.resource_type not in TAGGED:
        return
    own = plain(args.props).get("tags")
    inherited = _of_provider(plain(args.provider.props)) if args.provider else {}
    if own is UNKNOWN or inherited is UNKNOWN:
        return
    tags = {**inherited, **(own or {})}
    if missing := [key for key in args.get_config().get("keys", _SETTINGS["keys"]["default"]) if not tags.get(key)]:
        report(f"it has no tag {', '.join(missing)}", args.urn)


def _of_provider(props: dict[str, Any]) -> Any:
    """What the provider puts on every resource; Pulumi hands over its settings as JSON in a text."""
    given = props.get("defaultTags")
    found = json.loads(given) if isinstance(given, str) else given
    return found.get("tags", {}) if isinstance(found, dict) else found or {}


mandatory_tags = ResourceValidationPolicy(
    "mandatory-tags",
    "What costs names its project, stack, owner and cost centre, and that Pulumi manages it.",
    _validate,
    MANDATORY,
    PolicyConfigSchema(dict(_SETTINGS)),
)

POLICIES = (mandatory_tags,)
