"""What goes wrong ends in a clear state with clear words, and leaves no process, folder or endpoint behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError
from pydantic import ValidationError

from seatrial.rehearsal.aws import OfflineAws
from tests.processes import below

FIT = "open('/opt/ml/model/m', 'w').write('m')"
MAKE = "open('/opt/ml/processing/out/m', 'w').write('m')"
SLEEP = "import time; print('begun', flush=True); time.sleep(600)"
ONCE = Config(retries={"total_max_attempts": 1})
PATIENT = Config(retries={"mode": "standard", "total_max_attempts": 4})


def _client(bench: Any, service: str, config: Config) -> Any:
    return boto3.client(service, config=config, **bench.aws.client_settings())


def _folder_of(pid: int) -> Path:
    """The server's folder for what runs: it holds a lock in it."""
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = descriptor.readlink()
        except FileNotFoundError:
            continue
        if target.name.startswith("lives") and target.parent.name.startswith("seatrial-aws-"):
            return target.parent
    raise AssertionError("the server holds no folder")


def _left(bench: Any) -> tuple[set[int], set[str], list[str]]:
    endpoints = [each["EndpointName"] for each in bench.sagemaker.list_endpoints()["Endpoints"]]
    return below(bench.aws.pid), {each.name for each in _folder_of(bench.aws.pid).iterdir()}, endpoints


@pytest.fixture(autouse=True)
def _nothing_is_orphaned(bench: Any) -> Iterator[None]:
    """After each fault, the server's processes, folders and endpoints are those of before."""
    going = bench.until(  # what a test before has deleted
        lambda: bench.sagemaker.list_endpoints(StatusEquals="Deleting")["Endpoints"], lambda found: not found
    )
    assert going == []
    before = _left(bench)
    yield
    bench.aws.clear_faults()
    assert bench.until(lambda: _left(bench), lambda now: now == before) == before


def test_an_orphan_would_be_seen(bench: Any) -> None:
    """The check of every other test here can fail."""
    before = _left(bench)
    bench.sagemaker.create_processing_job(**bench.processing_request("seen", SLEEP))
    now = bench.until(lambda: _left(bench), lambda now: now[0] > before[0] and now[1] > before[1])
    assert now[0] > before[0]
    assert now[1] > before[1]
    bench.sagemaker.stop_processing_job(ProcessingJobName="seen")
    bench.ended("processing", "seen")


# What struck, and in which state and words it ended. Each row: the fault's settings, and what then happens.


def _throttled_and_retried(bench: Any) -> None:
    bench.aws.fault("throttling", operation="CreateProcessingJob", times=2)
    sagemaker = _client(bench, "sagemaker", PATIENT)
    sagemaker.create_processing_job(**bench.processing_request("throttled", MAKE))
    assert bench.ended("processing", "throttled")["ProcessingJobStatus"] == "Completed"
    assert bench.aws.faults()[0]["struck"] == ["CreateProcessingJob"] * 2


def _throttled_for_good(bench: Any) -> None:
    bench.aws.fault("throttling", operation="Create*Job", times=9)
    with pytest.raises(ClientError, match="Rate exceeded") as caught:
        _client(bench, "sagemaker", ONCE).create_processing_job(**bench.processing_request("refused", MAKE))
    assert caught.value.response["Error"]["Code"] == "ThrottlingException"
    with pytest.raises(ClientError, match="Could not find requested job"):
        bench.sagemaker.describe_processing_job(ProcessingJobName="refused")


def _storage_slows_down(bench: Any) -> None:
    bench.aws.fault("throttling", operation="GetObject", by="platform", times=2)
    assert bench.process("slowed", MAKE)["ProcessingJobStatus"] == "Completed"
    assert bench.aws.faults()[0]["left"] == 0


def _storage_fails(bench: Any) -> None:
    bench.aws.fault("internal-error", operation="ListObjectsV2", by="platform", times=20)
    said = bench.process("no-storage", MAKE)
    assert said["ProcessingJobStatus"] == "Failed"
    assert "Data transfer failed" in said["FailureReason"]
    assert "InternalError" in said["FailureReason"]


def _results_refused(bench: Any) -> None:
    bench.aws.fault("access-denied", operation="PutObject", target="*/made/*", by="platform")
    said = bench.process("refused-results", MAKE)
    assert said["ProcessingJobStatus"] == "Failed"
    assert "AccessDenied" in said["FailureReason"]
    assert "PutObject" in said["FailureReason"]


