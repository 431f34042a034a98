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
ECR = ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer", "GetAuthorizationToken")
LOGS = ("CreateLogGroup", "CreateLogStream", "PutLogEvents")
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
    needed = [
        statement([f"ecr:{each}" for each in ECR]),
        statement([f"logs:{each}" for each in LOGS]),
        statement("s3:ListBucket", bucket),
        statement("s3:GetObject", f"{bucket}/*"),
        statement("s3:PutObject", f"{bucket}/*/made/*"),
    ]
    arn = role(bench, "worker", *needed, principal=SERVICE)
    name = "under-its-role"
    bench.sagemaker.create_processing_job(**bench.processing_request(name, COPY, RoleArn=arn))
    assert bench.ended("processing", name)["ProcessingJobStatus"] == "Completed"
    for left_out, lacking in ((0, "ecr:GetAuthorizationToken"), (1, "logs:CreateLogGroup"), (4, "s3:PutObject")):
        name = f"without-{left_out}"
        arn = role(bench, name, *(each for n, each in enumerate(needed) if n != left_out), principal=SERVICE)
        bench.sagemaker.create_processing_job(**bench.processing_request(name, COPY, RoleArn=arn))
        said = bench.ended("processing", name)
        assert said["ProcessingJobStatus"] == "Failed"
        assert f"assumed-role/{name}/SageMaker is not authorized to perform: {lacking} on" in said["FailureReason"]


def test_a_job_encrypts_its_disk_and_its_outputs_as_its_role(bench: Any) -> None:
    key = bench.client("kms").create_key()["KeyMetadata"]["Arn"]
    resource = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    plain = statement([*(f"ecr:{each}" for each in ECR), *(f"logs:{each}" for each in LOGS), "s3:GetObject"])
    plain["Action"] += ["s3:PutObject", "s3:ListBucket"]
    disk, made = statement("kms:CreateGrant", key, Condition=resource), statement("kms:Encrypt", key)
    for name, granted, lacking in (
        ("keys-none", (), "kms:CreateGrant"),
        ("keys-outputs", (made,), "kms:CreateGrant"),
        ("keys-disk", (disk,), "kms:Encrypt"),
        ("keys-both", (disk, made), ""),
    ):
        arn = role(bench, name, plain, *granted, principal=SERVICE)
        processing = bench.processing_request(name, COPY, RoleArn=arn)
        processing["ProcessingResources"]["ClusterConfig"]["VolumeKmsKeyId"] = key
        processing["ProcessingOutputConfig"]["KmsKeyId"] = key
        training = bench.training_request(f"{name}-trained", "open('/opt/ml/model/x', 'w').write('made')", RoleArn=arn)
        training["ResourceConfig"]["VolumeKmsKeyId"] = key
        training["OutputDataConfig"]["KmsKeyId"] = key
        bench.sagemaker.create_processing_job(**processing)
        bench.sagemaker.create_training_job(**training)
        for kind, job in (("processing", name), ("training", f"{name}-trained")):
            said = bench.ended(kind, job)
            reason = said.get("FailureReason", "")
            assert said[f"{kind.capitalize()}JobStatus"] == ("Failed" if lacking else "Completed"), reason
            assert not lacking or f"{lacking} on resource: {key}" in reason


def test_a_rollouts_alarms_are_looked_at_as_the_models_role(bench: Any) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-configuration.html"""
    sagemaker, name = bench.sagemaker, "guarded-as-role"
    dimensions = [{"Name": "EndpointName", "Value": name}]
    bench.client("cloudwatch").put_metric_alarm(
        AlarmName=name, Namespace="AWS/SageMaker", MetricName="Invocation5XXErrors", Dimensions=dimensions,
        Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    looks = statement("cloudwatch:DescribeAlarms", f"arn:aws:cloudwatch:us-east-1:123456789012:alarm:{name}")
    serves = statement([*(f"ecr:{each}" for each in ECR), *(f"logs:{each}" for each in LOGS), "s3:GetObject"])
    container = sagemaker.describe_model(ModelName=bench.model(f"{name}-text", "one"))["PrimaryContainer"]
    for model, granted in ((f"{name}-blind", [serves]), (f"{name}-seeing", [serves, looks])):
        arn = role(bench, model, *granted, principal=SERVICE)
        sagemaker.create_model(ModelName=model, ExecutionRoleArn=arn, PrimaryContainer=container)
        variant = {"VariantName": "main", "ModelName": model, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
        sagemaker.create_endpoint_config(EndpointConfigName=model, ProductionVariants=[variant])

    def settled() -> Any:
        look = lambda: sagemaker.describe_endpoint(EndpointName=name)  # noqa: E731
        return bench.until(look, lambda said: said["EndpointStatus"] in ("InService", "Failed"))

    def update(config: str) -> dict[str, Any]:
        routing = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 3600}
        rollback = {"Alarms": [{"AlarmName": name}]}
        deployment = {
            "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing},
            "AutoRollbackConfiguration": rollback,
        }
        return {"EndpointName": name, "EndpointConfigName": config, "DeploymentConfig": deployment}

    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-blind")
    assert settled()["EndpointStatus"] == "InService", settled()
    lacking = f"assumed-role/{name}-blind/SageMaker is not authorized to perform: cloudwatch:DescribeAlarms"
    assert lacking in refused(sagemaker.update_endpoint, **update(f"{name}-blind"))["Message"]
    sagemaker.update_endpoint(**update(f"{name}-seeing"))
    bench.until(
        lambda: sagemaker.describe_endpoint(EndpointName=name).get("PendingDeploymentSummary", {}),
        lambda stage: "Baking" in str(stage),
    )
    bench.client("iam").put_role_policy(
        RoleName=f"{name}-seeing",
        PolicyName="p",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [serves]}),
    )
    said = settled()
    assert said["EndpointConfigName"] == f"{name}-blind"
    assert f"{name}-seeing/SageMaker is not authorized to perform: cloudwatch:DescribeAlarms" in said["FailureReason"]
    used = {each["action"] for each in bench.aws.permissions()["used"] if each["role"] == f"{name}-seeing"}
    assert "cloudwatch:DescribeAlarms" in used
    sagemaker.delete_endpoint(EndpointName=name)


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
