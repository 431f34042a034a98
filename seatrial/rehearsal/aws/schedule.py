"""Scheduled rules: rate(...) and cron(...), on a clock that runs as fast as the rehearsal does.

The clock shows the real time when the server starts, and from then on ``speed`` seconds for each second. A rule fires
at the minutes that its cron expression names, or each time its rate's period has passed since it was put there.
"""

from __future__ import annotations

import calendar
import re
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from seatrial.rehearsal.aws.world import ACCOUNT, World

_LOOK_S = 0.05
_UNITS = {"minute": 60, "hour": 3600, "day": 86_400}
_RATE = re.compile(r"rate\(([1-9]\d*) (minute|hour|day)(s?)\)")
_MONTHS = [name.upper() for name in calendar.month_abbr]
_DAYS = ["", "SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
_MINUTE = timedelta(minutes=1)


def period_of(expression: str) -> float | None:
    """The seconds of ``rate(...)``; None when it is none, or is spelt as EventBridge does not take it."""
    found = _RATE.fullmatch(expression)
    if found is None or (found[3] == "s") == (found[1] == "1"):  # rate(1 hour), rate(2 hours)
        return None
    return float(found[1]) * _UNITS[found[2]]


@dataclass(frozen=True)
class Cron:
    """``cron(minutes hours day-of-month month day-of-week year)``, in UTC."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: str
    """As written; ``?`` where the weekday decides."""
    months: frozenset[int]
    weekdays: str
    """As written; ``?`` where the day decides."""
    years: frozenset[int]

    @classmethod
    def of(cls, expression: str) -> Cron | None:
        """Read an expression; None when EventBridge would refuse it."""
        if not (expression.startswith("cron(") and expression.endswith(")")):
            return None
        fields = expression[len("cron(") : -1].upper().split()
        if len(fields) != 6 or (fields[2] == "?") == (fields[4] == "?"):
            return None
        try:
            found = cls(
                frozenset(_values(fields[0], 0, 59)),
                frozenset(_values(fields[1], 0, 23)),
                fields[2],
                frozenset(_values(fields[3], 1, 12, _MONTHS)),
                fields[4],
                frozenset(_values(fields[5], 1970, 2199)),
            )
            found.matches(datetime(2024, 2, 29, tzinfo=UTC), checked=True)
        except ValueError:
            return None
        return found

    def matches(self, moment: datetime, *, checked: bool = False) -> bool:
        """Whether it fires in that minute; ``checked`` reads every field, whatever the others say.

        Raises:
            ValueError: a field is not understood.
        """
        parts = [
            moment.minute in self.minutes,
            moment.hour in self.hours,
            moment.month in self.months,
            moment.year in self.years,
        ]
        return (checked or all(parts)) and self._on(moment)

    def _on(self, moment: datetime) -> bool:
        last = calendar.monthrange(moment.year, moment.month)[1]
        if self.days != "?":
            return moment.day in _days_of_month(self.days, moment, last)
        weekday = moment.isoweekday() % 7 + 1  # Sunday is 1
        if "#" in self.weekdays:
            day, _, which = self.weekdays.partition("#")
            wanted = (_number(day, 1, 7, _DAYS), _number(which, 1, 5))
            return (weekday, (moment.day - 1) // 7 + 1) == wanted
        if self.weekdays.endswith("L") and self.weekdays != "L":
            return weekday == _number(self.weekdays[:-1], 1, 7, _DAYS) and moment.day > last - 7
        return weekday in (_values(self.weekdays, 1, 7, _DAYS) if self.weekdays != "L" else {7})


def _days_of_month(text: str, moment: datetime, last: int) -> set[int]:
    if text == "L":
        return {last}
    if text in ("LW", "WL"):
        return {_nearest_weekday(moment, last, last)}
    if text.endswith("W"):
        return {_nearest_weekday(moment, _number(text[:-1], 1, 31), last)}
    return _values(text, 1, 31)


def _nearest_weekday(moment: datetime, day: int, last: int) -> int:
    if day > last:
        return 0
    weekday = moment.replace(day=day).isoweekday()
    if weekday == 6:
        return day - 1 if day > 1 else day + 2
    if weekday == 7:
        return day + 1 if day < last else day - 2
    return day


def _values(text: str, low: int, high: int, names: list[str] | None = None) -> set[int]:
    """The numbers of ``*``, ``1,3``, ``1-5``, ``MON-FRI``, ``0/15``."""
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        first, dash, end = span.partition("-")
        start = low if first == "*" else _number(first, low, high, names)
        stop = _number(end, low, high, names) if dash else high if first == "*" or slash else start
        if stop < start or (dash and first == "*"):
            raise ValueError(part)
        found.update(range(start, stop + 1, _number(step, 1, high) if slash else 1))
    return found


def _number(text: str, low: int, high: int, names: list[str] | None = None) -> int:
    number = names.index(text) if names and text in names[1:] else int(text)
    if not low <= number <= high:
        raise ValueError(text)
    return number


class Clock:
    """What time it is in the rehearsal."""

    def __init__(self, speed: float, real: Callable[[], float] = time.time) -> None:
        """It starts now."""
        self._real, self._speed = real, speed
        self._begun = real()

    def now(self) -> datetime:
        """In UTC."""
        return datetime.fromtimestamp(self._begun + (self._real() - self._begun) * self._speed, UTC)


class Timetable:
    """When which rule fired last. ``due`` gives the moments at which one fires until now, each once."""

    def __init__(self) -> None:
        """No rule is known."""
        self._seen: dict[str, tuple[Any, datetime]] = {}

    def due(self, rule: Any, now: datetime) -> Iterator[datetime]:
        """The moments since the last look; a rule that is new, changed or was off counts from now on."""
        expression = rule.scheduled_expression
        state = (expression, rule.state)
        known, since = self._seen.get(rule.arn, (None, now))
        if known != state:
            self._seen[rule.arn] = (state, now)
            return
        if rule.state != "ENABLED":
            return
        period = period_of(expression)
        if period is not None:
            while since + timedelta(seconds=period) <= now:
                since += timedelta(seconds=period)
                self._seen[rule.arn] = (state, since)
                yield since
            return
        cron = Cron.of(expression)
        self._seen[rule.arn] = (state, now)
        minute = since.replace(second=0, microsecond=0) + _MINUTE
        while cron is not None and minute <= now:
            if cron.matches(minute):
                yield minute
            minute += _MINUTE

    def forget_all_but(self, arns: Collection[str]) -> None:
        """Rules that were deleted: one that is made anew under the same name begins anew."""
        self._seen = {arn: seen for arn, seen in self._seen.items() if arn in arns}


@contextmanager
def scheduling(world: World) -> Iterator[None]:
    """Fire scheduled rules until the block ends, and refuse expressions that EventBridge would not take."""
    from moto.events.exceptions import ValidationException
    from moto.events.models import EventsBackend

    put = EventsBackend.put_rule

    def put_rule(backend: Any, *given: Any, **more: Any) -> Any:
        expression = more.get("scheduled_expression")
        if expression and period_of(expression) is None and Cron.of(expression) is None:
            raise ValidationException("Parameter ScheduleExpression is not valid.")
        return put(backend, *given, **more)

    EventsBackend.put_rule = put_rule
    over = threading.Event()
    thread = threading.Thread(target=_fire, args=(world, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        EventsBackend.put_rule = put


def _fire(world: World, over: threading.Event) -> None:
    from moto.events.models import events_backends

    from seatrial.rehearsal.aws.events import to_rule

    clock, timetable = Clock(world.speed), Timetable()
    while not over.wait(_LOOK_S):
        backends = list(events_backends[ACCOUNT].items())
        rules = [
            (region, rule)
            for region, backend in backends
            for rule in list(backend.event_buses["default"].rules.values())
            if rule.scheduled_expression
        ]
        timetable.forget_all_but({rule.arn for _, rule in rules})
        for region, rule in rules:
            for moment in timetable.due(rule, clock.now()):
                to_rule(rule, _event(rule, region, moment))


def _event(rule: Any, region: str, moment: datetime) -> dict[str, Any]:
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": moment.timestamp(),
        "ingestion-time": moment.timestamp(),
        "region": region,
        "resources": [rule.arn],
        "detail": {},
    }
