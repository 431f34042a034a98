"""The rehearsal's account is furnished as a stack, and nothing of it stays."""

from __future__ import annotations

from pathlib import Path

import boto3

from seatrial import project
from seatrial.rehearsal.aws import OfflineAws
from seatrial.rehearsal.story.account import Account

IMAGE = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/seatrial@sha256:{'1' * 64}"


def test_what_is_furnished_is_cleared_and_what_is_left_is_named(tiny: Path) -> None:
    settings = tiny / "recipes" / "parcels" / "model.toml"
    settings.write_text(settings.read_text() + "\n[rollout]\nguardrails = { error_rate = 0.01 }\n")
    with OfflineAws() as aws:
        account = Account(aws.client_settings(), account="123456789012", prefix="rehearsal")
        opened = project.load(tiny)
        outputs = account.furnish(IMAGE, opened, opened.model("parcels"), ["release", "train"])
        assert outputs.models["parcels"].pipelines["release"] == "rehearsal-parcels-release"
        account.release_on_approval("rehearsal-flights", "release", {"version": "$.detail.ModelPackageVersion"})
        assert account.permissions.roles() == (
            "training",
            "evaluation",
            "release",
            "endpoint",
            "pipeline",
            "launch",
            "events",
        )
        assert outputs.bucket == "rehearsal-123456789012"
        assert account.left() == [
            "alarm rehearsal-parcels-error-rate",
            "bucket rehearsal-123456789012",
            "model package group rehearsal-parcels",
            *(
                f"role rehearsal-{name}"
                for name in (
                    *("data", "endpoint", "evaluation", "events", "launch", "monitoring"),
                    *("pipeline", "release", "training"),
                )
            ),
            "rule rehearsal-approved",
        ]
        boto3.client("sagemaker", **aws.client_settings()).create_model(
            ModelName="forgotten", ExecutionRoleArn=outputs.roles.endpoint, PrimaryContainer={"Image": IMAGE}
        )
        account.clear()
        assert account.left() == ["model forgotten"]
