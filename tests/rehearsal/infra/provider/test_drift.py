"""What somebody changes in the cloud by hand is what `read` says, and what an update then puts right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from seatrial.errors import RehearsalError
from seatrial.rehearsal.infra.provider.base import Props, Unfinished, blob
from tests.rehearsal.infra.provider.conftest import Cloud, packed, trust
from tests.rehearsal.infra.provider.example import policy
from tests.rehearsal.infra.provider.examples import EXAMPLES

LOGS = "aws:cloudwatch/logGroup:LogGroup"


def _set_budget(cloud: Cloud, id: str) -> None:
    account, _, name = id.partition(":")
    limit = {"Amount": "9000", "Unit": "USD"}
    budget = {"BudgetName": name, "BudgetType": "COST", "TimeUnit": "MONTHLY", "BudgetLimit": limit}
    filters = {"TagKeyValue": ["user:stack$dev", "user:stack$prod"]}
    cloud.client("budgets").update_budget(AccountId=account, NewBudget={**budget, "CostFilters": filters})


def _set_alarm(cloud: Cloud, id: str) -> None:
    client = cloud.client("cloudwatch")
    told = client.describe_alarms(AlarmNames=[id])["MetricAlarms"][0]
    members = client.meta.service_model.operation_model("PutMetricAlarm").input_shape.members
    client.put_metric_alarm(**{key: each for key, each in told.items() if key in members} | {"Threshold": 99.0})


def _open(cloud: Cloud, id: str) -> None:
    block = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "RestrictPublicBuckets"), True)
    cloud.client("s3").put_public_access_block(Bucket=id, PublicAccessBlockConfiguration=block)


BY_HAND: dict[str, tuple[str, Callable[[Cloud, str], Any]]] = {
    "aws:budgets/budget:Budget": ("limitAmount", _set_budget),
    "aws:cloudwatch/metricAlarm:MetricAlarm": ("threshold", _set_alarm),
    "aws:cloudwatch/logGroup:LogGroup": (
        "retentionInDays",
        lambda cloud, id: cloud.client("logs").delete_retention_policy(logGroupName=id),
    ),
    "aws:cloudwatch/eventRule:EventRule": ("state", lambda cloud, id: cloud.client("events").disable_rule(Name=id)),
    "aws:ecr/repository:Repository": (
        "imageTagMutability",
        lambda cloud, id: cloud.client("ecr").put_image_tag_mutability(repositoryName=id, imageTagMutability="MUTABLE"),
    ),
    "aws:iam/role:Role": (
        "assumeRolePolicy",
        lambda cloud, id: cloud.client("iam").update_assume_role_policy(RoleName=id, PolicyDocument=trust("ec2")),
    ),
    "aws:iam/rolePolicy:RolePolicy": (
        "policy",
        lambda cloud, id: cloud.client("iam").put_role_policy(
            RoleName=id.partition(":")[0], PolicyName=id.partition(":")[2], PolicyDocument=policy("s3:*")
        ),
    ),
    "aws:kms/key:Key": ("enableKeyRotation", lambda cloud, id: cloud.client("kms").disable_key_rotation(KeyId=id)),
    "aws:lambda/function:Function": (
        "code",
        lambda cloud, id: cloud.client("lambda").update_function_code(FunctionName=id, ZipFile=packed("import os")),
    ),
    "aws:s3/bucket:Bucket": ("tags", lambda cloud, id: cloud.client("s3").delete_bucket_tagging(Bucket=id)),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": ("blockPublicPolicy", _open),
    "aws:sns/topic:Topic": (
        "kmsMasterKeyId",
        lambda cloud, id: cloud.client("sns").set_topic_attributes(
            TopicArn=id, AttributeName="KmsMasterKeyId", AttributeValue=""
        ),
    ),
}


@pytest.mark.parametrize("token", BY_HAND)
def test_a_change_by_hand_is_read_and_put_right(cloud: Cloud, token: str) -> None:
    name, change = BY_HAND[token]
    example = next(each for each in EXAMPLES if each.token == token)
    provider, made = cloud.provider, cloud.made(token, **example.inputs(cloud))
    inputs = {key: made[key] for key in example.inputs(cloud)} | {"code": _code(made)} if "code" in made else made
    inputs = provider.check(token, "trial", {k: inputs[k] for k in example.inputs(cloud)}, made)[0]
    known = {key: value for key, value in inputs.items() if key not in provider.unseen(token)}

    def apart() -> tuple[str, ...]:
        found = provider.read(token, made["id"], made)
        assert found is not None
        return provider.diff(token, {key: found[key] for key in known}, known).changed

    assert apart() == ()
    change(cloud, made["id"])
    assert apart() == (name,)
    provider.update(token, made["id"], made, inputs)
    assert apart() == ()


def _code(made: Props) -> Props:
    code = blob("archive", packed("def handler(event, context): ..."))
    assert code["hash"] == made["code"]["hash"]
    return code


def test_what_is_deleted_by_hand_is_gone_and_can_be_deleted_again(cloud: Cloud) -> None:
    group = cloud.made(LOGS)
    cloud.client("logs").delete_log_group(logGroupName=group["id"])
    assert cloud.provider.read(LOGS, group["id"], group) is None
    with pytest.raises(RehearsalError, match="was not changed: it is gone"):
        cloud.provider.update(LOGS, group["id"], group, {"name": group["id"], "retentionInDays": 7})
    cloud.provider.delete(LOGS, group["id"], group)


def test_what_nobody_planned_is_in_the_inventory(cloud: Cloud) -> None:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="by-hand")
    s3.put_bucket_versioning(Bucket="by-hand", VersioningConfiguration={"Status": "Enabled"})
    found = cloud.provider.inventory()
    s3.delete_bucket(Bucket="by-hand")
    assert found == {
        ("aws:s3/bucket:Bucket", "by-hand"),
        ("aws:s3/bucketVersioning:BucketVersioning", "by-hand"),
    }


def test_a_creation_that_fails_half_way_says_what_there_is_and_an_update_finishes_it(cloud: Cloud) -> None:
    cloud.aws.fault("access-denied", operation="PutRetentionPolicy")
    inputs, _ = cloud.provider.check(LOGS, "half", {"retentionInDays": 7, "tags": {"a": "b"}}, None)
    with pytest.raises(Unfinished) as partly:
        cloud.provider.create(LOGS, inputs)
    cloud.standing.append((LOGS, {"id": partly.value.id}))
    assert partly.value.id == inputs["name"]
    assert "AccessDenied" in partly.value.reason
    assert (partly.value.outputs["retentionInDays"], partly.value.outputs["tags"]) == (0, {"a": "b"})
    outputs = cloud.provider.update(LOGS, partly.value.id, partly.value.outputs, inputs)
    assert outputs["retentionInDays"] == 7


def test_an_update_that_fails_half_way_says_so_and_one_that_did_nothing_too(cloud: Cloud) -> None:
    group = cloud.made(LOGS, retentionInDays=7, tags={"a": "b"})
    wanted = {"name": group["id"], "retentionInDays": 14, "tags": {"a": "c"}}
    cloud.aws.fault("access-denied", operation="TagResource")
    with pytest.raises(Unfinished) as partly:
        cloud.provider.update(LOGS, group["id"], group, wanted)
    assert (partly.value.outputs["retentionInDays"], partly.value.outputs["tags"]) == (14, {"a": "b"})
    cloud.aws.fault("access-denied", operation="TagResource")
    with pytest.raises(RehearsalError, match=r"was not changed: AccessDenied"):
        cloud.provider.update(LOGS, group["id"], partly.value.outputs, wanted)
    assert cloud.provider.update(LOGS, group["id"], partly.value.outputs, wanted)["tags"] == {"a": "c"}


def test_functions_of_the_provider(cloud: Cloud) -> None:
    ask = cloud.provider.invoke
    assert ask("aws:index/getCallerIdentity:getCallerIdentity", {})["accountId"] == "123456789012"
    assert ask("aws:index/getRegion:getRegion", {})["region"] == "us-east-1"
    assert ask("aws:index/getPartition:getPartition", {})["partition"] == "aws"
    with pytest.raises(RehearsalError, match="region is not applied by the rehearsal"):
        ask("aws:index/getRegion:getRegion", {"region": "eu-west-1"})
    with pytest.raises(RehearsalError, match="'aws:s3/getBucket:getBucket' is not rehearsed"):
        ask("aws:s3/getBucket:getBucket", {"bucket": "a"})
