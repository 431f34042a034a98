"""A rollout's alarms as CloudWatch has them: that they are there and watch what they should, and what they saw."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from seatrial.clouds.aws.failures import Refused
from seatrial.clouds.aws.guardrails import Alarm
from seatrial.clouds.aws.session import Aws
from seatrial.clouds.aws.stack import BRING_UP
from seatrial.errors import EndpointError

Json = Any
_FIRST_LOOK_S, _SLOWEST_LOOK_S, _LONGEST_S = 0.1, 15.0, 600.0
_AGAIN = f"Bring the infrastructure up to date, from the same sources as the model: {BRING_UP}"


def require(aws: Aws, alarms: Sequence[Alarm]) -> None:
    """Make sure that each alarm is in the account and watches what the model's settings say.

    Raises:
        EndpointError: one is not there, or has another rule; all are told.
    """
    there = _described(aws, alarms)
    missing = [alarm for alarm in alarms if alarm.name not in there]
    if missing:
        raise EndpointError(
            "the account has no alarm for " + ", ".join(f"{alarm.guardrail} ({alarm.name})" for alarm in missing),
            why="Nothing would bring the rollout back. No traffic was moved.",
            todo=_AGAIN,
        )
    problems = [
        f"{alarm.name}: {key} is {_plain(there[alarm.name].get(key))}, and model.toml says {_plain(value)}"
        for alarm in alarms
        for key, value in alarm.rule().items()
        if _plain(there[alarm.name].get(key)) != _plain(value)
    ]
    if problems:
        raise EndpointError(
            "the account's alarms are not this model's guardrails\n" + "\n".join(f"  {each}" for each in problems),
            why="The rollout would be brought back by another rule than was agreed on, or not at all.",
            todo=_AGAIN,
        )


def await_quiet(aws: Aws, alarms: Sequence[Alarm], told: Callable[[str], None]) -> None:
    """Wait until none of them is in alarm: a former rollout's errors would end this one as soon as it begins.

    Raises:
        EndpointError: one stays in alarm.
    """
    end, pause, heard = time.monotonic() + _LONGEST_S, _FIRST_LOOK_S, False
    while alarms and not aws.dry_run:
        raised = [each for each in _described(aws, alarms).values() if each["StateValue"] == "ALARM"]
        if not raised:
            return
        seen = "; ".join(f"{each['AlarmName']}: {each.get('StateReason', '')}" for each in raised)
        if time.monotonic() > end:
            raise EndpointError(
                f"the endpoint was in alarm for {_LONGEST_S / 60:.0f} minutes before any traffic was moved: {seen}",
                why="What serves now breaks the guardrail itself, so that SageMaker would end any rollout at once.",
                todo="Mend what serves, or go back: seatrial endpoint rollback. Then run the same command again.",
            )
        if not heard:
            told(f"waiting for the alarm to end: {seen}")
            heard = True
        time.sleep(pause)
        pause = min(_SLOWEST_LOOK_S, pause * 1.5)


def evidence(aws: Aws, alarms: Sequence[Alarm], since: datetime) -> str:
    """What each alarm saw that went off since then, a line each; empty when none did, or nobody may know."""
    lines = ""
    for alarm in alarms:
        try:
            found = aws.ask(
                "cloudwatch",
                "DescribeAlarmHistory",
                AlarmName=alarm.name,
                HistoryItemType="StateUpdate",
                StartDate=since,
            )
        except Refused:
            continue  # why the traffic came back is known without it
        states = (json.loads(item["HistoryData"])["newState"] for item in found["AlarmHistoryItems"])
        raised = next((state for state in states if state["stateValue"] == "ALARM"), None)
        lines += "" if raised is None else f"\n  {alarm.name}: {raised['stateReason']}"
    return lines


def _described(aws: Aws, alarms: Sequence[Alarm]) -> Mapping[str, Mapping[str, Json]]:
    if not alarms:
        return {}
    found = aws.ask("cloudwatch", "DescribeAlarms", AlarmNames=[alarm.name for alarm in alarms])
    return {each["AlarmName"]: each for each in found["MetricAlarms"]}


def _plain(value: Json) -> Json:
    """Dimensions in one order."""
    return {each["Name"]: each["Value"] for each in value} if isinstance(value, list) else value
