"""Every target that keeps the contract, each empty for each test. ``live`` adds the real service: see tests/live."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from seatrial import clouds
from seatrial.clouds.aws.registry import AwsRegistry
from seatrial.clouds.aws.session import Aws
from seatrial.clouds.aws.stack import StackOutputs
from seatrial.clouds.base import Version
from seatrial.clouds.local.registry import LocalRegistry
from seatrial.errors import ResourceError
from seatrial.rehearsal.aws import Image, OfflineAws
from seatrial.rehearsal.aws.isolation import require_namespaces
from tests.contract.aws_stack import prepared_stack
from tests.contract.endpoint_samples import Harbour
from tests.contract.registry_samples import Kept, verify
from tests.unit.package.example import CANDIDATES, build_example

_count = itertools.count(1)


@pytest.fixture(scope="session")
def offline_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfflineAws]:
    """One server for all tests: each has a prefix of its own."""
    try:
        require_namespaces()
    except ResourceError as refusal:
        pytest.skip(refusal.what)
    repository = Path(__file__).parents[2]
    serve = ("python", str(repository / "tests" / "contract" / "serve_package.py"))
    image = Image(uri="*", python=Path(sys.executable), workdir=repository, serve=serve)
    # not faster: a server's time to become healthy shrinks with it, and the machine may be busy
    with OfflineAws([image], speed=15) as aws:
        yield aws


@pytest.fixture
def stack(offline_aws: OfflineAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[StackOutputs]:
    """An account of its own, as good as: names and objects of no other test are seen."""
    for name, value in offline_aws.environment().items():
        monkeypatch.setenv(name, value)
    prefix = f"t{next(_count)}"
    yield prepared_stack(prefix)
    end(offline_aws, f"{prefix}-")


def end(aws: OfflineAws, prefix: str) -> None:
    """Delete the endpoints and alarms of a test: each takes its share of a processor for as long as it is there."""
    sagemaker, cloudwatch = (boto3.client(each, **aws.client_settings()) for each in ("sagemaker", "cloudwatch"))
    pages = sagemaker.get_paginator("list_endpoints").paginate(NameContains=prefix)
    for name in (each["EndpointName"] for page in pages for each in page["Endpoints"]):
        if name.startswith(prefix):
            with contextlib.suppress(ClientError):  # a deployment may be under way
                sagemaker.delete_endpoint(EndpointName=name)
    alarms = cloudwatch.describe_alarms(AlarmNamePrefix=prefix)["MetricAlarms"]
    cloudwatch.delete_alarms(AlarmNames=[each["AlarmName"] for each in alarms])


@pytest.fixture(params=["local", "aws"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    if request.param == "local":
        return _local(tmp_path / "state")
    return aws_kept(request.getfixturevalue("stack"), tmp_path)


def _local(state: Path) -> Kept:
    registry = LocalRegistry(state, verify)
    return Kept(
        registry,
        elsewhere=lambda: LocalRegistry(state, verify),
        damage=lambda version: _spoil(registry.package_path(version)),
        lose=lambda version: shutil.rmtree(registry.package_path(version)),
    )


def aws_kept(stack: StackOutputs, folder: Path) -> Kept:
    aws = Aws(stack.region)
    registry = AwsRegistry(aws, stack, folder / "here", verify)

    def place(version: Version) -> dict[str, str]:
        return {"Bucket": stack.bucket, "Key": stack.key("packages", f"{version.digest}.tar.gz")}

    def damage(version: Version) -> None:
        _spoil(registry.package_path(version))
        aws.submit("s3", "PutObject", **place(version), Body=b"bit rot")

    def lose(version: Version) -> None:
        shutil.rmtree(registry.package_path(version))
        aws.submit("s3", "DeleteObject", **place(version))

    return Kept(registry, lambda: AwsRegistry(aws, stack, folder / "there", verify), damage, lose)


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Two models that differ. Only to be read."""
    folder = tmp_path_factory.mktemp("packages")
    for name in ("boosting", "forest"):
        build_example(folder / name, CANDIDATES[name])
    return folder / "boosting", folder / "forest"


@pytest.fixture(params=["local", "aws"])
def harbour(
    request: pytest.FixtureRequest, tmp_path: Path, packages: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Harbour]:
    state = tmp_path / "state"
    if request.param == "aws":
        yield aws_harbour(request.getfixturevalue("stack"), state, packages, monkeypatch)
        return
    cloud = clouds.load("local", state)
    found = Harbour(cloud.registry, cloud.endpoints, packages)
    for package in packages:
        found.register(package)
    yield found
    for endpoint in cloud.endpoints.list():
        cloud.endpoints.stop(endpoint["name"])


def aws_harbour(
    stack: StackOutputs, state: Path, packages: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> Harbour:
    """Found as a job finds it: by the outputs in its environment."""
    monkeypatch.setenv("SEATRIAL_STACK", stack.model_dump_json())
    cloud = clouds.load("aws", state)
    found = Harbour(cloud.registry, cloud.endpoints, packages)
    for package in packages:
        found.register(package)
    return found


def _spoil(package: Path) -> None:
    (package / "model.onnx").write_bytes(b"bit rot")