def _credentials_expire(bench: Any) -> None:
    bench.sagemaker.create_training_job(**bench.training_request("unwatched", FIT))
    bench.aws.fault("expired-credentials", by="clients", times=2)
    with pytest.raises(ClientError, match="security token included in the request is expired") as caught:
        bench.sagemaker.describe_training_job(TrainingJobName="unwatched")
    assert caught.value.response["Error"]["Code"] == "ExpiredTokenException"
    with pytest.raises(ClientError, match="ExpiredToken"):
        bench.read("in/a.txt")
    assert bench.ended("training", "unwatched")["TrainingJobStatus"] == "Completed"


def _access_denied(bench: Any) -> None:
    bench.aws.fault("access-denied", operation="CreateTrainingJob")
    with pytest.raises(ClientError, match="is not authorized to perform: CreateTrainingJob") as caught:
        bench.sagemaker.create_training_job(**bench.training_request("denied", FIT))
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"


def _quota(bench: Any) -> None:
    bench.aws.fault("quota", operation="CreateTrainingJob")
    with pytest.raises(ClientError, match="service limit") as caught:
        bench.sagemaker.create_training_job(**bench.training_request("too-many", FIT))
    assert caught.value.response["Error"]["Code"] == "ResourceLimitExceeded"


def _query_service_refuses(bench: Any) -> None:
    bench.aws.fault("access-denied", operation="GetRole")
    with pytest.raises(ClientError, match="GetRole") as caught:
        bench.client("iam").get_role(RoleName="trial")
    assert caught.value.response["Error"]["Code"] == "AccessDenied"


def _no_capacity(bench: Any) -> None:
    bench.aws.fault("no-capacity", target="nowhere")
    said = bench.train("nowhere", FIT)
    assert said["TrainingJobStatus"] == "Failed"
    assert said["FailureReason"].startswith("CapacityError: Unable to provision")


def _instance_lost(bench: Any) -> None:
    bench.aws.fault("instance-lost", target="lost", on_line="begun")
    said = bench.train("lost", SLEEP)
    assert said["TrainingJobStatus"] == "Failed"
    assert said["FailureReason"].startswith("InternalServerError")
    assert bench.aws.faults()[0]["struck"] == ["lost"]


def _instance_lost_now(bench: Any) -> None:
    bench.sagemaker.create_processing_job(**bench.processing_request("lost-now", SLEEP))
    bench.until(lambda: "begun" in bench.lines("/aws/sagemaker/ProcessingJobs", "lost-now"), bool)
    bench.aws.fault("instance-lost", target="lost-now")
    assert bench.ended("processing", "lost-now")["FailureReason"].startswith("InternalServerError")


def _out_of_memory(bench: Any) -> None:
    bench.aws.fault("out-of-memory", target="greedy", megabytes=64)
    said = bench.process("greedy", "import time; kept = bytearray(200_000_000); time.sleep(600)")
    assert said["ProcessingJobStatus"] == "Failed"
    assert "out of memory" in said["FailureReason"]
    assert said["FailureReason"].endswith("exit code: 137")


def _disk_full(bench: Any) -> None:
    bench.aws.fault("disk-full", target="bulky", megabytes=1)
    said = bench.train("bulky", "open('/opt/ml/model/m', 'wb').write(bytes(8_000_000))")
    assert said["TrainingJobStatus"] == "Failed"
    assert "No space left on device" in said["FailureReason"]


def _disk_not_full(bench: Any) -> None:
    bench.aws.fault("disk-full", target="slim", megabytes=1)
    assert bench.process("slim", MAKE)["ProcessingJobStatus"] == "Completed"
    assert bench.read("slim/made/m") == b"m"
    assert bench.aws.faults()[0]["struck"] == ["slim"]


def _image_without_the_command(bench: Any) -> None:
    app = {"ImageUri": bench.uri, "ContainerEntrypoint": ["no-such-program"]}
    bench.sagemaker.create_processing_job(**bench.processing_request("no-command", MAKE, AppSpecification=app))
    said = bench.ended("processing", "no-command")
    assert said["ProcessingJobStatus"] == "Failed"
    assert said["FailureReason"].endswith("exit code: 127")
    assert "no-such-program" in said["FailureReason"]


