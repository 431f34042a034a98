"""Whether an alarm's rule holds: periods that end now, one value each, and what counts where there is none."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from seatrial.rehearsal.aws.alarms.samples import Sample, Samples, key_of

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]

_COMPARISONS: Mapping[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
_STATISTICS: Mapping[str, Callable[[Sequence[Sample]], float]] = {
    "Average": lambda samples: sum(each.total for each in samples) / sum(each.count for each in samples),
    "Sum": lambda samples: sum(each.total for each in samples),
    "Minimum": lambda samples: min(each.low for each in samples),
    "Maximum": lambda samples: max(each.high for each in samples),
    "SampleCount": lambda samples: sum(each.count for each in samples),
}


@dataclass(frozen=True)
class Verdict:
    """What an alarm's state is to be, and why."""

    state: State
    reason: str
    data: Mapping[str, Any]


def judge(alarm: Any, samples: Samples, *, now: float, pace: float) -> Verdict | None:
    """Judge moto's record of an alarm; None: it stays as it is.

    Args:
        alarm: on one metric.
        samples: what was put.
        now: seconds since 1970.
        pace: a period lasts its seconds divided by this.
    """
    metric = key_of(alarm.namespace, alarm.metric_name, {each.name: each.value for each in alarm.dimensions})
    length = float(alarm.period) / pace
    periods = int(alarm.evaluation_periods)
    values = [_value(alarm, samples.between(metric, now - (n + 1) * length, now - n * length)) for n in range(periods)]
    needed = int(alarm.datapoints_to_alarm or periods)
    seen = [value for value in values if value is not None]
    missing = periods - len(seen)
    treated = alarm.treat_missing_data or "missing"
    compare, words = _COMPARISONS[alarm.comparison_operator]
    threshold = float(alarm.threshold)
    breaching = sum(compare(value, threshold) for value in seen) + missing * (treated == "breaching")
    shown = {
        "version": "1.0",
        "queryDate": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
        "statistic": alarm.statistic or alarm.extended_statistic,
        "period": int(alarm.period),
        "recentDatapoints": seen[::-1],
        "threshold": threshold,
    }
    if not seen and treated == "ignore":
        return None
    if not seen and treated == "missing":
        return Verdict("INSUFFICIENT_DATA", f"Insufficient Data: {periods} datapoints were unknown.", shown)
    known = f"{len(seen)} datapoint{'s' * (len(seen) != 1)} {[round(value, 6) for value in seen]}"
    known += f" and {missing} missing, treated as [{treated}]," if missing else ""
    crossed = breaching >= needed
    reason = f"Threshold Crossed: {known} {'' if crossed else 'not '}{words} the threshold ({threshold:g})"
    return Verdict("ALARM" if crossed else "OK", f"{reason}: {breaching} of {periods}, {needed} make an alarm.", shown)


def _value(alarm: Any, samples: Sequence[Sample]) -> float | None:
    """The alarm's statistic of one period; None when nothing was put."""
    fitting = [each for each in samples if alarm.unit is None or each.unit == alarm.unit]
    if not fitting:
        return None
    if alarm.statistic:
        return _STATISTICS[alarm.statistic](fitting)
    plain = sorted(each.low for each in fitting if each.low == each.high for _ in range(int(each.count)))
    if not plain:
        return None  # of a summary nobody knows the percentiles
    rank = math.ceil(float(alarm.extended_statistic.removeprefix("p")) / 100 * len(plain))
    return plain[max(rank, 1) - 1]
