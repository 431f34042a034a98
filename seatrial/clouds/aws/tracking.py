"""Runs, as JSON objects below the artifact root: one per run, replaced whole."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from seatrial.clouds.aws.calls import Call, declare
from seatrial.clouds.aws.session import Aws
from seatrial.clouds.aws.stack import StackOutputs
from seatrial.clouds.base import RunRecord
from seatrial.errors import RegistryError

TRACKS = declare(Call("s3:PutObject", ("s3:runs/*/*.json",), "keep the record of a run"))
_LONGEST_NAME = 200


class AwsTracking:
    """The tracking contract of ``seatrial.clouds.base``: ``runs/<model>/<run>.json`` below the artifact root."""

    def __init__(self, aws: Aws, stack: StackOutputs) -> None:
        self._aws = aws
        self._stack = stack

    def log_run(self, record: RunRecord) -> str:
        """Keep the record, replacing what was kept of the same run, and return where it lies."""
        bad = [name for name in (record.model, record.run) if not _is_name(name)]
        if bad:
            raise RegistryError(
                f"{', '.join(map(repr, bad))} cannot be tracked",
                why=f"It becomes part of an object's key: at most {_LONGEST_NAME} letters, digits, '-', '_' and '.'.",
                todo="Rename it.",
            )
        key = self._stack.key("runs", record.model, f"{record.run}.json")
        self._aws.submit(
            "s3",
            "PutObject",
            Bucket=self._stack.bucket,
            Key=key,
            Body=json.dumps(asdict(record), default=str, indent=1, sort_keys=True).encode(),
            ContentType="application/json",
            **self._stack.encryption(),
        )
        return f"s3://{self._stack.bucket}/{key}"


def _is_name(text: Any) -> bool:
    return (
        0 < len(text) <= _LONGEST_NAME
        and not text.startswith(".")
        and text.replace("-", "").replace("_", "").replace(".", "").isalnum()
    )
