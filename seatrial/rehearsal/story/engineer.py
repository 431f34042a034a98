"""What the engineer of a rehearsal does, through the adapters that ``seatrial launch`` uses on the real AWS."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from seatrial import clouds
from seatrial.clouds.aws.cloud import AwsCloud
from seatrial.clouds.aws.names import Names
from seatrial.clouds.aws.session import new_session
from seatrial.clouds.aws.stack import StackOutputs
from seatrial.clouds.base import Execution, Pipelines, Prepared, StepState, Version
from seatrial.clouds.launch import error_of, run_of
from seatrial.document.model import Document
from seatrial.errors import RehearsalError, TaskError
from seatrial.package.read import Package
from seatrial.project import Model, Project
from seatrial.rehearsal.aws import OfflineAws
from seatrial.rehearsal.story.load import Ask, Refused
from seatrial.rehearsal.story.timeline import Timeline

Json = Any
_PATIENCE_S = 120.0
_LOOK_S = 0.1


class _Meanwhile:
    """A `Follower` that shows what goes on; the story tells what came of it. ``also`` hears of each step, too."""

    def __init__(self, line: Timeline, also: Callable[[StepState], None]) -> None:
        self._line = line
        self._also = also

    def step(self, step: StepState) -> None:
        """A step began, or its state changed."""
        self._line.going_on(f"{step.name} {step.status}")
        self._also(step)

    def line(self, step: StepState, text: str) -> None:
        """A job wrote a line."""
        self._line.going_on(f"{step.name} {text.strip()}")


class Engineer:
    """Launches, approves and looks. Knows nothing of the cloud but the stack's outputs.

    Args:
        opened: the project.
        model: the model that is rehearsed.
        pipelines: ``train`` and ``release``, compiled.
        aws: the offline AWS; its environment is this process's, so adapters find it as they find the real one.
        region: where the stack is.
        line: is told what goes on.
        state: a folder for what the adapters keep.
    """

    def __init__(
        self,
        opened: Project,
        model: Model,
        pipelines: Mapping[str, Document],
        aws: OfflineAws,
        region: str,
        line: Timeline,
        state: Path,
    ) -> None:
        self._opened, self._model, self._documents = opened, model.name, pipelines
        self._aws, self._region, self._line, self._state = aws, region, line, state
        self._clients: dict[str, Any] = {}
        self._pipelines: Pipelines
        self.names: Names
        self.cloud: AwsCloud
        self.environment = aws.environment(region)
        """What other programs need to see what the story made; once there is a stack, `seatrial` too."""

    def become(self, credentials: Mapping[str, str]) -> None:
        """Whom the adapters act as from the next connection on; nobody in particular: the account's owner."""
        os.environ.pop("AWS_SESSION_TOKEN", None)
        os.environ.update({**self._aws.environment(self._region), **credentials})

    def connect(self, stack: StackOutputs, image: str) -> None:
        """Take up the stack's outputs with this build of the image, as a person's next command would."""
        place = self._state / "stacks" / f"aws.{stack.prefix}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        outputs = stack.model_copy(update={"image": image})
        place.write_text(outputs.model_dump_json(), encoding="utf-8")
        self.environment["SEATRIAL_STACK"] = outputs.model_dump_json(exclude_defaults=True)
        self.names = Names.of(outputs, self._model)
        self.cloud = cast(AwsCloud, clouds.load("aws", self._state))
        self._pipelines = clouds.load_pipelines("aws", self._state)

    # pipelines

    def deploy(self, pipeline: str, arguments: Mapping[str, Json]) -> Prepared:
        """Put a pipeline there with these arguments as its defaults."""
        model = self._model
        run = run_of(self._opened, model, pipeline, self._documents[pipeline], {"model": model, **arguments})
        prepared = self._pipelines.prepare(run)
        self._pipelines.deploy(prepared)
        return prepared

    def start(self, prepared: Prepared) -> str:
        """Start it; gives the execution.

        Raises:
            RehearsalError: it runs something else.
        """
        execution = self._pipelines.start(prepared, secrets.token_hex(20))
        if not self._pipelines.runs(execution, prepared):
            raise RehearsalError(
                f"the execution {execution} does not run what was deployed",
                why="Nobody else deploys in a rehearsal: the service started another definition than it was given.",
                todo="Report it, with the definition that `seatrial compile` writes.",
            )
        return execution

    def state(self, execution: str) -> Execution | None:
        """What the service says of an execution."""
        return self._pipelines.state(execution)

    def follow(self, execution: str, also: Callable[[StepState], None] = lambda _: None) -> Execution:
        """Wait until it is over. ``also`` hears of each step whose state changes."""
        return self._pipelines.follow(execution, _Meanwhile(self._line, also))

    def stop(self, execution: str) -> None:
        """End an execution, and wait until it has."""
        self._pipelines.stop(execution)
        self.follow(execution)

    def error_of(self, ended: Execution) -> TaskError | None:
        """Why an execution did not succeed; None where it did."""
        return error_of(self._pipelines, ended, self._tasks(ended))

    def succeeded(self, ended: Execution) -> dict[str, Mapping[str, Json]]:
        """The tasks of an execution by name; of several, the last.

        Raises:
            TaskError: it did not succeed.
        """
        tasks = self._tasks(ended)
        failed = error_of(self._pipelines, ended, tasks)
        if failed is not None:
            raise failed
        return {task["name"]: task for task in tasks if task["state"] == "SUCCEEDED"}

    def _tasks(self, ended: Execution) -> list[Mapping[str, Json]]:
        return [task for step in ended.steps for task in self._pipelines.records(step)]

    def executions(self, pipeline: str) -> set[str]:
        """Every execution of one of the project's pipelines."""
        listed = self._client("sagemaker").list_pipeline_executions(PipelineName=self.names.pipeline(pipeline))
        return {each["PipelineExecutionArn"] for each in listed["PipelineExecutionSummaries"]}

    def approve(self, version: Version) -> Execution:
        """Approve a version, and follow the pipeline that the approval starts.

        Raises:
            RehearsalError: it started nothing.
        """
        name = self.names.pipeline("release")
        before = self.executions("release")
        self.cloud.registry.approve(self._model, version.number, note="the rehearsal's reviewer")
        end = time.monotonic() + _PATIENCE_S
        while not (started := self.executions("release") - before):
            if time.monotonic() > end:
                raise RehearsalError(
                    f"the approval of v{version.number} started nothing",
                    why=f"The rule is to start {name} within seconds.",
                    todo="Look at the rule's pattern and its target's parameters.",
                )
            time.sleep(_LOOK_S)
        self._line.tell(f"v{version.number} approved; the rule started {name}")
        return self.follow(started.pop())

    # what is there

    def package(self, version: Version) -> Package:
        """A version's package, as the registry holds it."""
        return Package.open(self.cloud.registry.package_path(version), digest=version.digest)

    def raised(self, alarm: str) -> str:
        """Why an alarm went off the last time; empty when it never did."""
        history = self._client("cloudwatch").describe_alarm_history(AlarmName=alarm, HistoryItemType="StateUpdate")
        states = [json.loads(item["HistoryData"])["newState"] for item in history["AlarmHistoryItems"]]
        return next((str(state["stateReason"]) for state in states if state["stateValue"] == "ALARM"), "")

    def caller(self) -> Ask:
        """One who asks the endpoint, as whom the adapters act, and never twice."""
        from botocore.config import Config
        from botocore.exceptions import ClientError

        once = Config(retries={"total_max_attempts": 1})
        runtime = new_session().client("sagemaker-runtime", config=once)

        def ask(body: bytes) -> bytes:
            try:
                answer = runtime.invoke_endpoint(
                    EndpointName=self.names.endpoint,
                    Body=body,
                    ContentType="application/json",
                    Accept="application/json",
                )
            except ClientError as failed:
                if failed.response["Error"]["Code"] == "ModelError":
                    raise Refused from failed
                raise
            found: bytes = answer["Body"].read()
            return found

        return ask

    def _client(self, service: str) -> Any:
        """The account's owner, who may look at everything."""
        if service not in self._clients:
            self._clients[service] = new_session().client(service, **self._aws.client_settings(self._region))
        return self._clients[service]
