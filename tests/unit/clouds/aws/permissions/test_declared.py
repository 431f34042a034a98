"""Whatever an adapter asks, it declares: permissions are derived from nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import seatrial.clouds.aws
from seatrial.clouds.aws import cloud, pipelines, shapes  # noqa: F401 - whose import declares everything
from seatrial.clouds.aws.calls import _declared as declared
from seatrial.clouds.aws.calls import require_declared
from seatrial.clouds.aws.session import Aws
from seatrial.errors import ResourceError

FOLDER = Path(seatrial.clouds.aws.__file__).parent
ASKING = {"ask", "submit", "pages", "make", "delete", "_ask", "_asked"}


def asked(source: str) -> Iterator[str]:
    """Operations that a module's code names where it asks."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ASKING:
            for given in node.args:
                if isinstance(given, ast.Constant) and isinstance(given.value, str) and given.value[:1].isupper():
                    yield given.value


def test_every_operation_in_the_adapters_code_is_declared() -> None:
    operations = {each.partition(":")[2] for each in declared}
    found = {operation for path in FOLDER.glob("*.py") for operation in asked(path.read_text())}
    assert len(found) > 25
    found -= {"EndpointConfigs", "Models"}  # what a listing gives, beside its operation
    members = {"ModelPackageSummaryList", "PipelineExecutionSteps", "Endpoints"}
    assert found - members - operations == set()


def test_an_operation_that_nobody_declares_is_seen_in_the_code() -> None:
    assert list(asked('aws.submit("sagemaker", "DeletePipeline", PipelineName="x")')) == ["DeletePipeline"]


def test_declared_operations_exist() -> None:
    for each in sorted(declared):
        service, _, operation = each.partition(":")
        if service != "iam":  # PassRole is a permission, and no operation
            assert operation in shapes.service(service).operation_names, each


def test_a_targets_requests_are_refused_unless_they_are_declared() -> None:
    with pytest.raises(ResourceError, match="sagemaker:DeletePipeline was not sent: no adapter declares it"):
        Aws("us-east-1", only_declared=True).ask("sagemaker", "DeletePipeline", PipelineName="x")
    require_declared("sagemaker", "DescribePipeline")
