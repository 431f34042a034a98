"""Which permissions SageMaker's operations take, by the service's own authorization reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from seatrial.rehearsal.aws.asked import Asked
from seatrial.rehearsal.aws.iam.authority import Need

Json = Any
_SERVICE = "sagemaker.amazonaws.com"
_Arn = Callable[[str, str], str]
"""(service, resource) -> ARN in this account and region."""

_NAMED = {
    "ProcessingJob": ("processing-job", "ProcessingJobName"),
    "TrainingJob": ("training-job", "TrainingJobName"),
    "TransformJob": ("transform-job", "TransformJobName"),
    "Model": ("model", "ModelName"),
    "EndpointConfig": ("endpoint-config", "EndpointConfigName"),
    "Endpoint": ("endpoint", "EndpointName"),
    "EndpointWeightsAndCapacities": ("endpoint", "EndpointName"),
    "ModelPackageGroup": ("model-package-group", "ModelPackageGroupName"),
    "Pipeline": ("pipeline", "PipelineName"),
}
"""What Create, Describe, Update, Delete and Stop are about: the kind in the ARN, and the parameter with the name."""
_VERBS = ("Create", "Describe", "Update", "Delete", "Stop", "Invoke")
_LISTINGS = frozenset(
    {
        *("ListEndpoints", "ListEndpointConfigs", "ListModels", "ListModelPackageGroups", "ListPipelines"),
        *("ListProcessingJobs", "ListTrainingJobs", "ListTransformJobs", "Search"),
    }
)
"""Operations without a resource."""
_EXECUTION = {
    *("DescribePipelineExecution", "ListPipelineExecutionSteps", "StopPipelineExecution", "RetryPipelineExecution"),
    *("DescribePipelineDefinitionForExecution", "ListPipelineParametersForExecution"),
}


def needs(asked: Asked, arn: _Arn) -> list[Need] | None:
    """What a request takes; None: nobody wrote that down."""
    about = _about(asked.operation, asked.parameters, arn)
    if about is None:
        return None
    found = [Need(f"sagemaker:{asked.operation}", each) for each in about]
    if asked.operation.startswith("Create") and asked.parameters.get("Tags"):
        found.append(Need("sagemaker:AddTags", about[0]))
    return [*found, *_besides(asked, arn)]


def _about(operation: str, given: Mapping[str, Json], arn: _Arn) -> list[str] | None:
    if operation in _LISTINGS:
        return ["*"]
    if operation in _EXECUTION:
        return [str(given.get("PipelineExecutionArn", ""))]
    if operation in ("AddTags", "ListTags", "DeleteTags"):
        return [str(given.get("ResourceArn", ""))]
    if operation in ("StartPipelineExecution", "ListPipelineExecutions"):
        return [_named("pipeline", str(given.get("PipelineName", "")), arn)]
    if operation in ("CreateModelPackage", "ListModelPackages"):
        group = str(given.get("ModelPackageGroupName") or given.get("ModelPackageName") or "")
        return [arn("sagemaker", f"model-package/{group.rpartition('/')[2]}/*")]
    if operation in ("DescribeModelPackage", "DeleteModelPackage", "UpdateModelPackage"):
        return [str(given.get("ModelPackageArn") or given.get("ModelPackageName") or "")]
    verb = next((each for each in _VERBS if operation.startswith(each)), "")
    kind = _NAMED.get(operation.removeprefix(verb)) if verb else None
    if kind is None:
        return None
    found = [_named(kind[0], str(given.get(kind[1], "")), arn)]
    if operation in ("CreateEndpoint", "UpdateEndpoint"):
        found.append(_named("endpoint-config", str(given.get("EndpointConfigName", "")), arn))
    return found


def _named(kind: str, name: str, arn: _Arn) -> str:
    return name if name.startswith("arn:") else arn("sagemaker", f"{kind}/{name}")


def _besides(asked: Asked, arn: _Arn) -> Iterator[Need]:
    """Handing over roles, keys, and looking at alarms."""
    given = asked.parameters
    for member in ("RoleArn", "ExecutionRoleArn"):
        if given.get(member):
            yield Need("iam:PassRole", str(given[member]), {"iam:PassedToService": _SERVICE})
    volumes = [given.get("ProcessingResources", {}).get("ClusterConfig", {}), given.get("ResourceConfig", {}), given]
    for key in {str(each.get(name)) for each in volumes for name in ("VolumeKmsKeyId", "KmsKeyId") if each.get(name)}:
        yield Need("kms:CreateGrant", key, {"kms:GrantIsForAWSResource": "true"})
    alarms = given.get("DeploymentConfig", {}).get("AutoRollbackConfiguration", {}).get("Alarms", [])
    for alarm in alarms:
        yield Need("cloudwatch:DescribeAlarms", arn("cloudwatch", f"alarm:{alarm['AlarmName']}"))
