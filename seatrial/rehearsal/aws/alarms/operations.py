"""CloudWatch's HTTP side: moto's, with the history of alarms, and without rules that nothing here evaluates."""

from __future__ import annotations

import itertools
import json
from typing import Any

from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from seatrial.rehearsal.aws.refusals import Refused, unsupported
from seatrial.rehearsal.aws.strictness import as_message, shape_problems

_ANOMALY = ("LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold", "GreaterThanUpperThreshold")


class CloudWatch(CloudWatchResponse):  # type: ignore[misc]  # moto counts as Any
    """Alarms on one metric are evaluated; others are refused, since nothing would stand behind their state."""

    def put_metric_alarm(self) -> Any:
        """Remember an alarm on one metric. Until it is evaluated it has no data."""
        if self._get_param("Metrics"):
            raise unsupported("alarms on metric math")
        compared = self._get_param("ComparisonOperator")
        if compared in _ANOMALY:
            raise unsupported(f"alarms on anomaly detection ({compared})")
        problems = shape_problems("PutMetricAlarm", self.params, service="cloudwatch")
        needed = ("Namespace", "MetricName", "Period", "Threshold")
        problems += [f"The parameter {name} is required" for name in needed if self._get_param(name) is None]
        if (self._get_param("Statistic") is None) == (self._get_param("ExtendedStatistic") is None):
            problems.append("Exactly one of Statistic and ExtendedStatistic must be set")
        if problems:
            raise Refused("ValidationError", as_message(problems))
        return super().put_metric_alarm()

    def put_composite_alarm(self) -> Any:
        """Not rehearsed."""
        raise unsupported("composite alarms")

    def describe_alarm_history(self) -> Any:
        """The changes of state, the latest first."""
        name = self._get_param("AlarmName")
        wanted = self._get_param("HistoryItemType") or "StateUpdate"
        alarms = self.cloudwatch_backend.alarms
        chosen = [alarms[name]] if name in alarms else [] if name else list(alarms.values())
        items = [item for alarm in chosen for item in _items(alarm)] if wanted == "StateUpdate" else []
        since = self._get_param("StartDate")
        if since is not None:
            items = [item for item in items if item["Timestamp"] >= since.replace(tzinfo=None)]
        items.sort(key=lambda item: item["Timestamp"], reverse=self._get_param("ScanBy") != "TimestampAscending")
        return ActionResult({"AlarmHistoryItems": items[: self._get_param("MaxRecords") or 100]})


def _items(alarm: Any) -> list[dict[str, Any]]:
    """moto notes the state that was left, each time; what came next is in the next note, or is the present state."""
    now = (None, alarm.state_reason, alarm.state_reason_data, alarm.state_value, alarm.state_updated_timestamp)
    states = [*alarm.history, now]
    return [
        {
            "AlarmName": alarm.name,
            "AlarmType": "MetricAlarm",
            "Timestamp": new[4],
            "HistoryItemType": "StateUpdate",
            "HistorySummary": f"Alarm updated from {old[3]} to {new[3]}",
            "HistoryData": json.dumps({"version": "1.0", "oldState": _told(old), "newState": _told(new)}),
        }
        for old, new in itertools.pairwise(states)
    ]


def _told(state: Any) -> dict[str, Any]:
    return {"stateValue": state[3], "stateReason": state[1], "stateReasonData": json.loads(state[2] or "{}")}
