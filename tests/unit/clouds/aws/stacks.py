"""A stack's outputs, as an offline AWS would have them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from seatrial.clouds.aws.names import model_shell
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
        "models": model_table("trial", "parcels"),
        **more,
    }


def model_table(
    prefix: str,
    *models: str,
    guardrails: Iterable[str] = ("error_rate", "latency_p99_ms"),
    pipelines: Iterable[str] = ("train", "release"),
) -> dict[str, Any]:
    """The shells of models, as a stack exports them."""
    return {
        model: model_shell(prefix, model, guardrails=guardrails, pipelines=pipelines).model_dump() for model in models
    }
