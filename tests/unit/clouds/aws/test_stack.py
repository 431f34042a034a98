"""Stack outputs are found in one order, checked whole, and explained when they are wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from seatrial.clouds.aws.names import LONGEST, Names, model_shell, resource_name
from seatrial.clouds.aws.stack import StackOutputs, load_stack
from seatrial.errors import ProjectError
from tests.unit.clouds.aws.stacks import model_table, stack_table


@pytest.fixture(autouse=True)
def _no_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEATRIAL_STACK", raising=False)


def save(state: Path, name: str, prefix: str) -> Path:
    path = state / "stacks" / f"aws.{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(stack_table(prefix=prefix)))
    return path


def test_the_only_stack_is_meant(tmp_path: Path) -> None:
    save(tmp_path, "dev", "one")
    found = load_stack(tmp_path)
    assert (found.prefix, found.bucket, found.key("a", "b")) == ("one", "trial-artifacts", "dev/a/b")
    assert found.uri("a") == "s3://trial-artifacts/dev/a"


def test_of_several_one_has_to_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, "dev", "one")
    save(tmp_path, "prod", "two")
    with pytest.raises(ProjectError, match=r"not clear\n.*dev, prod\.\n.*--stack"):
        load_stack(tmp_path)
    assert load_stack(tmp_path, "prod").prefix == "two"
    monkeypatch.setenv("SEATRIAL_STACK", "dev")
    assert load_stack(tmp_path).prefix == "one"
    assert load_stack(tmp_path, "prod").prefix == "two"


def test_the_variable_holds_a_path_or_the_text_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEATRIAL_STACK", str(save(tmp_path / "elsewhere", "dev", "one")))
    assert load_stack(tmp_path).prefix == "one"
    monkeypatch.setenv("SEATRIAL_STACK", json.dumps(stack_table(prefix="two")))
    assert load_stack(tmp_path).prefix == "two"


@pytest.mark.parametrize("named", [None, "dev"])
def test_no_stack_says_how_to_get_one(tmp_path: Path, named: str | None) -> None:
    with pytest.raises(ProjectError, match="pulumi -C infra/aws stack output --json"):
        load_stack(tmp_path, named)


def test_all_problems_are_told_at_once_and_no_value_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = stack_table(
        region="mars", account="12", image="repository:latest", subnets=["subnet-1"], rolls={}, artifact_root="s3://"
    )
    del wrong["roles"]["endpoint"]
    monkeypatch.setenv("SEATRIAL_STACK", json.dumps(wrong))
    with pytest.raises(ProjectError) as caught:
        load_stack(tmp_path)
    for place in ("region", "account", "image", "rolls: unknown setting", "artifact_root", "roles.endpoint"):
        assert f"  {place}" in caught.value.what
    assert "SEATRIAL_STACK: 6 problems" in caught.value.what
    assert "mars" not in caught.value.what


def test_text_that_is_no_json_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEATRIAL_STACK", "{region")
    with pytest.raises(ProjectError, match="SEATRIAL_STACK is not valid JSON"):
        load_stack(tmp_path)


def test_a_models_resources_are_named_once_and_taken_from_the_stack() -> None:
    shell = model_shell("trial", "late_flights", guardrails=["error_rate"], pipelines=["train", "nightly_check"])
    assert (shell.group, shell.endpoint) == ("trial-late-flights", "trial-late-flights")
    stack = StackOutputs.model_validate(stack_table(models={"late_flights": shell.model_dump()}))
    names = Names.of(stack, "late_flights")
    assert names.alarm("error_rate") == "trial-late-flights-error-rate"
    assert names.pipeline("nightly_check") == "trial-late-flights-nightly-check"
    renamed = StackOutputs.model_validate(stack_table(models={"late_flights": {"group": "g", "endpoint": "e"}}))
    assert (Names.of(renamed, "late_flights").group, Names.of(renamed, "late_flights").endpoint) == ("g", "e")


@pytest.mark.parametrize(
    ("ask", "what"),
    [
        (lambda stack: Names.of(stack, "late"), "the stack has no model 'late'"),
        (lambda stack: Names.of(stack.model_copy(update={"models": {}}), "parcels"), "no model 'parcels'\n.*none"),
        (
            lambda stack: Names.of(stack, "parcels").alarm("cost"),
            "no alarm for the guardrail 'cost' of model 'parcels'",
        ),
        (lambda stack: Names.of(stack, "parcels").pipeline("batch"), "no pipeline 'batch' of model 'parcels'"),
    ],
)
def test_what_the_stack_does_not_have_is_refused(ask: Callable[[StackOutputs], object], what: str) -> None:
    with pytest.raises(ProjectError, match=what) as caught:
        ask(StackOutputs.model_validate(stack_table()))
    assert "pulumi -C infra/aws up" in caught.value.todo


def test_jobs_of_a_model_are_told_of_no_other_model() -> None:
    stack = StackOutputs.model_validate(stack_table(models=model_table("trial", "parcels", "late")))
    assert set(stack.only("parcels").models) == {"parcels"}


@pytest.mark.parametrize("model", ["ends_", "x" * LONGEST])
def test_a_name_that_aws_would_refuse_is_refused_here(model: str) -> None:
    with pytest.raises(ProjectError, match="cannot be used on AWS"):
        resource_name("trial", model)
