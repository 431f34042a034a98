"""The program as a whole: what it registers in each stack, and what it tells the engine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest

from infra.aws.tags import TAGGABLE, tagging
from seatrial import project
from seatrial.clouds.aws import guardrails
from seatrial.clouds.aws.names import Names
from seatrial.clouds.aws.stack import StackOutputs
from tests.conftest import REPOSITORY
from tests.unit.infra.aws import stacks
from tests.unit.infra.aws.schema import properties

pytestmark = stacks.quiet
STACKS = ("dev", "staging", "prod")
IMAGE = f"{stacks.ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com/seatrial-dev@sha256:{'a' * 64}"
STATE_KEY = f"arn:aws:kms:eu-central-1:{stacks.ACCOUNT}:key/state"
EVERYTHING: Mapping[str, str] = {
    "image": IMAGE,
    "emails": json.dumps(["ops@example.com"]),
    "readers": json.dumps(["444455556666"]),
    "github": json.dumps(
        {"repository": "acme/flights", "state": {"bucket": "acme-pulumi-state", "key_arn": STATE_KEY}}
    ),
    "network": json.dumps({"cidr": "10.64.0.0/20"}),
    "tracking": json.dumps({"size": "Small"}),
}
STATEFUL = (":Bucket", ":Key", ":Repository", ":ModelPackageGroup", ":MlflowTrackingServer")
NAMES = ("name", "bucket", "dashboardName", "modelPackageGroupName", "trackingServerName")
UNNAMED = {
    "aws:ec2/routeTableAssociation:RouteTableAssociation",
    "aws:kms/key:Key",
    "aws:sns/topicSubscription:TopicSubscription",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
}
"""What AWS names itself."""


@pytest.mark.parametrize("stack", STACKS)
def test_the_outputs_are_what_the_engine_reads(stack: str) -> None:
    outputs = StackOutputs.model_validate_json(json.dumps(stacks.run(stack, EVERYTHING).outputs))
    names = Names.of(outputs, "flights")
    assert outputs.region == "eu-central-1"
    assert outputs.bucket == f"seatrial-{stack}-artifacts-{stacks.ACCOUNT}-eu-central-1"
    assert outputs.subnets and outputs.security_groups
    assert names.endpoint == f"seatrial-{stack}-flights"
    assert set(names.shell.pipelines) == {"train", "release"}
    assert outputs.tags["stack"] == stack


def test_before_there_is_an_image_the_output_is_missing() -> None:
    """The first update makes the repository that the image is pushed to."""
    assert "image" not in stacks.run("dev").outputs


def test_artifacts_may_lie_below_a_prefix() -> None:
    outputs = stacks.run("dev", {"artifact_prefix": "teams/flights"}).outputs
    assert outputs["artifact_root"].endswith("-eu-central-1/teams/flights")


def test_every_name_is_explicit_and_begins_with_the_prefix() -> None:
    """A name with a random end would be another one after a replacement, and no policy could name it before."""
    ran = stacks.run("dev", EVERYTHING)
    named = 0
    for each in ran.resources:
        if not each.type.startswith("aws:") or each.type in UNNAMED:
            continue
        keys = [
            key
            for key in ("name", "bucket", "dashboardName", "modelPackageGroupName", "trackingServerName")
            if key in each.inputs
        ]
        if "name" not in properties(each.type) and not keys:
            continue
        assert keys, f"{each.type} {each.name} leaves its name to Pulumi"
        name = each.inputs[keys[0]]
        if each.type in ("aws:iam/rolePolicy:RolePolicy",):
            assert name in ("derived", "own")
        else:
            assert name.removeprefix("alias/").rpartition("/")[2].startswith("seatrial-dev"), name
        named += 1
    assert named > 50


def test_tags_go_on_everything_that_can_carry_them() -> None:
    """Held against the SDK's own arguments: a type that is added later cannot be forgotten."""
    ran = stacks.run("dev", EVERYTHING)
    kinds = {each.type for each in ran.resources if each.type.startswith("aws:")}
    assert {kind for kind in kinds if "tags" in properties(kind)} == TAGGABLE & kinds
    assert all("tags" in properties(kind) for kind in TAGGABLE)
    for each in ran.resources:
        if each.type in TAGGABLE:
            assert ran.outputs["tags"].items() <= each.inputs["tags"].items(), each.name


def test_a_resources_own_tags_stay() -> None:
    add = tagging({"stack": "dev", "owner": "us"})
    given = _transformed("aws:s3/bucket:Bucket", {"bucket": "b", "tags": {"owner": "them"}})
    found = add(given)
    assert found is not None
    assert found.props == {"bucket": "b", "tags": {"stack": "dev", "owner": "them"}}
    assert add(_transformed("aws:s3/bucketPolicy:BucketPolicy", {})) is None


def _transformed(kind: str, props: dict[str, Any]) -> pulumi.ResourceTransformArgs:
    return pulumi.ResourceTransformArgs(custom=True, type_=kind, name="x", props=props, opts=pulumi.ResourceOptions())


def test_production_is_protected_and_keeps_longer() -> None:
    dev, prod = stacks.run("dev", EVERYTHING), stacks.run("prod", EVERYTHING)
    stateful = [each for each in prod.resources if each.type.endswith(STATEFUL)]
    assert len(stateful) == 7
    assert all(each.protect for each in stateful)
    assert not any(each.protect for each in dev.resources)
    assert all(not each.inputs["forceDestroy"] for each in prod.of("s3/bucket:Bucket"))
    assert all(each.inputs["forceDestroy"] for each in dev.of("s3/bucket:Bucket"))
    for kind, key in (("logGroup:LogGroup", "retentionInDays"), ("key:Key", "deletionWindowInDays")):
        assert min(each.inputs[key] for each in prod.of(kind)) > max(each.inputs[key] for each in dev.of(kind))


