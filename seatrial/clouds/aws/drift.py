"""What a monitor says when production traffic has moved away, as a metric and its alarm.

Said once, for the infrastructure, which makes the alarm and starts the training pipeline when it goes off, and for the
monitor, which sends the metric.
"""

from __future__ import annotations

from seatrial.clouds.aws.guardrails import Alarm
from seatrial.clouds.aws.names import Names

NAMESPACE = "Seatrial"
METRIC = "drift"
"""1: traffic differs by more than chance, at the rate of false alarms that model.toml accepts. 0: it does not."""


def alarm(names: Names) -> Alarm:
    """A model's alarm: one finding in an hour. No traffic is no drift."""
    return Alarm(
        guardrail="drift",
        name=f"{names.endpoint}-drift",
        description=f"Traffic of endpoint {names.endpoint} has moved away from its reference: training starts.",
        metric=METRIC,
        statistic="Maximum",
        percentile=None,
        threshold=0.0,
        dimensions={"EndpointName": names.endpoint},
        namespace=NAMESPACE,
        period_s=3600,
    )
