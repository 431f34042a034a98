"""Answers as clients of the real service read them: what the SageMaker SDK, the AWS CLI and moto's tests found."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.core.responses import ActionResult

from seatrial.rehearsal.aws.answers import as_aws_answers
from seatrial.rehearsal.aws.job import Job, JobFailed
from seatrial.rehearsal.aws.world import World

_ALWAYS = {"Type": "Equals", "LeftValue": 1, "RightValue": 1}


def _definition(*conditions: dict[str, Any], notes: int = 1) -> str:
    arguments = {"Conditions": list(conditions or (_ALWAYS,)), "IfSteps": [], "ElseSteps": []}
    parameters = [{"Name": f"Note{n}", "Type": "String", "DefaultValue": "x" * 1000} for n in range(notes)]
    steps = [{"Name": "Choose", "Type": "Condition", "Arguments": arguments}]
    return json.dumps({"Version": "2020-12-01", "Parameters": parameters, "Steps": steps})


def test_what_was_never_set_is_left_out(bench: Any) -> None:
    """moto describes a model with an empty VpcConfig, which typed clients refuse: its members are required."""
    container = {"Image": bench.uri}
    bench.sagemaker.create_model(ModelName="bare", ExecutionRoleArn=bench.role, PrimaryContainer=container)
    assert "VpcConfig" not in bench.sagemaker.describe_model(ModelName="bare")
    variant = {"VariantName": "v", "ModelName": "bare", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    bench.sagemaker.create_endpoint_config(EndpointConfigName="bare", ProductionVariants=[variant])
    assert "DataCaptureConfig" not in bench.sagemaker.describe_endpoint_config(EndpointConfigName="bare")


def test_only_structures_with_required_members_are_left_out() -> None:
    """A map without entries, and a value that is false, are answers."""
    said = {"ModelName": "m", "VpcConfig": {}, "PrimaryContainer": {"Environment": {}}, "EnableNetworkIsolation": False}
    kept = as_aws_answers("DescribeModel", ActionResult(said)).result
    assert kept == {key: value for key, value in said.items() if key != "VpcConfig"}
    vpc = {"VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}}
    assert as_aws_answers("DescribeModel", ActionResult(vpc)).result == vpc


def test_an_error_does_not_quote_itself(bench: Any) -> None:
    """moto writes 'An error occurred (...)' into the message, where the client writes it again."""
    bench.sagemaker.create_pipeline(
        PipelineName="twice", PipelineDefinition=_definition(), RoleArn=bench.role, ClientRequestToken="t" * 32
    )
    with pytest.raises(ClientError) as refusal:
        bench.sagemaker.create_pipeline(
            PipelineName="twice", PipelineDefinition=_definition(), RoleArn=bench.role, ClientRequestToken="u" * 32
        )
    message = refusal.value.response["Error"]["Message"]
    assert message.startswith("Pipeline names must be unique")
    group = {"ModelPackageGroupName": "no-such-group"}
    with pytest.raises(ClientError) as refusal:
        bench.sagemaker.create_model_package(**group)
    assert refusal.value.response["Error"]["Message"] == "Model Package Group does not exist."


def test_a_definition_in_s3_is_described_as_it_was_written(bench: Any) -> None:
    """moto describes Python's spelling of it, in single quotes, and cannot start it."""
    text = _definition(notes=190)  # more than a request may hold
    bench.s3.put_object(Bucket=bench.bucket, Key="definition.json", Body=text.encode())
    place = {"Bucket": bench.bucket, "ObjectKey": "definition.json"}
    bench.sagemaker.create_pipeline(
        PipelineName="from-s3", PipelineDefinitionS3Location=place, RoleArn=bench.role, ClientRequestToken="s" * 32
    )
    assert bench.sagemaker.describe_pipeline(PipelineName="from-s3")["PipelineDefinition"] == text
    missing = {"Bucket": bench.bucket, "ObjectKey": "nothing.json"}
    with pytest.raises(ClientError, match="Unable to read the pipeline definition"):
        bench.sagemaker.update_pipeline(PipelineName="from-s3", PipelineDefinitionS3Location=missing)
    bench.s3.put_object(Bucket=bench.bucket, Key="bad.json", Body=b"{not json")
    with pytest.raises(ClientError, match="not JSON"):
        bench.sagemaker.update_pipeline(
            PipelineName="from-s3", PipelineDefinitionS3Location={"Bucket": bench.bucket, "ObjectKey": "bad.json"}
        )
    started = bench.sagemaker.start_pipeline_execution(PipelineName="from-s3", ClientRequestToken="s" * 32)
    assert _status(bench, started["PipelineExecutionArn"]) == "Succeeded"


