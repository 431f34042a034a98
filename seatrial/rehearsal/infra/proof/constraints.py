"""Enumerations, patterns and lengths of property values, from botocore's description of the call that sends them.

A table says which call a resource type makes; members are found by name, as the provider's authors derived one from
the other (``sseAlgorithm`` is ``SSEAlgorithm``, ``clientIdLists`` is ``ClientIDList``). What has another name is in the
table, and what has none is not judged. A pattern that botocore only has in words is in the table, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from seatrial.clouds.aws import shapes
from seatrial.rehearsal.infra.proof.finding import Finding
from seatrial.rehearsal.infra.provider.base import UNKNOWN
from seatrial.rehearsal.infra.registered import Registration


@dataclass(frozen=True)
class Call:
    """The request that a resource type's properties end up in."""

    service: str
    operation: str
    renamed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Property (``metricQueries.metric``: one inside another) -> path in the request, where its name does not tell."""
    words: Mapping[str, str] = field(default_factory=dict)
    """Property -> a pattern that botocore has in the words of its documentation only."""


_NAME = "name"
_SAID = r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{0,255}"
"""What EC2 takes as the description of a security group and of its rules: a ' is InvalidParameterValue."""
_RULE = ("IpPermissions", "IpRanges", "Description")
CALLS: Mapping[str, tuple[Call, ...]] = {
    "aws:s3/bucketVersioning:BucketVersioning": (Call("s3", "PutBucketVersioning"),),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        Call("s3", "PutBucketEncryption", {"rules": ("ServerSideEncryptionConfiguration", "Rules")}),
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": (
        Call("s3", "PutBucketOwnershipControls", {"rule": ("OwnershipControls", "Rules")}),
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": (
        Call("s3", "PutBucketLifecycleConfiguration", {"rules": ("LifecycleConfiguration", "Rules")}),
    ),
    "aws:kms/key:Key": (
        Call("kms", "CreateKey", {"customerMasterKeySpec": ("KeySpec",)}),
        Call("kms", "EnableKeyRotation"),
        Call("kms", "ScheduleKeyDeletion", {"deletionWindowInDays": ("PendingWindowInDays",)}),
    ),
    "aws:kms/alias:Alias": (Call("kms", "CreateAlias", {_NAME: ("AliasName",)}),),
    "aws:ecr/repository:Repository": (Call("ecr", "CreateRepository", {_NAME: ("repositoryName",)}),),
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": (
        Call("ecr", "PutLifecyclePolicy", {"policy": ("lifecyclePolicyText",), "repository": ("repositoryName",)}),
    ),
    "aws:iam/role:Role": (
        Call("iam", "CreateRole", {_NAME: ("RoleName",), "assumeRolePolicy": ("AssumeRolePolicyDocument",)}),
    ),
    "aws:iam/rolePolicy:RolePolicy": (
        Call("iam", "PutRolePolicy", {_NAME: ("PolicyName",), "role": ("RoleName",), "policy": ("PolicyDocument",)}),
    ),
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": (Call("iam", "CreateOpenIDConnectProvider"),),
    "aws:sagemaker/modelPackageGroup:ModelPackageGroup": (Call("sagemaker", "CreateModelPackageGroup"),),
    "aws:sagemaker/modelPackageGroupPolicy:ModelPackageGroupPolicy": (Call("sagemaker", "PutModelPackageGroupPolicy"),),
    "aws:sagemaker/mlflowTrackingServer:MlflowTrackingServer": (Call("sagemaker", "CreateMlflowTrackingServer"),),
    "aws:sagemaker/endpointConfiguration:EndpointConfiguration": (
        Call("sagemaker", "CreateEndpointConfig", {_NAME: ("EndpointConfigName",), "kmsKeyArn": ("KmsKeyId",)}),
    ),
    "aws:sagemaker/endpoint:Endpoint": (Call("sagemaker", "CreateEndpoint", {_NAME: ("EndpointName",)}),),
    "aws:cloudwatch/metricAlarm:MetricAlarm": (
        Call(
            "cloudwatch",
            "PutMetricAlarm",
            {_NAME: ("AlarmName",), "metricQueries": ("Metrics",), "metricQueries.metric": ("MetricStat", "Metric")},
        ),
    ),
    "aws:cloudwatch/dashboard:Dashboard": (Call("cloudwatch", "PutDashboard"),),
    "aws:cloudwatch/logGroup:LogGroup": (
        Call("logs", "CreateLogGroup", {_NAME: ("logGroupName",)}),
        Call("logs", "PutRetentionPolicy"),
    ),
    "aws:cloudwatch/eventRule:EventRule": (Call("events", "PutRule"),),
    "aws:cloudwatch/eventTarget:EventTarget": (
        Call(
            "events",
            "PutTargets",
            {
                **{name: ("Targets", name[0].upper() + name[1:]) for name in ("arn", "roleArn", "input", "inputPath")},
                **{name: ("Targets", name[0].upper() + name[1:]) for name in ("deadLetterConfig", "retryPolicy")},
                "targetId": ("Targets", "Id"),
                "sagemakerPipelineTarget": ("Targets", "SageMakerPipelineParameters"),
                "sagemakerPipelineTarget.pipelineParameterLists": ("PipelineParameterList",),
                "inputTransformer": ("Targets", "InputTransformer"),
                "inputTransformer.inputPaths": ("InputPathsMap",),
            },
        ),
    ),
    "aws:sns/topic:Topic": (Call("sns", "CreateTopic"),),
    "aws:sns/topicSubscription:TopicSubscription": (Call("sns", "Subscribe"),),
    "aws:budgets/budget:Budget": (
        Call(
            "budgets",
            "CreateBudget",
            {
                _NAME: ("Budget", "BudgetName"),
                "budgetType": ("Budget", "BudgetType"),
                "timeUnit": ("Budget", "TimeUnit"),
                "limitAmount": ("Budget", "BudgetLimit", "Amount"),
                "limitUnit": ("Budget", "BudgetLimit", "Unit"),
                "notifications": ("NotificationsWithSubscribers", "Notification"),
            },
        ),
    ),
    "aws:lambda/function:Function": (Call("lambda", "CreateFunction", {_NAME: ("FunctionName",)}),),
    "aws:lambda/permission:Permission": (Call("lambda", "AddPermission", {"function": ("FunctionName",)}),),
    "aws:ec2/vpc:Vpc": (Call("ec2", "CreateVpc"),),
    "aws:ec2/subnet:Subnet": (Call("ec2", "CreateSubnet"),),
    "aws:ec2/vpcEndpoint:VpcEndpoint": (Call("ec2", "CreateVpcEndpoint"),),
    "aws:ec2/securityGroup:SecurityGroup": (
        Call("ec2", "CreateSecurityGroup", {_NAME: ("GroupName",)}, {"description": _SAID}),
        *(
            Call(
                "ec2",
                f"AuthorizeSecurityGroup{way.capitalize()}",
                {way: ("IpPermissions",), f"{way}.description": ("IpRanges", "Description")},
                {f"{way}.description": _SAID},
            )
            for way in ("ingress", "egress")
        ),
    ),
    **{
        f"aws:vpc/securityGroup{way}Rule:SecurityGroup{way}Rule": (
            Call("ec2", f"AuthorizeSecurityGroup{way}", {"description": _RULE}, {"description": _SAID}),
        )
        for way in ("Ingress", "Egress")
    },
}


