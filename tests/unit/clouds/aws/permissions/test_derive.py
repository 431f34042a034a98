"""Permissions of this repository's own project: narrow, known to IAM, and the same code for any number of models."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Iterable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from seatrial import project
from seatrial.clouds.aws.permissions import Grant, Permissions, Place, Role, Use, derive, unused, usage, uses
from seatrial.clouds.aws.permissions.patterns import action_like, like, resource_like

ROOT = Path(__file__).resolve().parents[5]
ACCOUNT = "123456789012"
PLACE = Place(
    partition="aws",
    region="eu-central-1",
    account=ACCOUNT,
    prefix="trial",
    bucket="trial-artifacts",
    artifact_prefix="dev",
    kms_key=None,
    repository=f"arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/trial",
    network=False,
)
KEY = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"


@functools.cache
def derived(kms_key: str | None = None, network: bool = False) -> Permissions:
    return derive(project.load(ROOT), ["flights"], replace(PLACE, kms_key=kms_key, network=network))


@functools.cache
def known() -> dict[str, Any]:
    """cfn-lint's copy of IAM's service authorization reference."""
    path = resources.files("cfnlint") / "data" / "AdditionalSpecs" / "Policies.json"
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def problems(grants: Iterable[Grant]) -> list[str]:
    """Actions that IAM does not know, and resources that they are not about."""
    found = []
    for grant in grants:
        for action in grant.actions:
            service, _, name = action.partition(":")
            about = known().get(service, {}).get("Actions", {}).get(name.lower())
            if about is None:
                found.append(f"{action}: unknown")
                continue
            formats = [
                form
                for kind in about.get("Resources", [])
                for form in known()[service]["Resources"].get(kind, {}).get("ARNFormats", [])
            ]
            for resource in grant.resources if formats else ():
                if resource != "*" and not any(_fits(form, resource) for form in formats):
                    found.append(f"{action}: not about {resource}")
    return found


def _fits(form: str, resource: str) -> bool:
    """``arn:${Partition}:sagemaker:${Region}:...:model/.*``, against a pattern of resources: compared up to its end."""
    wanted, given = form.split(":", 5), resource.split(":", 5)
    if len(wanted) != 6 or len(given) != 6 or wanted[2] != given[2]:
        return False
    return like(wanted[5].partition("${")[0].partition(".*")[0] + "*", given[5])


def actions(role: Any, found: Permissions) -> set[str]:
    return {action for grant in found.of(role) for action in grant.actions}


@pytest.mark.parametrize("options", [(None, False), (KEY, True)])
def test_every_action_is_one_of_iam_and_about_its_resource(options: tuple[str | None, bool]) -> None:
    assert problems(derived(*options).grants) == []


def test_a_misspelt_action_and_a_resource_of_another_kind_are_found() -> None:
    wrong = [
        Grant("release", ("sagemaker:CreateEndpont",), (PLACE.arn("sagemaker", "endpoint/x"),), why="a seeded mistake"),
        Grant("release", ("sagemaker:CreateModel",), (PLACE.arn("sagemaker", "endpoint/x"),), why="another"),
        Grant("release", ("s3:GetObject",), (PLACE.arn("kms", "key/x"),), why="a third"),
    ]
    assert [each.partition(": ")[0] for each in problems(wrong)] == [
        "sagemaker:CreateEndpont",
        "sagemaker:CreateModel",
        "s3:GetObject",
    ]


def test_no_action_is_a_wildcard_and_each_star_has_its_reason() -> None:
    for grant in derived(KEY, True).grants:
        assert not any("*" in action for action in grant.actions)
        assert bool(grant.star_reason) == ("*" in grant.resources)
        assert grant.why


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"actions": ("s3:*",)}, "wildcard"),
        ({"resources": ("*",)}, "says not why"),
        ({"why": ""}, "says not why"),
        ({"resources": ()}, "names no action or no resource"),
    ],
)
def test_a_grant_that_no_review_would_pass_cannot_be_made(wrong: dict[str, Any], said: str) -> None:
    good: dict[str, Any] = {"role": "release", "actions": ("s3:GetObject",), "resources": ("arn:x",), "why": "because"}
    with pytest.raises(ValueError, match=said):
        Grant(**{**good, **wrong})


def test_jobs_read_what_they_are_given_and_write_what_they_make() -> None:
    (reads,) = (g for g in derived().of("evaluation") if g.actions == ("s3:GetObject",) and "is given" in g.why)
    assert f"arn:aws:s3:::{PLACE.bucket}/dev/runs/*/train/split-holdout/files/*" in reads.resources
    assert not any("/decide/" in each for each in reads.resources)
    (writes,) = (g for g in derived().of("evaluation") if g.actions == ("s3:PutObject",))
    assert all("/runs/*/decide/" in each for each in writes.resources)


def test_each_role_may_do_its_own_work_and_not_anothers() -> None:
    found = derived()
    assert found.roles() == ("training", "evaluation", "release", "endpoint", "pipeline", "launch", "events")
    assert "sagemaker:UpdateEndpoint" in actions("release", found)
    for role in ("training", "evaluation", "endpoint", "pipeline", "launch", "events"):
        assert "sagemaker:UpdateEndpoint" not in actions(role, found)
    assert actions("events", found) == {"sagemaker:StartPipelineExecution"}
    (passes,) = (g for g in found.of("pipeline") if "iam:PassRole" in g.actions)
    passed = [each.rpartition("/")[2] for each in passes.resources]
    assert passed == ["trial-training", "trial-evaluation", "trial-release"]
    assert passes.condition == {"StringEquals": {"iam:PassedToService": ("sagemaker.amazonaws.com",)}}


def test_a_key_and_a_network_bring_their_own_permissions() -> None:
    plain, guarded = derived(), derived(KEY, True)
    for role in ("training", "evaluation", "release", "endpoint"):
        more = actions(role, guarded) - actions(role, plain)
        assert {"kms:Decrypt", "kms:GenerateDataKey", "ec2:CreateNetworkInterface"} <= more
    resource = {"Bool": {"kms:GrantIsForAWSResource": ("true",)}}
    encrypting: tuple[Role, ...] = ("training", "evaluation", "release", "pipeline")
    for each in encrypting:
        (disks,) = (g for g in guarded.of(each) if "kms:CreateGrant" in g.actions)
        assert (disks.resources, disks.condition) == ((KEY,), resource)
        asked = [g for g in guarded.of(each) if "kms:Encrypt" in g.actions]
        # the service asks the key for it without S3 in between
        assert [(g.actions, g.condition) for g in asked] == ([] if each == "pipeline" else [(("kms:Encrypt",), {})])
    assert not {"kms:CreateGrant", "kms:Encrypt"} & (actions("endpoint", guarded) | actions("launch", guarded))


def test_the_endpoints_role_sees_the_alarms_of_its_rollouts_and_no_others() -> None:
    guardrails = project.load(ROOT).model("flights").rollout.guardrails
    (seen,) = (g for g in derived().of("endpoint") if "cloudwatch:DescribeAlarms" in g.actions)
    assert seen.actions == ("cloudwatch:DescribeAlarms",)
    assert set(seen.resources) == {
        PLACE.arn("cloudwatch", f"alarm:trial-flights-{each.replace('_', '-')}") for each in guardrails
    }


def test_who_lets_an_endpoint_scale_may_do_what_auto_scaling_tries_as_its_caller() -> None:
    """https://docs.aws.amazon.com/autoscaling/application/userguide/security_iam_permission_validation.html"""
    tried = {
        "sagemaker:DescribeEndpoint": PLACE.arn("sagemaker", "endpoint/trial-flights"),
        "sagemaker:UpdateEndpointWeightsAndCapacities": PLACE.arn("sagemaker", "endpoint/trial-flights"),
        "sagemaker:DescribeEndpointConfig": PLACE.arn("sagemaker", "endpoint-config/of-somebody-else"),
        "cloudwatch:DescribeAlarms": PLACE.arn("cloudwatch", "alarm:TargetTracking-x"),
        "cloudwatch:PutMetricAlarm": PLACE.arn("cloudwatch", "alarm:TargetTracking-x"),
        "cloudwatch:DeleteAlarms": PLACE.arn("cloudwatch", "alarm:TargetTracking-x"),
    }
    scaling = [grant for grant in derived().of("release") if "max_instances" in grant.unused_reason]
    for action, about in tried.items():
        assert any(action in g.actions and any(resource_like(r, about) for r in g.resources) for g in scaling), action
    assert not {"cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm"} & actions("launch", derived())


