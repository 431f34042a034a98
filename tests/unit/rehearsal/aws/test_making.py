"""Of two requests at the same moment that would make, or delete, the same thing, one does."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from seatrial.rehearsal.aws import Image, OfflineAws
from seatrial.rehearsal.aws.logstream import LogStream
from tests.racing import race
from tests.unit.rehearsal.aws.conftest import URI, Bench

FAIL = {"Name": "f", "Type": "Fail", "Arguments": {"ErrorMessage": "x"}}
DEFINITION = json.dumps({"Version": "2020-12-01", "Steps": [FAIL]})
SLOW = """
import sys
if "seatrial.rehearsal.aws" in sys.orig_argv:
    import itertools
    import time
    from moto.sagemaker.responses import SageMakerResponse

    def later(make):
        waits = itertools.count(1)
        def slow(*given, **more):
            time.sleep(0.3 * next(waits))
            return make(*given, **more)
        return slow

    def before(find):
        def slow(*given):
            found = find(*given)
            time.sleep(0.3)
            return found
        return slow

    for name in ("create_model", "create_pipeline", "create_processing_job", "create_training_job",
                 "create_model_package", "start_pipeline_execution"):
        setattr(SageMakerResponse, name, later(getattr(SageMakerResponse, name)))

    from moto.logs.models import LogGroup
    from seatrial.rehearsal.aws.responses import SageMaker

    LogGroup.__init__ = later(LogGroup.__init__)
    SageMaker._job = before(SageMaker._job)
"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A server that takes a while to make a thing: who looks meanwhile finds that it is not there."""
    folder = tmp_path_factory.mktemp("slow")
    (folder / "sitecustomize.py").write_text(SLOW)
    image = Image(uri=URI, python=Path(sys.executable), workdir=folder)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
        with OfflineAws([image], speed=100) as aws:
            yield Bench(aws, (image,))


def _pipeline(bench: Bench, name: str) -> Callable[[], Any]:
    token = f"{time.monotonic_ns():0>32}"
    settings = {"PipelineDefinition": DEFINITION, "RoleArn": bench.role, "ClientRequestToken": token}
    return lambda: bench.sagemaker.create_pipeline(PipelineName=name, **settings)


def _processing(bench: Bench, name: str) -> Callable[[], Any]:
    request = bench.processing_request(name, "pass")
    return lambda: bench.sagemaker.create_processing_job(**request)


def _training(bench: Bench, name: str) -> Callable[[], Any]:
    request = bench.training_request(name, "pass")
    return lambda: bench.sagemaker.create_training_job(**request)


def _model(bench: Bench, name: str) -> Callable[[], Any]:
    request = {"ExecutionRoleArn": bench.role, "PrimaryContainer": {"Image": bench.uri}}
    return lambda: bench.sagemaker.create_model(ModelName=name, **request)


NAMED = {
    "create_model": (_model, "already existing model"),
    "create_pipeline": (_pipeline, "already exists"),
    "create_processing_job": (_processing, "a job with this name already exists"),
    "create_training_job": (_training, "a job with this name already exists"),
}


@pytest.mark.parametrize("operation", NAMED)
def test_a_name_is_taken_once(bench: Bench, operation: str) -> None:
    of, refusal = NAMED[operation]
    make = of(bench, f"once-{operation.replace('_', '-')}")
    outcome = race(3, lambda _: make())
    refused = [each for each in outcome if isinstance(each, ClientError)]
    assert len(refused) == 2, outcome
    assert all(refusal in str(each) for each in refused)
    if operation.endswith("_job"):
        bench.ended(operation.split("_")[1], f"once-{operation.replace('_', '-')}")


def _version(bench: Bench) -> Callable[[], str]:
    bench.sagemaker.create_model_package_group(ModelPackageGroupName="once")
    ask = {"ModelPackageGroupName": "once", "ClientToken": "1"}
    return lambda: str(bench.sagemaker.create_model_package(**ask)["ModelPackageArn"])


