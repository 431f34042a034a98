"""``seatrial permissions``: what is shown to people and to programs, with a stack and before there is one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from seatrial.cli.main import app
from seatrial.errors import UsageError
from tests.unit.clouds.aws.stacks import stack_table


@pytest.fixture
def folder(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tiny)
    for name in ("SEATRIAL_PROJECT", "SEATRIAL_STACK", "SEATRIAL_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tiny


def call(*words: str) -> Any:
    return CliRunner().invoke(app, ["permissions", *words], catch_exceptions=False)


def test_a_stacks_own_names_are_shown_with_reasons_and_as_documents(folder: Path) -> None:
    stacks = folder / ".seatrial" / "stacks"
    stacks.mkdir(parents=True)
    (stacks / "aws.dev.json").write_text(json.dumps(stack_table()))
    told = call("parcels", "--role", "pipeline").output
    assert "trial-pipeline" in told
    assert "let each job run as the role of its class" in told
    assert "if iam:PassedToService StringEquals sagemaker.amazonaws.com" in told
    assert "trial-release\n" in told
    documents = json.loads(call("--json").output)
    assert set(documents) >= {"training", "evaluation", "release", "endpoint", "pipeline", "launch", "events"}
    (events,) = documents["events"]["Statement"]
    assert events["Action"] == ["sagemaker:StartPipelineExecution"]
    assert "arn:aws:sagemaker:us-east-1:123456789012:pipeline/trial-parcels-train" in events["Resource"]


def test_before_there_is_a_stack_placeholders_stand_for_its_names(folder: Path) -> None:
    told = call("--role", "events").output
    assert "no stack is known here" in told
    assert "sagemaker:pipeline/prefix-parcels-train" in told
    assert "0 wildcard actions" in told
    assert "role monitoring needs nothing: no job of this project runs as it" in call("--role", "monitoring").output


def test_what_there_is_not_is_refused_by_name(folder: Path) -> None:
    with pytest.raises(UsageError, match="no role 'boss'"):
        call("--role", "boss")
    with pytest.raises(UsageError, match="no permissions for 'local'"):
        call("--cloud", "local")
