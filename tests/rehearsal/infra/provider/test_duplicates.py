"""What AWS refuses to make twice is refused here too; what it takes for a change is none here either."""

from __future__ import annotations

import pytest

from seatrial.errors import RehearsalError
from seatrial.rehearsal.infra.provider.aws import TYPES
from seatrial.rehearsal.infra.provider.base import Props, Unfinished
from tests.rehearsal.infra.provider.conftest import Cloud
from tests.rehearsal.infra.provider.examples import EXAMPLES

REFUSED = {
    "aws:budgets/budget:Budget": "DuplicateRecordException",
    "aws:cloudwatch/logGroup:LogGroup": "ResourceAlreadyExistsException",
    "aws:ec2/securityGroup:SecurityGroup": "InvalidGroup.Duplicate",
    "aws:ec2/subnet:Subnet": "InvalidSubnet.Conflict",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "RouteAlreadyExists",
    "aws:ecr/repository:Repository": "RepositoryAlreadyExistsException",
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": "EntityAlreadyExists",
    "aws:iam/policy:Policy": "EntityAlreadyExists",
    "aws:iam/role:Role": "EntityAlreadyExists",
    "aws:kms/alias:Alias": "AlreadyExistsException",
    "aws:lambda/function:Function": "ResourceConflictException",
    "aws:lambda/permission:Permission": "ResourceConflictException",
    "aws:s3/bucket:Bucket": "BucketAlreadyOwnedByYou",
    "aws:sagemaker/modelPackageGroup:ModelPackageGroup": "ValidationException",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": "InvalidPermission.Duplicate",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": "InvalidPermission.Duplicate",
}
NUMBERED = {"aws:kms/key:Key", "aws:ec2/vpc:Vpc", "aws:ec2/routeTable:RouteTable"}
"""AWS makes another one, under another id. All others are Puts: the second one changes the first."""


@pytest.mark.parametrize("token", sorted(TYPES))
def test_a_second_one_of_the_same_name(cloud: Cloud, token: str) -> None:
    example = next(each for each in EXAMPLES if each.token == token)
    inputs = example.inputs(cloud)
    first = cloud.made(token, **inputs)
    checked, problems = cloud.provider.check(token, "trial", inputs, None)
    assert problems == []
    if token in REFUSED:
        with pytest.raises(RehearsalError) as refused:
            cloud.provider.create(token, checked)
        assert f"{token} was not created: {REFUSED[token]}: " in refused.value.what
        return
    id, outputs = cloud.provider.create(token, checked)
    cloud.standing.append((token, {**outputs, "id": id}))
    assert (id != first["id"]) == (token in NUMBERED)


def test_a_subnet_with_a_second_route_table(cloud: Cloud) -> None:
    token = "aws:ec2/routeTableAssociation:RouteTableAssociation"
    example = next(each for each in EXAMPLES if each.token == token)
    first = cloud.made(token, **example.inputs(cloud))
    other = example.changes["routeTableId"](cloud)
    with pytest.raises(RehearsalError, match=r"Resource\.AlreadyAssociated"):
        cloud.provider.create(token, {"subnetId": first["subnetId"], "routeTableId": other})
    assert cloud.provider.read(token, first["id"], first) == {key: first[key] for key in ("subnetId", "routeTableId")}


@pytest.mark.parametrize(
    ("subscribers", "code"),
    [
        (
            [
                {
                    "subscriberSnsTopicArns": [
                        "arn:aws:sns:us-east-1:123456789012:a",
                        "arn:aws:sns:us-east-1:123456789012:b",
                    ]
                }
            ],
            "CreationLimitExceededException: .*1 subscribers with type of SNS",
        ),
        (
            [{"subscriberEmailAddresses": [f"{n}@example.com" for n in range(11)]}],
            "CreationLimitExceededException: .*10 subscribers with type of EMAIL",
        ),
        ([{"subscriberEmailAddresses": [f"{n}@example.com"]} for n in range(2)], "DuplicateRecordException"),
    ],
)
@pytest.mark.parametrize("when", ["made", "changed"])
def test_a_budgets_notification_has_one_topic_and_comes_once(
    cloud: Cloud, subscribers: list[Props], code: str, when: str
) -> None:
    token = "aws:budgets/budget:Budget"
    inputs = next(each for each in EXAMPLES if each.token == token).inputs(cloud)
    (said, *_) = inputs["notifications"]
    moment = {key: each for key, each in said.items() if not key.startswith("subscriber")}
    wanted = {**inputs, "notifications": [{**moment, **each} for each in subscribers]}
    if when == "made":
        with pytest.raises(RehearsalError, match=code):
            cloud.provider.create(token, wanted)
        return
    made = cloud.made(token, **inputs)
    with pytest.raises(Unfinished, match=code):
        cloud.provider.update(token, made["id"], made, wanted)