RESUME = """
import time
from pathlib import Path
done = len(list(Path("/opt/ml/checkpoints").iterdir()))
(Path("/opt/ml/checkpoints") / f"epoch-{done + 1}").write_text("weights")
print("epoch", done + 1, flush=True)
if not done:
    time.sleep(600)
Path("/opt/ml/model/m").write_text(f"{done + 1} epochs")
"""


def _spot_interruption(bench: Any) -> None:
    bench.aws.fault("spot-interruption", target="spot", on_line="epoch 1")
    spot = {
        "EnableManagedSpotTraining": True,
        "CheckpointConfig": {"S3Uri": f"s3://{bench.bucket}/checkpoints/spot"},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 600},
    }
    said = bench.train("spot", RESUME, **spot)
    assert said["TrainingJobStatus"] == "Completed", said
    assert "Interrupted" in [each["Status"] for each in said["SecondaryStatusTransitions"]]
    assert bench.lines("/aws/sagemaker/TrainingJobs", "spot") == ["epoch 1", "epoch 2"]


def _pipeline(bench: Any, name: str, *exceptions: str) -> str:
    arguments = bench.processing_request(name, MAKE)
    del arguments["ProcessingJobName"]
    step: dict[str, Any] = {"Name": "make", "Type": "Processing", "Arguments": arguments}
    if exceptions:
        step["RetryPolicies"] = [{"ExceptionType": list(exceptions), "IntervalSeconds": 1, "MaxAttempts": 3}]
    definition = json.dumps({"Version": "2020-12-01", "Steps": [step]})
    bench.sagemaker.create_pipeline(
        PipelineName=name, PipelineDefinition=definition, RoleArn=bench.role, ClientRequestToken=f"{name:0>32}"
    )
    return name


def _ended(bench: Any, arn: str) -> tuple[str, dict[str, Any]]:
    said = bench.until(
        lambda: bench.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn),
        lambda d: d["PipelineExecutionStatus"] not in ("Executing", "Stopping"),
    )
    steps = bench.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    return str(said["PipelineExecutionStatus"]), steps[0]


@pytest.mark.parametrize(
    ("exception", "fault"),
    [
        ("Step.THROTTLING", {"kind": "throttling", "operation": "CreateProcessingJob", "by": "platform"}),
        ("Step.SERVICE_FAULT", {"kind": "unavailable", "operation": "CreateProcessingJob", "by": "platform"}),
        ("SageMaker.RESOURCE_LIMIT", {"kind": "quota", "operation": "CreateProcessingJob", "by": "platform"}),
        ("SageMaker.CAPACITY_ERROR", {"kind": "no-capacity", "target": "pipelines-*-make-*"}),
        ("SageMaker.JOB_INTERNAL_ERROR", {"kind": "instance-lost", "target": "pipelines-*-make-*"}),
    ],
)
def test_a_step_is_tried_again_for_the_failures_that_its_policy_names(
    bench: Any, exception: str, fault: dict[str, Any]
) -> None:
    """And for no other: without the policy, one failure ends the execution."""
    short = exception.rpartition(".")[2].lower().replace("_", "-")
    for name, policies, expected in ((f"{short}-again", [exception], "Succeeded"), (f"{short}-once", [], "Failed")):
        bench.aws.fault(**fault)
        arn = bench.sagemaker.start_pipeline_execution(PipelineName=_pipeline(bench, name, *policies))
        status, step = _ended(bench, arn["PipelineExecutionArn"])
        assert (status, step["AttemptCount"]) == (expected, 2 if policies else 1), step


def _answer_lost(bench: Any) -> None:
    name = _pipeline(bench, "lost-answer")
    bench.aws.fault("lost-answer", operation="StartPipelineExecution")
    sagemaker = _client(bench, "sagemaker", PATIENT)
    arn = sagemaker.start_pipeline_execution(PipelineName=name)["PipelineExecutionArn"]
    listed = bench.sagemaker.list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"]
    assert [each["PipelineExecutionArn"] for each in listed] == [arn]
    assert _ended(bench, arn)[0] == "Succeeded"


def _answer_lost_to_a_name(bench: Any) -> None:
    bench.aws.fault("lost-answer", operation="CreateTrainingJob")
    with pytest.raises(ClientError, match="must be unique") as caught:
        _client(bench, "sagemaker", PATIENT).create_training_job(**bench.training_request("twice-asked", FIT))
    assert caught.value.response["Error"]["Code"] == "ResourceInUse"
    assert bench.ended("training", "twice-asked")["TrainingJobStatus"] == "Completed"


