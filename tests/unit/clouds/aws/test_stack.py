"""Stack outputs are found in one order, checked whole, and explained when they are wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seatrial.clouds.aws.names import LONGEST, model_of, resource_name
from seatrial.clouds.aws.stack import load_stack
from seatrial.errors import ProjectError
from tests.unit.clouds.aws.stacks import stack_table


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


def test_names_lead_back_to_the_model() -> None:
    assert resource_name("trial", "late_flights") == "trial-late-flights"
    assert model_of("trial", "trial-late-flights") == "late_flights"
    assert model_of("trial", "other-late-flights") is None


@pytest.mark.parametrize("model", ["ends_", "x" * LONGEST])
def test_a_name_that_aws_would_refuse_is_refused_here(model: str) -> None:
    with pytest.raises(ProjectError, match="cannot be used on AWS"):
        resource_name("trial", model)