def _execution(bench: Bench) -> Callable[[], str]:
    _pipeline(bench, "once")()
    ask = {"PipelineName": "once", "ClientRequestToken": "1" * 40}
    return lambda: str(bench.sagemaker.start_pipeline_execution(**ask)["PipelineExecutionArn"])


@pytest.mark.parametrize("of", [_version, _execution])
def test_a_token_is_one_request(bench: Bench, of: Callable[[Bench], Callable[[], str]]) -> None:
    make = of(bench)
    outcome = race(3, lambda _: make())
    assert len(set(outcome)) == 1, outcome


def test_a_job_is_deleted_once(bench: Bench) -> None:
    bench.process("gone", "pass")
    once = Config(retries={"total_max_attempts": 1})  # a failure of the server would be tried again
    sagemaker = boto3.client("sagemaker", config=once, **bench.aws.client_settings())
    outcome = race(2, lambda _: sagemaker.delete_processing_job(ProcessingJobName="gone") and "deleted")
    assert outcome.count("deleted") == 1, outcome
    assert any("ValidationException" in str(each) for each in outcome)


def test_a_log_group_keeps_what_is_in_it(bench: Bench) -> None:
    """The first two jobs of a kind make their group at the same moment."""

    def write(job: int) -> None:
        LogStream(bench.client("logs"), "/aws/of-two-jobs", f"job-{job}/algo-1").write([f"line of {job}"])

    assert race(2, write) == [None, None]
    assert [bench.lines("/aws/of-two-jobs", f"job-{job}") for job in range(2)] == [["line of 0"], ["line of 1"]]


def test_a_log_stream_that_is_there_is_used_whichever_class_says_so() -> None:
    """botocore made a client's exception classes twice, as two threads first asked for them, and raised the others."""

    def refuse(code: str) -> Callable[..., Any]:
        def create(**_: str) -> Any:
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, "CreateLogGroup")

        return create

    there, denied = refuse("ResourceAlreadyExistsException"), refuse("AccessDeniedException")
    LogStream(SimpleNamespace(create_log_group=there, create_log_stream=there), "group", "stream")
    with pytest.raises(ClientError, match="AccessDenied"):
        LogStream(SimpleNamespace(create_log_group=there, create_log_stream=denied), "group", "stream")


def test_steps_side_by_side_register_in_one_new_group(bench: Bench) -> None:
    """And in one that a listing shows on its second page."""
    for number in range(11):
        bench.sagemaker.create_model_package_group(ModelPackageGroupName=f"many-{number:02}")
    container = {"Image": bench.uri, "ModelDataUrl": "s3://models/m.tar.gz"}
    offers = {"SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
    steps = [
        {
            "Name": f"register-{number}",
            "Type": "RegisterModel",
            "Arguments": {
                "ModelPackageGroupName": group,
                "InferenceSpecification": {"Containers": [container], **offers},
            },
        }
        for number, group in enumerate(("new", "new", "new", "many-10"))
    ]
    definition = json.dumps({"Version": "2020-12-01", "Steps": steps})
    settings = {"PipelineDefinition": definition, "RoleArn": bench.role, "ClientRequestToken": "2" * 32}
    bench.sagemaker.create_pipeline(PipelineName="registers", **settings)
    arn = bench.sagemaker.start_pipeline_execution(PipelineName="registers")["PipelineExecutionArn"]
    said = bench.until(
        lambda: bench.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn),
        lambda d: d["PipelineExecutionStatus"] != "Executing",
    )
    told = bench.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    assert said["PipelineExecutionStatus"] == "Succeeded", [each.get("FailureReason") for each in told]
    listed = bench.sagemaker.list_model_packages(ModelPackageGroupName="new")["ModelPackageSummaryList"]
    assert sorted(each["ModelPackageVersion"] for each in listed) == [1, 2, 3]
