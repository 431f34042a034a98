"""The contract against the real service: `pytest -m live tests/live`, with credentials and SEATRIAL_STACK set.

It registers versions of one small model in the stack and brings real, billed endpoints up and down (tens of minutes, an
instance or two at a time); every endpoint is stopped at the end, whatever happens. Never run by default, nor in CI.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from seatrial import clouds
from seatrial.clouds.aws.cloud import AwsCloud, connect
from seatrial.clouds.aws.stack import StackOutputs
from tests.contract.aws_stack import GUARDED, MODELS, furnished
from tests.contract.conftest import aws_kept, packages
from tests.contract.endpoint_samples import MODEL, Harbour
from tests.contract.registry_samples import Kept
from tests.unit.clouds.aws.stacks import model_table

__all__ = ["packages"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "live" in Path(item.path).parts:
            item.add_marker(pytest.mark.live)


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsCloud]:
    """The stack, with a prefix, groups, alarms and a place below the artifact root that nobody else uses."""
    if "SEATRIAL_STACK" not in os.environ:
        pytest.fail("set SEATRIAL_STACK to the outputs of a stack that may be used for tests, and have credentials")
    stack = connect(tmp_path / "state").stack
    name = f"t{secrets.token_hex(3)}"
    place = f"{stack.artifact_root}/live-tests/{name}"
    models = model_table(name, *MODELS, guardrails=GUARDED.guardrails)
    table = stack.model_dump(mode="json") | {"prefix": name, "artifact_root": place, "models": models}
    own = StackOutputs.model_validate(table)
    monkeypatch.setenv("SEATRIAL_STACK", own.model_dump_json())
    with furnished(own, boto3.session.Session(region_name=own.region)):
        yield connect(tmp_path / "state")


@pytest.fixture
def kept(cloud: AwsCloud, tmp_path: Path) -> Kept:
    return aws_kept(cloud.stack, tmp_path)


@pytest.fixture
def harbour(cloud: AwsCloud, tmp_path: Path, packages: tuple[Path, ...]) -> Iterator[Harbour]:
    target = clouds.load("aws", tmp_path / "state")
    found = Harbour(target.registry, target.endpoints, packages)
    for package in packages:
        found.register(package)
    try:
        yield found
    finally:
        target.endpoints.stop(MODEL)
