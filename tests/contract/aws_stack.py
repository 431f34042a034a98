"""A stack in the offline AWS: the bucket, the role, the package groups and the alarms that Pulumi would have made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3

from seatrial.clouds.aws.stack import Roles, StackOutputs
from seatrial.project import Rollout
from tests import shells
from tests.contract import endpoint_samples, registry_samples
from tests.unit.clouds.aws.stacks import model_table, stack_table

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
GUARDED = Rollout(steps=(20, 100), bake_minutes=1, guardrails={"error_rate": 0.05, "latency_p99_ms": 60_000})
"""What the models of these tests say of their rollout."""
MODELS = (endpoint_samples.MODEL, registry_samples.MODEL, "churn", "other")


def prepared_stack(prefix: str, **more: Any) -> StackOutputs:
    bucket = f"{prefix}-artifacts"
    boto3.client("s3").create_bucket(Bucket=bucket)
    boto3.client("iam").create_role(RoleName=prefix, AssumeRolePolicyDocument=json.dumps(TRUST))
    role = f"arn:aws:iam::123456789012:role/{prefix}"
    roles = dict.fromkeys(Roles.model_fields, role)
    models = model_table(prefix, *MODELS, guardrails=GUARDED.guardrails)
    stack = StackOutputs.model_validate(
        stack_table(
            prefix=prefix,
            artifact_root=f"s3://{bucket}/dev",
            roles=roles,
            models=models,
            endpoint={"instances": 2},
            **more,
        )
    )
    for model in MODELS:
        shells.furnish(stack, model, GUARDED, **_clients(boto3.session.Session()))
    return stack


@contextmanager
def furnished(stack: StackOutputs, session: Any) -> Iterator[None]:
    """The groups and alarms of the tests' models, and none of them afterwards: for an account that stays."""
    try:
        for model in MODELS:
            shells.furnish(stack, model, GUARDED, **_clients(session))
        yield
    finally:
        for model in MODELS:
            shells.clear(stack, model, **_clients(session))


def _clients(session: Any) -> dict[str, Any]:
    return {name: session.client(name) for name in ("sagemaker", "cloudwatch")}