def check(registration: Registration) -> Iterator[Finding]:
    """Every value that has a place in a request, held to what botocore says of that place.

    Raises:
        MissingExtra: botocore is not installed.
    """
    for call in CALLS.get(registration.type, ()):
        shape = shapes.request_shape(call.operation, call.service)
        for path, problem in _structure(registration.inputs, shape, call, "", ""):
            yield Finding(registration.urn, path, "constraint", f"{problem} ({call.service}:{call.operation})")


def place(call: Call, shape: Any, name: str, plain: str) -> Any:
    """The shape of a property's place in a structure, or ``None``: it is not sent with this call.

    Args:
        call: with the names that are not told by the property's own.
        shape: the structure.
        name: the property.
        plain: its path from the top, without indices.
    """
    renamed = call.renamed.get(plain)
    if renamed is not None:
        for part in renamed:
            shape = shape.member if shape.type_name == "list" else shape
            shape = shape.members[part]
        return shape
    if shape.type_name != "structure":
        return None
    members = {_bare(each): shape.members[each] for each in shape.members}
    bare = _bare(name)
    return members.get(bare) or members.get(bare.removesuffix("s")) or members.get(bare + "s")


def _structure(value: Mapping[str, Any], shape: Any, call: Call, path: str, plain: str) -> Iterator[tuple[str, str]]:
    for name, each in value.items():
        below = f"{plain}.{name}" if plain else name
        found = place(call, shape, name, below)
        if found is not None:
            yield from _value(each, found, call, f"{path}.{name}" if path else name, below)


def _value(value: Any, shape: Any, call: Call, path: str, plain: str) -> Iterator[tuple[str, str]]:
    kind = shape.type_name
    if value is None or value == UNKNOWN:
        return
    if isinstance(value, list):
        # what a request has once, Terraform's schema has as a list of one
        item = shape.member if kind == "list" else shape
        for index, each in enumerate(value):
            yield from _value(each, item, call, f"{path}[{index}]", plain)
    elif isinstance(value, Mapping):
        inner = shape.member if kind == "list" else shape
        if inner.type_name == "structure" and not _pairs(inner):
            yield from _structure(value, inner, call, path, plain)
        else:
            yield from _entries(value, inner, path)
    else:
        yield from _scalar(value, shape, path)
        wanted = call.words.get(plain)
        if wanted is not None and isinstance(value, str) and not re.fullmatch(wanted, value):
            yield path, f"{value!r} does not match {wanted}"


def _entries(value: Mapping[str, Any], shape: Any, path: str) -> Iterator[tuple[str, str]]:
    """A map: tags, dimensions, variables. Requests have either a map or a list of names with values."""
    if shape.type_name == "map":
        key, item = shape.key, shape.value
    elif pair := _pairs(shape):
        key, item = pair
    else:
        return
    for name, each in value.items():
        if each is not None:
            yield from _scalar(name, key, f"{path} key")
            yield from _scalar(each, item, f"{path}.{name}")


def _pairs(shape: Any) -> tuple[Any, Any] | None:
    if shape.type_name == "structure" and set(shape.members) in (
        {"Key", "Value"},
        {"Name", "Value"},
        {"TagKey", "TagValue"},
    ):
        first, second = shape.members.values()
        return first, second
    return None


def _scalar(value: Any, shape: Any, path: str) -> Iterator[tuple[str, str]]:
    kind = shape.type_name
    if kind in ("integer", "long") and isinstance(value, float) and value.is_integer():
        value = int(value)  # numbers travel as floats
    types = {"string": str, "integer": int, "long": int, "float": int | float, "double": int | float}
    fits = isinstance(value, types.get(kind, ())) and not isinstance(value, bool)
    if value == UNKNOWN or not fits:
        return  # the provider converts, or the type is wrong: then `schema` says so
    for problem in shapes.conform(shape, value, path, lambda *_: None):
        yield path, problem.removeprefix(f"{path}: ")


def _bare(name: str) -> str:
    return name.lower()
