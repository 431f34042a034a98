"""An endpoint that grows with its traffic: a scalable target and one target-tracking policy."""

from __future__ import annotations

from seatrial.clouds.aws.calls import LISTING, Call, declare
from seatrial.clouds.aws.failures import Refused
from seatrial.clouds.aws.names import VARIANT
from seatrial.clouds.aws.session import Aws
from seatrial.clouds.aws.stack import StackOutputs

_SERVICE = "application-autoscaling"
_TARGETS = ("application-autoscaling:scalable-target/*",)
_FIXED = "the endpoint keeps its size where the stack names no max_instances"
_ENDPOINT = ("sagemaker:endpoint/{endpoint}",)
_VALIDATED = "Application Auto Scaling lets only those change an endpoint's size who could do it themselves"
CALLS = declare(
    Call(
        "application-autoscaling:DescribeScalableTargets",
        ("*",),
        "see whether the endpoint scales",
        star_reason=LISTING,
    ),
    Call("application-autoscaling:RegisterScalableTarget", _TARGETS, "let the endpoint scale", unused_reason=_FIXED),
    Call("application-autoscaling:PutScalingPolicy", _TARGETS, "say when it scales", unused_reason=_FIXED),
    Call("application-autoscaling:DeregisterScalableTarget", _TARGETS, "stop scaling it", unused_reason=_FIXED),
    Call(
        "iam:CreateServiceLinkedRole",
        ("service-role:sagemaker.application-autoscaling",),
        "the first endpoint of an account that scales makes the role that Application Auto Scaling acts as",
        unused_reason=_FIXED,
    ),
    # It tries these as its caller, with requests that change nothing, on configurations and alarms of its own choice.
    # https://docs.aws.amazon.com/autoscaling/application/userguide/security_iam_permission_validation.html
    # https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-prerequisites.html
    Call("sagemaker:DescribeEndpoint", _ENDPOINT, _VALIDATED, unused_reason=_FIXED),
    Call("sagemaker:UpdateEndpointWeightsAndCapacities", _ENDPOINT, _VALIDATED, unused_reason=_FIXED),
    Call("sagemaker:DescribeEndpointConfig", ("sagemaker:endpoint-config/*",), _VALIDATED, unused_reason=_FIXED),
    *(
        Call(f"cloudwatch:{operation}", ("cloudwatch:alarm:*",), _VALIDATED, unused_reason=_FIXED)
        for operation in ("DescribeAlarms", "PutMetricAlarm", "DeleteAlarms")
    ),
)
_PER_INSTANCE = 1000.0
"""Requests a minute that one machine takes before another is added."""


def apply(aws: Aws, stack: StackOutputs, endpoint: str) -> None:
    """Let the endpoint scale as the stack says; without ``max_instances`` it does not."""
    capacity = stack.endpoint
    if capacity.max_instances is None:
        remove(aws, endpoint)
        return
    aws.submit(
        _SERVICE,
        "RegisterScalableTarget",
        **_target(endpoint),
        MinCapacity=capacity.instances,
        MaxCapacity=capacity.max_instances,
    )
    aws.submit(
        _SERVICE,
        "PutScalingPolicy",
        PolicyName=f"{endpoint}-requests",
        **_target(endpoint),
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": _PER_INSTANCE,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
        },
    )


def remove(aws: Aws, endpoint: str) -> None:
    """Stop scaling it; its policies go with the target."""
    found = aws.ask(
        _SERVICE, "DescribeScalableTargets", ServiceNamespace="sagemaker", ResourceIds=[_target(endpoint)["ResourceId"]]
    )
    if not found["ScalableTargets"]:
        return
    try:
        aws.submit(_SERVICE, "DeregisterScalableTarget", **_target(endpoint))
    except Refused as refused:
        if not refused.absent:
            raise


def _target(endpoint: str) -> dict[str, str]:
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint}/variant/{VARIANT}",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
