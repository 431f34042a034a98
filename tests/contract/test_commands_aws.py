"""The commands that take ``--cloud``, typed as a person types them, against the offline AWS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from seatrial.cli.main import app
from seatrial.clouds.aws.session import Aws
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


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What really is sent from now on, as a dry run tells it; what is refused as taken or absent, too."""
    seen: list[dict[str, Any]] = []
    call = Aws.submit

    def submit(self: Aws, service: str, operation: str, **parameters: Any) -> Any:
        if not self.dry_run:
            plain = {k: v.decode() if isinstance(v, bytes) else v for k, v in parameters.items()}
            seen.append({"service": service, "operation": operation, "parameters": plain})
        return call(self, service, operation, **parameters)

    monkeypatch.setattr(Aws, "submit", submit)
    return seen


def planned(*words: str) -> Any:
    told = said(*words, "--cloud", "aws")
    assert told["assumed"] is None
    return told["requests"]


def test_dry_runs_tell_exactly_what_is_then_sent_and_send_nothing(harbour: Harbour, sent: list[dict[str, Any]]) -> None:
    """A release, a rollback, an approval and a stop, each told, then done; the same requests in the same order."""
    harbour.deploy(1)
    served = harbour.endpoints.get(MODEL)
    sent.clear()
    told = planned("endpoint", "plan", MODEL, "2")
    assert (sent, harbour.champion, harbour.endpoints.get(MODEL).version) == ([], 1, "1")
    harbour.deploy(2)
    assert [each["operation"] for each in told][:3] == ["CreateModel", "CreateEndpointConfig", "CreateEndpoint"]
    assert told == sent

    sent.clear()
    told = planned("endpoint", "rollback", MODEL, "--dry-run")
    assert (sent, harbour.champion) == ([], 2)
    said("endpoint", "rollback", MODEL, "--cloud", "aws")
    assert told == sent
    assert harbour.endpoints.get(MODEL).digest == served.digest

    sent.clear()
    told = planned("models", MODEL, "--approve", "2", "--note", "Ada: looked at it", "--dry-run")
    assert (sent, [each["operation"] for each in told]) == ([], ["UpdateModelPackage"])
    said("models", MODEL, "--approve", "2", "--note", "Ada: looked at it", "--cloud", "aws")
    assert told == sent

    sent.clear()
    told = planned("endpoint", "stop", MODEL, "--dry-run")
    assert (sent, harbour.endpoints.get(MODEL).version) == ([], "1")
    said("endpoint", "stop", MODEL, "--cloud", "aws")
    assert told == sent
    assert {"DeleteEndpoint", "DeleteEndpointConfig", "DeleteModel"} <= {each["operation"] for each in told}


def test_a_person_reads_the_requests(harbour: Harbour) -> None:
    words = ["models", MODEL, "--reject", "2", "--note", "Ada: a slice is worse", "--dry-run", "--cloud", "aws"]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert "sagemaker UpdateModelPackage" in done.stdout
    assert '"ApprovalDescription": "Ada: a slice is worse"' in done.stdout
    assert "1 requests, none of them sent" in done.stdout


def test_a_dry_run_where_nothing_would_be_sent_is_refused(harbour: Harbour) -> None:
    with pytest.raises(UsageError, match="a dry run is asked for, and the target is this machine"):
        said("endpoint", "stop", "--all", "--dry-run")
    with pytest.raises(UsageError, match="a dry run is asked for, and nothing would change"):
        said("models", MODEL, "--dry-run", "--cloud", "aws")
