"""What each step type does. Steps call the same operations, over the same HTTP, as anybody's client."""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import threading
import time
import uuid
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from subprocess import TimeoutExpired, run
from typing import Any

from botocore.exceptions import ClientError

from seatrial.rehearsal.aws.iam.authority import Denied, Need
from seatrial.rehearsal.aws.pipelines.definition import Step
from seatrial.rehearsal.aws.pipelines.values import Scope
from seatrial.rehearsal.aws.world import ACCOUNT, World

_LONGEST_LAMBDA_S = 120
_RUN_HANDLER = (
    "import importlib, json, sys; sys.path.insert(0, sys.argv[1]); module, _, name = sys.argv[2].rpartition('.'); "
    "handler = getattr(importlib.import_module(module.replace('/', '.')), name); "
    "answer = handler(json.loads(sys.stdin.read()), None); open(sys.argv[3], 'w').write(json.dumps(answer))"
)


class StepFailed(Exception):
    """The step ends as Failed with this text as its FailureReason."""


class StepStopped(Exception):
    """The step was stopped on the way."""


@dataclass
class Running:
    """One attempt at one step: where it writes its metadata, and how it is stopped."""

    world: World
    region: str
    execution_arn: str
    scope: Scope
    role: str
    attempt: int = 1
    metadata: dict[str, Any] = field(default_factory=dict)
    stop_asked: threading.Event = field(default_factory=threading.Event)
    on_stop: Callable[[], None] | None = None

    def stop(self) -> None:
        """Ask this attempt to end."""
        self.stop_asked.set()
        if self.on_stop is not None:
            self.on_stop()

    def client(self, service: str) -> Any:
        """A client of this very server, as the pipeline's role."""
        return self.world.client(service, self.region, self.role)

    def job_name(self, step: Step) -> str:
        """As the service names the jobs of a step: at most 63 characters, new for each attempt."""
        execution = self.execution_arn.rsplit("/", 1)[1]
        unique = hashlib.sha256(
            f"{self.execution_arn} {step.name} {self.attempt} {time.time_ns()}".encode()
        ).hexdigest()
        short = step.name.replace("_", "-")[: 63 - len(f"pipelines-{execution}--") - 10].strip("-")
        return f"pipelines-{execution}-{short}-{unique[:10]}"


def run_job(step: Step, running: Running) -> Mapping[str, Any]:
    """Processing, training and transform: start the job, wait for its end, give what Describe says."""
    kind = step.kind.lower()
    client = running.client("sagemaker")
    name = running.job_name(step)
    request = {**running.scope.resolve(dict(step.arguments)), f"{step.kind}JobName": name}
    request = {key: value for key, value in request.items() if value is not None and key != "ExperimentConfig"}
    arn = getattr(client, f"create_{kind}_job")(**request)[f"{step.kind}JobArn"]
    running.metadata[f"{step.kind}Job"] = {"Arn": arn}
    job = running.world.jobs[running.region, kind, name]
    running.on_stop = job.stop
    if running.stop_asked.is_set():
        job.stop()
    job.done.wait()
    said: Mapping[str, Any] = getattr(client, f"describe_{kind}_job")(**{f"{step.kind}JobName": name})
    status = said[f"{step.kind}JobStatus"]
    if status == "Stopped" and running.stop_asked.is_set():
        raise StepStopped
    if status != "Completed":
        raise StepFailed(said.get("FailureReason") or f"{step.kind} job {name} ended as {status}")
    return said


def run_condition(step: Step, running: Running) -> Mapping[str, Any]:
    """All conditions must hold. The branch itself is the scheduler's business."""
    outcome = all(running.scope.holds(each) for each in step.arguments["Conditions"])
    running.metadata["Condition"] = {"Outcome": "True" if outcome else "False"}
    return {"Outcome": "True" if outcome else "False"}


def run_fail(step: Step, running: Running) -> Mapping[str, Any]:
    """End the execution with the pipeline's own words."""
    message = str(running.scope.resolve(step.arguments.get("ErrorMessage", "")))
    running.metadata["Fail"] = {"ErrorMessage": message}
    raise StepFailed(message)


def run_register(step: Step, running: Running) -> Mapping[str, Any]:
    """Create a version in a model package group; the group too, where it is missing, as the service does."""
    client = running.client("sagemaker")
    request = running.scope.resolve(dict(step.arguments))
    request.pop("SkipModelValidation", None)
    group = request.get("ModelPackageGroupName")
    if group and group not in _groups(client):
        try:
            client.create_model_package_group(ModelPackageGroupName=group)
        except ClientError as refused:
            if "already exists" not in str(refused):  # a step beside this one made it
                raise
    arn = client.create_model_package(**request)["ModelPackageArn"]
    running.metadata["RegisterModel"] = {"Arn": arn}
    said: Mapping[str, Any] = client.describe_model_package(ModelPackageName=arn)
    return said


def _groups(client: Any) -> set[str]:
    pages = client.get_paginator("list_model_package_groups").paginate()
    return {each["ModelPackageGroupName"] for page in pages for each in page["ModelPackageGroupSummaryList"]}