def test_a_policy_is_one_that_iam_takes() -> None:
    for role in derived(KEY, True).roles():
        policy = derived(KEY, True).policy(role)
        sids = [each["Sid"] for each in policy["Statement"]]
        assert len(set(sids)) == len(sids)
        assert all(sid.isalnum() for sid in sids)
        assert len(json.dumps(policy, separators=(",", ":"))) < 10_240  # a role's inline policies together


def test_another_model_is_another_name_in_the_same_grants(tmp_path: Path) -> None:
    for name in ("seatrial.toml", "components", "pipelines", "training"):
        source, target = ROOT / name, tmp_path / name
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    shutil.copytree(tmp_path / "training" / "flights", tmp_path / "training" / "more_flights")
    opened = project.load(tmp_path)
    one, two = derive(opened, ["flights"], PLACE), derive(opened, opened.models(), PLACE)
    assert [(g.role, g.actions) for g in one.grants] == [(g.role, g.actions) for g in two.grants]
    named = {each for grant in two.grants for each in grant.resources if "trial-more-flights" in each}
    assert f"arn:aws:sagemaker:eu-central-1:{ACCOUNT}:pipeline/trial-more-flights-train" in named
    for grant, wider in zip(one.grants, two.grants, strict=True):
        assert set(grant.resources) <= set(wider.resources)
        own = [each for each in grant.resources if "trial-flights" in each]
        assert not any(resource_like(each, other) for each in own for other in named)


