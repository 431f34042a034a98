"""Who may do what: nobody more than is written down, and nobody on behalf of somebody else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from infra.aws.policies import parts
from infra.aws.workflows import Row
from tests.unit.infra.aws import stacks
from tests.unit.infra.aws.test_program import EVERYTHING

pytestmark = stacks.quiet
DOCUMENTS = ("policy", "assumeRolePolicy", "resourcePolicy")
STAR_REASONS = {
    "cloudwatch:PutMetricData",
    "ec2:CreateNetworkInterface",
    "ecr:GetAuthorizationToken",
    "route53:AssociateVPCWithHostedZone",
    "sts:GetCallerIdentity",
}
"""Actions that know no resource; listings besides."""


def _statements(ran: stacks.Ran, *kinds: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for each in ran.resources:
        for key in DOCUMENTS:
            if key in each.inputs and each.type.endswith(kinds or ("",)) and not each.type.endswith(":LifecyclePolicy"):
                for statement in json.loads(each.inputs[key])["Statement"]:
                    yield each.name, statement


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@pytest.fixture(params=["dev", "prod"])
def ran(request: pytest.FixtureRequest) -> stacks.Ran:
    return stacks.run(request.param, EVERYTHING)


def test_no_allowed_action_is_a_wildcard(ran: stacks.Ran) -> None:
    found = list(_statements(ran))
    assert len(found) > 100
    assert [
        (name, action)
        for name, statement in found
        if statement["Effect"] == "Allow"
        for action in _listed(statement["Action"])
        if "*" in action
    ] == []


def test_every_resource_of_all_has_a_reason(ran: stacks.Ran) -> None:
    """What a role may do with everything is a listing, or among the few actions that know no resource."""
    for name, statement in _statements(ran, ":RolePolicy", ":Policy"):
        if "*" not in _listed(statement["Resource"]):
            continue
        actions = set(_listed(statement["Action"]))
        listing = all(each.partition(":")[2].startswith(("List", "Describe")) for each in actions)
        assert listing or actions & STAR_REASONS, (name, statement["Sid"])


def test_a_row_without_a_reason_is_refused() -> None:
    with pytest.raises(ValueError, match="the row Lists"):
        Row("Lists", ("*",), ("kms:ListAliases",))
    with pytest.raises(ValueError, match=r"s3:Get\*"):
        Row("Buckets", ("arn:aws:s3:::x",), ("s3:Get*",))


def test_services_act_for_this_account_only(ran: stacks.Ran) -> None:
    """Without a condition, another account's resource can make the service use this role, topic or key."""
    checked = 0
    for name, statement in _statements(ran):
        principal = statement.get("Principal")
        if statement["Effect"] != "Allow" or not isinstance(principal, dict) or "Service" not in principal:
            continue
        if (name, principal["Service"]) == ("notifications-policy", "events.amazonaws.com"):
            assert "Condition" not in statement, "EventBridge tells a topic nothing that a condition could compare"
            continue
        if (name, principal["Service"]) == ("budget-stop-role", "lambda.amazonaws.com"):
            assert "Condition" not in statement, "AWS documents none that Lambda meets"
            continue
        conditions = statement["Condition"]
        pinned = conditions.get("StringEquals", {}).get("aws:SourceAccount") == stacks.ACCOUNT
        compared = conditions.get("ArnLike", {})
        contexts = [compared.get(f"kms:EncryptionContext:aws:{each}", "") for each in ("logs:arn", "sns:topicArn")]
        assert pinned or any(f":{stacks.ACCOUNT}:" in each for each in contexts), name
        checked += 1
    assert checked >= 15


@pytest.mark.parametrize("repository", ["acme/flights", "acme@123456/flights@456789"])
def test_workflows_are_pinned_to_repository_and_place(repository: str) -> None:
    """A subject with a wildcard would let in every branch, and every fork's pull request.

    With GitHub's numbers, too: STS compares the text, and tokens of a new repository hold them.
    """
    changed = {"github": json.dumps({"repository": repository, "environment": "production"})}
    subjects = {
        name: next(
            value
            for key, value in statement["Condition"]["StringEquals"].items()
            if key.endswith("githubusercontent.com:sub")
        )
        for name, statement in _statements(stacks.run("prod", changed), ":Role")
        if statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    }
    assert subjects == {
        "github-preview-role": f"repo:{repository}:pull_request",
        "github-deploy-role": f"repo:{repository}:environment:production",
        "github-release-role": f"repo:{repository}:environment:production",
    }
    on_branch = _statements(stacks.run("dev", EVERYTHING), ":Role")
    assert any("repo:acme/flights:ref:refs/heads/main" in json.dumps(each) for _, each in on_branch)


