"""A bucket with settings, a log group, and as many readers as a setting says."""

import json

import pulumi
import pulumi_aws as aws

config = pulumi.Config()
kept = pulumi.ResourceOptions(protect=config.get_bool("protect"))
bucket = aws.s3.Bucket("things", bucket="small-things", tags={"of": "small"}, opts=kept)
aws.s3.BucketVersioning(
    "versions",
    bucket=bucket.bucket,
    versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
)
aws.cloudwatch.LogGroup("log", name="/small/log", retention_in_days=config.require_int("days"))


def document(**statement: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


trust = document(Principal={"Service": "sagemaker.amazonaws.com"}, Action="sts:AssumeRole")
for number in range(config.get_int("readers") or 0):
    role = aws.iam.Role(f"reader-{number}", name=f"small-reader-{number}", assume_role_policy=trust)
    aws.iam.RolePolicy(
        f"reads-{number}",
        name="reads",
        role=role.name,
        policy=bucket.arn.apply(lambda arn: document(Action="s3:GetObject", Resource=f"{arn}/*")),
    )
pulumi.export("bucket", bucket.bucket)
