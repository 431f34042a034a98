"""The pipeline operations of the HTTP side."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from botocore.exceptions import ClientError
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.sagemaker.responses import SageMakerResponse

from seatrial.rehearsal.aws.operations import executed
from seatrial.rehearsal.aws.pipelines.definition import Malformed, read_definition, refuse_malformed
from seatrial.rehearsal.aws.pipelines.execution import Execution, Shared
from seatrial.rehearsal.aws.refusals import Refused, invalid, unsupported
from seatrial.rehearsal.aws.world import World

_STEPS_PER_PAGE = 100


class PipelineOperations(SageMakerResponse):  # type: ignore[misc]  # moto counts as Any
    """Create checks, Start runs, List and Describe tell what happened."""

    params: Any
    world: ClassVar[World]
    shared: ClassVar[Shared]

    @executed
    def create_pipeline(self) -> Any:
        """Keep a definition that is well formed."""
        self._check_definition()
        name = self.params["PipelineName"]
        if name in self.sagemaker_backend.pipelines:
            raise invalid(
                "Pipeline names must be unique within an AWS account and region. "
                f"Pipeline with name ({name}) already exists."
            )
        return super().create_pipeline()

    @executed
    def update_pipeline(self) -> Any:
        """Replace a definition by one that is well formed."""
        pipeline = self._pipeline()
        self._check_definition()
        answer = super().update_pipeline()
        pipeline.last_modified_time = utcnow()
        return answer

    def describe_pipeline(self) -> Any:
        """What was created, and updated since."""
        self._pipeline()
        return super().describe_pipeline()

    def delete_pipeline(self) -> Any:
        """Forget a pipeline and its executions."""
        self._pipeline()
        return super().delete_pipeline()

    def _pipeline(self) -> Any:
        name = self.params["PipelineName"].rpartition(":pipeline/")[2]
        self.params = {**self.params, "PipelineName": name}  # an ARN does as well, and moto knows names only
        pipeline = self.sagemaker_backend.pipelines.get(name)
        if pipeline is None:
            arn = f"arn:aws:sagemaker:{self.region}:{self.current_account}:pipeline/{name}"
            raise Refused("ResourceNotFound", f"Pipeline '{arn}' does not exist.")
        return pipeline

    def _check_definition(self) -> None:
        place = self.params.get("PipelineDefinitionS3Location")
        if place is not None and "PipelineDefinition" not in self.params:
            # moto would keep Python's spelling of the parsed document
            self.params = {key: value for key, value in self.params.items() if key != "PipelineDefinitionS3Location"}
            self.params["PipelineDefinition"] = self._read_s3(place)
        if self.params.get("PipelineDefinition") is not None:
            _refuse_unfit(self.params["PipelineDefinition"])

    def _read_s3(self, place: dict[str, str]) -> str:
        try:
            found = self.world.client("s3", self.region).get_object(
                Bucket=place["Bucket"],
                Key=place["ObjectKey"],
                **({"VersionId": place["VersionId"]} if "VersionId" in place else {}),
            )
        except ClientError as missing:
            raise invalid(f"Unable to read the pipeline definition from S3: {missing}") from missing
        return bytes(found["Body"].read()).decode()

    @executed
    def start_pipeline_execution(self) -> Any:
        """Run the pipeline. The same ClientRequestToken again gives the same execution."""
        pipeline = self._pipeline()
        gaps = [key for key in ("SelectiveExecutionConfig", "PipelineVersionId") if self.params.get(key) is not None]
        if gaps:
            raise unsupported(f"in pipeline executions: {', '.join(gaps)}")
        token = self.params.get("ClientRequestToken")
        for arn, started in pipeline.pipeline_executions.items():
            if token and started.client_request_token == token:
                return ActionResult({"PipelineExecutionArn": arn})
        kept = pipeline.pipeline_definition  # moto keeps what it read from S3 as an object
        definition = read_definition(json.loads(kept) if isinstance(kept, str) else kept)
        try:
            values = definition.values(self.params.get("PipelineParameters") or [])
        except Malformed as wrong:
            raise invalid(str(wrong)) from wrong
        answer = super().start_pipeline_execution()
        record = pipeline.pipeline_executions[answer.result["PipelineExecutionArn"]]
        at_once = (record.parallelism_configuration or {}).get("MaxParallelExecutionSteps")
        record.rehearsed = Execution(
            self.world,
            self.shared,
            definition=definition,
            parameters=values,
            record=record,
            region=self.region,
            role=str(pipeline.role_arn),
            most_at_once=at_once,
        )
        record.rehearsed.start()
        return answer

    def _execution(self) -> Any:
        arn = self.params["PipelineExecutionArn"]
        pipeline = self.sagemaker_backend.pipelines.get(arn.partition(":pipeline/")[2].partition("/")[0])
        record = None if pipeline is None else pipeline.pipeline_executions.get(arn)
        execution = getattr(record, "rehearsed", None)  # moto has its record a moment earlier
        if execution is None:
            raise Refused("ResourceNotFound", f"Pipeline execution '{arn}' does not exist.")
        return execution

    @executed
    def describe_pipeline_execution(self) -> Any:
        """The state that the execution is in, and why it failed."""
        execution = self._execution()
        answer = super().describe_pipeline_execution()
        answer.result["FailureReason"] = execution.record.pipeline_execution_failure_reason
        return ActionResult({key: value for key, value in answer.result.items() if value is not None})

    @executed
    def list_pipeline_executions(self) -> Any:
        """The executions of a pipeline, from moto's records, which the executions keep in step."""
        self._pipeline()
        answer = super().list_pipeline_executions()
        for summary in answer.result["PipelineExecutionSummaries"]:
            if summary.get("PipelineExecutionFailureReason") == "None":
                del summary["PipelineExecutionFailureReason"]
        return answer

    @executed
    def list_pipeline_execution_steps(self) -> Any:
        """The steps that have begun, the latest first unless asked otherwise."""
        steps = self._execution().list_steps()
        if self.params.get("SortOrder", "Descending") == "Descending":
            steps.reverse()
        first = int(self.params.get("NextToken") or 0)
        last = first + int(self.params.get("MaxResults") or _STEPS_PER_PAGE)
        page: dict[str, Any] = {"PipelineExecutionSteps": steps[first:last]}
        return ActionResult(page | ({"NextToken": str(last)} if last < len(steps) else {}))

    @executed
    def stop_pipeline_execution(self) -> Any:
        """Stop what runs; the execution is Stopping until its jobs have ended."""
        execution = self._execution()
        if not execution.stop():
            raise invalid(f"Only pipelines with executing status can be stopped. Execution is {execution.status}.")
        return ActionResult({"PipelineExecutionArn": execution.arn})

    @executed
    def retry_pipeline_execution(self) -> Any:
        """Run the steps that failed or were stopped again, and what follows them."""
        execution = self._execution()
        if not execution.retry():
            raise invalid(f"Only failed or stopped executions can be retried. Execution is {execution.status}.")
        return ActionResult({"PipelineExecutionArn": execution.arn})

    @executed
    def send_pipeline_execution_step_success(self) -> Any:
        """Answer a callback step."""
        return self._answer_callback({"OutputParameters": self.params.get("OutputParameters") or []})

    @executed
    def send_pipeline_execution_step_failure(self) -> Any:
        """Fail a callback step."""
        return self._answer_callback(
            {"FailureReason": self.params.get("FailureReason") or "The callback reported a failure"}
        )

    def _answer_callback(self, answer: dict[str, Any]) -> Any:
        if not self.shared.callbacks.answer(self.params["CallbackToken"], answer):
            raise Refused("ResourceNotFound", "No step waits for this callback token")
        return ActionResult({})


def _refuse_unfit(text: str) -> None:
    try:
        document = json.loads(text)
    except ValueError as wrong:
        raise invalid(f"Unable to parse pipeline definition: it is not JSON ({wrong})") from wrong
    try:
        refuse_malformed(document)
    except Malformed as wrong:
        raise invalid(str(wrong)) from wrong
    gaps = read_definition(document).unsupported
    if gaps:
        raise unsupported(f"in pipelines: {', '.join(gaps)}")
