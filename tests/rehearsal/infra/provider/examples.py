"""For each resource type one full program's worth of properties, and what of them is then changed in place."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from seatrial.rehearsal.infra.provider.base import Props, blob
from tests.rehearsal.infra.provider.conftest import Cloud, packed, trust


@dataclass(frozen=True)
class Example:
    token: str
    inputs: Callable[[Cloud], Props]
    changes: dict[str, Any] = field(default_factory=dict)
    """Property -> its next value, or a function of the cloud that gives it. None takes it away."""


def policy(*actions: str, resource: str = "*", **more: Any) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _role(cloud: Cloud) -> str:
    return str(cloud.made("aws:iam/role:Role", assumeRolePolicy=trust("sagemaker"))["id"])


def _bucket_policy(cloud: Cloud) -> Props:
    bucket = cloud.bucket()
    deny = {"Condition": {"Bool": {"aws:SecureTransport": "false"}}, "Principal": "*", "Effect": "Deny"}
    text = policy("s3:*", resource=f"arn:aws:s3:::{bucket}/*", **deny)
    return {"bucket": bucket, "policy": text}


def _log_bucket(cloud: Cloud) -> str:
    """One that may be emptied: the offline AWS delivers access logs into it."""
    bucket = str(cloud.made("aws:s3/bucket:Bucket", forceDestroy=True)["id"])
    service = {"Principal": {"Service": "logging.s3.amazonaws.com"}}
    text = policy("s3:PutObject", resource=f"arn:aws:s3:::{bucket}/*", **service)
    cloud.made("aws:s3/bucketPolicy:BucketPolicy", bucket=bucket, policy=text)
    return bucket


def _encrypted(algorithm: str, key: str, bucket_key: bool) -> list[Props]:
    return [
        {
            "applyServerSideEncryptionByDefault": {"sseAlgorithm": algorithm, "kmsMasterKeyId": key},
            "bucketKeyEnabled": bucket_key,
        }
    ]


_RULES = [
    {
        "id": "all",
        "status": "Enabled",
        "filter": {},
        "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7.0},
        "noncurrentVersionExpiration": {"noncurrentDays": 30.0},
        "noncurrentVersionTransitions": [
            {"noncurrentDays": 10.0, "newerNoncurrentVersions": 2.0, "storageClass": "STANDARD_IA"}
        ],
    },
    {
        "id": "scratch",
        "status": "Disabled",
        "filter": {"prefix": "scratch/"},
        "expiration": {"days": 14.0},
        "transitions": [{"days": 3.0, "storageClass": "GLACIER"}],
    },
    {
        "id": "tagged",
        "status": "Enabled",
        "filter": {"tag": {"key": "kept", "value": "no"}},
        "expiration": {"days": 1.0},
    },
    {
        "id": "both",
        "status": "Enabled",
        "filter": {"and": {"prefix": "a/", "tags": {"kept": "no"}}},
        "expiration": {"expiredObjectDeleteMarker": True},
    },
]

S3 = (
    Example(
        "aws:s3/bucket:Bucket",
        lambda _: {"bucket": "trial-full", "forceDestroy": True, "tags": {"owner": "trial"}},
        {"tags": {"owner": "others", "cost": "7"}},
    ),
    Example(
        "aws:s3/bucketVersioning:BucketVersioning",
        lambda cloud: {"bucket": cloud.bucket(), "versioningConfiguration": {"status": "Enabled"}},
    ),
    Example(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        lambda cloud: {"bucket": cloud.bucket(), "rules": _encrypted("aws:kms", cloud.key(), True)},
        {"rules": lambda cloud: _encrypted("aws:kms:dsse", cloud.key(), False)},
    ),
    Example(
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        lambda cloud: {
            "bucket": cloud.bucket(),
            "blockPublicAcls": True,
            "blockPublicPolicy": True,
            "ignorePublicAcls": True,
            "restrictPublicBuckets": True,
        },
        {
            "blockPublicAcls": False,
            "blockPublicPolicy": False,
            "ignorePublicAcls": False,
            "restrictPublicBuckets": False,
        },
    ),
    Example(
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        lambda cloud: {"bucket": cloud.bucket(), "rule": {"objectOwnership": "BucketOwnerEnforced"}},
        {"rule": {"objectOwnership": "BucketOwnerPreferred"}},
    ),
    Example(
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        lambda cloud: {"bucket": cloud.bucket(), "rules": _RULES},
        {"rules": _RULES[:1]},
    ),
    Example(
        "aws:s3/bucketLogging:BucketLogging",
        lambda cloud: {
            "bucket": cloud.bucket(),
            "targetBucket": _log_bucket(cloud),
            "targetPrefix": "access/",
        },
        {"targetBucket": _log_bucket, "targetPrefix": "a/"},
    ),
    Example(
        "aws:s3/bucketPolicy:BucketPolicy",
        _bucket_policy,
        {"policy": policy("s3:GetObject", resource="arn:aws:s3:::trial/*", Principal="*")},
    ),
)

KMS = (
    Example(
        "aws:kms/key:Key",
        lambda _: {
            "description": "artifacts",
            "policy": policy("kms:*", Principal={"AWS": "arn:aws:iam::123456789012:root"}),
            "enableKeyRotation": True,
            "deletionWindowInDays": 7.0,
            "tags": {"owner": "trial", "stage": "dev"},
        },
        {
            "description": None,
            "policy": policy("kms:*", "kms:Get*", Principal={"AWS": "arn:aws:iam::123456789012:root"}),
            "enableKeyRotation": False,
            "tags": {"owner": "others"},
        },
    ),
    Example(
        "aws:kms/alias:Alias",
        lambda cloud: {"name": "alias/trial", "targetKeyId": cloud.key()},
        {"targetKeyId": lambda cloud: cloud.key()},
    ),
)

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


def _images(days: int) -> str:
    selection = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": days}
    return json.dumps({"rules": [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]})


ECR = (
    Example(
        "aws:ecr/repository:Repository",
        lambda cloud: {
            "name": "trial/images",
            "imageTagMutability": "IMMUTABLE",
            "imageScanningConfiguration": {"scanOnPush": True},
            "encryptionConfigurations": [{"encryptionType": "KMS", "kmsKey": cloud.key()}],
            "forceDelete": True,
            "tags": {"owner": "trial"},
        },
        {
            "imageTagMutability": "MUTABLE",
            "imageScanningConfiguration": {"scanOnPush": False},
            "tags": {"owner": "others", "a": "b"},
        },
    ),
    Example(
        "aws:ecr/lifecyclePolicy:LifecyclePolicy",
        lambda cloud: {
            "repository": cloud.made("aws:ecr/repository:Repository", name=cloud.name("images"))["id"],
            "policy": _images(7),
        },
        {"policy": _images(14)},
    ),
)

CLOUDWATCH = (
    Example(
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        lambda _: {
            "name": "trial-errors",
            "alarmDescription": "errors",
            "namespace": "AWS/SageMaker",
            "metricName": "Invocation5XXErrors",
            "dimensions": {"EndpointName": "trial-flights", "VariantName": "main"},
            "statistic": "Sum",
            "unit": "Count",
            "threshold": 1.0,
            "comparisonOperator": "GreaterThanThreshold",
            "period": 60.0,
            "evaluationPeriods": 2.0,
            "datapointsToAlarm": 1.0,
            "treatMissingData": "notBreaching",
            "actionsEnabled": True,
            "alarmActions": ["arn:aws:sns:us-east-1:123456789012:a", "arn:aws:sns:us-east-1:123456789012:b"],
            "okActions": ["arn:aws:sns:us-east-1:123456789012:a"],
            "insufficientDataActions": ["arn:aws:sns:us-east-1:123456789012:b"],
            "tags": {"owner": "trial"},
        },
        {
            "alarmDescription": None,
            "namespace": "Seatrial",
            "metricName": "Errors",
            "dimensions": {"EndpointName": "trial-flights"},
            "statistic": "Average",
            "unit": None,
            "threshold": 0.5,
            "comparisonOperator": "LessThanThreshold",
            "period": 300.0,
            "evaluationPeriods": 3.0,
            "datapointsToAlarm": 3.0,
            "treatMissingData": None,
            "actionsEnabled": False,
            "alarmActions": ["arn:aws:sns:us-east-1:123456789012:c"],
            "okActions": None,
            "insufficientDataActions": None,
            "tags": {"owner": "others"},
        },
    ),
    Example(
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        lambda _: {
            "name": "trial-latency",
            "namespace": "AWS/SageMaker",
            "metricName": "ModelLatency",
            "extendedStatistic": "p99",
            "threshold": 250000.0,
            "comparisonOperator": "GreaterThanThreshold",
            "period": 60.0,
            "evaluationPeriods": 1.0,
        },
        {"extendedStatistic": "p95"},
    ),
    Example(
        "aws:cloudwatch/dashboard:Dashboard",
        lambda _: {"dashboardName": "trial", "dashboardBody": json.dumps({"widgets": []})},
        {"dashboardBody": json.dumps({"widgets": [{"type": "text", "properties": {"markdown": "a"}}]})},
    ),
    Example(
        "aws:cloudwatch/logGroup:LogGroup",
        lambda cloud: {
            "name": "/aws/sagemaker/Endpoints/trial",
            "retentionInDays": 30.0,
            "kmsKeyId": cloud.key(),
            "tags": {"owner": "trial"},
        },
        {"retentionInDays": 90.0, "kmsKeyId": lambda cloud: cloud.key(), "tags": None},
    ),
    Example(
        "aws:cloudwatch/logGroup:LogGroup",
        lambda cloud: {"retentionInDays": 1.0, "kmsKeyId": cloud.key(), "skipDestroy": False},
        {"retentionInDays": None, "kmsKeyId": None},
    ),
)


def _rule(cloud: Cloud) -> str:
    return str(cloud.made("aws:cloudwatch/eventRule:EventRule", scheduleExpression="rate(1 day)")["id"])


def _pipeline(name: str) -> Props:
    return {"pipelineParameterLists": [{"name": "model", "value": name}, {"name": "version", "value": "$.detail.v"}]}


EVENTS = (
    Example(
        "aws:cloudwatch/eventRule:EventRule",
        lambda _: {
            "name": "trial-approved",
            "description": "approved",
            "eventPattern": json.dumps({"source": ["aws.sagemaker"], "detail": {"A": [{"prefix": "x"}]}}),
            "state": "ENABLED",
            "tags": {"owner": "trial"},
        },
        {
            "description": None,
            "eventPattern": json.dumps({"source": ["aws.cloudwatch"]}),
            "state": "DISABLED",
            "tags": {"owner": "others"},
        },
    ),
    Example(
        "aws:cloudwatch/eventRule:EventRule",
        lambda _: {"scheduleExpression": "cron(0 6 * * ? *)"},
        {"scheduleExpression": "rate(2 hours)"},
    ),
    Example(
        "aws:cloudwatch/eventTarget:EventTarget",
        lambda cloud: {
            "rule": _rule(cloud),
            "targetId": "train",
            "arn": "arn:aws:sagemaker:us-east-1:123456789012:pipeline/trial-train",
            "roleArn": "arn:aws:iam::123456789012:role/trial-events",
            "sagemakerPipelineTarget": _pipeline("flights"),
            "retryPolicy": {"maximumEventAgeInSeconds": 3600.0, "maximumRetryAttempts": 10.0},
            "deadLetterConfig": {"arn": "arn:aws:sqs:us-east-1:123456789012:dead"},
        },
        {
            "arn": "arn:aws:sagemaker:us-east-1:123456789012:pipeline/trial-release",
            "roleArn": "arn:aws:iam::123456789012:role/trial-others",
            "sagemakerPipelineTarget": _pipeline("parcels"),
            "retryPolicy": {"maximumEventAgeInSeconds": 60.0, "maximumRetryAttempts": 1.0},
            "deadLetterConfig": None,
        },
    ),
    Example(
        "aws:cloudwatch/eventTarget:EventTarget",
        lambda cloud: {
            "rule": _rule(cloud),
            "arn": "arn:aws:sns:us-east-1:123456789012:told",
            "inputTransformer": {"inputPaths": {"what": "$.detail.a"}, "inputTemplate": '"<what> failed."'},
        },
        {"inputTransformer": {"inputPaths": {"why": "$.detail.b"}, "inputTemplate": '"<why>."'}},
    ),
    Example(
        "aws:cloudwatch/eventTarget:EventTarget",
        lambda cloud: {"rule": _rule(cloud), "arn": "arn:aws:sns:us-east-1:123456789012:a", "input": '{"a": 1}'},
        {"input": '{"a": 2}'},
    ),
    Example(
        "aws:cloudwatch/eventTarget:EventTarget",
        lambda cloud: {"rule": _rule(cloud), "arn": "arn:aws:sns:us-east-1:123456789012:a", "inputPath": "$.detail"},
        {"inputPath": "$.source"},
    ),
)


def _topic(cloud: Cloud) -> str:
    return str(cloud.made("aws:sns/topic:Topic")["id"])


def _publish(cloud: Cloud, service: str) -> Props:
    topic = _topic(cloud)
    return {"arn": topic, "policy": policy("sns:Publish", resource=topic, Principal={"Service": service})}


SNS = (
    Example(
        "aws:sns/topic:Topic",
        lambda cloud: {
            "name": "trial-notifications",
            "displayName": "trial",
            "kmsMasterKeyId": cloud.key(),
            "tags": {"owner": "trial"},
        },
        {"displayName": None, "kmsMasterKeyId": lambda cloud: cloud.key(), "tags": {"owner": "others"}},
    ),
    Example(
        "aws:sns/topicPolicy:TopicPolicy",
        lambda cloud: _publish(cloud, "budgets.amazonaws.com"),
        {"policy": policy("sns:Publish", Principal={"Service": "events.amazonaws.com"})},
    ),
    Example(
        "aws:sns/topicSubscription:TopicSubscription",
        lambda cloud: {"topic": _topic(cloud), "protocol": "email", "endpoint": "who@example.com"},
    ),
)


def _code(source: str) -> Props:
    return blob("archive", packed(source))


def _function(cloud: Cloud) -> str:
    role = cloud.made("aws:iam/role:Role", assumeRolePolicy=trust("lambda"))["arn"]
    token, code = "aws:lambda/function:Function", _code("def handler(event, context): ...")
    return str(cloud.made(token, role=role, runtime="python3.12", handler="main.handler", code=code)["id"])


LAMBDA = (
    Example(
        "aws:lambda/function:Function",
        lambda cloud: {
            "name": "trial-stop",
            "description": "stops",
            "role": cloud.made("aws:iam/role:Role", assumeRolePolicy=trust("lambda"))["arn"],
            "runtime": "python3.12",
            "handler": "main.handler",
            "code": _code("def handler(event, context): ..."),
            "timeout": 60.0,
            "memorySize": 256.0,
            "environment": {"variables": {"PREFIX": "trial"}},
            "tags": {"owner": "trial"},
        },
        {
            "description": None,
            "role": lambda cloud: cloud.made("aws:iam/role:Role", assumeRolePolicy=trust("lambda"))["arn"],
            "runtime": "python3.13",
            "handler": "main.other",
            "code": _code("def other(event, context): ..."),
            "timeout": None,
            "memorySize": 512.0,
            "environment": None,
            "tags": {"owner": "others"},
        },
    ),
    Example(
        "aws:lambda/permission:Permission",
        lambda cloud: {
            "statementId": "sns",
            "function": _function(cloud),
            "action": "lambda:InvokeFunction",
            "principal": "sns.amazonaws.com",
            "sourceArn": "arn:aws:sns:us-east-1:123456789012:trial-stop",
            "sourceAccount": "123456789012",
        },
    ),
)


def _told(percent: float, *emails: str) -> Props:
    heard: Props = {"subscriberSnsTopicArns": [f"arn:aws:sns:us-east-1:123456789012:{each}" for each in "ab"]}
    if emails:
        heard["subscriberEmailAddresses"] = list(emails)
    said = {"notificationType": "ACTUAL", "comparisonOperator": "GREATER_THAN", "thresholdType": "PERCENTAGE"}
    return {**said, "threshold": percent, **heard}


BUDGETS = (
    Example(
        "aws:budgets/budget:Budget",
        lambda _: {
            "name": "trial-monthly",
            "budgetType": "COST",
            "timeUnit": "MONTHLY",
            "limitAmount": "200.00",
            "limitUnit": "USD",
            "costFilters": [{"name": "TagKeyValue", "values": ["user:stack$dev", "user:stack$prod"]}],
            "notifications": [_told(80.0), _told(100.0, "who@example.com")],
            "tags": {"owner": "trial"},
        },
        {
            "budgetType": "RI_COVERAGE",
            "timeUnit": "QUARTERLY",
            "limitAmount": "300",
            "limitUnit": "PERCENTAGE",
            "costFilters": [{"name": "Service", "values": ["Amazon SageMaker"]}],
            "notifications": [_told(90.0)],
            "tags": {"owner": "others"},
        },
    ),
)


def _vpc(cloud: Cloud) -> str:
    return str(cloud.made("aws:ec2/vpc:Vpc", cidrBlock="10.0.0.0/16")["id"])


def _subnet(cloud: Cloud, vpc: str, part: int = 1) -> str:
    return str(cloud.made("aws:ec2/subnet:Subnet", vpcId=vpc, cidrBlock=f"10.0.{part}.0/24")["id"])


def _table(cloud: Cloud, vpc: str) -> str:
    return str(cloud.made("aws:ec2/routeTable:RouteTable", vpcId=vpc)["id"])


def _security(cloud: Cloud, vpc: str) -> str:
    return str(cloud.made("aws:ec2/securityGroup:SecurityGroup", vpcId=vpc)["id"])


def _gateway(cloud: Cloud) -> Props:
    vpc = _vpc(cloud)
    service = "com.amazonaws.us-east-1.s3"
    return {"vpcId": vpc, "serviceName": service, "policy": policy("s3:*"), "routeTableIds": [_table(cloud, vpc)]}


def _interface(cloud: Cloud) -> Props:
    vpc = _vpc(cloud)
    return {
        "vpcId": vpc,
        "serviceName": "com.amazonaws.us-east-1.sagemaker.api",
        "vpcEndpointType": "Interface",
        "subnetIds": [_subnet(cloud, vpc, 1), _subnet(cloud, vpc, 2)],
        "securityGroupIds": [_security(cloud, vpc), _security(cloud, vpc)],
        "privateDnsEnabled": True,
        "tags": {"owner": "trial"},
    }


def _association(cloud: Cloud) -> Props:
    vpc = _vpc(cloud)
    return {"subnetId": _subnet(cloud, vpc), "routeTableId": _table(cloud, vpc)}


def _table_beside(cloud: Cloud) -> str:
    """One more, in the network of the association."""
    vpc = next(outputs["id"] for token, outputs in cloud.standing if token == "aws:ec2/vpc:Vpc")
    return _table(cloud, vpc)


def _ingress(cloud: Cloud) -> Props:
    group = _security(cloud, _vpc(cloud))
    https = {"ipProtocol": "tcp", "fromPort": 443.0, "toPort": 443.0}
    return {"securityGroupId": group, **https, "cidrIpv4": "10.0.0.0/16", "description": "https", "tags": {"a": "b"}}


def _to_s3(cloud: Cloud) -> Props:
    vpc = _vpc(cloud)
    gateway = cloud.made("aws:ec2/vpcEndpoint:VpcEndpoint", vpcId=vpc, serviceName="com.amazonaws.us-east-1.s3")
    https = {"ipProtocol": "tcp", "fromPort": 443.0, "toPort": 443.0, "description": "S3"}
    return {"securityGroupId": _security(cloud, vpc), "prefixListId": gateway["prefixListId"], **https}


def _egress(cloud: Cloud) -> Props:
    return {"securityGroupId": _security(cloud, _vpc(cloud)), "ipProtocol": "-1", "cidrIpv6": "::/0"}


def _between(cloud: Cloud) -> Props:
    vpc = _vpc(cloud)
    groups = {"securityGroupId": _security(cloud, vpc), "referencedSecurityGroupId": _security(cloud, vpc)}
    return {**groups, "ipProtocol": "tcp", "fromPort": 0.0, "toPort": 65535.0}


_RULE_CHANGES: Props = {
    "ipProtocol": "udp",
    "fromPort": 53.0,
    "toPort": 54.0,
    "cidrIpv4": "10.1.0.0/16",
    "description": None,
    "tags": {"a": "c"},
}
_INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
_EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"

NETWORK = (
    Example(
        "aws:ec2/vpc:Vpc",
        lambda _: {
            "cidrBlock": "10.7.0.0/16",
            "instanceTenancy": "default",
            "enableDnsSupport": True,
            "enableDnsHostnames": True,
            "tags": {"owner": "trial"},
        },
        {"enableDnsHostnames": False, "enableDnsSupport": False, "tags": {"owner": "others"}},
    ),
    Example(
        "aws:ec2/subnet:Subnet",
        lambda cloud: {
            "vpcId": _vpc(cloud),
            "cidrBlock": "10.0.3.0/24",
            "availabilityZone": "us-east-1b",
            "mapPublicIpOnLaunch": True,
            "tags": {"owner": "trial"},
        },
        {"mapPublicIpOnLaunch": False, "tags": {"owner": "others", "a": "b"}},
    ),
    Example(
        "aws:ec2/routeTable:RouteTable",
        lambda cloud: {"vpcId": _vpc(cloud), "tags": {"owner": "trial"}},
        {"tags": {"others": "trial"}},
    ),
    Example("aws:ec2/routeTableAssociation:RouteTableAssociation", _association, {"routeTableId": _table_beside}),
    Example(
        "aws:ec2/securityGroup:SecurityGroup",
        lambda cloud: {
            "name": "trial-endpoints",
            "description": "endpoints",
            "vpcId": _vpc(cloud),
            "tags": {"owner": "trial"},
        },
        {"tags": None},
    ),
    Example(_INGRESS, _ingress, _RULE_CHANGES),
    Example(_INGRESS, _between, {"description": "others"}),
    Example(_EGRESS, _ingress, _RULE_CHANGES),
    Example(_EGRESS, _to_s3, {"description": None}),
    Example(_EGRESS, _egress, {"cidrIpv6": "2001:db8::/32"}),
    Example("aws:ec2/vpcEndpoint:VpcEndpoint", _gateway, {"policy": policy("s3:GetObject")}),
    Example("aws:ec2/vpcEndpoint:VpcEndpoint", _interface, {"privateDnsEnabled": False, "tags": {"owner": "others"}}),
)

EXAMPLES = (*S3, *KMS, *IAM, *POLICIES, *SAGEMAKER, *ECR, *CLOUDWATCH, *EVENTS, *SNS, *LAMBDA, *BUDGETS, *NETWORK)
