"""What was put into CloudWatch, by metric and in the order of time, so that an alarm finds its periods quickly."""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_NOW_S = 2.0
"""Some protocols cut a timestamp to whole seconds. What is stamped so shortly before it could be read is of the moment
at which it is read, so that it is seen in a period however short, and however late this machine comes to look."""
Key = tuple[str, str, frozenset[tuple[str, str]]]


@dataclass(frozen=True)
class Sample:
    """One datum: a value, or the summary of several that a client put as one."""

    at: float
    """Seconds since 1970."""
    low: float
    high: float
    total: float
    count: float
    unit: str | None


def key_of(namespace: str, name: str, dimensions: Mapping[str, str]) -> Key:
    """A metric: its dimensions belong to its name, all of them."""
    return namespace, name, frozenset(dimensions.items())


class Samples:
    """The samples of one region. Reads moto's list on from where it stopped."""

    def __init__(self) -> None:
        """None yet."""
        self._metrics: defaultdict[Key, list[Sample]] = defaultdict(list)
        self._read, self._looked = 0, 0.0

    def take(self, data: Sequence[Any], now: float) -> None:
        """Take in what ``data``, moto's ever growing list, holds more than last time; ``now`` in seconds since 1970."""
        if len(data) < self._read:  # moto was reset
            self._metrics.clear()
            self._read = 0
        since = (self._looked or now) - _NOW_S
        self._looked = now
        for datum in data[self._read :]:
            self._read += 1
            dimensions = {each.name: each.value for each in datum.dimensions}
            bisect.insort(
                self._metrics[key_of(datum.namespace, datum.name, dimensions)],
                _sample(datum, since, now),
                key=lambda sample: sample.at,
            )

    def between(self, metric: Key, after: float, until: float) -> list[Sample]:
        """The samples with ``after < at <= until``."""
        found = self._metrics.get(metric, [])
        first, last = (bisect.bisect_right(found, bound, key=lambda sample: sample.at) for bound in (after, until))
        return found[first:last]


def _sample(datum: Any, since: float, now: float) -> Sample:
    stamped = _seconds(datum.timestamp)
    at = now if since <= stamped <= now + _NOW_S else stamped
    value = getattr(datum, "value", None)
    if value is None:
        return Sample(at, datum.min, datum.max, datum.sum, datum.sample_count, datum.unit)
    return Sample(at, value, value, value, 1.0, datum.unit)


def _seconds(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
