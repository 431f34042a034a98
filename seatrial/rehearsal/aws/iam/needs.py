"""Which actions on which resources a request takes, service by service. What is not here is allowed to nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from seatrial.rehearsal.aws.asked import Asked
from seatrial.rehearsal.aws.iam import objects, sagemaker
from seatrial.rehearsal.aws.iam.authority import Need

Json = Any
_Arn = Callable[[str, str], str]


def needs(asked: Asked, account: str) -> list[Need] | None:
    """What a request takes: nothing, some permissions, or None where nobody wrote that down."""

    def arn(service: str, resource: str) -> str:
        return f"arn:aws:{service}:{asked.region}:{account}:{resource}"

    told = _SERVICES.get(asked.service)
    return told(asked, arn) if told is not None else None


def _logs(asked: Asked, arn: _Arn) -> list[Need] | None:
    given = asked.parameters
    group = f"log-group:{given.get('logGroupName', '')}:log-stream:"
    if asked.operation in ("CreateLogStream", "PutLogEvents", "GetLogEvents"):
        return [Need(f"logs:{asked.operation}", arn("logs", f"{group}{given.get('logStreamName', '')}"))]
    if asked.operation in ("CreateLogGroup", "DescribeLogStreams", "FilterLogEvents", "PutRetentionPolicy"):
        return [Need(f"logs:{asked.operation}", arn("logs", group))]
    return None


def _cloudwatch(asked: Asked, arn: _Arn) -> list[Need] | None:
    given = asked.parameters
    action = f"cloudwatch:{asked.operation}"
    if asked.operation in ("PutMetricAlarm", "SetAlarmState", "DescribeAlarmHistory"):
        return [Need(action, arn("cloudwatch", f"alarm:{given.get('AlarmName', '')}"))]
    if asked.operation in ("DeleteAlarms", "DescribeAlarms"):
        return [Need(action, arn("cloudwatch", f"alarm:{each}")) for each in given.get("AlarmNames", ["*"])]
    if asked.operation == "PutMetricData":
        return [Need(action, "*", {"cloudwatch:namespace": str(given.get("Namespace", ""))})]
    return [Need(action, "*")] if asked.operation in ("GetMetricData", "GetMetricStatistics", "ListMetrics") else None


def _scaling(asked: Asked, arn: _Arn) -> list[Need] | None:
    action = f"application-autoscaling:{asked.operation}"
    if asked.operation.startswith("Describe"):
        return [Need(action, "*")]
    if asked.operation not in ("RegisterScalableTarget", "DeregisterScalableTarget", "PutScalingPolicy"):
        return None
    found = [Need(action, arn("application-autoscaling", "scalable-target/*"))]
    return found if asked.operation == "DeregisterScalableTarget" else [*found, *_validated(asked, arn)]


def _validated(asked: Asked, arn: _Arn) -> Iterator[Need]:
    """What Application Auto Scaling tries as its caller before it scales an endpoint for them; AWS calls the lack of it
    a ValidationException.

    https://docs.aws.amazon.com/autoscaling/application/userguide/security_iam_permission_validation.html
    """
    kind, _, rest = str(asked.parameters.get("ResourceId", "")).partition("/")
    if kind == "endpoint":
        endpoint = arn("sagemaker", f"endpoint/{rest.partition('/')[0]}")
        yield Need("sagemaker:DescribeEndpoint", endpoint)
        yield Need("sagemaker:DescribeEndpointConfig", arn("sagemaker", "endpoint-config/*"))
        yield Need("sagemaker:UpdateEndpointWeightsAndCapacities", endpoint)
    for operation in ("DescribeAlarms", "PutMetricAlarm", "DeleteAlarms"):
        yield Need(f"cloudwatch:{operation}", arn("cloudwatch", "alarm:*"))


def _kms(asked: Asked, arn: _Arn) -> list[Need] | None:
    key = str(asked.parameters.get("KeyId", ""))
    if asked.operation in ("Encrypt", "Decrypt", "GenerateDataKey", "DescribeKey", "CreateGrant"):
        return [Need(f"kms:{asked.operation}", key if key.startswith("arn:") else arn("kms", f"key/{key}"))]
    return None


def _ecr(asked: Asked, arn: _Arn) -> list[Need] | None:
    if asked.operation == "GetAuthorizationToken":
        return [Need("ecr:GetAuthorizationToken", "*")]
    repository = arn("ecr", f"repository/{asked.parameters.get('repositoryName', '')}")
    if asked.operation in ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer", "DescribeImages"):
        return [Need(f"ecr:{asked.operation}", repository)]
    return None


def _sts(asked: Asked, _arn: _Arn) -> list[Need] | None:
    if asked.operation == "GetCallerIdentity":
        return []  # everybody may ask who they are
    if asked.operation == "AssumeRole":
        return [Need("sts:AssumeRole", str(asked.parameters.get("RoleArn", "")))]
    return None


def _sqs(asked: Asked, arn: _Arn) -> list[Need] | None:
    queue = str(asked.parameters.get("QueueUrl", "")).rpartition("/")[2]
    return [Need("sqs:SendMessage", arn("sqs", queue))] if asked.operation == "SendMessage" else None


_SERVICES: Mapping[str, Callable[[Asked, _Arn], list[Need] | None]] = {
    "s3": lambda asked, _arn: objects.needs(asked),
    "sagemaker": sagemaker.needs,
    "logs": _logs,
    "cloudwatch": _cloudwatch,
    "application-autoscaling": _scaling,
    "kms": _kms,
    "ecr": _ecr,
    "sts": _sts,
    "sqs": _sqs,
}
