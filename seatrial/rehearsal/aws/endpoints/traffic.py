"""One observation per request, and the CloudWatch metrics that are made of them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.core.utils import utcnow

from seatrial.rehearsal.aws.world import ACCOUNT


@dataclass(frozen=True)
class Observation:
    """One answered request."""

    variant: str
    status: int
    seconds: float

    def metrics(self) -> dict[str, float]:
        """The metrics of AWS/SageMaker that it adds to: counts, and microseconds."""
        return {
            "Invocations": 1.0,
            "Invocation4XXErrors": float(400 <= self.status < 500),
            "Invocation5XXErrors": float(self.status == 0 or self.status >= 500),
            "ModelLatency": self.seconds * 1e6,
        }


class Traffic:
    """The observations of one endpoint that CloudWatch does not have yet."""

    def __init__(self, endpoint: str, region: str) -> None:
        """None yet."""
        self._endpoint, self._region = endpoint, region
        self._unsent: list[Observation] = []
        self._lock = threading.Lock()

    def add(self, observation: Observation) -> None:
        """Remember one."""
        with self._lock:
            self._unsent.append(observation)

    def send(self) -> None:
        """Put what was not yet sent into CloudWatch, by variant: as the platform does, which asks nobody for leave."""
        with self._lock:
            unsent, self._unsent = self._unsent, []
        cloudwatch = cloudwatch_backends[ACCOUNT][self._region]
        for variant in sorted({each.variant for each in unsent}):
            dimensions = [{"Name": "EndpointName", "Value": self._endpoint}, {"Name": "VariantName", "Value": variant}]
            rows = [each.metrics() for each in unsent if each.variant == variant]
            data = [_datum(name, [row[name] for row in rows], dimensions) for name in rows[0]]
            cloudwatch.put_metric_data("AWS/SageMaker", data)


def _datum(name: str, values: list[float], dimensions: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "MetricName": name,
        "Dimensions": dimensions,
        "Timestamp": utcnow(),
        "Values": values,
        "Unit": "Microseconds" if name == "ModelLatency" else "Count",
    }
