"""What SageMaker's step types take and give: the operation behind each, and which members the service adds.

Source: the ``sagemaker`` 3.27 SDK, ``mlops/workflow/*_step.py``. A step's ``Arguments`` are the request of an operation
without the name that the service chooses; its properties are the answer of the matching Describe operation.
"""

from __future__ import annotations

from dataclasses import dataclass

from seatrial.clouds.aws import shapes

_EVERY = frozenset({"Name", "Type", "Arguments", "DisplayName", "Description", "DependsOn"})
_BASELINE = (
    "CalculatedBaselineConstraints",
    "CalculatedBaselineStatistics",
    "BaselineUsedForDriftCheckStatistics",
    "BaselineUsedForDriftCheckConstraints",
)
_CHECK = frozenset(
    {
        "CheckType",
        "ModelPackageGroupName",
        "SkipCheck",
        "FailOnViolation",
        "RegisterNewBaseline",
        "SuppliedBaselineStatistics",
        "SuppliedBaselineConstraints",
        "ModelName",
    }
)


@dataclass(frozen=True)
class StepType:
    """One type of step."""

    operation: str = ""
    """The request that ``Arguments`` is; empty when it is none."""
    absent: frozenset[str] = frozenset()
    """Required members of that request that the service fills in."""
    describe: str = ""
    """The operation whose answer holds the step's properties."""
    shape: tuple[str, str] = ("", "")
    """Another service's shape that holds them: (service, shape)."""
    properties: tuple[str, ...] = ()
    """Properties that no shape knows."""
    members: frozenset[str] = frozenset()
    """Members of the step besides the common ones."""
    required: frozenset[str] = frozenset()
    cached: bool = False
    retried: bool = False
    property_files: bool = False
    outputs: bool = False
    """Declares ``OutputParameters``."""

    def answer(self) -> shapes.Shape | None:
        """The shape of the step's properties, if one is known."""
        if self.describe:
            return shapes.answer_shape(self.describe)
        service, shape = self.shape
        return shapes.service(service).shape_for(shape) if service else None

    @property
    def allowed(self) -> frozenset[str]:
        """Every member that a step of this type may have."""
        extra = {"CacheConfig"} if self.cached else set()
        extra |= {"RetryPolicies"} if self.retried else set()
        extra |= {"PropertyFiles"} if self.property_files else set()
        extra |= {"OutputParameters"} if self.outputs else set()
        return _EVERY | self.members | extra


def _job(operation: str, describe: str, name: str, *properties: str, property_files: bool = False) -> StepType:
    return StepType(
        operation,
        frozenset({name}),
        describe,
        properties=properties,
        cached=True,
        retried=True,
        property_files=property_files,
    )


STEP_TYPES: dict[str, StepType] = {
    "Processing": _job("CreateProcessingJob", "DescribeProcessingJob", "ProcessingJobName", property_files=True),
    "Training": _job(
        "CreateTrainingJob",
        "DescribeTrainingJob",
        "TrainingJobName",
        *("ComputingJobName", "ComputingJobStatus", "NotebookJobInputLocation", "NotebookJobOutputLocationPrefix"),
        *("InputNotebookName", "OutputNotebookName", "OutputParameters"),
    ),
    "Transform": _job("CreateTransformJob", "DescribeTransformJob", "TransformJobName"),
    "Tuning": _job(
        "CreateHyperParameterTuningJob",
        "DescribeHyperParameterTuningJob",
        "HyperParameterTuningJobName",
        "TrainingJobSummaries",
    ),
    "AutoML": _job("CreateAutoMLJob", "DescribeAutoMLJob", "AutoMLJobName", "BestCandidateProperties"),
    "Job": _job("CreateJob", "DescribeJob", "JobName"),
    "Model": StepType("CreateModel", frozenset({"ModelName"}), "DescribeModel", retried=True),
    "RegisterModel": StepType("CreateModelPackage", frozenset(), "DescribeModelPackage", retried=True),
    "EndpointConfig": StepType(
        "CreateEndpointConfig",
        frozenset({"EndpointConfigName"}),
        "DescribeEndpointConfig",
        cached=True,
        retried=True,
    ),
    "Endpoint": StepType("CreateEndpoint", frozenset(), "DescribeEndpoint", cached=True),
    "InferenceComponent": StepType("CreateInferenceComponent", frozenset(), "DescribeInferenceComponent"),
    "QualityCheck": StepType(
        "CreateProcessingJob",
        frozenset({"ProcessingJobName"}),
        properties=_BASELINE,
        members=_CHECK,
        required=frozenset({"CheckType"}),
        cached=True,
    ),
    "ClarifyCheck": StepType(
        "CreateProcessingJob",
        frozenset({"ProcessingJobName"}),
        properties=_BASELINE,
        members=_CHECK,
        required=frozenset({"CheckType"}),
        cached=True,
    ),
    "Lambda": StepType(
        members=frozenset({"FunctionArn"}), required=frozenset({"FunctionArn"}), cached=True, outputs=True
    ),
    "Callback": StepType(
        members=frozenset({"SqsQueueUrl"}), required=frozenset({"SqsQueueUrl"}), cached=True, outputs=True
    ),
    "EMR": StepType(shape=("emr", "Step"), properties=("ClusterId",), cached=True),
    "EMRServerless": StepType(shape=("emr-serverless", "GetJobRunResponse"), cached=True, retried=True),
    "Lineage": StepType(properties=("ActionArns", "ArtifactArns", "ContextArns", "Associations")),
    "Cleanup": StepType(),
    "Fail": StepType(),
    "Condition": StepType(properties=("Outcome",)),
    "ForEach": StepType(
        properties=(
            *("Status", "InputItemCount", "TotalStepCount", "SucceededStepCount", "FailedStepCount"),
            *("StoppedStepCount", "IterationOutputs", "Selected"),
        )
    ),
}
