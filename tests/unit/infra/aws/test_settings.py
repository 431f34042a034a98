"""A stack's settings are checked whole: a typo must not deploy something else than was meant."""

from __future__ import annotations

import json

import pytest

from seatrial.errors import ProjectError
from tests.unit.infra.aws import stacks

pytestmark = stacks.quiet


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_the_three_stacks_are_read(stack: str) -> None:
    assert stacks.run(stack).outputs["prefix"] == f"seatrial-{stack}"


def test_every_problem_is_told_at_once() -> None:
    """One problem per `pulumi up` would cost a morning."""
    changed: dict[str, str | None] = {
        "prefix": "Seatrial_Dev",
        "owner": None,
        "budjet": "{}",
        "retention": json.dumps({"logs_days": 31, "key_deletion_days": 3}),
        "network": json.dumps({"cidr": "8.8.8.0/24", "zones": ["a"]}),
        "endpoint": json.dumps({"instances": 3, "max_instances": 1}),
    }
    with pytest.raises(ProjectError) as refused:
        stacks.run("dev", changed)
    told = refused.value.what
    for expected in (
        "Pulumi.dev.yaml",
        "prefix: ",
        "owner: is required",
        "budjet: unknown setting; did you mean 'budget'?",
        "retention.key_deletion_days: ",
        "network.zones: ",
        "endpoint: max_instances must not be below instances",
    ):
        assert expected in told
    assert "infra/aws/Pulumi.dev.yaml" in refused.value.todo


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("retention", {"logs_days": 31}, "logs_days must be one of 1, 3, 5"),
        ("network", {"cidr": "8.8.8.0/24"}, "cidr must be a private network of /16 to /24"),
        ("network", {"cidr": "10.0.0.0/28"}, "cidr must be a private network of /16 to /24"),
        ("network", {"cidr": "10.0.0.1/20"}, "has host bits set"),
        ("network", {"zones": ["a", "a"]}, "zones must be two to four different letters"),
        ("github", {"repository": "acme/flights", "branch": "*"}, "github.branch: "),
        ("github", {"repository": "acme@*/flights"}, "github.repository: "),
        ("github", {"repository": "acme@1/flights@"}, "github.repository: "),
        ("github", {"repository": "acme@1@2/flights@3"}, "github.repository: "),
        ("launchers", ["*"], "launchers.0: "),
    ],
)
def test_what_the_account_would_refuse_is_refused_here(setting: str, value: object, message: str) -> None:
    with pytest.raises(ProjectError, match=message.replace("*", r"\*")):
        stacks.run("dev", {setting: json.dumps(value)})


def test_a_value_is_never_echoed() -> None:
    """A secret that was put under the wrong name must not be printed."""
    with pytest.raises(ProjectError) as refused:
        stacks.run("dev", {"image": "hunter2"})
    assert "hunter2" not in str(refused.value)
