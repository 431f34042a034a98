"""Drives the offline AWS with the unmodified ``aws`` command, and prints what worked.

Usage: python tests/conformance/strangers_cli.py AWS [WORD ...]

AWS is the ``aws`` program (``pip install awscli``, or version 2). Words choose rows; the first two prepare the others.
Each row checks an effect besides the exit code. Exit code 1 where a row is wrong.
"""

from __future__ import annotations

import argparse
import functools
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from seatrial.rehearsal.aws import OfflineAws
from tests.conformance.strangers_sdk import image

BUCKET, ROLE = "shelf", "arn:aws:iam::123456789012:role/worker"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/strangers:1"
Row = Callable[["Terminal"], None]
ROWS: list[tuple[str, Row]] = []


def row(what: str) -> Callable[[Row], Row]:
    """Declare a row of the table."""

    def add(check: Row) -> Row:
        ROWS.append((what, check))
        return check

    return add


class Terminal:
    """A folder and the command."""

    def __init__(self, program: Path, folder: Path, environment: dict[str, str]) -> None:
        self.program, self.folder = program, folder
        self.environment = {**os.environ, **environment, "HOME": str(folder), "AWS_PAGER": "", "AWS_MAX_ATTEMPTS": "2"}
        self.commands: list[str] = []

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One command."""
        self.commands.append(" ".join(words[:2]))
        return subprocess.run(
            [str(self.program), *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def aws(self, *words: str) -> Any:
        """What a command that has to succeed prints, read as JSON where it is some."""
        done = self.run(*words)
        assert done.returncode == 0, f"{' '.join(words)} ended with {done.returncode}: {done.stderr.strip()}"
        try:
            return json.loads(done.stdout)
        except ValueError:
            return done.stdout

    @functools.cached_property
    def version(self) -> str:
        """What the command says that it is."""
        return self.run("--version").stdout.strip()

    def refused(self, code: str, *words: str) -> str:
        """The message of a command that has to fail with this error code."""
        done = self.run(*words)
        wanted = 255 if self.version.startswith("aws-cli/1") else 254
        assert done.returncode == wanted, f"{' '.join(words)} ended with {done.returncode}: {done.stderr}"
        assert f"({code})" in done.stderr, done.stderr
        return done.stderr

    def file(self, name: str, content: Any) -> str:
        """Write a file for ``--cli-input-json`` and the like; gives its address."""
        (self.folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
        return f"file://{name}"

    def until(self, look: Callable[[], Any], good: Callable[[Any], Any], limit_s: float = 60) -> Any:
        """What ``look`` gives once it is good."""
        end = time.monotonic() + limit_s
        while True:
            seen = look()
            if good(seen) or time.monotonic() > end:
                assert good(seen), seen
                return seen


def processing(name: str, command: list[str], **more: Any) -> dict[str, Any]:
    """A request for a processing job."""
    return {
        "ProcessingJobName": name,
        "RoleArn": ROLE,
        "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": command},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        },
        **more,
    }


@row("iam create-role, get-role")
def _(t: Terminal) -> None:
    principal = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = t.file("trust.json", {"Version": "2012-10-17", "Statement": [principal]})
    t.aws("iam", "create-role", "--role-name", "worker", "--assume-role-policy-document", trust)
    assert t.aws("iam", "get-role", "--role-name", "worker")["Role"]["Arn"] == ROLE


@row("s3 mb, cp, sync, ls, presign, rm")
def _(t: Terminal) -> None:
    t.aws("s3", "mb", f"s3://{BUCKET}")
    t.file("accuracy.txt", "0.9")
    t.aws("s3", "cp", "accuracy.txt", f"s3://{BUCKET}/raw/accuracy.txt")
    (t.folder / "tree" / "deep").mkdir(parents=True)
    t.file("tree/a.txt", "a")
    t.file("tree/deep/b.txt", "b")
    t.aws("s3", "sync", "tree", f"s3://{BUCKET}/tree")
    listed = t.aws("s3", "ls", "--recursive", f"s3://{BUCKET}/")
    assert [line.split()[-1] for line in listed.splitlines()] == ["raw/accuracy.txt", "tree/a.txt", "tree/deep/b.txt"]
    assert not t.aws("s3", "sync", "tree", f"s3://{BUCKET}/tree").strip()  # nothing has changed
    t.aws("s3", "sync", f"s3://{BUCKET}/tree", "back")
    assert (t.folder / "back" / "deep" / "b.txt").read_text() == "b"
    t.aws("s3", "rm", "--recursive", f"s3://{BUCKET}/tree")
    assert "tree" not in t.aws("s3", "ls", f"s3://{BUCKET}/")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as writer:
        member = tarfile.TarInfo("model.txt")
        member.size = 5
        writer.addfile(member, io.BytesIO(b"alpha"))
    (t.folder / "model.tar.gz").write_bytes(archive.getvalue())
    t.aws("s3", "cp", "model.tar.gz", f"s3://{BUCKET}/archives/alpha.tar.gz")


@row("s3api head-object, an object that is not there")
def _(t: Terminal) -> None:
    said = t.aws("s3api", "head-object", "--bucket", BUCKET, "--key", "raw/accuracy.txt")
    assert said["ContentLength"] == 3
    t.refused("404", "s3api", "head-object", "--bucket", BUCKET, "--key", "nothing")
    t.refused("NoSuchBucket", "s3api", "list-objects-v2", "--bucket", "no-such-shelf")


@row("create-processing-job, wait processing-job-completed-or-stopped, outputs in S3")
def _(t: Terminal) -> None:
    given = {
        "S3Uri": f"s3://{BUCKET}/raw",
        "LocalPath": "/opt/ml/processing/input/raw",
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
    }
    made = {"S3Uri": f"s3://{BUCKET}/made", "LocalPath": "/opt/ml/processing/made", "S3UploadMode": "EndOfJob"}
    request = processing(
        "cli-one",
        ["python3", "/opt/program/run.py"],
        ProcessingInputs=[{"InputName": "raw", "S3Input": given}],
        ProcessingOutputConfig={"Outputs": [{"OutputName": "made", "S3Output": made}]},
        Environment={"WORD": "said"},
    )
    t.aws("sagemaker", "create-processing-job", "--cli-input-json", t.file("one.json", request))
    wait(t, "processing-job-completed-or-stopped", "--processing-job-name", "cli-one")
    said = t.aws("sagemaker", "describe-processing-job", "--processing-job-name", "cli-one")
    assert said["ProcessingJobStatus"] == "Completed", said
    assert t.aws("s3", "cp", f"s3://{BUCKET}/made/told.json", "-")["word"] == "said"


def wait(t: Terminal, waiter: str, *words: str) -> None:
    """``aws sagemaker wait``: it looks every 30 or 60 seconds, so the end is awaited first; then it must agree."""
    kind = "training" if "training" in waiter else "processing" if "processing" in waiter else "endpoint"
    describe, key = (
        ("describe-endpoint", "EndpointStatus")
        if kind == "endpoint"
        else (f"describe-{kind}-job", f"{kind.capitalize()}JobStatus")
    )
    t.until(
        lambda: t.aws("sagemaker", describe, *words)[key],
        lambda status: status not in ("InProgress", "Stopping", "Creating", "Updating"),
    )
    t.aws("sagemaker", "wait", waiter, *words)


@row("a failing job: the waiter ends with 255, the reason is told")
def _(t: Terminal) -> None:
    request = processing("cli-fails", ["python3", "-c", "raise SystemExit('deliberate')"])
    t.aws("sagemaker", "create-processing-job", "--cli-input-json", t.file("fails.json", request))
    words = ("--processing-job-name", "cli-fails")
    said = t.until(
        lambda: t.aws("sagemaker", "describe-processing-job", *words),
        lambda d: d["ProcessingJobStatus"] != "InProgress",
    )
    assert "deliberate" in said["FailureReason"]
    done = t.run("sagemaker", "wait", "processing-job-completed-or-stopped", *words)
    assert done.returncode == 255 and "failure state" in done.stderr, done


@row("stop-processing-job")
def _(t: Terminal) -> None:
    request = processing("cli-stops", ["python3", "-c", "import time; time.sleep(60)"])
    t.aws("sagemaker", "create-processing-job", "--cli-input-json", t.file("stops.json", request))
    t.aws("sagemaker", "stop-processing-job", "--processing-job-name", "cli-stops")
    wait(t, "processing-job-completed-or-stopped", "--processing-job-name", "cli-stops")
    assert (
        t.aws("sagemaker", "describe-processing-job", "--processing-job-name", "cli-stops")["ProcessingJobStatus"]
        == "Stopped"
    )


@row("create-training-job, wait training-job-completed-or-stopped, the archive in S3")
def _(t: Terminal) -> None:
    t.aws(
        "sagemaker", "create-training-job", "--training-job-name", "cli-fits", "--role-arn", ROLE,
        "--algorithm-specification", f"TrainingImage={IMAGE},TrainingInputMode=File",
        "--output-data-config", f"S3OutputPath=s3://{BUCKET}/models",
        "--resource-config", "InstanceCount=1,InstanceType=ml.m5.large,VolumeSizeInGB=1",
        "--stopping-condition", "MaxRuntimeInSeconds=60", "--hyper-parameters", "depth=3",
    )  # fmt: skip
    wait(t, "training-job-completed-or-stopped", "--training-job-name", "cli-fits")
    said = t.aws("sagemaker", "describe-training-job", "--training-job-name", "cli-fits")
    assert said["HyperParameters"] == {"depth": "3"}
    t.aws("s3", "cp", said["ModelArtifacts"]["S3ModelArtifacts"], "fitted.tar.gz")
    with tarfile.open(t.folder / "fitted.tar.gz") as archive:
        assert archive.getnames() == ["model.txt"]


@row("list-training-jobs, list-processing-jobs: filters, order, --max-items and --starting-token")
def _(t: Terminal) -> None:
    names = [
        e["TrainingJobName"]
        for e in t.aws("sagemaker", "list-training-jobs", "--name-contains", "fits")["TrainingJobSummaries"]
    ]
    assert names == ["cli-fits"]
    words = ("sagemaker", "list-processing-jobs", "--sort-by", "Name", "--sort-order", "Descending")
    everything = [each["ProcessingJobName"] for each in t.aws(*words)["ProcessingJobSummaries"]]
    assert everything == ["cli-stops", "cli-one", "cli-fails"], everything
    first = t.aws(*words, "--max-items", "2", "--page-size", "1")
    second = t.aws(*words, "--max-items", "2", "--starting-token", first["NextToken"])
    paged = [each["ProcessingJobName"] for page in (first, second) for each in page["ProcessingJobSummaries"]]
    assert paged == everything and "NextToken" not in second, paged
    stopped = t.aws("sagemaker", "list-processing-jobs", "--status-equals", "Stopped", "--page-size", "1")
    assert [each["ProcessingJobName"] for each in stopped["ProcessingJobSummaries"]] == ["cli-stops"]


@row("logs filter-log-events, describe-log-streams, get-log-events, tail")
def _(t: Terminal) -> None:
    group = "/aws/sagemaker/ProcessingJobs"
    found = t.aws("logs", "filter-log-events", "--log-group-name", group, "--filter-pattern", "deliberate")["events"]
    assert [each["message"] for each in found] == ["deliberate"]
    streams = t.aws("logs", "describe-log-streams", "--log-group-name", group, "--log-stream-name-prefix", "cli-fails")
    stream = streams["logStreams"][0]["logStreamName"]
    events = t.aws("logs", "get-log-events", "--log-group-name", group, "--log-stream-name", stream)["events"]
    assert [each["message"] for each in events] == ["deliberate"]
    tail = t.run("logs", "tail", group, "--since", "1h")
    if "Invalid choice" not in tail.stderr and "invalid choice" not in tail.stderr:  # version 2 alone has it
        assert tail.returncode == 0 and "deliberate" in tail.stdout, tail


DEFINITION: dict[str, Any] = {
    "Version": "2020-12-01",
    "Parameters": [
        {"Name": "Word", "Type": "String", "DefaultValue": "plain"},
        {"Name": "Go", "Type": "Integer", "DefaultValue": 1},
    ],
    "Steps": [
        {
            "Name": "Work",
            "Type": "Processing",
            "Arguments": {
                key: value
                for key, value in processing(
                    "-",
                    ["python3", "-c", "import os; print('word is ' + os.environ['WORD'])"],
                    Environment={"WORD": {"Get": "Parameters.Word"}},
                ).items()
                if key != "ProcessingJobName"
            },
        },
        {
            "Name": "Gate",
            "Type": "Condition",
            "DependsOn": ["Work"],
            "Arguments": {
                "Conditions": [{"Type": "Equals", "LeftValue": {"Get": "Parameters.Go"}, "RightValue": 1}],
                "IfSteps": [],
                "ElseSteps": [{"Name": "No", "Type": "Fail", "Arguments": {"ErrorMessage": "not going"}}],
            },
        },
    ],
}


@row("create-pipeline from a file, start-pipeline-execution, list-pipeline-execution-steps")
def _(t: Terminal) -> None:
    definition = t.file("definition.json", DEFINITION)
    t.aws(
        "sagemaker",
        "create-pipeline",
        "--pipeline-name",
        "line",
        "--pipeline-definition",
        definition,
        "--role-arn",
        ROLE,
    )
    started = t.aws(
        "sagemaker",
        "start-pipeline-execution",
        "--pipeline-name",
        "line",
        "--pipeline-parameters",
        "Name=Word,Value=given",
    )
    words = ("--pipeline-execution-arn", started["PipelineExecutionArn"])
    ended(t, words, "Succeeded")
    steps = {
        e["StepName"]: e for e in t.aws("sagemaker", "list-pipeline-execution-steps", *words)["PipelineExecutionSteps"]
    }
    assert {name: step["StepStatus"] for name, step in steps.items()} == {"Work": "Succeeded", "Gate": "Succeeded"}
    job = steps["Work"]["Metadata"]["ProcessingJob"]["Arn"].rpartition("/")[2]
    found = t.aws(
        "logs",
        "filter-log-events",
        "--log-group-name",
        "/aws/sagemaker/ProcessingJobs",
        "--log-stream-name-prefix",
        job,
    )
    assert [each["message"] for each in found["events"]] == ["word is given"]


def ended(t: Terminal, words: tuple[str, ...], status: str) -> dict[str, Any]:
    said: dict[str, Any] = t.until(
        lambda: t.aws("sagemaker", "describe-pipeline-execution", *words),
        lambda d: d["PipelineExecutionStatus"] not in ("Executing", "Stopping"),
    )
    assert said["PipelineExecutionStatus"] == status, said
    return said


@row("an execution that fails, update-pipeline, describe-pipeline, list-pipeline-executions, stop-pipeline-execution")
def _(t: Terminal) -> None:
    started = t.aws(
        "sagemaker", "start-pipeline-execution", "--pipeline-name", "line", "--pipeline-parameters", "Name=Go,Value=0"
    )
    said = ended(t, ("--pipeline-execution-arn", started["PipelineExecutionArn"]), "Failed")
    assert said["FailureReason"]
    changed = json.loads(json.dumps(DEFINITION))
    changed["Steps"][0]["Arguments"]["AppSpecification"]["ContainerEntrypoint"] = [
        "python3",
        "-c",
        "import time; time.sleep(60)",
    ]
    t.aws(
        "sagemaker",
        "update-pipeline",
        "--pipeline-name",
        "line",
        "--pipeline-definition",
        t.file("changed.json", changed),
    )
    now = json.loads(t.aws("sagemaker", "describe-pipeline", "--pipeline-name", "line")["PipelineDefinition"])
    assert now == changed
    started = t.aws(
        "sagemaker", "start-pipeline-execution", "--pipeline-name", "line", "--pipeline-execution-display-name", "third"
    )
    words = ("--pipeline-execution-arn", started["PipelineExecutionArn"])
    t.aws("sagemaker", "stop-pipeline-execution", *words)
    ended(t, words, "Stopped")
    listed = t.aws("sagemaker", "list-pipeline-executions", "--pipeline-name", "line", "--page-size", "1")[
        "PipelineExecutionSummaries"
    ]
    assert [each["PipelineExecutionStatus"] for each in listed] == ["Stopped", "Failed", "Succeeded"], listed


@row("create-model, create-endpoint-config, create-endpoint, wait endpoint-in-service, invoke-endpoint")
def _(t: Terminal) -> None:
    container = f"Image={IMAGE},ModelDataUrl=s3://{BUCKET}/archives/alpha.tar.gz"
    t.aws(
        "sagemaker",
        "create-model",
        "--model-name",
        "alpha",
        "--primary-container",
        container,
        "--execution-role-arn",
        ROLE,
    )
    variant = "VariantName=main,ModelName=alpha,InitialInstanceCount=1,InstanceType=ml.m5.large,InitialVariantWeight=1"
    t.aws("sagemaker", "create-endpoint-config", "--endpoint-config-name", "cfg", "--production-variants", variant)
    t.aws("sagemaker", "create-endpoint", "--endpoint-name", "said", "--endpoint-config-name", "cfg")
    wait(t, "endpoint-in-service", "--endpoint-name", "said")
    t.file("body.csv", "1,2")
    answer = t.aws(
        "sagemaker-runtime",
        "invoke-endpoint",
        "--endpoint-name",
        "said",
        "--content-type",
        "text/csv",
        "--body",
        "fileb://body.csv",
        "answer.txt",
    )
    assert answer["InvokedProductionVariant"] == "main"
    assert (t.folder / "answer.txt").read_text() == "alpha:1,2"


@row("cloudwatch get-metric-statistics counts the invocations; put-metric-alarm, describe-alarms")
def _(t: Terminal) -> None:
    words = (
        "cloudwatch", "get-metric-statistics", "--namespace", "AWS/SageMaker", "--metric-name", "Invocations",
        "--dimensions", "Name=EndpointName,Value=said", "Name=VariantName,Value=main", "--statistics", "Sum",
        "--period", "3600",
        "--start-time", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600)),
        "--end-time", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600)),
    )  # fmt: skip
    found = t.until(lambda: t.aws(*words)["Datapoints"], lambda points: sum(each["Sum"] for each in points) >= 1)
    assert sum(each["Sum"] for each in found) == 1
    t.aws(
        "cloudwatch", "put-metric-alarm", "--alarm-name", "errors", "--namespace", "AWS/SageMaker",
        "--metric-name", "Invocation5XXErrors",
        "--statistic", "Sum", "--period", "60", "--evaluation-periods", "1", "--threshold", "1",
        "--comparison-operator", "GreaterThanThreshold", "--dimensions", "Name=EndpointName,Value=said",
    )  # fmt: skip
    assert t.aws("cloudwatch", "describe-alarms", "--alarm-names", "errors")["MetricAlarms"][0]["Threshold"] == 1.0


@row("create-model-package-group, create-model-package, update-model-package approves, list-model-packages")
def _(t: Terminal) -> None:
    t.aws("sagemaker", "create-model-package-group", "--model-package-group-name", "group")
    specification = {
        "Containers": [{"Image": IMAGE, "ModelDataUrl": f"s3://{BUCKET}/archives/alpha.tar.gz"}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    words = (
        "--inference-specification",
        t.file("spec.json", specification),
        "--model-approval-status",
        "PendingManualApproval",
    )
    made = t.aws("sagemaker", "create-model-package", "--model-package-group-name", "group", *words)
    arn = made["ModelPackageArn"]
    t.aws("sagemaker", "update-model-package", "--model-package-arn", arn, "--model-approval-status", "Approved")
    assert (
        t.aws("sagemaker", "describe-model-package", "--model-package-name", arn)["ModelApprovalStatus"] == "Approved"
    )
    listed = ("sagemaker", "list-model-packages", "--model-package-group-name", "group", "--model-approval-status")
    assert len(t.aws(*listed, "Approved")["ModelPackageSummaryList"]) == 1
    assert t.aws(*listed, "Rejected")["ModelPackageSummaryList"] == []


@row("events put-rule, put-targets: an approval starts the pipeline")
def _(t: Terminal) -> None:
    t.aws(
        "sagemaker",
        "update-pipeline",
        "--pipeline-name",
        "line",
        "--pipeline-definition",
        t.file("definition.json", DEFINITION),
    )
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Model Package State Change"],
        "detail": {"ModelApprovalStatus": ["Rejected"]},
    }
    t.aws("events", "put-rule", "--name", "rejected", "--event-pattern", t.file("pattern.json", pattern))
    arn = t.aws("sagemaker", "describe-pipeline", "--pipeline-name", "line")["PipelineArn"]
    target = [
        {
            "Id": "line",
            "Arn": arn,
            "RoleArn": ROLE,
            "SageMakerPipelineParameters": {"PipelineParameterList": [{"Name": "Word", "Value": "evented"}]},
        }
    ]
    t.aws("events", "put-targets", "--rule", "rejected", "--targets", t.file("target.json", target))
    before = len(
        t.aws("sagemaker", "list-pipeline-executions", "--pipeline-name", "line")["PipelineExecutionSummaries"]
    )
    package = t.aws("sagemaker", "list-model-packages", "--model-package-group-name", "group")[
        "ModelPackageSummaryList"
    ][0]
    t.aws(
        "sagemaker",
        "update-model-package",
        "--model-package-arn",
        package["ModelPackageArn"],
        "--model-approval-status",
        "Rejected",
    )
    t.until(
        lambda: t.aws("sagemaker", "list-pipeline-executions", "--pipeline-name", "line")["PipelineExecutionSummaries"],
        lambda found: len(found) == before + 1 and found[0]["PipelineExecutionStatus"] == "Succeeded",
    )


@row("add-tags, list-tags, delete-tags on a model")
def _(t: Terminal) -> None:
    arn = t.aws("sagemaker", "describe-model", "--model-name", "alpha")["ModelArn"]
    t.aws("sagemaker", "add-tags", "--resource-arn", arn, "--tags", "Key=team,Value=a", "Key=cost,Value=b")
    t.aws("sagemaker", "delete-tags", "--resource-arn", arn, "--tag-keys", "cost")
    assert t.aws("sagemaker", "list-tags", "--resource-arn", arn)["Tags"] == [{"Key": "team", "Value": "a"}]


@row("errors: exit code 254 (255 in version 1), and the error's code in the text")
def _(t: Terminal) -> None:
    request = processing("cli-norole", ["true"]) | {"RoleArn": "arn:aws:iam::123456789012:role/nobody"}
    said = t.refused(
        "ValidationException", "sagemaker", "create-processing-job", "--cli-input-json", t.file("norole.json", request)
    )
    assert "Could not assume role" in said
    again = t.file("one-again.json", processing("cli-one", ["true"]))
    t.refused("ResourceInUse", "sagemaker", "create-processing-job", "--cli-input-json", again)
    t.refused("ResourceNotFound", "sagemaker", "describe-pipeline", "--pipeline-name", "nothing")
    t.refused("ValidationException", "sagemaker", "describe-training-job", "--training-job-name", "nothing")
    t.refused(
        "ValidationException",
        "sagemaker",
        "create-pipeline",
        "--pipeline-name",
        "bad",
        "--pipeline-definition",
        "{not json",
        "--role-arn",
        ROLE,
    )
    t.refused("ValidationException", "sagemaker", "describe-endpoint", "--endpoint-name", "nothing")
    t.refused(
        "ValidationException",
        "sagemaker",
        "create-endpoint",
        "--endpoint-name",
        "x",
        "--endpoint-config-name",
        "nothing",
    )
    said = t.refused("ValidationException", "sagemaker", "list-models", "--sort-by", "Nothing")
    assert "Member must satisfy enum value set" in said


@row("unsupported operations say so, whatever the service")
def _(t: Terminal) -> None:
    t.refused("UnsupportedOperation", "sagemaker", "list-clusters")
    said = t.refused(
        "UnsupportedOperation",
        "iam",
        "simulate-principal-policy",
        "--policy-source-arn",
        ROLE,
        "--action-names",
        "s3:GetObject",
    )
    assert "does not support" in said


@row("delete everything: endpoint, configuration, model, versions, group, pipeline, jobs, alarm, rule, bucket, role")
def _(t: Terminal) -> None:
    t.aws("sagemaker", "delete-endpoint", "--endpoint-name", "said")
    t.until(lambda: t.aws("sagemaker", "list-endpoints")["Endpoints"], lambda found: found == [])
    t.refused(
        "ValidationError",
        "sagemaker-runtime",
        "invoke-endpoint",
        "--endpoint-name",
        "said",
        "--body",
        "fileb://body.csv",
        "gone.txt",
    )
    t.aws("sagemaker", "delete-endpoint-config", "--endpoint-config-name", "cfg")
    t.aws("sagemaker", "delete-model", "--model-name", "alpha")
    t.refused("ConflictException", "sagemaker", "delete-model-package-group", "--model-package-group-name", "group")
    for each in t.aws("sagemaker", "list-model-packages", "--model-package-group-name", "group")[
        "ModelPackageSummaryList"
    ]:
        t.aws("sagemaker", "delete-model-package", "--model-package-name", each["ModelPackageArn"])
    t.aws("sagemaker", "delete-model-package-group", "--model-package-group-name", "group")
    t.aws("sagemaker", "delete-pipeline", "--pipeline-name", "line")
    t.aws("sagemaker", "delete-training-job", "--training-job-name", "cli-fits")
    for each in t.aws("sagemaker", "list-processing-jobs")["ProcessingJobSummaries"]:
        t.aws("sagemaker", "delete-processing-job", "--processing-job-name", each["ProcessingJobName"])
    t.aws("cloudwatch", "delete-alarms", "--alarm-names", "errors")
    t.aws("events", "remove-targets", "--rule", "rejected", "--ids", "line")
    t.aws("events", "delete-rule", "--name", "rejected")
    t.aws("s3", "rb", "--force", f"s3://{BUCKET}")
    t.aws("iam", "delete-role", "--role-name", "worker")
    left = {
        "list-models": "Models", "list-endpoint-configs": "EndpointConfigs",
        "list-training-jobs": "TrainingJobSummaries",
        "list-processing-jobs": "ProcessingJobSummaries", "list-pipelines": "PipelineSummaries",
        "list-model-package-groups": "ModelPackageGroupSummaryList",
    }  # fmt: skip
    assert {each: t.aws("sagemaker", each)[key] for each, key in left.items()} == {each: [] for each in left}
    assert t.aws("events", "list-rules")["Rules"] == [] and t.aws("s3", "ls") == ""


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("aws", type=Path)
    parser.add_argument("words", nargs="*")
    given = parser.parse_args()
    wrong = commands = 0
    chosen = [
        each for n, each in enumerate(ROWS) if n < 2 or not given.words or any(word in each[0] for word in given.words)
    ]
    with tempfile.TemporaryDirectory() as name, OfflineAws([image(Path(name))], speed=100) as aws:
        terminal = Terminal(given.aws.absolute(), Path(name), aws.environment())
        print(terminal.version)
        for what, check in chosen:
            terminal.commands.clear()
            told = ""
            try:
                check(terminal)
            except Exception:
                wrong, told = wrong + 1, traceback.format_exc(limit=-2)
            commands += len(terminal.commands)
            print(f"{'wrong' if told else 'worked':<8}{len(terminal.commands):>3} commands  {what}")
            if told:
                print(told)
    print(f"{len(chosen) - wrong} of {len(chosen)} rows worked, {wrong} wrong; {commands} commands")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