def test_the_accounts_own_provider_is_not_made_again() -> None:
    """An account has one provider for GitHub at most."""
    provider = f"arn:aws:iam::{stacks.ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
    ran = stacks.run("dev", {"github": json.dumps({"repository": "acme/flights", "provider_arn": provider})})
    assert not ran.of(":OpenIdConnectProvider")
    trust = json.loads(ran.one(":Role", "github-deploy-role").inputs["assumeRolePolicy"])
    assert trust["Statement"][0]["Principal"] == {"Federated": provider}


def test_a_preview_writes_nothing(ran: stacks.Ran) -> None:
    """Not even a lock: a pull request that could write state could rewrite what production is."""
    reads = ("Get", "List", "Describe", "View")
    key = json.loads(EVERYTHING["github"])["state"]["key_arn"]
    for name, statement in _statements(ran, ":RolePolicy", ":Policy"):
        if name.startswith("github-preview"):
            if statement["Resource"] == [key]:
                assert statement["Action"] == ["kms:Decrypt"]
            else:
                assert all(each.partition(":")[2].startswith(reads) for each in statement["Action"]), statement


def test_who_deploys_writes_this_stacks_state_only() -> None:
    """One bucket holds every stack's: what brings dev up must not reach what prod is."""
    state = "arn:aws:s3:::acme-pulumi-state"
    for stack in ("dev", "prod"):
        writes = [
            resource
            for name, each in _statements(stacks.run(stack, EVERYTHING), ":RolePolicy", ":Policy")
            if name.startswith("github-deploy") and {"s3:PutObject", "s3:DeleteObject"} & set(_listed(each["Action"]))
            for resource in _listed(each["Resource"])
            if resource.startswith(state)
        ]
        own = f"seatrial-aws/{stack}"
        assert writes == [
            f"{state}/.pulumi/backups/{own}/*",
            f"{state}/.pulumi/history/{own}/*",
            f"{state}/.pulumi/locks/organization/{own}/*",
            f"{state}/.pulumi/stacks/{own}.json*",
            f"{state}/.pulumi/stacks/{own}.pulumi-tags",
        ]


def test_who_deploys_takes_over_nothing(ran: stacks.Ran) -> None:
    """A tag makes a key or a network this stack's: it is given to what is new, and to what has it already."""
    ours = {"StringEquals": {"aws:ResourceTag/stack": ran.outputs["tags"]["stack"]}}
    tagged = {"aws:RequestTag/stack": ran.outputs["tags"]["stack"]}
    found: dict[str, list[dict[str, Any]]] = {}
    for name, each in _statements(ran, ":RolePolicy", ":Policy"):
        if name.startswith("github-deploy") and each["Effect"] == "Allow":
            for action in each["Action"]:
                found.setdefault(action, []).append(each)
    assert "kms:CreateKey" not in found
    assert [each.get("Condition") for each in found["kms:TagResource"]] == [ours]
    for each in found["ec2:CreateTags"]:
        asked = each["Condition"]
        made = asked["StringEquals"].get("ec2:CreateAction")
        if made is not None:
            assert {f"ec2:{call}" for call in made} <= set(found), "a call that nobody may make"
        assert asked == ours or ((made or "Null" in asked) and asked["StringEquals"].items() >= tagged.items())
    for way in ("Egress", "Ingress"):
        for each in found[f"ec2:AuthorizeSecurityGroup{way}"]:
            groups = [arn for arn in each["Resource"] if arn.rpartition(":")[2].startswith("security-group/")]
            assert each.get("Condition") == ours or not groups
    for call in ("CreateVpc", "CreateSubnet", "CreateRouteTable", "CreateSecurityGroup", "CreateVpcEndpoint"):
        for each in found[f"ec2:{call}"]:
            assert each["Condition"] in (ours, {"StringEquals": tagged})
            networks = [arn for arn in each["Resource"] if arn.endswith(":vpc/*")]
            assert each["Condition"] == ours or not networks or call == "CreateVpc", "in somebody else's network"


def test_who_deploys_cannot_let_itself_do_more(ran: stacks.Ran) -> None:
    texts = [each for name, each in _statements(ran, ":RolePolicy", ":Policy") if name.startswith("github-deploy")]
    (denied,) = [each for each in texts if each["Effect"] == "Deny"]
    prefix = ran.outputs["prefix"]
    assert f"arn:aws:iam::{stacks.ACCOUNT}:role/{prefix}-github-*" in denied["Resource"]
    writes = {"iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:CreatePolicyVersion"}
    assert writes <= set(denied["Action"])