def _status(bench: Any, arn: str) -> str:
    said = bench.until(
        lambda: bench.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn),
        lambda d: d["PipelineExecutionStatus"] not in ("Executing", "Stopping"),
    )
    return str(said["PipelineExecutionStatus"])


@pytest.mark.parametrize("outcome", [True, False])
def test_a_condition_is_negated_as_the_sdk_and_our_compiler_write_it(bench: Any, outcome: bool) -> None:
    """The member is called Condition."""
    name = f"negated-{outcome}"
    inner = {"Type": "Equals", "LeftValue": 1, "RightValue": 2 if outcome else 1}
    definition = _definition({"Type": "Not", "Condition": inner})
    bench.sagemaker.create_pipeline(
        PipelineName=name, PipelineDefinition=definition, RoleArn=bench.role, ClientRequestToken=name.ljust(32, "n")
    )
    arn = bench.sagemaker.start_pipeline_execution(PipelineName=name, ClientRequestToken="n" * 32)[
        "PipelineExecutionArn"
    ]
    assert _status(bench, arn) == "Succeeded"
    step = bench.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"][0]
    assert step["Metadata"]["Condition"]["Outcome"] == str(outcome)


def test_a_pipeline_that_is_not_there_is_resource_not_found(bench: Any) -> None:
    """The SDK decides by the code; moto says ValidationException."""
    arn = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/none/execution/abcdefghijkl"
    calls: tuple[Callable[[], Any], ...] = (
        lambda: bench.sagemaker.describe_pipeline(PipelineName="none"),
        lambda: bench.sagemaker.update_pipeline(PipelineName="none", PipelineDescription="x"),
        lambda: bench.sagemaker.delete_pipeline(PipelineName="none", ClientRequestToken="d" * 32),
        lambda: bench.sagemaker.start_pipeline_execution(PipelineName="none", ClientRequestToken="d" * 32),
        lambda: bench.sagemaker.list_pipeline_executions(PipelineName="none"),
        lambda: bench.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn),
        lambda: bench.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn),
    )
    for call in calls:
        with pytest.raises(ClientError) as refusal:
            call()
        assert refusal.value.response["Error"]["Code"] == "ResourceNotFound"


def test_a_part_of_a_pipeline_is_not_run_as_a_whole(bench: Any) -> None:
    """Selective execution was read over: every step ran."""
    definition = _definition()
    bench.sagemaker.create_pipeline(
        PipelineName="part", PipelineDefinition=definition, RoleArn=bench.role, ClientRequestToken="p" * 32
    )
    selection = {"SelectedSteps": [{"StepName": "Choose"}]}
    for more in ({"SelectiveExecutionConfig": selection}, {"PipelineVersionId": 1}):
        with pytest.raises(ClientError) as refusal:
            bench.sagemaker.start_pipeline_execution(PipelineName="part", ClientRequestToken="q" * 32, **more)
        assert refusal.value.response["Error"]["Code"] == "UnsupportedOperation"
    assert bench.sagemaker.list_pipeline_executions(PipelineName="part")["PipelineExecutionSummaries"] == []


def test_an_update_of_a_pipeline_changes_its_time(bench: Any) -> None:
    """moto keeps the time of creation."""
    bench.sagemaker.create_pipeline(
        PipelineName="dated", PipelineDefinition=_definition(), RoleArn=bench.role, ClientRequestToken="d" * 32
    )
    before = bench.sagemaker.describe_pipeline(PipelineName="dated")
    bench.sagemaker.update_pipeline(PipelineName="dated", PipelineDescription="later")
    after = bench.sagemaker.describe_pipeline(PipelineName=before["PipelineArn"])  # an ARN names it as well
    assert after["LastModifiedTime"] > before["LastModifiedTime"]
    assert after["CreationTime"] == before["CreationTime"]


