"""The order in which resources are made that no dependency orders.

Pulumi promises an order only where a resource takes another's output or names it in ``depends_on``. A program that says
neither, and works because its first line usually comes first, works until it does not: so it is rehearsed in the other
order.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from seatrial.rehearsal.infra.state import Resource

_PATIENCE_S = 2.0
"""For the next in the order, while others wait: it may not come at all."""


def latest_first(registered: Iterable[Resource]) -> tuple[str, ...]:
    """URNs of a preview's resources, each after what it needs, and of those that could be next the latest."""
    left = [each for each in registered if not each.is_default_provider][::-1]
    there = {each.urn for each in left}
    ordered: list[str] = []
    while left:
        found = next((each for each in left if each.needs.isdisjoint(there)), left[-1])
        left.remove(found)
        there.remove(found.urn)
        ordered.append(found.urn)
    return tuple(ordered)


class Turns:
    """Lets registrations through one at a time, in an order; what the order does not know goes at once."""

    def __init__(self, order: Sequence[str], patience_s: float = _PATIENCE_S) -> None:
        """Nobody waits."""
        self._place = {urn: place for place, urn in enumerate(order)}
        self._patience_s = patience_s
        self._next = 0
        self._waiting: set[int] = set()
        self._busy = False
        self._changed = threading.Condition()
        self._last = time.monotonic()

    @contextmanager
    def turn(self, urn: str) -> Iterator[None]:
        """Wait for the turn of a resource; it ends with the block."""
        place = self._place.get(urn, -1)
        with self._changed:
            self._waiting.add(place)
            self._happened()
            while not self._may(place):
                self._changed.wait(self._patience_s)
            self._waiting.discard(place)
            self._busy = True
            self._next = max(self._next, place + 1)
        try:
            yield
        finally:
            with self._changed:
                self._busy = False
                self._happened()

    def _may(self, place: int) -> bool:
        if self._busy:
            return False
        late = time.monotonic() - self._last >= self._patience_s
        return place <= self._next or (late and place == min(self._waiting))

    def _happened(self) -> None:
        self._last = time.monotonic()
        self._changed.notify_all()
