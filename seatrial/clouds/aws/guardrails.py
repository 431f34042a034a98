"""A rollout's guardrails as CloudWatch alarms: what each watches, said once for the infrastructure and for the engine.

The infrastructure makes the alarms; the engine hands their names to a deployment, and refuses one whose alarms are not
what its settings say. Data only: nothing here calls AWS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seatrial.clouds.aws.names import VARIANT, Names
from seatrial.project import Rollout

Json = Any


@dataclass(frozen=True)
class Alarm:
    """One alarm on an endpoint's own metrics; it goes off when the statistic of one period is above the threshold."""

    guardrail: str
    """As in model.toml: ``error_rate``, ``latency_p99_ms``."""
    name: str
    description: str
    metric: str
    """Of the namespace ``AWS/SageMaker``."""
    statistic: str | None
    """``Average``, or None where ``percentile`` says which."""
    percentile: str | None
    """``p99``, or None."""
    threshold: float
    """In the metric's unit: a share of requests, microseconds."""
    dimensions: Mapping[str, str]
    namespace: str = "AWS/SageMaker"
    comparison: str = "GreaterThanThreshold"
    period_s: int = 60
    periods: int = 1
    missing: str = "notBreaching"
    """No traffic is no reason to go back."""

    def rule(self) -> dict[str, Json]:
        """What it watches, as ``PutMetricAlarm`` takes it and ``DescribeAlarms`` tells it."""
        measured = {"Statistic": self.statistic} if self.statistic else {"ExtendedStatistic": self.percentile}
        return {
            "Namespace": self.namespace,
            "MetricName": self.metric,
            "Dimensions": [{"Name": name, "Value": value} for name, value in sorted(self.dimensions.items())],
            **measured,
            "Threshold": self.threshold,
            "ComparisonOperator": self.comparison,
            "Period": self.period_s,
            "EvaluationPeriods": self.periods,
            "TreatMissingData": self.missing,
        }


def alarms(names: Names, rollout: Rollout) -> tuple[Alarm, ...]:
    """The alarms of a model's guardrails, sorted.

    Raises:
        ProjectError: the stack has no alarm for one of them.
    """
    return tuple(_alarm(names, guardrail, limit) for guardrail, limit in sorted(rollout.guardrails.items()))


def _alarm(names: Names, guardrail: str, limit: float) -> Alarm:
    errors = guardrail == "error_rate"
    return Alarm(
        guardrail=guardrail,
        name=names.alarm(guardrail),
        description=f"Guardrail {guardrail} of endpoint {names.endpoint}: brings a rollout back.",
        metric="Invocation5XXErrors" if errors else "ModelLatency",
        statistic="Average" if errors else None,
        percentile=None if errors else "p99",
        threshold=float(limit) if errors else limit * 1000.0,
        dimensions={"EndpointName": names.endpoint, "VariantName": VARIANT},
    )