@pytest.mark.parametrize("kind", ["processing", "training"])
def test_a_job_is_deleted_when_it_has_ended(bench: Any, kind: str) -> None:
    """Not before; and its name is free again."""
    name, key = f"deleted-{kind}", f"{kind.capitalize()}JobName"
    delete, create = (getattr(bench.sagemaker, f"{verb}_{kind}_job") for verb in ("delete", "create"))
    create(**getattr(bench, f"{kind}_request")(name, "import time; time.sleep(30)"))
    with pytest.raises(ClientError) as refusal:
        delete(**{key: name})
    assert refusal.value.response["Error"]["Code"] == "ResourceInUse"
    getattr(bench.sagemaker, f"stop_{kind}_job")(**{key: name})
    bench.ended(kind, name)
    delete(**{key: name})
    with pytest.raises(ClientError, match=r"(?i)found|find"):
        getattr(bench.sagemaker, f"describe_{kind}_job")(**{key: name})
    assert name not in str(getattr(bench.sagemaker, f"list_{kind}_jobs")(NameContains=name))


@pytest.mark.parametrize(
    ("service", "operation", "asked"),
    [
        (
            "iam",
            "simulate_principal_policy",
            {"PolicySourceArn": "arn:aws:iam::123456789012:role/r", "ActionNames": ["a:B"]},
        ),
        ("logs", "list_anomalies", {}),
    ],
)
def test_an_operation_that_moto_lacks_is_refused_at_once(bench: Any, service: str, operation: str, asked: Any) -> None:
    """A 500 would be tried again five times; the first is XML, the second JSON."""
    with pytest.raises(ClientError, match="does not support") as refusal:
        getattr(bench.client(service), operation)(**asked)
    assert refusal.value.response["Error"]["Code"] == "UnsupportedOperation"
    assert refusal.value.response["ResponseMetadata"]["RetryAttempts"] == 0


def test_a_prefix_gives_the_lines_of_one_job(bench: Any) -> None:
    """moto gives those of every job, the prefix or not."""
    for name in ("told-one", "told-two"):
        bench.process(name, f"print('this is {name}'); open('/opt/ml/processing/out/x', 'w').write('x')")
    group = "/aws/sagemaker/ProcessingJobs"

    def lines(**asked: Any) -> list[str]:
        return [each["message"] for each in bench.logs.filter_log_events(logGroupName=group, **asked)["events"]]

    assert lines(logStreamNamePrefix="told-one/") == ["this is told-one"]
    assert lines(logStreamNamePrefix="told-three/") == []
    assert lines(logStreamNamePrefix="told-", filterPattern="two") == ["this is told-two"]
    assert {"this is told-one", "this is told-two"} <= set(lines())


class _Breaking(Job):
    """Fails when it is let go on, as a download does of what is not there."""

    kind = "processing"
    go_on = threading.Event()

    def image_uri(self) -> str:
        return ""

    def work(self, folder: Path) -> None:
        self.go_on.wait(20)
        raise JobFailed("nothing there")

    def writes_to(self) -> list[str]:
        return []

    def describe(self) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize(("asked", "status"), [(True, "Stopped"), (False, "Failed")])
def test_a_job_that_was_asked_to_stop_ends_as_stopped_whatever_breaks(asked: bool, status: str) -> None:
    """From Stopping there is one way on AWS."""
    world = World([])
    arn = "arn:aws:sagemaker:us-east-1:123456789012:processing-job/b"
    job = _Breaking(world, name="b", arn=arn, region="us-east-1", request={}, record=SimpleNamespace())
    job.go_on.clear()
    job.start()
    if asked:
        assert job.stop()
    job.go_on.set()
    assert job.done.wait(20)
    assert job.status == status
    world.close()
