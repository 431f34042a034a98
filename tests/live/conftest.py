"""The contract against the real service: `pytest -m live tests/live`, with credentials and SEATRIAL_STACK set.

It registers versions of one small model in the stack and brings real, billed endpoints up and down (tens of minutes, an
instance or two at a time); every endpoint is stopped at the end, whatever happens. Never run by default, nor in CI.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from seatrial import clouds
from seatrial.clouds.aws.cloud import AwsCloud, connect
from tests.contract.conftest import aws_kept, packages
from tests.contract.endpoint_samples import MODEL, Harbour
from tests.contract.registry_samples import Kept

__all__ = ["packages"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "live" in Path(item.path).parts:
            item.add_marker(pytest.mark.live)


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AwsCloud:
    """The stack, with a prefix and a place below the artifact root that nobody else uses."""
    if "SEATRIAL_STACK" not in os.environ:
        pytest.fail("set SEATRIAL_STACK to the outputs of a stack that may be used for tests, and have credentials")
    stack = connect(tmp_path / "state").stack
    name = f"t{secrets.token_hex(3)}"
    own = stack.model_copy(update={"prefix": name, "artifact_root": f"{stack.artifact_root}/live-tests/{name}"})
    monkeypatch.setenv("SEATRIAL_STACK", own.model_dump_json())
    return connect(tmp_path / "state")


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