def test_a_preview_before_the_first_update_registers_the_same() -> None:
    """Nothing may hang on a value that only an update knows."""
    assert _kinds(stacks.run("prod", EVERYTHING, preview=True)) == _kinds(stacks.run("prod", EVERYTHING))


def _kinds(ran: stacks.Ran) -> list[tuple[str, str]]:
    return sorted((each.type, each.name) for each in ran.resources)


def test_what_is_published_to_or_delivered_to_waits_for_permission() -> None:
    """S3 and Budgets look whether they may, the moment they are told where to."""
    ran = stacks.run("dev")
    assert "logs-policy" in ran.one(":BucketLogging", "artifacts-logging").depends
    assert {"notifications-policy", "budget-stop-policy"} <= set(ran.one(":Budget", "monthly").depends)
    assert all("notifications-policy" in each.depends for each in ran.of(":MetricAlarm"))


def test_options_are_off_unless_asked_for() -> None:
    kinds = {each.type.rpartition(":")[2] for each in stacks.run("dev").resources}
    assert not kinds & {"Vpc", "MlflowTrackingServer", "OpenIdConnectProvider", "ModelPackageGroupPolicy"}


# models


def test_guardrails_alarms_are_what_the_engine_expects() -> None:
    """The engine hands their names to a deployment: an alarm on another metric would bring nothing back."""
    outputs = StackOutputs.model_validate(stacks.run("dev", EVERYTHING).outputs)
    rollout = project.load(REPOSITORY).model("flights").rollout
    wanted = guardrails.alarms(Names.of(outputs, "flights"), rollout)
    ran = stacks.run("dev")
    assert len(wanted) == len(rollout.guardrails) > 0
    for alarm in wanted:
        (found,) = [each.inputs for each in ran.of(":MetricAlarm") if each.inputs["name"] == alarm.name]
        assert _rule(found) == alarm.rule()
        assert found["alarmActions"]


def _rule(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The program's properties, as CloudWatch is asked."""
    dimensions = [{"Name": name, "Value": value} for name, value in sorted(inputs["dimensions"].items())]
    told = {key[0].upper() + key[1:]: value for key, value in inputs.items()}
    names: tuple[str, ...] = (
        "Namespace",
        "MetricName",
        "Statistic",
        "ExtendedStatistic",
        "Threshold",
        "ComparisonOperator",
        "Period",
    )
    kept = {
        name: told[name] for name in (*names, "EvaluationPeriods", "TreatMissingData") if told.get(name) is not None
    }
    return {**kept, "Dimensions": dimensions}


@pytest.fixture
def two_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This project with a second model: a copy of the first one's folder, and nothing under infra/ touched."""
    for part in ("seatrial.toml", "components", "pipelines", "training"):
        source = REPOSITORY / part
        if source.is_dir():
            shutil.copytree(source, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path / part)
    shutil.copytree(tmp_path / "training" / "flights", tmp_path / "training" / "night_flights")
    monkeypatch.setenv("SEATRIAL_PROJECT", str(tmp_path))
    return tmp_path


def test_a_second_model_needs_no_edit_of_the_program(two_models: Path) -> None:
    before = stacks.run("dev")
    ran = stacks.run("dev")
    assert set(ran.outputs["models"]) == {"flights", "night_flights"}
    assert ran.outputs["models"]["night_flights"]["endpoint"] == "seatrial-dev-night-flights"
    first = {each.name for each in ran.resources if each.name.startswith("flights")}
    second = {each.name for each in ran.resources if each.name.startswith("night_flights")}
    assert second == {f"night_{name}" for name in first}
    assert _kinds(before) == _kinds(ran)


def test_a_model_whose_name_is_too_long_is_refused_by_name(two_models: Path) -> None:
    name = "flights_" + "x" * 40
    (two_models / "training" / "night_flights").rename(two_models / "training" / name)
    with pytest.raises(Exception, match=f"the model's name '{name}' cannot be used on AWS"):
        stacks.run("dev")


def test_a_schedule_exists_only_for_a_monitor_that_exists(two_models: Path) -> None:
    """A rule for a pipeline that nobody wrote would fail every day."""
    assert not [each for each in stacks.run("dev").of(":EventRule") if each.inputs.get("scheduleExpression")]
    monitor = (two_models / "pipelines" / "release.py").read_text().replace("def release(", "def monitor(")
    (two_models / "pipelines" / "monitor.py").write_text(monitor.replace('name="release"', 'name="monitor"'))
    ran = stacks.run("dev", {"monitor_schedule": "rate(6 hours)"})
    due = [each for each in ran.of(":EventRule") if each.inputs.get("scheduleExpression")]
    assert sorted(each.inputs["name"] for each in due) == ["seatrial-dev-flights-due", "seatrial-dev-night-flights-due"]
    assert all(each.inputs["scheduleExpression"] == "rate(6 hours)" for each in due)
    target = ran.one(":EventTarget", "flights-due-monitor")
    assert target.inputs["arn"].endswith(":pipeline/seatrial-dev-flights-monitor")