def _no_answer(bench: Any) -> None:
    bench.aws.fault("no-answer", operation="CreateTrainingJob")
    _client(bench, "sagemaker", PATIENT).create_training_job(**bench.training_request("asked-again", FIT))
    assert bench.ended("training", "asked-again")["TrainingJobStatus"] == "Completed"
    assert bench.aws.faults()[0]["left"] == 0


def _too_slow(bench: Any) -> None:
    bench.aws.fault("slow", operation="ListTrainingJobs", seconds=30)
    hasty = Config(read_timeout=0.3, retries={"total_max_attempts": 1})
    with pytest.raises(ReadTimeoutError):
        _client(bench, "sagemaker", hasty).list_training_jobs()
    assert "TrainingJobSummaries" in bench.sagemaker.list_training_jobs()


def _config(bench: Any, name: str, text: str) -> str:
    bench.model(name, text)
    variant = {
        "VariantName": "main", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large",
        "ContainerStartupHealthCheckTimeoutInSeconds": 60,
    }  # fmt: skip
    bench.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    return name


def _endpoint(bench: Any, name: str) -> dict[str, Any]:
    bench.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=_config(bench, name, "good"))
    said: dict[str, Any] = bench.until(
        lambda: bench.sagemaker.describe_endpoint(EndpointName=name), lambda d: d["EndpointStatus"] != "Creating"
    )
    return said


def _gone(bench: Any, name: str) -> None:
    bench.sagemaker.delete_endpoint(EndpointName=name)


def _corrupt_artifact(bench: Any) -> None:
    bench.aws.fault("corrupt-upload", target="s3://*/models/rotten/model.tar.gz")
    said = _endpoint(bench, "rotten")
    assert said["EndpointStatus"] == "Failed"
    assert "Failed to extract model data archive" in said["FailureReason"]
    assert "models/rotten/model.tar.gz" in said["FailureReason"]
    _gone(bench, "rotten")


def _never_healthy(bench: Any) -> None:
    bench.aws.fault("never-healthy", target="ill")
    said = _endpoint(bench, "ill")
    assert said["EndpointStatus"] == "Failed"
    assert "did not pass the ping health check" in said["FailureReason"]
    with pytest.raises(ClientError, match="not found"):
        _invoke(bench, "ill", PATIENT)
    _gone(bench, "ill")


def _never_healthy_and_late(bench: Any) -> None:
    """It is given up before its process has begun, which then must not run for ever."""
    bench.aws.fault("slow", operation="GetObject", target="s3://*/models/late/model.tar.gz", by="platform", seconds=2)
    bench.aws.fault("never-healthy", target="late")
    assert _endpoint(bench, "late")["EndpointStatus"] == "Failed"
    _gone(bench, "late")


def _invoke(bench: Any, name: str, config: Config) -> str:
    runtime = _client(bench, "sagemaker-runtime", config)
    answer = runtime.invoke_endpoint(EndpointName=name, Body=b"x", ContentType="text/csv")
    return str(answer["Body"].read().decode())


def _server_lost(bench: Any) -> None:
    assert _endpoint(bench, "mended")["EndpointStatus"] == "InService"
    before = below(bench.aws.pid)
    bench.aws.fault("server-lost", target="mended")
    answers = bench.until(lambda: _answers(bench, "mended"), lambda seen: seen == "good:x")
    assert answers == "good:x"
    assert bench.sagemaker.describe_endpoint(EndpointName="mended")["EndpointStatus"] == "InService"
    bench.until(lambda: below(bench.aws.pid) & before, lambda left: not left)
    _gone(bench, "mended")


def _server_hangs(bench: Any) -> None:
    assert _endpoint(bench, "stuck")["EndpointStatus"] == "InService"
    bench.aws.fault("server-hangs", target="stuck")
    assert bench.aws.faults()[0]["struck"] == ["stuck"]
    assert bench.until(lambda: _answers(bench, "stuck"), lambda seen: seen == "good:x") == "good:x"
    _gone(bench, "stuck")


