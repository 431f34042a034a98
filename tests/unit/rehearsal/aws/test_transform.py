"""Batch transform: a model server answers for every object of a prefix, in the requests that the strategy makes."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

GROUP = "/aws/sagemaker/TransformJobs"


def _request(bench: Any, name: str, model: str, rows: dict[str, bytes], **more: Any) -> dict[str, Any]:
    for key, body in rows.items():
        bench.s3.put_object(Bucket=bench.bucket, Key=f"rows/{name}/{key}", Body=body)
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bench.bucket}/rows/{name}/"}}
    request: dict[str, Any] = {
        "TransformJobName": name,
        "ModelName": model,
        "TransformInput": {"DataSource": source, "ContentType": "text/csv"} | more.pop("given", {}),
        "TransformOutput": {"S3OutputPath": f"s3://{bench.bucket}/scored/{name}"} | more.pop("made", {}),
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    return request | more


def _ran(bench: Any, name: str, model: str, rows: dict[str, bytes], **more: Any) -> dict[str, Any]:
    bench.sagemaker.create_transform_job(**_request(bench, name, model, rows, **more))
    said: dict[str, Any] = bench.ended("transform", name)
    return said


@pytest.fixture(scope="module")
def model(bench: Any) -> str:
    return str(bench.model("scores", "m"))


LINE = {"SplitType": "Line"}


@pytest.mark.parametrize(
    ("name", "more", "expected"),
    [
        ("whole", {}, b"m:1\n2\n3\n"),
        ("many", {"given": LINE, "BatchStrategy": "MultiRecord"}, b"m:1\n2\n3\n"),
        ("single", {"given": LINE, "BatchStrategy": "SingleRecord"}, b"m:1\nm:2\nm:3\n"),
        ("at-once", {"given": LINE, "BatchStrategy": "SingleRecord", "MaxConcurrentTransforms": 3},
         b"m:1\nm:2\nm:3\n"),
    ],
)  # fmt: skip
def test_the_strategy_decides_what_one_request_holds(
    bench: Any, model: str, name: str, more: dict[str, Any], expected: bytes
) -> None:
    """The server says its letter once for each request it gets; the order is that of the rows."""
    said = _ran(bench, f"strategy-{name}", model, {"a.csv": b"1\n2\n3\n"}, **more)
    assert said["TransformJobStatus"] == "Completed", said
    assert bench.read(f"scored/strategy-{name}/a.csv.out") == expected


def test_answers_are_put_together_as_asked(bench: Any, model: str) -> None:
    """AssembleWith Line ends each answer with a newline; objects keep their names below the prefix."""
    given = {"a.csv": b"1\n2", "deep/b.csv": b"3"}
    split = {"given": LINE, "BatchStrategy": "SingleRecord"}
    assert _ran(bench, "glued", model, given, **split)["TransformJobStatus"] == "Completed"
    assert bench.read("scored/glued/a.csv.out") == b"m:1\nm:2"
    assert (
        _ran(bench, "lines", model, given, made={"AssembleWith": "Line"}, **split)["TransformJobStatus"] == "Completed"
    )
    assert bench.read("scored/lines/a.csv.out") == b"m:1\nm:2\n"
    assert bench.read("scored/lines/deep/b.csv.out") == b"m:3\n"


def test_lines_fill_requests_up_to_the_payload_limit(bench: Any, model: str) -> None:
    """Three rows of 0.4 MB: two fit into one megabyte."""
    row = b"x" * 400_000 + b"\n"
    given = {"given": LINE, "BatchStrategy": "MultiRecord", "MaxPayloadInMB": 1}
    assert _ran(bench, "filled", model, {"a.csv": row * 3}, **given)["TransformJobStatus"] == "Completed"
    assert bench.read("scored/filled/a.csv.out") == b"m:" + row * 2 + b"m:" + row


def test_compressed_input_is_unpacked(bench: Any, model: str) -> None:
    """As CompressionType says."""
    said = _ran(bench, "packed", model, {"a.csv.gz": gzip.compress(b"1")}, given={"CompressionType": "Gzip"})
    assert said["TransformJobStatus"] == "Completed", said
    assert bench.read("scored/packed/a.csv.gz.out") == b"m:1"


def test_one_bad_object_fails_the_job_and_not_the_others(bench: Any, model: str) -> None:
    """As on AWS: no .out for it, the reason in the log, and usable results for the rest."""
    given = {"a.csv": b"1", "b.csv": b"x" * 1_100_000, "c.csv": b"3"}
    said = _ran(bench, "partly", model, given, MaxPayloadInMB=1)
    assert said["TransformJobStatus"] == "Failed"
    assert "b.csv: a record of 1100000 bytes exceeds MaxPayloadInMB (1)" in said["FailureReason"]
    assert bench.read("scored/partly/c.csv.out") == b"m:3"
    with pytest.raises(ClientError, match="NoSuchKey"):
        bench.read("scored/partly/b.csv.out")
    assert "b.csv" in bench.lines(GROUP, "partly")[-1]


def test_a_model_that_errors_fails_the_job(bench: Any) -> None:
    """With the status that the server gave."""
    said = _ran(bench, "erring", bench.model("errs", "breaks"), {"a.csv": b"1"})
    assert said["TransformJobStatus"] == "Failed"
    assert "Bad HTTP status received from algorithm: 500" in said["FailureReason"]


def test_a_model_that_does_not_come_up_fails_the_job(bench: Any) -> None:
    """With what it said, and the same words in its log."""
    said = _ran(bench, "dead", bench.model("ends", "ends"), {"a.csv": b"1"})
    assert said["TransformJobStatus"] == "Failed"
    assert "no such model format" in said["FailureReason"]
    assert "no such model format" in bench.lines(GROUP, "dead")[0]


def test_a_prefix_without_objects_fails_the_job(bench: Any, model: str) -> None:
    """The commonest mistake."""
    said = _ran(bench, "nothing", model, {})
    assert said["TransformJobStatus"] == "Failed"
    assert "No S3 objects found" in said["FailureReason"]


def test_a_job_can_be_stopped_and_listed(bench: Any, model: str) -> None:
    """Stopping, then Stopped; its rows so far are no result."""
    many = {"given": LINE, "BatchStrategy": "SingleRecord"}
    bench.sagemaker.create_transform_job(**_request(bench, "endless", model, {"a.csv": b"1\n" * 20_000}, **many))
    bench.sagemaker.stop_transform_job(TransformJobName="endless")
    assert bench.ended("transform", "endless")["TransformJobStatus"] == "Stopped"
    listed = bench.sagemaker.list_transform_jobs(NameContains="endless")["TransformJobSummaries"]
    assert [each["TransformJobStatus"] for each in listed] == ["Stopped"]
    with pytest.raises(ClientError, match="in status Stopped"):
        bench.sagemaker.stop_transform_job(TransformJobName="endless")


def test_a_lost_instance_fails_the_job(bench: Any, model: str) -> None:
    """In AWS's words for it."""
    bench.aws.fault("instance-lost", target="batch-lost")
    many = {"given": LINE, "BatchStrategy": "SingleRecord"}
    said = _ran(bench, "batch-lost", model, {"a.csv": b"1\n" * 2000}, **many)
    bench.aws.clear_faults()
    assert said["FailureReason"].startswith("InternalServerError")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ModelName": "nobody"}, 'Could not find model "nobody"'),
        ({"BatchStrategy": "SingleRecord"}, "needs a SplitType"),
        ({"MaxPayloadInMB": 60, "MaxConcurrentTransforms": 2}, "must not exceed 100 MB"),
        ({"DataProcessing": {"JoinSource": "Input"}}, "UnsupportedOperation.*JoinSource"),
        ({"TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 2}}, "more than one instance"),
    ],
)
def test_a_request_that_could_not_run_is_refused(bench: Any, model: str, change: dict[str, Any], words: str) -> None:
    """Either AWS refuses it, or the rehearsal does not run it and says so."""
    with pytest.raises(ClientError, match=words):
        bench.sagemaker.create_transform_job(**_request(bench, "refused", model, {}) | change)


