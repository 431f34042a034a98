"""What a client of the offline AWS needs in its environment, and how a person is told."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from seatrial.rehearsal.aws.world import CREDENTIALS

REGION = "us-east-1"


def environment(endpoint_url: str, region: str = REGION) -> dict[str, str]:
    """Address, region and credentials, for boto3, the aws CLI, the SageMaker SDK or Terraform as they are."""
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        **CREDENTIALS,
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAGEMAKER_VALIDATE_ROLE": "false",
    }


def greeting(settings: Mapping[str, str], *then: str) -> str:
    """The text for a person who has just started it: lines to paste into another shell, and what to try ``then``."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in settings.items()]
    return "\n".join(
        [
            f"The offline AWS listens on {settings['AWS_ENDPOINT_URL']}. Nothing done there reaches an account.",
            "In another shell:",
            "",
            *lines,
            *(then or ("aws sagemaker list-training-jobs",)),
            "",
            "Ctrl-C ends it, with everything that it runs and remembers.",
        ]
    )