def _answers(bench: Any, name: str) -> str:
    """An answer, or the code of the error that came in its place: of a server that is gone or hangs, no other."""
    try:
        return _invoke(bench, name, Config(read_timeout=1, retries={"total_max_attempts": 1}))
    except ReadTimeoutError:
        return "no answer yet"
    except ClientError as error:
        assert error.response["Error"]["Code"] in ("ServiceUnavailable", "ModelError")
        return str(error.response["Error"]["Code"])


LAUNCHER = """
import sys, boto3, json
sagemaker = boto3.client("sagemaker", **json.loads(sys.argv[1]))
token = sys.argv[3]
started = sagemaker.start_pipeline_execution(PipelineName=sys.argv[2], ClientRequestToken=token)
print(started["PipelineExecutionArn"], flush=True)
sys.stdin.read()
"""


def _launcher_killed(bench: Any) -> None:
    name, token = _pipeline(bench, "resumed"), "a" * 32
    arns = []
    for _ in range(2):  # the second is the one that a person starts after the first was killed
        arguments = [sys.executable, "-c", LAUNCHER, json.dumps(bench.aws.client_settings()), name, token]
        with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as launcher:
            assert launcher.stdout is not None
            arns.append(launcher.stdout.readline().strip())
            launcher.send_signal(signal.SIGKILL)
    assert arns[0] == arns[1]
    assert _ended(bench, arns[0])[0] == "Succeeded"


ROWS: tuple[Callable[[Any], None], ...] = (
    _throttled_and_retried, _throttled_for_good, _storage_slows_down, _storage_fails, _results_refused,
    _credentials_expire, _access_denied, _quota, _query_service_refuses, _no_capacity, _instance_lost,
    _instance_lost_now, _out_of_memory, _disk_full, _disk_not_full, _image_without_the_command, _spot_interruption,
    _answer_lost, _answer_lost_to_a_name, _no_answer, _too_slow, _corrupt_artifact, _never_healthy,
    _never_healthy_and_late, _server_lost,
    _server_hangs, _launcher_killed,
)  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.__name__.strip("_").replace("_", "-"))
def test_a_fault_ends_in_a_clear_state(bench: Any, row: Callable[[Any], None]) -> None:
    """Each row injects one, and looks at what a client then sees."""
    row(bench)


def test_a_server_that_was_killed_leaves_nothing(tmp_path: Path, bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its jobs end with it, and the next server removes its folder."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    images = bench.images
    with OfflineAws(images, speed=100) as aws:
        other = type(bench)(aws)
        other.sagemaker.create_processing_job(**other.processing_request("orphan", SLEEP))
        other.until(lambda: other.lines("/aws/sagemaker/ProcessingJobs", "orphan"), bool)
        folder, started = _folder_of(aws.pid), below(aws.pid)
        assert started
        os.kill(aws.pid, signal.SIGKILL)
    other.until(lambda: [pid for pid in started if Path(f"/proc/{pid}").exists()], lambda left: not left)
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]
    assert folder.exists()
    with OfflineAws(images, speed=100) as aws:
        assert not folder.exists()
        assert _folder_of(aws.pid).exists()
    assert not list(tmp_path.glob("seatrial-aws-*"))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"kind": "gremlins"}, "throttling"),
        ({"kind": "throttling", "operation": "CreateTrainigJob"}, "no operation is called 'CreateTrainigJob'"),
        ({"kind": "instance-lost", "operation": "CreateTrainingJob"}, "strikes no request"),
        ({"kind": "throttling", "on_line": "epoch"}, "on_line is for"),
        ({"kind": "disk-full", "times": 0, "megabytes": 0}, "2 validation errors"),
        ({"kind": "corrupt-upload", "operation": "GetObject"}, "PutObject"),
    ],
)
def test_a_fault_that_could_never_strike_is_refused(bench: Any, settings: dict[str, Any], words: str) -> None:
    """A misspelt operation would prove that everything survives it."""
    with pytest.raises(ValidationError, match=words):
        bench.aws.fault(**settings)
    assert bench.aws.faults() == []


def test_faults_tell_what_they_struck_and_can_be_taken_back(bench: Any) -> None:
    """A story that injects one must know that it struck."""
    bench.aws.fault("throttling", operation="ListModels", times=2)
    with pytest.raises(ClientError):
        _client(bench, "sagemaker", ONCE).list_models()
    assert [(each["struck"], each["left"]) for each in bench.aws.faults()] == [(["ListModels"], 1)]
    bench.aws.clear_faults()
    _client(bench, "sagemaker", ONCE).list_models()
