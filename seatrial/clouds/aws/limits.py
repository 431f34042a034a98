"""What SageMaker Pipelines allows, as far as botocore's shapes do not say it.

Lengths, counts, enumerations and patterns of a job's own request come from botocore (``shapes``); nothing is repeated
here. Sources: the ``sagemaker`` 3.27 SDK (``mlops/workflow``: ``retry``, ``for_each_step``, ``step_dependency``) and
the service quotas of the SageMaker developer guide.
"""

from __future__ import annotations

import re
from typing import Final

VERSION: Final = "2020-12-01"
"""The only pipeline-definition schema."""

MAX_DEFINITION_BYTES: Final = 1024 * 1024
MAX_PARAMETERS: Final = 200
MAX_PARAMETER_TEXT: Final = 1024
MAX_STEPS: Final = 50
"""The default quota of an account; it can be raised."""
MAX_CONDITIONS: Final = 200
MAX_FAILURE_TEXT: Final = 3072
"""Characters of a Fail step's message."""
MAX_OUTPUT_PARAMETERS: Final = 50
"""Values that a Lambda step keeps; botocore's ``OutputParameterList``."""
MAX_CONTAINER_TEXT: Final = 256
"""Characters of one container argument, and of one environment value of a processing job."""
MAX_CHANNELS: Final = 10
"""Inputs of a processing job, and its outputs."""
MAX_TRAINING_CHANNELS: Final = 20

STEP_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,63})")
PARAMETER_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,256}")
DURATION: Final = re.compile(r"P(?=.)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+S)?)?", re.IGNORECASE)
"""ISO 8601; the service also takes it without the leading ``P``."""

PARAMETER_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "String": (str,),
    "Integer": (int,),
    "Float": (int, float),
    "Boolean": (bool,),
}

EXECUTION_VARIABLES: Final = frozenset(
    {
        "StartDateTime",
        "CurrentDateTime",
        "PipelineName",
        "PipelineArn",
        "PipelineExecutionId",
        "PipelineExecutionArn",
        "TrainingJobName",
        "ProcessingJobName",
    }
)

TRIGGERS: Final = frozenset({"Completed", "Failed", "Stopped", "Any"})

RETRIED: Final = frozenset(
    {
        "Step.SERVICE_FAULT",
        "Step.THROTTLING",
        "SageMaker.JOB_INTERNAL_ERROR",
        "SageMaker.CAPACITY_ERROR",
        "SageMaker.RESOURCE_LIMIT",
    }
)
MAX_ATTEMPTS: Final = 20
MAX_RETRY_MINUTES: Final = 14400

FOR_EACH_ITEMS: Final = 100
FOR_EACH_CONCURRENCY: Final = 50
NOT_IN_FOR_EACH: Final = frozenset({"Condition", "Fail", "ForEach"})
