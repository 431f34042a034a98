"""Every alarm of every region, evaluated a few times a second; a change of state is an event and a notification.

moto keeps alarms and what was put, and evaluates nothing. Its records are the ones that Describe shows, so states are
changed there; whoever changes one (this module, or a client by SetAlarmState) makes it known in the same way.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from seatrial.rehearsal.aws.alarms.rule import judge
from seatrial.rehearsal.aws.alarms.samples import Samples
from seatrial.rehearsal.aws.events import event_of
from seatrial.rehearsal.aws.topics import publish
from seatrial.rehearsal.aws.world import ACCOUNT, World

_LOG = logging.getLogger(__name__)
_LOOK_S = 0.1
_SERVICE = "cloudwatch.amazonaws.com"


@contextmanager
def watching(world: World) -> Iterator[None]:
    """Evaluate alarms until the block ends."""
    from moto.cloudwatch.models import Alarm, CloudWatchBackend

    update, put = Alarm.update_state, CloudWatchBackend.put_metric_alarm

    one_at_a_time = threading.Lock()

    def change(alarm: Any, reason: str, data: str | None, state: str, *, since: datetime | None = None) -> Any:
        """Returns when it changed; None, and nothing happens, where it has changed ``since``."""
        with one_at_a_time:
            if since not in (None, alarm.state_updated_timestamp):
                return None
            before = _state_of(alarm)
            update(alarm, reason, data or "{}", state)
            at = alarm.state_updated_timestamp
        if state != before["value"]:
            _tell(world, alarm, before)
        return at

    def update_state(alarm: Any, reason: str, reason_data: str | None, state_value: str) -> None:
        change(alarm, reason, reason_data, state_value)

    def put_metric_alarm(backend: Any, name: str, *given: Any, **more: Any) -> Any:
        known = backend.alarms.get(name)
        alarm = put(backend, name, *given, **more)
        if known is None:
            alarm.state_value = "INSUFFICIENT_DATA"
        else:  # a changed rule keeps its state until it is evaluated
            alarm.state_value, alarm.state_reason = known.state_value, known.state_reason
            alarm.state_reason_data, alarm.history = known.state_reason_data, known.history
            alarm.state_updated_timestamp = known.state_updated_timestamp
        alarm.complete = True  # before, its state is moto's, and evaluated it would be a change that never was
        return alarm

    Alarm.update_state, CloudWatchBackend.put_metric_alarm = update_state, put_metric_alarm
    over = threading.Event()
    thread = threading.Thread(target=_watch, args=(world, over, change), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        Alarm.update_state, CloudWatchBackend.put_metric_alarm = update, put


def _watch(world: World, over: threading.Event, change: Callable[..., Any]) -> None:
    from moto.cloudwatch.models import cloudwatch_backends

    samples: defaultdict[str, Samples] = defaultdict(Samples)
    evaluated: dict[tuple[str, str], datetime] = {}  # by region and name: the state that was evaluated, not set
    while not over.wait(_LOOK_S):
        for region, backend in list(cloudwatch_backends[ACCOUNT].items()):
            now = time.time()  # one for all: what is told to a topic takes its time
            samples[region].take(backend.metric_data, now)
            for alarm in [each for each in list(backend.alarms.values()) if getattr(each, "complete", False)]:
                try:
                    _evaluate(world, alarm, samples[region], evaluated, now, change)
                except Exception:  # noqa: BLE001 one alarm that nobody foresaw must not silence the others
                    _LOG.exception("the alarm %s could not be evaluated", alarm.name)


def _evaluate(
    world: World,
    alarm: Any,
    samples: Samples,
    evaluated: dict[tuple[str, str], datetime],
    now: float,
    change: Callable[..., Any],
) -> None:
    key = (alarm.region_name, alarm.name)
    changed = alarm.state_updated_timestamp
    by_hand = alarm.history and evaluated.get(key) != changed
    if by_hand and now - changed.replace(tzinfo=UTC).timestamp() < world.waits(float(alarm.period)):
        return  # a state that somebody set stays for one period
    verdict = judge(alarm, samples, now=now, pace=world.speed)
    if verdict is not None and verdict.state != alarm.state_value:
        at = change(alarm, verdict.reason, json.dumps(verdict.data), verdict.state, since=changed)
        if at is not None:
            evaluated[key] = at


def _state_of(alarm: Any) -> dict[str, Any]:
    return {
        "value": alarm.state_value,
        "reason": alarm.state_reason,
        "reasonData": alarm.state_reason_data,
        "timestamp": alarm.state_updated_timestamp.isoformat(timespec="milliseconds") + "+0000",
    }


def _tell(world: World, alarm: Any, before: Mapping[str, Any]) -> None:
    """The event that every change of state is, and the actions that the alarm has for the new one."""
    dimensions = {each.name: each.value for each in alarm.dimensions}
    metric = {"namespace": alarm.namespace, "name": alarm.metric_name, "dimensions": dimensions}
    stat = {"metric": metric, "period": int(alarm.period), "stat": alarm.statistic or alarm.extended_statistic}
    detail = {
        "alarmName": alarm.name,
        "state": _state_of(alarm),
        "previousState": dict(before),
        "configuration": {
            "description": alarm.description,
            "metrics": [{"id": "m1", "metricStat": stat, "returnData": True}],
        },
    }
    kind = "CloudWatch Alarm State Change"
    world.events.put(event_of("aws.cloudwatch", kind, arn=alarm.alarm_arn, detail=detail))
    actions = {
        "ALARM": alarm.alarm_actions,
        "OK": alarm.ok_actions,
        "INSUFFICIENT_DATA": alarm.insufficient_data_actions,
    }
    for action in actions[alarm.state_value] if alarm.actions_enabled else ():
        _notify(world, alarm, before, action)


def _notify(world: World, alarm: Any, before: Mapping[str, Any], action: str) -> None:
    if ":sns:" not in action:
        _LOG.warning("the rehearsal cannot do the action %s of the alarm %s", action, alarm.name)
        return
    message = {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": ACCOUNT,
        "NewStateValue": alarm.state_value,
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": alarm.state_updated_timestamp.isoformat(timespec="milliseconds") + "+0000",
        "Region": alarm.region_name,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": before["value"],
        "AlarmActions": alarm.alarm_actions,
        "OKActions": alarm.ok_actions,
        "InsufficientDataActions": alarm.insufficient_data_actions,
        "Trigger": {
            "MetricName": alarm.metric_name,
            "Namespace": alarm.namespace,
            "StatisticType": "Statistic" if alarm.statistic else "ExtendedStatistic",
            "Statistic": (alarm.statistic or "").upper() or alarm.extended_statistic,
            "Unit": alarm.unit,
            "Dimensions": [{"name": each.name, "value": each.value} for each in alarm.dimensions],
            "Period": int(alarm.period),
            "EvaluationPeriods": int(alarm.evaluation_periods),
            "ComparisonOperator": alarm.comparison_operator,
            "Threshold": float(alarm.threshold),
            "TreatMissingData": alarm.treat_missing_data or "missing",
        },
    }
    subject = f'{alarm.state_value}: "{alarm.name}" in {alarm.region_name}'[:100]
    publish(world, _SERVICE, str(alarm.alarm_arn), action, json.dumps(message), Subject=subject)
