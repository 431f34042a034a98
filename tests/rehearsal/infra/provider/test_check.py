"""What the provider says of inputs before anything is asked of a cloud: none is there in these tests."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest

from seatrial.rehearsal.infra.provider.aws import TYPES, AwsProvider
from seatrial.rehearsal.infra.provider.base import UNKNOWN, Props, UnsupportedType
from tests.rehearsal.infra.provider.conftest import Cloud, trust
from tests.rehearsal.infra.provider.example import Example, policy
from tests.rehearsal.infra.provider.examples import EXAMPLES

NOWHERE = {
    "endpoint_url": "http://127.0.0.1:1",
    "region_name": "us-east-1",
    "aws_access_key_id": "none",
    "aws_secret_access_key": "none",
}
BUCKET, KEY, ALARM = "aws:s3/bucket:Bucket", "aws:kms/key:Key", "aws:cloudwatch/metricAlarm:MetricAlarm"
ROLE, RULE = "aws:iam/role:Role", "aws:cloudwatch/eventRule:EventRule"


class Imagined(Cloud):
    """Where everything that an example stands on is said to exist."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.standing = []

    def made(self, token: str, **inputs: Any) -> Props:
        name = self.name("some")
        arn = f"arn:aws:iam::123456789012:role/{name}" if token == ROLE else f"arn:aws:any:::{name}"
        return {**inputs, "id": name, "arn": arn, "prefixListId": "pl-1"}


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> AwsProvider:
    made = AwsProvider(NOWHERE)
    identity = {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:root", "UserId": "root"}
    monkeypatch.setitem(made._session.__dict__, "caller", identity)
    return made


def problems(provider: AwsProvider, type: str, **inputs: Any) -> list[str]:
    told = provider.check(type, "trial", inputs, None)[1]
    assert all(each.startswith(f"{type}: ") for each in told)
    return [each.removeprefix(f"{type}: ") for each in told]


def alarm(**more: Any) -> Props:
    rest = {"threshold": 1.0, "comparisonOperator": "GreaterThanThreshold", "period": 60.0, "evaluationPeriods": 1.0}
    return {"namespace": "N", "metricName": "m", "statistic": "Sum", **rest, **more}


@pytest.mark.parametrize(
    "example", EXAMPLES, ids=[f"{n}-{each.token.rpartition(':')[2]}" for n, each in enumerate(EXAMPLES)]
)
def test_any_property_may_be_unknown_at_preview(provider: AwsProvider, example: Example) -> None:
    inputs = example.inputs(Imagined())
    assert problems(provider, example.token, **inputs) == []
    for name in inputs:
        assert problems(provider, example.token, **{**inputs, name: UNKNOWN}) == []
    assert problems(provider, example.token, **dict.fromkeys(inputs, UNKNOWN)) == []
    for inner in _with_unknown_leaves(inputs):
        assert problems(provider, example.token, **inner) == []


def _with_unknown_leaves(inputs: Props) -> list[Props]:
    """The inputs with one text after the other replaced, wherever it lies."""
    found: list[Props] = []
    places: list[tuple[Any, ...]] = []

    def walk(value: Any, path: tuple[Any, ...]) -> None:
        if isinstance(value, dict | list):
            for key, each in value.items() if isinstance(value, dict) else enumerate(value):
                walk(each, (*path, key))
        elif isinstance(value, str) and len(path) > 1 and path[0] != "code":
            places.append(path)

    walk(inputs, ())
    for *before, last in places:
        changed = copy.deepcopy(inputs)
        place: Any = changed
        for key in before:
            place = place[key]
        place[last] = UNKNOWN
        found.append(changed)
    return found


def test_a_property_that_is_not_applied_is_refused_by_name(provider: AwsProvider) -> None:
    told = problems(provider, BUCKET, bucket="trial", objectLockEnabled=True, acl="private")
    assert told == ["objectLockEnabled: is not applied by the rehearsal", "acl: is not applied by the rehearsal"]
    rule = {"id": "a", "status": "Enabled", "expiration": {"days": 1.0, "date": "2030-01-01"}}
    lifecycle = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    assert problems(provider, lifecycle, bucket="trial", rules=[rule]) == [
        "rules[0].expiration.date: is not applied by the rehearsal"
    ]
    assert problems(provider, KEY, arn="arn:aws:kms:us-east-1:123456789012:key/a") == [
        "arn: is not applied by the rehearsal"
    ]


def test_a_type_that_is_not_applied_is_refused_by_name(provider: AwsProvider) -> None:
    server = "aws:sagemaker/mlflowTrackingServer:MlflowTrackingServer"
    for ask in (lambda: provider.check(server, "mlflow", {}, None), lambda: provider.read(server, "a", {})):
        with pytest.raises(UnsupportedType) as refused:
            ask()
        assert f"'{server}' is not rehearsed" in refused.value.what
        assert "aws:sagemaker/modelPackageGroup:ModelPackageGroup" in refused.value.why


def test_every_problem_is_told_at_once(provider: AwsProvider) -> None:
    told = problems(provider, "aws:iam/rolePolicy:RolePolicy", policy="{", extra=1)
    assert told[:2] == ["extra: is not applied by the rehearsal", "role: is required"]
    assert told[2].startswith("policy: is not a JSON document (")
    told = problems(provider, ALARM, **alarm(comparisonOperator="Bigger", treatMissingData="x" * 300, period=0.0))
    assert [each.partition(":")[0] for each in told] == ["period", "comparisonOperator", "treatMissingData"]
    assert "Value 'Bigger' at 'comparisonOperator' failed to satisfy constraint" in told[1]


@pytest.mark.parametrize(
    ("type", "inputs", "told"),
    [
        (KEY, {"deletionWindowInDays": 3.0}, "deletionWindowInDays: has to be between 7 and 30 days"),
        ("aws:kms/alias:Alias", {"name": "trial", "targetKeyId": "a"}, "name: has to begin with 'alias/'"),
        (ALARM, alarm(extendedStatistic="p99"), "statistic: either it or extendedStatistic has to be given"),
        (RULE, {}, "eventPattern: it, scheduleExpression or both have to be given"),
        (RULE, {"scheduleExpression": "every tuesday"}, "scheduleExpression: has to be 'rate(2 hours)' or "),
        (RULE, {"scheduleExpression": "rate(1 hours)"}, "scheduleExpression: has to be 'rate(2 hours)' or "),
        ("aws:cloudwatch/logGroup:LogGroup", {"retentionInDays": 31.0}, "retentionInDays: has to be one of 1, 3, 5"),
        (
            "aws:s3/bucketVersioning:BucketVersioning",
            {"bucket": "a", "versioningConfiguration": {"status": "Suspended"}},
            "versioningConfiguration.status: 'Suspended' is not applied by the rehearsal",
        ),
        (
            "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
            {"securityGroupId": "sg-1", "ipProtocol": "-1", "cidrIpv4": "0.0.0.0/0", "prefixListId": "pl-1"},
            "cidrIpv4: exactly one of cidrIpv4, cidrIpv6, prefixListId, referencedSecurityGroupId has to be given",
        ),
        (ROLE, {"assumeRolePolicy": trust("events"), "maxSessionDuration": "long"}, "maxSessionDuration: "),
        (ROLE, {"assumeRolePolicy": trust("events"), "path": "no/slash"}, "path: Value 'no/slash' at 'path' failed"),
    ],
)
def test_what_aws_would_refuse_is_refused_before(provider: AwsProvider, type: str, inputs: Props, told: str) -> None:
    (problem,) = problems(provider, type, **inputs)
    assert problem.startswith(told)


def test_an_automatic_name_is_new_for_a_new_resource_and_kept_for_an_old_one(provider: AwsProvider) -> None:
    first, _ = provider.check(BUCKET, "logs", {}, None)
    second, _ = provider.check(BUCKET, "logs", {}, None)
    kept, _ = provider.check(BUCKET, "logs", {"forceDestroy": True}, first)
    assert first["bucket"].startswith("logs-")
    assert first["bucket"] != second["bucket"]
    assert kept == {"bucket": first["bucket"], "forceDestroy": True}
    assert first["forceDestroy"] is False


def test_what_means_the_same_is_no_change(provider: AwsProvider) -> None:
    one = {"name": "a", "assumeRolePolicy": '{"Statement": [{"Action": ["x"], "Effect": "Allow"}], "Version": "1"}'}
    other = {"name": "a", "assumeRolePolicy": '{"Version":"1","Statement":[{"Effect":"Allow","Action":"x"}]}'}
    assert not provider.diff(ROLE, one, other).changed
    one, other = alarm(alarmActions=["a", "b"], period=60), alarm(alarmActions=["b", "a"], actionsEnabled=True)
    assert not provider.diff(ALARM, one, other).changed
    assert provider.diff(ALARM, one, alarm(alarmActions=["a"])).changed == ("alarmActions",)
    assert provider.diff(ALARM, one, {**one, "namespace": UNKNOWN}).changed == ("namespace",)
    assert provider.diff(ROLE, {"assumeRolePolicy": policy("a")}, {"assumeRolePolicy": policy("b")}).changed


def test_what_aws_cannot_change_replaces_and_a_taken_name_goes_first(provider: AwsProvider) -> None:
    old = {"name": "a", "path": "/", "description": "d"}
    moved = provider.diff(ROLE, old, {**old, "path": "/b/", "description": "e"})
    assert (moved.changed, moved.replaces, moved.delete_first) == (("description", "path"), ("path",), True)
    renamed = provider.diff(ROLE, old, {**old, "name": "b"})
    assert (renamed.replaces, renamed.delete_first) == (("name",), False)
    vpc = provider.diff("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/16"}, {"cidrBlock": "10.1.0.0/16"})
    assert (vpc.replaces, vpc.delete_first) == (("cidrBlock",), False)


def test_settings_that_aws_never_learns_of_have_a_reason(provider: AwsProvider) -> None:
    assert list(provider.unseen(BUCKET)) == ["forceDestroy"]
    assert all(reason for token in TYPES for reason in provider.unseen(token).values())
