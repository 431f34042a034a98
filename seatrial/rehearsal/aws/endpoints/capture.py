"""Data capture: sampled requests and answers, as JSON lines in S3 under the names that SageMaker gives them."""

from __future__ import annotations

import base64
import json
import random
import threading
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from seatrial.rehearsal.aws.endpoints.modelserver import Answer
from seatrial.rehearsal.aws.transfer import split_uri


class Capture:
    """Collects; `send` writes one object for each variant."""

    def __init__(self, endpoint: str, config: Mapping[str, Any]) -> None:
        """``config`` is a DataCaptureConfig, or empty."""
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._lines: dict[str, list[str]] = {}
        self._config = config

    def configure(self, config: Mapping[str, Any]) -> None:
        """Take over a new endpoint configuration's settings."""
        with self._lock:
            self._config = config

    def add(self, variant: str, body: bytes, content_type: str, answer: Answer) -> None:
        """Keep one answered request, if the sample falls on it. Failed ones are not captured, as on AWS."""
        config = self._config
        share = float(config.get("InitialSamplingPercentage", 0)) / 100
        if not config.get("EnableCapture") or answer.status != 200 or random.random() >= share:  # noqa: S311 a sample
            return
        modes = {each["CaptureMode"] for each in config.get("CaptureOptions", [])}
        data = {}
        if modes & {"Input", "InputAndOutput"}:
            data["endpointInput"] = _observed("INPUT", content_type, body)
        if modes & {"Output", "InputAndOutput"}:
            data["endpointOutput"] = _observed("OUTPUT", answer.content_type, answer.body)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        metadata = {"eventId": str(uuid.uuid4()), "inferenceTime": now}
        line = json.dumps({"captureData": data, "eventMetadata": metadata, "eventVersion": "0"})
        with self._lock:
            self._lines.setdefault(variant, []).append(line)

    def send(self, s3: Any) -> None:
        """Write what was collected."""
        with self._lock:
            lines, self._lines = self._lines, {}
            place = self._config.get("DestinationS3Uri", "")
        now = datetime.now(UTC)
        for variant, each in lines.items():
            bucket, prefix = split_uri(place)
            name = (
                f"{self._endpoint}/{variant}/{now:%Y/%m/%d/%H/%M-%S}-{now.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
            )
            key = f"{prefix.rstrip('/')}/{name}".lstrip("/")
            s3.put_object(Bucket=bucket, Key=key, Body=("\n".join(each) + "\n").encode())

    def describe(self) -> dict[str, Any] | None:
        """As DescribeEndpoint tells it."""
        if not self._config:
            return None
        return {
            "EnableCapture": bool(self._config.get("EnableCapture")),
            "CaptureStatus": "Started" if self._config.get("EnableCapture") else "Stopped",
            "CurrentSamplingPercentage": self._config["InitialSamplingPercentage"],
            "DestinationS3Uri": self._config["DestinationS3Uri"],
            "KmsKeyId": self._config.get("KmsKeyId", ""),
        }


def _observed(mode: str, content_type: str, body: bytes) -> dict[str, str]:
    encoding = "CSV" if "csv" in content_type else "JSON" if "json" in content_type else "BASE64"
    data = base64.b64encode(body).decode() if encoding == "BASE64" else body.decode("utf-8", "replace")
    return {"observedContentType": content_type, "mode": mode, "data": data, "encoding": encoding}
