"""The commands that take ``--cloud``, typed as a person types them, against the offline AWS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from seatrial.cli.main import app
from seatrial.clouds.aws.stack import StackOutputs
from seatrial.errors import EndpointError, ProjectError, UsageError
from tests.contract.conftest import aws_harbour
from tests.contract.endpoint_samples import MODEL, Harbour


@pytest.fixture
def harbour(stack: StackOutputs, tiny: Path, packages: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch) -> Harbour:
    """A project whose model 'parcels' is on AWS; the stack is found where ``pulumi stack output`` was saved."""
    found = aws_harbour(stack, tiny / ".seatrial", packages, monkeypatch)
    monkeypatch.delenv("SEATRIAL_STACK")
    monkeypatch.delenv("SEATRIAL_HOME", raising=False)
    saved = tiny / ".seatrial" / "stacks" / "aws.dev.json"
    saved.parent.mkdir(parents=True)
    saved.write_text(stack.model_dump_json())
    monkeypatch.chdir(tiny)
    return found


def said(*words: str) -> Any:
    """What a command prints with --json."""
    done = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    return json.loads(done.stdout)


def test_models_endpoints_and_predictions_of_a_cloud(harbour: Harbour, tmp_path: Path) -> None:
    harbour.deploy(1)
    versions = said("models", "--cloud", "aws")[MODEL]
    assert [(v["version"], v["aliases"]) for v in versions] == [(1, ["champion"]), (2, [])]
    assert said("models") == {MODEL: []}  # the laptop's registry is another one
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps({"instances": harbour.rows()}))
    answer = said("predict", MODEL, "--input", str(rows), "--cloud", "aws", "--stack", "dev")
    assert (len(answer["predictions"]), answer["model"]["version"]) == (3, "1")
    listed = said("endpoint", "list", "--cloud", "aws")
    assert [(e["name"], e["status"], e["version"]) for e in listed] == [(MODEL, "healthy", "1")]
    assert said("endpoint", "stop", MODEL, "--cloud", "aws") == {MODEL: True}
    with pytest.raises(EndpointError, match="no running endpoint 'parcels'"):
        said("predict", MODEL, "--input", str(rows), "--cloud", "aws")


def test_a_target_or_a_stack_that_is_not_there_is_named(harbour: Harbour) -> None:
    with pytest.raises(UsageError, match="no target 'azure'\nKnown targets: local, aws"):
        said("models", "--cloud", "azure")
    with pytest.raises(ProjectError, match="no aws stack 'prod'"):
        said("models", "--cloud", "aws", "--stack", "prod")
    with pytest.raises(UsageError, match="a stack is named, and the target is this machine"):
        said("models", "--stack", "dev")