def test_a_pipeline_makes_a_model_and_transforms_with_it(bench: Any, model: str) -> None:
    """The steps as the SageMaker SDK writes them: Model, then Transform with the name that it made."""
    served = bench.sagemaker.describe_model(ModelName=model)["PrimaryContainer"]
    create = {"ExecutionRoleArn": bench.role, "PrimaryContainer": {k: served[k] for k in ("Image", "ModelDataUrl")}}
    arguments = _request(bench, "stepped", "", {"a.csv": b"1"}) | {"ModelName": {"Get": "Steps.Make.ModelName"}}
    del arguments["TransformJobName"]
    score = {"Name": "Score", "Type": "Transform", "Arguments": arguments, "CacheConfig": {"Enabled": True}}
    steps = [{"Name": "Make", "Type": "Model", "Arguments": create}, score]
    bench.sagemaker.create_pipeline(
        PipelineName="batch", PipelineDefinition=json.dumps({"Version": "2020-12-01", "Steps": steps}),
        RoleArn=bench.role, ClientRequestToken="b" * 32,
    )  # fmt: skip
    arn = bench.sagemaker.start_pipeline_execution(PipelineName="batch")["PipelineExecutionArn"]
    said = bench.until(
        lambda: bench.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn),
        lambda d: d["PipelineExecutionStatus"] != "Executing",
    )
    ran = bench.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    assert said["PipelineExecutionStatus"] == "Succeeded", ran
    assert ran[0]["Metadata"]["TransformJob"]["Arn"].rpartition("/")[2].startswith("pipelines-")
    assert bench.read("scored/stepped/a.csv.out") == b"m:1"