def test_who_deploys_cannot_move_its_boundary() -> None:
    """Its name may begin with the prefix, and policies of the prefix are the deploying role's to change."""
    boundary = f"arn:aws:iam::{stacks.ACCOUNT}:policy/seatrial-dev-boundary"
    ran = stacks.run("dev", {**EVERYTHING, "boundary": boundary})
    (denied,) = [each for _, each in _statements(ran, ":RolePolicy", ":Policy") if each["Effect"] == "Deny"]
    assert boundary in denied["Resource"]
    assert {"iam:CreatePolicyVersion", "iam:DeletePolicy", "iam:DeletePolicyVersion"} <= set(denied["Action"])


def test_log_groups_use_their_key_as_in_awss_sample() -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html, no wildcards."""
    policy = json.loads(stacks.run("dev").one(":Key", "operations-key").inputs["policy"])
    (logs,) = [each for each in policy["Statement"] if each["Sid"] == "LogGroupsOfThisAccount"]
    wanted = {"Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "ReEncryptFrom", "ReEncryptTo"}
    assert set(logs["Action"]) == {f"kms:{each}" for each in wanted}


def test_who_makes_private_names_may_associate_their_zone() -> None:
    """Interface endpoints with private DNS take an action of Route 53 beside EC2's."""
    ran = stacks.run("dev", EVERYTHING)
    assert any(each.inputs.get("privateDnsEnabled") for each in ran.of(":VpcEndpoint"))
    allowed = [
        each["Resource"]
        for name, each in _statements(ran, ":RolePolicy", ":Policy")
        if name.startswith("github-deploy") and "route53:AssociateVPCWithHostedZone" in each["Action"]
    ]
    assert allowed == [["*"]]


def test_launchers_are_named_or_the_account_decides() -> None:
    person = f"arn:aws:iam::{stacks.ACCOUNT}:role/people/engineer"
    for changed, expected in (
        ({}, [f"arn:aws:iam::{stacks.ACCOUNT}:root"]),
        ({"launchers": json.dumps([person])}, [person]),
    ):
        trust = json.loads(stacks.run("dev", changed).one(":Role", "launch-role").inputs["assumeRolePolicy"])
        assert trust["Statement"][0]["Principal"] == {"AWS": expected}


def test_a_boundary_is_on_every_role() -> None:
    boundary = f"arn:aws:iam::{stacks.ACCOUNT}:policy/boundary"
    ran = stacks.run("dev", {**EVERYTHING, "boundary": boundary})
    assert {each.inputs.get("permissionsBoundary") for each in ran.of(":Role")} == {boundary}
    creating = [each for _, each in _statements(ran, ":RolePolicy", ":Policy") if "iam:CreateRole" in each["Action"]]
    assert any(each.get("Condition") == {"StringEquals": {"iam:PermissionsBoundary": boundary}} for each in creating)


def test_policies_fit_into_what_iam_takes(ran: stacks.Ran) -> None:
    for each in ran.of(":RolePolicy"):
        assert len(each.inputs["policy"]) <= 10_240, each.name
    for each in ran.of("policy:Policy"):
        assert len(each.inputs["policy"]) <= 6_144, each.name


def test_a_long_policy_is_cut_between_statements() -> None:
    statements = [{"Sid": f"S{number}", "Resource": "x" * 2_000} for number in range(12)]
    found = parts({"Version": "2012-10-17", "Statement": statements})
    assert [each for part in found for each in part["Statement"]] == statements
    sizes = [len(json.dumps(part, separators=(",", ":"))) for part in found]
    assert len(found) == 5
    assert sizes[0] <= 10_240 and max(sizes[1:]) <= 6_144


def test_buckets_refuse_clear_text_and_strangers() -> None:
    ran = stacks.run("dev")
    for name in ("artifacts", "logs"):
        policy = json.loads(ran.one(":BucketPolicy", f"{name}-policy").inputs["policy"])
        (denied,) = [each for each in policy["Statement"] if each["Effect"] == "Deny"]
        bucket = f"arn:aws:s3:::seatrial-dev-{name}-{stacks.ACCOUNT}-eu-central-1"
        assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        assert denied["Resource"] == [bucket, f"{bucket}/*"]
        block = ran.one(":BucketPublicAccessBlock", f"{name}-public-access").inputs
        flags = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
        assert all(block[flag] is True for flag in flags)
