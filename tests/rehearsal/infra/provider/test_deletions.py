"""What AWS refuses to delete is refused here too, and says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from seatrial.errors import RehearsalError
from seatrial.rehearsal.infra.provider.base import Props
from tests.rehearsal.infra.provider.conftest import Cloud, trust
from tests.rehearsal.infra.provider.example import policy

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
Held = Callable[[Cloud], tuple[str, Props, Callable[[], Any]]]
"""Makes something that may not go; gives its type, its outputs, and what lets it go."""


def full_bucket(cloud: Cloud) -> tuple[str, Props, Callable[[], Any]]:
    bucket, s3 = cloud.made("aws:s3/bucket:Bucket"), cloud.client("s3")
    s3.put_object(Bucket=bucket["id"], Key="a", Body=b"a")
    return "aws:s3/bucket:Bucket", bucket, lambda: s3.delete_object(Bucket=bucket["id"], Key="a")


def full_repository(cloud: Cloud) -> tuple[str, Props, Callable[[], Any]]:
    repository, ecr = cloud.made("aws:ecr/repository:Repository", name=cloud.name("images")), cloud.client("ecr")
    manifest = json.dumps(
        {"schemaVersion": 2, "mediaType": _MANIFEST, "config": {"digest": f"sha256:{'0' * 64}"}, "layers": []}
    )
    ecr.put_image(repositoryName=repository["id"], imageManifest=manifest, imageTag="a")
    tagged = [{"imageTag": "a"}]
    undo = lambda: ecr.batch_delete_image(repositoryName=repository["id"], imageIds=tagged)  # noqa: E731
    return "aws:ecr/repository:Repository", repository, undo


def role_with_a_policy(cloud: Cloud) -> tuple[str, Props, Callable[[], Any]]:
    role, iam = cloud.made("aws:iam/role:Role", assumeRolePolicy=trust("sagemaker")), cloud.client("iam")
    iam.put_role_policy(RoleName=role["id"], PolicyName="a", PolicyDocument=policy("s3:GetObject"))
    return "aws:iam/role:Role", role, lambda: iam.delete_role_policy(RoleName=role["id"], PolicyName="a")


def attached_policy(cloud: Cloud) -> tuple[str, Props, Callable[[], Any]]:
    role, iam = cloud.made("aws:iam/role:Role", assumeRolePolicy=trust("sagemaker")), cloud.client("iam")
    attached = cloud.made("aws:iam/policy:Policy", policy=policy("s3:GetObject"))
    link = {"RoleName": role["id"], "PolicyArn": attached["arn"]}
    iam.attach_role_policy(**link)
    return "aws:iam/policy:Policy", attached, lambda: iam.detach_role_policy(**link)


def rule_with_a_target(cloud: Cloud) -> tuple[str, Props, Callable[[], Any]]:
    rule = cloud.made("aws:cloudwatch/eventRule:EventRule", scheduleExpression="rate(1 day)")
    events, target = cloud.client("events"), {"Id": "a", "Arn": "arn:aws:sns:us-east-1:123456789012:a"}
    events.put_targets(Rule=rule["id"], Targets=[target])
    return "aws:cloudwatch/eventRule:EventRule", rule, lambda: events.remove_targets(Rule=rule["id"], Ids=["a"])


def network_with_a_subnet(cloud: Cloud) -> tuple[str, Props, Callable[[], Any]]:
    vpc, ec2 = cloud.made("aws:ec2/vpc:Vpc", cidrBlock="10.0.0.0/16"), cloud.client("ec2")
    subnet = ec2.create_subnet(VpcId=vpc["id"], CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    return "aws:ec2/vpc:Vpc", vpc, lambda: ec2.delete_subnet(SubnetId=subnet)


def table_of_a_subnet(cloud: Cloud) -> tuple[str, Props, Callable[[], Any]]:
    vpc, ec2 = cloud.made("aws:ec2/vpc:Vpc", cidrBlock="10.0.0.0/16"), cloud.client("ec2")
    subnet = cloud.made("aws:ec2/subnet:Subnet", vpcId=vpc["id"], cidrBlock="10.0.1.0/24")
    table = cloud.made("aws:ec2/routeTable:RouteTable", vpcId=vpc["id"])
    made = ec2.associate_route_table(SubnetId=subnet["id"], RouteTableId=table["id"])["AssociationId"]
    return "aws:ec2/routeTable:RouteTable", table, lambda: ec2.disassociate_route_table(AssociationId=made)


def group_named_by_another(cloud: Cloud) -> tuple[str, Props, Callable[[], Any]]:
    vpc, ec2 = cloud.made("aws:ec2/vpc:Vpc", cidrBlock="10.0.0.0/16"), cloud.client("ec2")
    one, other = (cloud.made("aws:ec2/securityGroup:SecurityGroup", vpcId=vpc["id"]) for _ in "ab")
    permission = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": one["id"]}]}
    ec2.authorize_security_group_ingress(GroupId=other["id"], IpPermissions=[permission])
    undo = lambda: ec2.revoke_security_group_ingress(GroupId=other["id"], IpPermissions=[permission])  # noqa: E731
    return "aws:ec2/securityGroup:SecurityGroup", one, undo


def group_with_a_version(cloud: Cloud) -> tuple[str, Props, Callable[[], Any]]:
    token, sagemaker = "aws:sagemaker/modelPackageGroup:ModelPackageGroup", cloud.client("sagemaker")
    group = cloud.made(token, modelPackageGroupName=cloud.name("group"))
    made = sagemaker.create_model_package(ModelPackageGroupName=group["id"])["ModelPackageArn"]
    return token, group, lambda: sagemaker.delete_model_package(ModelPackageName=made)


HELD: dict[Held, str] = {
    attached_policy: "DeleteConflict",
    full_bucket: "BucketNotEmpty",
    full_repository: "RepositoryNotEmptyException",
    group_named_by_another: "DependencyViolation",
    group_with_a_version: "ConflictException",
    network_with_a_subnet: "DependencyViolation",
    role_with_a_policy: "DeleteConflict",
    rule_with_a_target: "ValidationException",
    table_of_a_subnet: "DependencyViolation",
}


@pytest.mark.parametrize("held", HELD, ids=lambda held: held.__name__)
def test_what_something_hangs_on_stays(cloud: Cloud, held: Held) -> None:
    token, outputs, let_go = held(cloud)
    try:
        with pytest.raises(RehearsalError) as refused:
            cloud.provider.delete(token, outputs["id"], outputs)
        assert f"'{outputs['id']}' was not deleted: {HELD[held]}: " in refused.value.what
        assert cloud.provider.read(token, outputs["id"], outputs) is not None
    finally:
        let_go()
    cloud.provider.delete(token, outputs["id"], outputs)
    assert cloud.provider.read(token, outputs["id"], outputs) is None
    cloud.provider.delete(token, outputs["id"], outputs)


def test_a_bucket_goes_with_all_versions_of_its_objects_where_the_program_says_so(cloud: Cloud) -> None:
    bucket, s3 = cloud.made("aws:s3/bucket:Bucket", forceDestroy=True), cloud.client("s3")
    s3.put_bucket_versioning(Bucket=bucket["id"], VersioningConfiguration={"Status": "Enabled"})
    for body in (b"a", b"b"):
        s3.put_object(Bucket=bucket["id"], Key="a", Body=body)
    s3.delete_object(Bucket=bucket["id"], Key="a")
    cloud.provider.delete("aws:s3/bucket:Bucket", bucket["id"], bucket)
    assert cloud.provider.read("aws:s3/bucket:Bucket", bucket["id"], bucket) is None


def test_a_key_that_waits_for_its_deletion_counts_as_gone(cloud: Cloud) -> None:
    key = cloud.made("aws:kms/key:Key", deletionWindowInDays=7)
    cloud.provider.delete("aws:kms/key:Key", key["id"], key)
    metadata = cloud.client("kms").describe_key(KeyId=key["id"])["KeyMetadata"]
    assert metadata["KeyState"] == "PendingDeletion"
    assert (metadata["DeletionDate"] - metadata["CreationDate"]).days in (6, 7)
    assert cloud.provider.read("aws:kms/key:Key", key["id"], key) is None
    assert ("aws:kms/key:Key", key["id"]) not in cloud.provider.inventory()
