"""A stack's outputs, as an offline AWS would have them."""

from __future__ import annotations

from typing import Any

from seatrial.clouds.aws.stack import Roles

ACCOUNT = "123456789012"
IMAGE = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/trial@sha256:{'a' * 64}"


def stack_table(**more: Any) -> dict[str, Any]:
    role = f"arn:aws:iam::{ACCOUNT}:role/trial"
    return {
        "region": "us-east-1",
        "account": ACCOUNT,
        "prefix": "trial",
        "artifact_root": "s3://trial-artifacts/dev",
        "image": IMAGE,
        "roles": dict.fromkeys(Roles.model_fields, role),
        **more,
    }
