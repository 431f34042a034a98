"""One execution of a pipeline: which step starts when, what is reused, retried and stopped."""

from __future__ import annotations

import functools
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from seatrial.rehearsal.aws.events import sagemaker_event
from seatrial.rehearsal.aws.pipelines.definition import Definition, Step
from seatrial.rehearsal.aws.pipelines.steps import (
    Callbacks,
    Running,
    StepFailed,
    StepStopped,
    run_callback,
    run_condition,
    run_fail,
    run_job,
    run_lambda,
    run_model,
    run_register,
)  # fmt: skip
from seatrial.rehearsal.aws.pipelines.values import Scope, Unresolved
from seatrial.rehearsal.aws.transfer import split_uri
from seatrial.rehearsal.aws.world import World

_MOST_AT_ONCE = 50  # the service's, where MaxParallelExecutionSteps is left out
_CACHED = {  # what AWS compares, by step type
    "Processing": ("AppSpecification", "Environment", "ProcessingInputs", "ProcessingResources"),
    "Training": (
        "AlgorithmSpecification", "CheckpointConfig", "EnableManagedSpotTraining", "Environment", "HyperParameters",
        "InputDataConfig",
    ),
    "Transform": (
        "BatchStrategy", "DataProcessing", "Environment", "MaxPayloadInMB", "ModelName", "TransformInput",
        "TransformOutput", "TransformResources",
    ),
}  # fmt: skip
_AGE = re.compile(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


@dataclass
class StepRecord:
    """What ListPipelineExecutionSteps says about one step."""

    name: str
    status: str = "Starting"
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended: datetime | None = None
    attempts: int = 0
    reason: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    cached_from: str | None = None
    running: Running | None = None

    def describe(self) -> dict[str, Any]:
        """In the API's words."""
        said = {
            "StepName": self.name,
            "StepStatus": self.status,
            "StartTime": self.started,
            "EndTime": self.ended,
            "AttemptCount": self.attempts,
            "FailureReason": self.reason,
            "Metadata": self.metadata or None,
            "CacheHitResult": {"SourcePipelineExecutionArn": self.cached_from} if self.cached_from else None,
        }
        return {key: value for key, value in said.items() if value is not None}


@dataclass
class Shared:
    """What the executions of one server share: answers to callbacks, and results that may be reused."""

    callbacks: Callbacks = field(default_factory=Callbacks)
    cache: dict[str, tuple[datetime, str, Mapping[str, Any]]] = field(default_factory=dict)


class Execution:
    """Runs in a thread of its own from `start` on; ends as Succeeded, Failed or Stopped."""

    def __init__(
        self,
        world: World,
        shared: Shared,
        *,
        definition: Definition,
        parameters: Mapping[str, Any],
        record: Any,
        region: str,
        role: str,
        most_at_once: int | None,
    ) -> None:
        """``role`` is the pipeline's: as it, steps are started and files are read.

        ``record`` is moto's own entry, kept in step for the List and Describe operations.
        """
        self.definition, self.record, self.region = definition, record, region
        self.arn = str(record.arn)
        self.steps: dict[str, StepRecord] = {}
        self.done = threading.Event()
        self._world, self._shared, self._role = world, shared, role
        self._results: dict[str, Mapping[str, Any]] = {}
        self._most_at_once = most_at_once or _MOST_AT_ONCE
        self._changed = threading.Condition()
        self._stopping = False
        pipeline = self.arn.split(":pipeline/")[1].split("/")[0]
        execution = {
            "PipelineName": pipeline,
            "PipelineArn": self.arn.split("/execution/")[0],
            "PipelineExecutionId": self.arn.rsplit("/", 1)[1],
            "PipelineExecutionArn": self.arn,
            "StartDateTime": datetime.now(UTC).isoformat(),
            "CurrentDateTime": datetime.now(UTC).isoformat(),
        }
        self._pipeline = pipeline
        self._scope = Scope(
            parameters=parameters, execution=execution, steps=definition.steps, results=self._results, read=self._read
        )
        self._set_status("Executing")

    @property
    def status(self) -> str:
        """Executing, Stopping, Stopped, Failed or Succeeded."""
        return str(self.record.pipeline_execution_status)

    def start(self) -> None:
        """Begin, or begin again with the steps that have not succeeded."""
        self.done.clear()
        forget = self._world.on_close(self._end_with_world)

        def live() -> None:
            try:
                self._schedule()
            finally:
                forget()
                self.done.set()

        threading.Thread(target=live, name=f"pipeline-{self.arn}", daemon=True).start()

    def stop(self) -> bool:
        """Ask the running steps to end. False when the execution has ended."""
        with self._changed:
            if self.status not in ("Executing", "Stopping"):
                return False
            self._stopping = True
            self._set_status("Stopping")
            running = [each.running for each in self.steps.values() if each.running is not None]
            for each in self.steps.values():
                if each.running is not None:
                    each.status = "Stopping"
            self._changed.notify_all()
        for attempt in running:
            attempt.stop()
        return True

    def retry(self) -> bool:
        """Run again what failed or was stopped; what succeeded stays. False unless it ended so."""
        with self._changed:
            if self.status not in ("Failed", "Stopped"):
                return False
            self._stopping = False
            self.steps = {name: step for name, step in self.steps.items() if step.status == "Succeeded"}
            self.record.pipeline_execution_failure_reason = None
            self._set_status("Executing")
        self.start()
        return True

    def list_steps(self) -> list[dict[str, Any]]:
        """The steps that have begun, oldest first."""
        with self._changed:
            return [each.describe() for each in sorted(self.steps.values(), key=lambda each: each.started)]

    def _end_with_world(self) -> None:
        self.stop()
        self.done.wait(10)

    def _set_status(self, status: str) -> None:
        self.record.pipeline_execution_status = status
        self.record.last_modified_time = datetime.now(UTC)
        pipeline = self.arn.split("/execution/")[0]
        detail = {"pipelineArn": pipeline, "pipelineExecutionArn": self.arn, "currentPipelineExecutionStatus": status}
        kind = "SageMaker Model Building Pipeline Execution Status Change"
        self._world.events.put(sagemaker_event(kind, arn=self.arn, detail=detail))

    # the order of things

    def _schedule(self) -> None:
        with self._changed:
            while True:
                busy = sum(each.running is not None for each in self.steps.values())
                failed = any(each.status == "Failed" for each in self.steps.values())
                ready = [] if failed or self._stopping else self._ready()
                for step in ready[: self._most_at_once - busy]:
                    self._launch(step)
                    busy += 1
                if not busy:
                    break
                self._changed.wait()
            if failed:
                self.record.pipeline_execution_failure_reason = "Step failure: One or multiple steps failed."
            self._set_status("Failed" if failed else "Stopped" if self._stopping else "Succeeded")

    def _ready(self) -> list[Step]:
        return [
            step
            for step in self.definition.steps.values()
            if step.name not in self.steps
            and all(guard in self._results for guard, _ in step.guards)
            and not self._ruled_out(step)
            and all(self._settled(need) for need in step.needs)
        ]

    def _ruled_out(self, step: Step) -> bool:
        """Whether a condition above the step has decided against it."""
        return any(
            guard in self._results and self._results[guard]["Outcome"] != str(outcome) for guard, outcome in step.guards
        )

    def _settled(self, name: str) -> bool:
        """Whether what waits for this step may start: a condition has ended when its branch has."""
        branch = [step for step in self.definition.steps.values() if name in dict(step.guards)]
        return name in self._results and all(step.name in self._results or self._ruled_out(step) for step in branch)

    def _launch(self, step: Step) -> None:
        running = Running(self._world, self.region, self.arn, self._scope, self._role)
        record = self.steps[step.name] = StepRecord(step.name, running=running)
        threading.Thread(target=self._live, args=(step, record, running), daemon=True).start()

    def _live(self, step: Step, record: StepRecord, running: Running) -> None:
        result: Mapping[str, Any] | None = None
        status, reason = "Succeeded", None
        try:
            result = self._reused(step, record)
            if result is None:
                result = self._attempts(step, record, running)
        except StepStopped:
            status = "Stopped"
        except (StepFailed, Unresolved) as failed:
            status, reason = "Failed", str(failed)
        except (ClientError, BotoCoreError) as refused:
            status, reason = "Failed", f"ClientError: {refused}"
        except Exception as broken:  # noqa: BLE001 a step must end whatever breaks, or its execution never does
            status, reason = (
                "Failed",
                f"InternalServerError: the rehearsal itself broke: {type(broken).__name__}: {broken}",
            )
        with self._changed:
            if result is not None:
                self._results[step.name] = result
            record.status, record.reason, record.ended, record.running = status, reason, datetime.now(UTC), None
            record.metadata = record.metadata or running.metadata
            self._changed.notify_all()

    # attempts

    def _attempts(self, step: Step, record: StepRecord, running: Running) -> Mapping[str, Any]:
        kinds: dict[str, Callable[[Step, Running], Mapping[str, Any]]] = {
            "Callback": functools.partial(run_callback, callbacks=self._shared.callbacks),
            "Condition": run_condition,
            "Fail": run_fail,
            "Lambda": run_lambda,
            "Model": run_model,
            "Processing": run_job,
            "RegisterModel": run_register,
            "Training": run_job,
            "Transform": run_job,
        }
        run = kinds[step.kind]
        used: dict[int, int] = {}
        while True:
            with self._changed:
                record.attempts += 1
                running.attempt = record.attempts
                record.status = "Stopping" if self._stopping else "Executing"
                record.metadata = running.metadata
            try:
                result = run(step, running)
            except (StepFailed, ClientError) as failed:
                wait = self._wait_before_retry(step, failed, used)
                if wait is None or running.stop_asked.wait(self._world.waits(wait)):
                    raise
                continue
            self._keep(step, result)
            return result

    def _wait_before_retry(self, step: Step, failed: Exception, used: dict[int, int]) -> float | None:
        kinds = exception_types(failed)
        for index, policy in enumerate(step.document.get("RetryPolicies") or []):
            if not kinds & set(policy.get("ExceptionType", [])):
                continue
            done = used.get(index, 0)
            if done < policy.get("MaxAttempts", 5):
                used[index] = done + 1
                return float(policy.get("IntervalSeconds", 1) * policy.get("BackoffRate", 2.0) ** done)
        return None

    # reuse

    def _cache_key(self, step: Step) -> str | None:
        if not (step.document.get("CacheConfig") or {}).get("Enabled") or step.kind not in _CACHED:
            return None
        arguments = self._scope.resolve({key: step.arguments.get(key) for key in _CACHED[step.kind]})
        return json.dumps([self.region, self._pipeline, step.name, step.kind, arguments], sort_keys=True)

    def _keep(self, step: Step, result: Mapping[str, Any]) -> None:
        key = self._cache_key(step)
        if key is not None:
            self._shared.cache[key] = (datetime.now(UTC), self.arn, result)

    def _reused(self, step: Step, record: StepRecord) -> Mapping[str, Any] | None:
        key = self._cache_key(step)
        if key is None or key not in self._shared.cache:
            return None
        made, source, result = self._shared.cache[key]
        oldest = age(str(step.document["CacheConfig"].get("ExpireAfter", "P1Y")))
        if datetime.now(UTC) - made > oldest:
            return None
        record.cached_from = source
        arn = result[f"{step.kind}JobArn"]
        record.metadata = {f"{step.kind}Job": {"Arn": arn}}
        return result

    def _read(self, uri: str) -> bytes:
        bucket, key = split_uri(uri)
        try:
            found = self._world.client("s3", self.region, self._role).get_object(Bucket=bucket, Key=key)
        except ClientError as missing:
            raise Unresolved(f"{uri} cannot be read: {missing}") from missing
        return bytes(found["Body"].read())


def exception_types(failed: Exception) -> set[str]:
    """The names under which a retry policy knows a failure. A program's own error (AlgorithmError) has none."""
    text = str(failed)
    if isinstance(failed, ClientError):
        code = failed.response["Error"]["Code"]
        if "Throttl" in code or code == "TooManyRequestsException":
            return {"Step.THROTTLING"}
        if code in ("ResourceLimitExceeded", "ServiceQuotaExceededException"):
            return {"SageMaker.RESOURCE_LIMIT"}
        status = failed.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
        return {"Step.SERVICE_FAULT"} if status >= 500 else set()
    if text.startswith("InternalServerError"):
        return {"SageMaker.JOB_INTERNAL_ERROR"}
    if text.startswith("CapacityError"):
        return {"SageMaker.CAPACITY_ERROR"}
    return set()


def age(text: str) -> timedelta:
    """An ISO 8601 duration; a year counts as 365 days and a month as 30."""
    found = _AGE.fullmatch(text)
    if found is None:
        raise StepFailed(f"CacheConfig.ExpireAfter '{text}' is not an ISO 8601 duration")
    years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(days=365 * years + 30 * months + 7 * weeks + days, hours=hours, minutes=minutes, seconds=seconds)
