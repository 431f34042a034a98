"""Of two requests at the same moment that would make the same thing, one makes it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from seatrial.rehearsal.aws import Image, OfflineAws
from tests.racing import race
from tests.unit.rehearsal.aws.conftest import URI, Bench

FAIL = {"Name": "f", "Type": "Fail", "Arguments": {"ErrorMessage": "x"}}
DEFINITION = json.dumps({"Version": "2020-12-01", "Steps": [FAIL]})
SLOW = """
import sys
if "seatrial.rehearsal.aws" in sys.orig_argv:
    import time
    from moto.sagemaker.responses import SageMakerResponse

    def slow(make):
        def later(self):
            time.sleep(0.3)
            return make(self)
        return later

    for name in ("create_model", "create_pipeline", "create_processing_job", "create_training_job",
                 "create_model_package", "start_pipeline_execution"):
        setattr(SageMakerResponse, name, slow(getattr(SageMakerResponse, name)))
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