def test_what_was_never_used_is_told_with_its_reason_or_without() -> None:
    place = PLACE.arn("sagemaker", "endpoint/trial-flights")
    found = Permissions(
        (
            Grant("release", ("sagemaker:DescribeEndpoint", "sagemaker:DeleteEndpoint"), (place,), why="a"),
            Grant("release", ("sagemaker:UpdateEndpoint",), (place,), why="b", unused_reason="never here"),
        )
    )
    told = [
        {"role": "trial-release", "action": "sagemaker:DescribeEndpoint", "resource": place, "times": 2},
        {"role": "strangers", "action": "sagemaker:DeleteEndpoint", "resource": place, "times": 1},
    ]
    used = uses(told, "trial")
    assert used == (Use("release", "sagemaker:DescribeEndpoint", place, 2),)
    assert [(each.action, each.reason) for each in unused(found, used)] == [
        ("sagemaker:DeleteEndpoint", ""),
        ("sagemaker:UpdateEndpoint", "never here"),
    ]
    figures = usage(found, used, [Use("launch", "s3:GetObject", "arn:x", 3)])
    assert figures.told() == (
        "permissions: 3 granted, 1 used, 1 not used for a reason, 1 not used without one, 3 denied"
    )


@pytest.mark.parametrize(
    ("pattern", "resource", "holds"),
    [
        ("*", "anything", True),
        ("arn:aws:s3:::b/x/*", "arn:aws:s3:::b/x/y/z", True),
        ("arn:aws:s3:::b/x/*", "arn:aws:s3:::b/y", False),
        ("arn:aws:*:b", "arn:aws:s3:::b", False),
        ("arn:aws:logs:r:1:log-group:/g:*", "arn:aws:logs:r:1:log-group:/g:log-stream:s", True),
        ("arn:aws:sagemaker:r:1:model/m-????", "arn:aws:sagemaker:r:1:model/m-abcd", True),
        ("arn:aws:sagemaker:r:1:model/m-????", "arn:aws:sagemaker:r:1:model/m-abcde", False),
        ("arn:aws:sagemaker:r:1:model/M", "arn:aws:sagemaker:r:1:model/m", False),
    ],
)
def test_wildcards_stay_within_their_part(pattern: str, resource: str, holds: bool) -> None:
    assert resource_like(pattern, resource) is holds
    assert action_like("S3:getobject", "s3:GetObject")
