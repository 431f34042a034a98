"""Who has a role's credentials is held to the role's policies, over HTTP, with unmodified clients."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from seatrial.rehearsal.aws import OfflineAws

ROOT = {"AWS": "arn:aws:iam::123456789012:root"}
SERVICE = {"Service": "sagemaker.amazonaws.com"}
COPY = "open('/opt/ml/processing/out/x', 'w').write('made')"


def statement(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def role(bench: Any, name: str, *statements: dict[str, Any], principal: Any = ROOT) -> str:
    """A role with a policy of these statements; none: without one."""
    iam = bench.client("iam")
    trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
    if statements:
        policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
    return str(made["Role"]["Arn"])


def session(bench: Any, arn: str) -> Any:
    """boto3 as somebody who has assumed a role."""
    told = bench.client("sts").assume_role(RoleArn=arn, RoleSessionName="me")["Credentials"]
    return boto3.session.Session(
        aws_access_key_id=told["AccessKeyId"],
        aws_secret_access_key=told["SecretAccessKey"],
        aws_session_token=told["SessionToken"],
        region_name="us-east-1",
    )


def client(bench: Any, arn: str, service: str) -> Any:
    return session(bench, arn).client(service, endpoint_url=bench.aws.endpoint_url)


def refused(call: Any, **parameters: Any) -> Any:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response["Error"]


def test_what_is_granted_works_and_what_is_not_is_denied_in_awss_words(bench: Any) -> None:
    bucket = f"arn:aws:s3:::{bench.bucket}"
    arn = role(bench, "reader", statement("s3:GetObject", f"{bucket}/in/*"), statement("s3:ListBucket", bucket))
    s3 = client(bench, arn, "s3")
    assert s3.get_object(Bucket=bench.bucket, Key="in/a.txt")["Body"].read() == b"hello"
    told = refused(s3.put_object, Bucket=bench.bucket, Key="in/b.txt", Body=b"")
    assert told["Code"] == "AccessDenied"
    assert told["Message"] == (
        "User: arn:aws:sts::123456789012:assumed-role/reader/me is not authorized to perform: s3:PutObject"
        f" on resource: {bucket}/in/b.txt because no identity-based policy allows the s3:PutObject action"
    )
    assert refused(s3.get_object, Bucket=bench.bucket, Key="in/none")["Code"] == "NoSuchKey"
    json_error = refused(client(bench, arn, "sagemaker").describe_model, ModelName="m")
    assert json_error["Code"] == "AccessDeniedException"
    assert (
        "sagemaker:DescribeModel on resource: arn:aws:sagemaker:us-east-1:123456789012:model/m" in json_error["Message"]
    )
    told_all = bench.aws.permissions()
    used = {(each["action"], each["resource"]): each["times"] for each in told_all["used"] if each["role"] == "reader"}
    assert used["s3:GetObject", f"{bucket}/in/a.txt"] == 1
    assert {each["action"] for each in told_all["denied"] if each["role"] == "reader"} == {
        "s3:PutObject",
        "sagemaker:DescribeModel",
    }


def test_who_may_not_list_is_not_told_that_an_object_is_missing(bench: Any) -> None:
    bucket = f"arn:aws:s3:::{bench.bucket}"
    arn = role(bench, "blind", statement("s3:GetObject", f"{bucket}/*"))
    s3 = client(bench, arn, "s3")
    assert refused(s3.get_object, Bucket=bench.bucket, Key="in/none")["Code"] == "AccessDenied"
    prefixed = {"StringLike": {"s3:prefix": "in/*"}}  # asking for one object names no prefix
    arn = role(bench, "prefixed", statement("s3:GetObject"), statement("s3:ListBucket", bucket, Condition=prefixed))
    s3 = client(bench, arn, "s3")
    assert refused(s3.get_object, Bucket=bench.bucket, Key="in/none")["Code"] == "AccessDenied"
    assert s3.list_objects_v2(Bucket=bench.bucket, Prefix="in/a")["KeyCount"] == 1
    assert refused(s3.list_objects_v2, Bucket=bench.bucket, Prefix="code")["Code"] == "AccessDenied"


def test_an_operation_whose_permissions_nobody_wrote_down_is_denied_by_name(bench: Any) -> None:
    arn = role(bench, "mighty", statement("*"))
    told = refused(client(bench, arn, "dynamodb").list_tables)
    assert "dynamodb:ListTables because the rehearsal does not know which permissions it takes" in told["Message"]
    assert bench.client("dynamodb").list_tables()["TableNames"] == []


def test_a_policy_that_is_not_understood_allows_nothing(bench: Any) -> None:
    odd = statement("s3:GetObject", Condition={"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}})
    told = refused(client(bench, role(bench, "odd", odd), "s3").get_object, Bucket=bench.bucket, Key="in/a.txt")
    assert "does not understand the condition operator IpAddress" in told["Message"]


def test_a_role_without_policies_and_the_owner_are_held_to_nothing(bench: Any) -> None:
    s3 = client(bench, role(bench, "bare"), "s3")
    assert s3.get_object(Bucket=bench.bucket, Key="in/a.txt")["Body"].read() == b"hello"


def test_where_every_role_is_held_to_its_policies_one_without_any_may_do_nothing() -> None:
    with OfflineAws(engine="none", every_role=True) as aws:
        settings = aws.client_settings()
        boto3.client("s3", **settings).create_bucket(Bucket="strict")
        trust = json.dumps({"Statement": [{"Effect": "Allow", "Principal": ROOT, "Action": "sts:AssumeRole"}]})
        made = boto3.client("iam", **settings).create_role(RoleName="bare", AssumeRolePolicyDocument=trust)
        sts = boto3.client("sts", **settings)
        told = sts.assume_role(RoleArn=made["Role"]["Arn"], RoleSessionName="me")["Credentials"]
        keys = {"aws_access_key_id": told["AccessKeyId"], "aws_secret_access_key": told["SecretAccessKey"]}
        s3 = boto3.client("s3", **{**settings, **keys}, aws_session_token=told["SessionToken"])
        assert refused(s3.list_objects_v2, Bucket="strict")["Code"] == "AccessDenied"
        (denied,) = aws.permissions()["denied"]
        assert (denied["role"], denied["action"]) == ("bare", "s3:ListBucket")


def test_a_role_is_assumed_by_those_whom_it_trusts(bench: Any) -> None:
    arn = role(bench, "for-jobs", statement("s3:GetObject"), principal=SERVICE)
    told = refused(bench.client("sts").assume_role, RoleArn=arn, RoleSessionName="me")
    assert "sts:AssumeRole" in told["Message"]
    other = role(bench, "climber", statement("s3:GetObject"))
    target = role(bench, "summit", statement("s3:*"))
    sts = client(bench, other, "sts")
    assert refused(sts.assume_role, RoleArn=target, RoleSessionName="up")["Code"] == "AccessDenied"
    assert sts.get_caller_identity()["Arn"].endswith(":assumed-role/climber/me")


def test_handing_over_a_role_takes_a_permission_for_that_role_and_service(bench: Any) -> None:
    passed = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    create = statement(["sagemaker:CreateModel", "sagemaker:AddTags"])
    model = {"PrimaryContainer": {"Image": bench.uri}, "Tags": [{"Key": "a", "Value": "b"}]}
    may = client(
        bench, role(bench, "may", create, statement("iam:PassRole", bench.role, Condition=passed)), "sagemaker"
    )
    may.create_model(ModelName="passed", ExecutionRoleArn=bench.role, **model)
    for name, extra in (("never", []), ("wrong", [statement("iam:PassRole", f"{bench.role}-2", Condition=passed)])):
        may_not = client(bench, role(bench, name, create, *extra), "sagemaker")
        told = refused(may_not.create_model, ModelName=name, ExecutionRoleArn=bench.role, **model)
        assert f"iam:PassRole on resource: {bench.role}" in told["Message"]
    untagged = statement("sagemaker:CreateModel")
    tags = client(bench, role(bench, "tags", untagged, statement("iam:PassRole", bench.role)), "sagemaker")
    told = refused(tags.create_model, ModelName="tags", ExecutionRoleArn=bench.role, **model)
    assert "sagemaker:AddTags" in told["Message"]


def test_a_job_runs_as_its_role_and_so_does_the_platform_for_it(bench: Any) -> None:
    bucket = f"arn:aws:s3:::{bench.bucket}"
    ecr = ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer", "GetAuthorizationToken")
    needed = [
        statement([f"ecr:{each}" for each in ecr]),
        statement(["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]),
        statement("s3:ListBucket", bucket),
        statement("s3:GetObject", f"{bucket}/*"),
        statement("s3:PutObject", f"{bucket}/*/made/*"),
    ]
    arn = role(bench, "worker", *needed, principal=SERVICE)
    name = "under-its-role"
    bench.sagemaker.create_processing_job(**bench.processing_request(name, COPY, RoleArn=arn))
    assert finished(bench, name)["ProcessingJobStatus"] == "Completed"
    for left_out, lacking in ((0, "ecr:GetAuthorizationToken"), (1, "logs:CreateLogGroup"), (4, "s3:PutObject")):
        name = f"without-{left_out}"
        arn = role(bench, name, *(each for n, each in enumerate(needed) if n != left_out), principal=SERVICE)
        bench.sagemaker.create_processing_job(**bench.processing_request(name, COPY, RoleArn=arn))
        said = finished(bench, name)
        assert said["ProcessingJobStatus"] == "Failed"
        assert f"assumed-role/{name}/SageMaker is not authorized to perform: {lacking} on" in said["FailureReason"]


def test_a_service_heeds_the_conditions_under_which_a_role_lets_it_in(bench: Any) -> None:
    iam = bench.client("iam")
    for account, let_in in (("123456789012", True), ("210987654321", False)):
        name = f"for-{account}"
        trust: dict[str, Any] = {"Effect": "Allow", "Principal": SERVICE, "Action": "sts:AssumeRole"}
        trust["Condition"] = {"StringEquals": {"aws:SourceAccount": account}}
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
        request = {"ModelName": name, "ExecutionRoleArn": made["Role"]["Arn"], "PrimaryContainer": {"Image": bench.uri}}
        if let_in:
            bench.sagemaker.create_model(**request)
        else:
            assert "Could not assume role" in refused(bench.sagemaker.create_model, **request)["Message"]


def test_who_lets_an_endpoint_scale_may_do_what_auto_scaling_will_do(bench: Any) -> None:
    name = "scaled"
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{name}/variant/live",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    sagemaker = "arn:aws:sagemaker:us-east-1:123456789012"
    own = statement(["application-autoscaling:RegisterScalableTarget", "application-autoscaling:PutScalingPolicy"])
    needed = {
        "sagemaker:DescribeEndpoint": f"{sagemaker}:endpoint/{name}",
        "sagemaker:DescribeEndpointConfig": f"{sagemaker}:endpoint-config/*",
        "sagemaker:UpdateEndpointWeightsAndCapacities": f"{sagemaker}:endpoint/{name}",
        **{
            f"cloudwatch:{each}": "arn:aws:cloudwatch:us-east-1:123456789012:alarm:*"
            for each in ("DescribeAlarms", "PutMetricAlarm", "DeleteAlarms")
        },
    }
    for number, missing in enumerate((*needed, "nothing")):
        rest = [statement(action, about) for action, about in needed.items() if action != missing]
        scaling = client(bench, role(bench, f"scales-{number}", own, *rest), "application-autoscaling")
        if missing == "nothing":
            scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)
            continue
        for call, more in (
            (scaling.register_scalable_target, {"MinCapacity": 1, "MaxCapacity": 2}),
            (scaling.put_scaling_policy, {"PolicyName": "p"}),
        ):
            assert f"{missing} on resource: {needed[missing]} " in refused(call, **target, **more)["Message"]


def test_an_encrypted_object_takes_its_key(bench: Any) -> None:
    key = bench.client("kms").create_key()["KeyMetadata"]["Arn"]
    sealed = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    bench.s3.put_object(Bucket=bench.bucket, Key="sealed/a", Body=b"x", **sealed)
    arn = role(bench, "keyless", statement(["s3:GetObject", "s3:PutObject"]))
    s3 = client(bench, arn, "s3")
    read = refused(s3.get_object, Bucket=bench.bucket, Key="sealed/a")
    assert f"kms:Decrypt on resource: {key}" in read["Message"]
    written = refused(s3.put_object, Bucket=bench.bucket, Key="sealed/b", Body=b"x", **sealed)
    assert f"kms:GenerateDataKey on resource: {key}" in written["Message"]
    via = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
    keyed = statement(["kms:Decrypt", "kms:GenerateDataKey"], key, Condition=via)
    s3 = client(bench, role(bench, "keyed", statement(["s3:GetObject", "s3:PutObject"]), keyed), "s3")
    s3.put_object(Bucket=bench.bucket, Key="sealed/b", Body=b"x", **sealed)
    assert s3.get_object(Bucket=bench.bucket, Key="sealed/b")["Body"].read() == b"x"


def finished(bench: Any, name: str) -> Any:
    while True:
        said = bench.sagemaker.describe_processing_job(ProcessingJobName=name)
        if said["ProcessingJobStatus"] != "InProgress":
            return said
