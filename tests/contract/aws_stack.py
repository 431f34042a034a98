"""A stack in the offline AWS: the bucket and the role that Pulumi would have made."""

from __future__ import annotations

import json
from typing import Any

import boto3

from seatrial.clouds.aws.stack import Roles, StackOutputs
from tests.unit.clouds.aws.stacks import stack_table

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def prepared_stack(prefix: str, **more: Any) -> StackOutputs:
    bucket = f"{prefix}-artifacts"
    boto3.client("s3").create_bucket(Bucket=bucket)
    boto3.client("iam").create_role(RoleName=prefix, AssumeRolePolicyDocument=json.dumps(TRUST))
    role = f"arn:aws:iam::123456789012:role/{prefix}"
    roles = dict.fromkeys(Roles.model_fields, role)
    return StackOutputs.model_validate(
        stack_table(prefix=prefix, artifact_root=f"s3://{bucket}/dev", roles=roles, **more)
    )
