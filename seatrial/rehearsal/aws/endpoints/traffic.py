"""One observation per request, CloudWatch metrics made of them, and alarms evaluated on them."""

from __future__ import annotations

import math
import operator
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean
from typing import Any

_KEPT = 100_000
_VALUES_PER_DATUM = 150  # CloudWatch's limit
_AGGREGATES: Mapping[str, Callable[[Sequence[float]], float]] = {
    "Average": fmean,
    "Sum": sum,
    "Minimum": min,
    "Maximum": max,
    "SampleCount": len,
}
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


@dataclass(frozen=True)
class Observation:
    """One answered request; ``at`` in seconds of the monotonic clock."""

    at: float
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
    """The observations of one endpoint."""

    def __init__(self, endpoint: str) -> None:
        """None yet."""
        self._endpoint = endpoint
        self._seen: deque[Observation] = deque(maxlen=_KEPT)
        self._unsent: list[Observation] = []
        self._lock = threading.Lock()

    def add(self, observation: Observation) -> None:
        """Remember one."""
        with self._lock:
            self._seen.append(observation)
            self._unsent.append(observation)

    def send(self, cloudwatch: Any) -> None:
        """Put what was not yet sent into CloudWatch, by variant."""
        with self._lock:
            unsent, self._unsent = self._unsent, []
        for variant in sorted({each.variant for each in unsent}):
            dimensions = [{"Name": "EndpointName", "Value": self._endpoint}, {"Name": "VariantName", "Value": variant}]
            rows = [each.metrics() for each in unsent if each.variant == variant]
            for first in range(0, len(rows), _VALUES_PER_DATUM):
                part = rows[first : first + _VALUES_PER_DATUM]
                data = [_datum(name, [row[name] for row in part], dimensions) for name in part[0]]
                cloudwatch.put_metric_data(Namespace="AWS/SageMaker", MetricData=data)

    def in_alarm(self, alarm: Mapping[str, Any], *, since: float, period_s: float) -> bool:
        """Whether the alarm's rule holds on the requests since ``since``; missing data never alarms.

        A period is judged as soon as it holds data, the running one included: CloudWatch does so too for counts.
        """
        wanted = {each["Name"]: each["Value"] for each in alarm.get("Dimensions", [])}
        if wanted.get("EndpointName") != self._endpoint or alarm.get("Namespace") != "AWS/SageMaker":
            return False
        with self._lock:
            seen = [each for each in self._seen if each.at >= since]
        now = time.monotonic()
        breaching = 0
        for number in range(int(alarm["EvaluationPeriods"])):
            end = now - number * period_s
            values = [
                each.metrics().get(alarm["MetricName"], 0.0)
                for each in seen
                if end - period_s < each.at <= end and wanted.get("VariantName", each.variant) == each.variant
            ]
            if values:
                value = _aggregate(alarm, values)
                breaching += _COMPARISONS[alarm["ComparisonOperator"]](value, float(alarm["Threshold"]))
        return breaching >= int(alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"]))


def _aggregate(alarm: Mapping[str, Any], values: Sequence[float]) -> float:
    percentile = alarm.get("ExtendedStatistic")
    if percentile is None:
        return _AGGREGATES[alarm.get("Statistic", "Average")](values)
    rank = math.ceil(float(percentile.removeprefix("p")) / 100 * len(values))
    return sorted(values)[max(rank, 1) - 1]


def _datum(name: str, values: list[float], dimensions: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "MetricName": name,
        "Dimensions": dimensions,
        "Timestamp": datetime.now(UTC),
        "Values": values,
        "Unit": "Microseconds" if name == "ModelLatency" else "Count",
    }