def run_model(step: Step, running: Running) -> Mapping[str, Any]:
    """Create a model."""
    client = running.client("sagemaker")
    name = running.job_name(step)
    request = {**running.scope.resolve(dict(step.arguments)), "ModelName": name}
    running.metadata["Model"] = {"Arn": client.create_model(**request)["ModelArn"]}
    said: Mapping[str, Any] = client.describe_model(ModelName=name)
    return said


def run_lambda(step: Step, running: Running) -> Mapping[str, Any]:
    """Run the function's uploaded code in a Python process of its own, and keep the outputs that the step declares."""
    from moto.awslambda.models import lambda_backends

    arn = str(step.document["FunctionArn"])
    world = running.world
    try:
        world.iam.require(world.iam.service_session(running.role), [Need("lambda:InvokeFunction", arn)])
    except Denied as denied:
        raise StepFailed(f"ClientError: {denied}") from denied
    function = lambda_backends[ACCOUNT][running.region].get_function(arn)
    with tempfile.TemporaryDirectory(dir=world.folder) as name:
        code, answer = Path(name) / "code", Path(name) / "answer.json"
        with zipfile.ZipFile(BytesIO(function.code_bytes)) as archive:
            archive.extractall(code)
        variables = {
            **world.job_variables(running.region, str(function.role)),
            "PATH": "/usr/bin:/bin",
            **(function.environment_vars or {}),
        }
        try:
            done = run(
                [sys.executable, "-c", _RUN_HANDLER, str(code), function.handler, str(answer)],
                input=json.dumps(running.scope.resolve(dict(step.arguments))),
                capture_output=True, text=True, env=variables, timeout=_LONGEST_LAMBDA_S, check=False,
            )  # fmt: skip
        except TimeoutExpired as slow:
            raise StepFailed(f"Lambda function {arn} ran longer than {_LONGEST_LAMBDA_S} s") from slow
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["no output"]
            raise StepFailed(f"Lambda function {arn} raised {lines[-1]}")
        outputs = json.loads(answer.read_text()) or {}
    return _outputs(step, outputs, running.metadata, "Lambda", arn)


def _outputs(step: Step, given: Any, metadata: dict[str, Any], kind: str, where: str) -> Mapping[str, Any]:
    names = [each["OutputName"] for each in step.document.get("OutputParameters", [])]
    missing = [name for name in names if not isinstance(given, dict) or name not in given]
    if missing:
        raise StepFailed(f"{kind} step '{step.name}' got no value for its output(s) {', '.join(missing)}")
    outputs = {name: given[name] for name in names}
    key = "Arn" if kind == "Lambda" else "SqsQueueUrl"
    listed = [
        {"Name": name, "Value": value if isinstance(value, str) else json.dumps(value)}
        for name, value in outputs.items()
    ]
    metadata[kind] = {**metadata.get(kind, {}), key: where, "OutputParameters": listed}
    return {"OutputParameters": outputs}


class Callbacks:
    """Callback steps that wait for somebody to answer with their token."""

    def __init__(self) -> None:
        """None waits at first."""
        self._lock = threading.Lock()
        self._waiting: dict[str, tuple[threading.Event, dict[str, Any]]] = {}

    def open(self) -> tuple[str, threading.Event, dict[str, Any]]:
        """A new token, what is set when it is answered, and where the answer will stand."""
        token, answered, answer = uuid.uuid4().hex[:10], threading.Event(), dict[str, Any]()
        with self._lock:
            self._waiting[token] = (answered, answer)
        return token, answered, answer

    def answer(self, token: str, answer: Mapping[str, Any]) -> bool:
        """Hand an answer over; False for a token that nobody waits for."""
        with self._lock:
            waiting = self._waiting.pop(token, None)
        if waiting is None:
            return False
        waiting[1].update(answer)
        waiting[0].set()
        return True


def run_callback(step: Step, running: Running, callbacks: Callbacks) -> Mapping[str, Any]:
    """Send the token to the queue, then wait for SendPipelineExecutionStepSuccess or -Failure."""
    queue = str(running.scope.resolve(step.document["SqsQueueUrl"]))
    token, answered, answer = callbacks.open()
    running.on_stop = answered.set
    if running.stop_asked.is_set():
        answered.set()
    message = {
        "token": token,
        "pipelineExecutionArn": running.execution_arn,
        "stepName": step.name,
        "arguments": running.scope.resolve(dict(step.arguments)),
        "status": "Executing",
    }
    running.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(message))
    running.metadata["Callback"] = {"CallbackToken": token, "SqsQueueUrl": queue}
    answered.wait()
    if running.stop_asked.is_set():
        raise StepStopped
    if "FailureReason" in answer:
        raise StepFailed(answer["FailureReason"])
    given = {each["Name"]: each["Value"] for each in answer.get("OutputParameters", [])}
    return _outputs(step, given, running.metadata, "Callback", queue)
