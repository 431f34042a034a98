"""The faults that wait for their moment, and what each has struck."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Protocol

from seatrial.rehearsal.aws.faults.fault import REQUESTS, SUDDEN, UPLOADS, Fault, Kind


class Struck(Protocol):
    """Something that runs and that a sudden fault may strike."""

    @property
    def name(self) -> str:
        """What a fault's target is matched with."""

    def strike(self, kind: Kind) -> bool:
        """Suffer it; False where this kind has no hold on it."""


@dataclass
class _Waiting:
    fault: Fault
    struck: list[str] = field(default_factory=list)

    @property
    def left(self) -> int:
        return self.fault.times - len(self.struck)


class Faults:
    """Shared by every request, job and server of one offline AWS."""

    def __init__(self) -> None:
        """None at first."""
        self._lock = threading.RLock()
        self._waiting: list[_Waiting] = []
        self._running: list[Struck] = []

    def inject(self, fault: Fault) -> None:
        """Have it strike what runs already, or else the next that fits."""
        with self._lock:
            self._waiting.append(_Waiting(fault))
            for each in list(self._running):
                self._strike(each, None)

    def clear(self) -> None:
        """Forget all of them, also what they struck."""
        with self._lock:
            self._waiting.clear()

    def told(self) -> list[dict[str, Any]]:
        """Each fault, what it has struck, and how often it will strike yet."""
        with self._lock:
            return [
                {**each.fault.model_dump(mode="json"), "struck": list(each.struck), "left": each.left}
                for each in self._waiting
            ]

    # what begins

    def take(self, kind: Kind, target: str) -> Fault | None:
        """A fault of this kind for what begins now, used up by one."""
        with self._lock:
            for each in self._waiting:
                if each.fault.kind is kind and each.left and fnmatchcase(target, each.fault.target):
                    each.struck.append(target)
                    return each.fault
        return None

    # what runs

    @contextmanager
    def running(self, what: Struck) -> Iterator[None]:
        """Let sudden faults strike ``what`` until the block ends."""
        with self._lock:
            self._running.append(what)
            self._strike(what, None)
        try:
            yield
        finally:
            with self._lock:
                self._running.remove(what)

    def heard(self, what: Struck, lines: Iterable[str]) -> None:
        """Strike what waits for one of these lines."""
        with self._lock:
            if any(each.fault.on_line and each.left for each in self._waiting):
                for line in lines:
                    self._strike(what, line)

    def _strike(self, what: Struck, line: str | None) -> None:
        for each in self._waiting:
            fault = each.fault
            if fault.kind not in SUDDEN or not each.left or not fnmatchcase(what.name, fault.target):
                continue
            timely = not fault.on_line if line is None else bool(fault.on_line) and fault.on_line in line
            if timely and what.strike(fault.kind):
                each.struck.append(what.name)

    # requests

    @property
    def for_requests(self) -> bool:
        """Whether any request could be struck: where not, none is looked at."""
        with self._lock:
            return any(each.left and each.fault.kind in REQUESTS for each in self._waiting)

    def take_for_request(self, operation: str, targets: Iterable[str], *, platform: bool) -> Fault | None:
        """A fault for this request, used up by one."""
        who = "platform" if platform else "clients"
        with self._lock:
            for each in self._waiting:
                fault = each.fault
                if fault.kind not in REQUESTS or not each.left or fault.by not in ("anybody", who):
                    continue
                if not fnmatchcase(operation, fault.operation):
                    continue
                if fault.target == "*" or any(fnmatchcase(target, fault.target) for target in targets):
                    if fault.kind is Kind.CORRUPT_UPLOAD and operation not in UPLOADS:
                        continue
                    each.struck.append(operation)
                    return fault
        return None
