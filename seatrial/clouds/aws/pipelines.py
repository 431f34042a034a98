"""SageMaker Pipelines: a run of a pipeline as exact requests, sent, followed and stopped.

Nothing that is sent depends on when or by whom: job files lie at addresses made of their content, the pipeline is
updated only where it differs, and a start carries a token with which it is the same start, however often it is sent.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seatrial.clouds.aws.calls import Call, declare
from seatrial.clouds.aws.channels import LOGS
from seatrial.clouds.aws.check import check
from seatrial.clouds.aws.failures import Refused, denial
from seatrial.clouds.aws.logs import READS as READS_LOGS
from seatrial.clouds.aws.logs import JobLog
from seatrial.clouds.aws.names import Names
from seatrial.clouds.aws.parameters import started_with
from seatrial.clouds.aws.pipeline import compiled
from seatrial.clouds.aws.session import Aws
from seatrial.clouds.aws.settings import SageMakerSettings
from seatrial.clouds.aws.stack import StackOutputs, load_stack
from seatrial.clouds.base import (
    Execution,
    ExecutionStatus,
    Follower,
    PipelineRun,
    Prepared,
    SentRequest,
    StepState,
    StepStatus,
)
from seatrial.errors import ResourceError

Json = Any

_PIPELINE = ("sagemaker:pipeline/{pipeline}",)
_EXECUTIONS = ("sagemaker:pipeline/{pipeline}/execution/*",)
LAUNCHES = declare(
    *READS_LOGS,
    Call("s3:HeadObject", ("s3:jobs/*",), "see whether a job's file is there already", may_be_missing=True),
    Call("s3:PutObject", ("s3:jobs/*",), "put a job's file where the job finds it"),
    Call("sagemaker:DescribePipeline", _PIPELINE, "see what is deployed"),
    Call("sagemaker:CreatePipeline", _PIPELINE, "deploy a pipeline"),
    Call("sagemaker:UpdatePipeline", _PIPELINE, "deploy a pipeline that changed"),
    Call("sagemaker:ListTags", _PIPELINE, "see whether it has its tags"),
    Call("sagemaker:AddTags", _PIPELINE, "tag it"),
    Call("sagemaker:StartPipelineExecution", _PIPELINE, "start it"),
    Call("sagemaker:DescribePipelineDefinitionForExecution", _EXECUTIONS, "see that it runs what was deployed"),
    Call("sagemaker:DescribePipelineExecution", _EXECUTIONS, "follow it"),
    Call("sagemaker:ListPipelineExecutionSteps", _EXECUTIONS, "follow its steps"),
    Call("sagemaker:StopPipelineExecution", _EXECUTIONS, "stop it", unused_reason="nothing is stopped in a story"),
    Call("sagemaker:DescribeProcessingJob", ("sagemaker:processing-job/pipelines-*",), "find what its tasks did"),
    Call("s3:GetObject", ("s3:runs/*/logs/files/*",), "read what its tasks did", may_be_missing=True),
    Call("iam:PassRole", ("role:pipeline",), "let it run as its role"),
)
PARALLEL_STEPS = 10
_SHORTEST_S, _LONGEST_S, _SHARE = 0.2, 10.0, 0.05
"""How long a follower looks away: a share of the time since something last happened, within these."""
_STEP: Mapping[str, StepStatus] = {
    "Starting": "running",
    "Executing": "running",
    "Stopping": "running",
    "Succeeded": "succeeded",
    "Failed": "failed",
    "Stopped": "stopped",
}
_EXECUTION: Mapping[str, ExecutionStatus] = {
    "Executing": "running",
    "Stopping": "stopping",
    "Succeeded": "succeeded",
    "Failed": "failed",
    "Stopped": "stopped",
}


def connect(state: Path, stack: str | None, record: Callable[[SentRequest], None] | None) -> AwsPipelines:
    """The pipelines of one stack.

    Args:
        state: the project's state folder, where stacks' outputs are kept.
        stack: which one; ``None``: the only one.
        record: makes it a dry run.
    """
    outputs = load_stack(state, stack)
    return AwsPipelines(outputs, Aws(outputs.region, record=record, only_declared=True))


class AwsPipelines:
    """Fulfils `seatrial.clouds.base.Pipelines`."""

    def __init__(self, stack: StackOutputs, aws: Aws, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._stack = stack
        self._aws = aws
        self._pause = pause
        self.assumed = ""

    # before

    def prepare(self, run: PipelineRun) -> Prepared:
        """Compile and check; see the contract."""
        parameters = {} if run.arguments is None else started_with(run.document, run.arguments)
        stack = self._stack.only(run.model)
        name = Names.of(stack, run.model).pipeline(run.name)
        partition = stack.roles.pipeline.split(":")[1]
        told = {**run.environment, "SEATRIAL_STACK": stack.model_dump_json(exclude_defaults=True)}
        result = compiled(
            run.document,
            run.plan,
            SageMakerSettings(
                roles=stack.roles.jobs(),
                artifact_root=stack.artifact_root,
                images={run.image: stack.image},
                functions=f"arn:{partition}:lambda:{stack.region}:{stack.account}:function",
                environment=told,
                preload=run.preload,
                kms_key=stack.kms_key,
                subnets=stack.subnets,
                security_groups=stack.security_groups,
                tags=stack.tags,
            ),
        )
        check(result.definition).require(run.name)
        text = result.text()
        digest = hashlib.sha256(json.dumps([text, sorted(result.files), parameters], sort_keys=True).encode())
        return Prepared(
            pipeline=name,
            digest=digest.hexdigest(),
            definition=text,
            files=result.files,
            parameters=parameters,
            tasks={job.name: job.tasks for job in run.plan.jobs()},
        )

    def deploy(self, prepared: Prepared) -> None:
        """Upload and create or update; see the contract."""
        for key, content in prepared.files.items():
            self._upload(self._stack.key(key), content)
        stack = self._stack
        settings = {
            "PipelineName": prepared.pipeline,
            "PipelineDefinition": prepared.definition,
            "RoleArn": stack.roles.pipeline,
            "ParallelismConfiguration": {"MaxParallelExecutionSteps": PARALLEL_STEPS},
        }
        found = self._asked("DescribePipeline", PipelineName=prepared.pipeline)
        if found is None:
            token = hashlib.sha256(f"{prepared.pipeline} {prepared.definition}".encode()).hexdigest()
            tags = {"Tags": stack.tag_list()} if stack.tags else {}
            try:
                self._aws.submit("sagemaker", "CreatePipeline", **settings, **tags, ClientRequestToken=token)
            except Refused as refused:
                if not refused.taken:
                    raise
                # somebody else created it since it was looked for: what they made is made what it must be
                found = self._aws.ask("sagemaker", "DescribePipeline", PipelineName=prepared.pipeline)
            else:
                return
        if any(found.get(key) != value for key, value in settings.items()):
            self._aws.submit("sagemaker", "UpdatePipeline", **settings)
        tagged = self._asked("ListTags", ResourceArn=found["PipelineArn"]) or {}
        missing = [tag for tag in stack.tag_list() if tag not in tagged.get("Tags", [])]
        if missing:
            self._aws.submit("sagemaker", "AddTags", ResourceArn=found["PipelineArn"], Tags=missing)

    def start(self, prepared: Prepared, token: str) -> str:
        """Start; see the contract."""
        given = [{"Name": name, "Value": value} for name, value in sorted(prepared.parameters.items())]
        answer = self._aws.submit(
            "sagemaker",
            "StartPipelineExecution",
            PipelineName=prepared.pipeline,
            PipelineParameters=given,
            ClientRequestToken=token,
        )
        return str(answer.get("PipelineExecutionArn", ""))

    def runs(self, execution: str, prepared: Prepared) -> bool:
        """Whether it runs what was prepared; see the contract."""
        said = self._aws.ask("sagemaker", "DescribePipelineDefinitionForExecution", PipelineExecutionArn=execution)
        return bool(json.loads(said["PipelineDefinition"]) == json.loads(prepared.definition))

    def _upload(self, key: str, content: bytes) -> None:
        bucket = self._stack.bucket
        if self._asked("HeadObject", "s3", Bucket=bucket, Key=key) is not None:
            return  # its address is made of its content
        encrypted = {}
        if self._stack.kms_key:
            encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self._stack.kms_key}
        self._aws.submit("s3", "PutObject", Bucket=bucket, Key=key, Body=content, **encrypted)

    def _asked(self, operation: str, service: str = "sagemaker", **parameters: Json) -> Json | None:
        """What is there, or ``None``."""
        if self.assumed:
            return None
        try:
            return self._aws.ask(service, operation, **parameters)
        except ResourceError as refused:
            if isinstance(refused, Refused) and refused.absent:
                return None
            if not self._aws.dry_run:
                raise
            self.assumed = refused.what
            return None

    # while it runs

    def state(self, execution: str) -> Execution | None:
        """What an execution has come to; see the contract."""
        said = self._asked("DescribePipelineExecution", PipelineExecutionArn=execution)
        if said is None:
            return None
        listed = self._aws.pages(
            "sagemaker",
            "ListPipelineExecutionSteps",
            "PipelineExecutionSteps",
            PipelineExecutionArn=execution,
            SortOrder="Ascending",
        )
        status = _EXECUTION[said["PipelineExecutionStatus"]]
        end = said["LastModifiedTime"] if status not in ("running", "stopping") else datetime.now(UTC)
        return Execution(
            id=execution,
            status=status,
            steps=tuple(_step(each) for each in listed),
            reason=said.get("FailureReason", ""),
            seconds=max(0.0, (end - said["CreationTime"]).total_seconds()),
        )

    def follow(self, execution: str, follower: Follower) -> Execution:
        """Tell what happens until it is over; see the contract."""
        told: dict[str, tuple[str, str]] = {}
        logs: dict[str, JobLog] = {}
        quiet_since = time.monotonic()
        while True:
            found = self.state(execution)
            if found is None:
                raise ResourceError(
                    f"the execution {execution} is not there any more",
                    why="Its pipeline was deleted while it was followed.",
                    todo="Run the same command again: it starts a new one.",
                )
            for step in found.steps:
                changed = told.get(step.name) != (step.status, step.job)
                if changed and step.name not in told and step.status != "running":
                    follower.step(_began(step))
                unread = step.name not in told and not step.cached  # it may have ended before anybody looked
                if step.job and (step.name in logs or step.status == "running" or unread):
                    log = logs.setdefault(step.name, self._log(step))
                    lines = log.new_lines()
                    for line in lines:
                        follower.line(step, line)
                    if lines:
                        quiet_since = time.monotonic()
                    if step.status != "running":
                        del logs[step.name]
                if changed:
                    told[step.name] = (step.status, step.job)
                    follower.step(step)
                    quiet_since = time.monotonic()
            if found.over:
                return found
            self._pause(min(_LONGEST_S, max(_SHORTEST_S, _SHARE * (time.monotonic() - quiet_since))))

    def stop(self, execution: str) -> None:
        """Ask it to end; see the contract."""
        token = hashlib.sha256(f"stop {execution}".encode()).hexdigest()
        try:
            self._aws.submit(
                "sagemaker", "StopPipelineExecution", PipelineExecutionArn=execution, ClientRequestToken=token
            )
        except Refused:
            found = self.state(execution)
            if found is not None and not found.over:
                raise

    # afterwards

    def records(self, step: StepState) -> Sequence[Mapping[str, Json]]:
        """What each task did, from the logs folder of a processing job; see the contract."""
        if not step.job.startswith("processing-job/"):
            return ()
        said = self._aws.ask("sagemaker", "DescribeProcessingJob", ProcessingJobName=step.job.partition("/")[2])
        outputs = said.get("ProcessingOutputConfig", {}).get("Outputs", [])
        place = next((o["S3Output"]["S3Uri"] for o in outputs if o["OutputName"] == LOGS), "")
        bucket, _, key = place.removeprefix("s3://").partition("/")
        answer = self._asked("GetObject", "s3", Bucket=bucket, Key=f"{key}/run.json") if bucket else None
        tasks: list[Mapping[str, Json]] = [] if answer is None else json.loads(answer["Body"].read())["tasks"]
        return tasks

    def last_lines(self, step: StepState, count: int) -> Sequence[str]:
        """The end of a job's log; see the contract."""
        return self._log(step).last_lines(count) if step.job else ()

    def _log(self, step: StepState) -> JobLog:
        return JobLog(self._aws, step.job)


def _step(said: Mapping[str, Json]) -> StepState:
    """A step as the service tells it."""
    arns = [each["Arn"] for each in said.get("Metadata", {}).values() if isinstance(each, dict) and "Arn" in each]
    jobs = [arn.split(":", 5)[5] for arn in arns if "-job/" in arn]
    begun = said.get("StartTime")
    ended = said.get("EndTime") or datetime.now(UTC)
    return StepState(
        name=said["StepName"],
        status=_STEP[said["StepStatus"]],
        job=jobs[0] if jobs else "",
        reason=_plain(said.get("FailureReason", "")),
        cached="CacheHitResult" in said,
        seconds=max(0.0, (ended - begun).total_seconds()) if begun else 0.0,
    )


def _plain(reason: str) -> str:
    """Why a step failed; where a role lacks something, that comes first and in plain words."""
    lacking = denial(reason)
    return f"{lacking} ({reason})" if lacking and lacking not in reason else reason


def _began(step: StepState) -> StepState:
    """How a step looked when it began."""
    return StepState(step.name, "running", step.job, cached=step.cached)
