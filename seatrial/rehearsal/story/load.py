"""Live traffic on an endpoint, through the client that a caller would use, each answer held against the package.

An answer says which package gave it (``model.digest``), and it must be what that package predicts for the row: another
number is *wrong*, whatever its status. A request without any answer is *lost*. The client does not retry: what a caller
would see is counted once.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from seatrial.errors import EndpointError
from seatrial.reports.rehearsal import Phase

Json = Any
Row = Mapping[str, Json]
Ask = Callable[[bytes], bytes]
"""Sends one body and gives the answer's; raises `Refused` for a 5xx, anything else when there is no answer."""


class Refused(Exception):
    """The model answered that it failed."""


@dataclass(frozen=True)
class Expected:
    """What a version must answer: one prediction for each row."""

    version: str
    predictions: Sequence[float]
    tolerance: float


@dataclass
class _Counts:
    right: Counter[str] = field(default_factory=Counter)
    errors: int = 0
    wrong: int = 0
    lost: int = 0
    seconds: list[float] = field(default_factory=list)
    first: str = ""
    """What the first loss or wrong answer was."""

    @property
    def requests(self) -> int:
        return self.right.total() + self.errors + self.wrong + self.lost


class Load:
    """Callers that ask one after the other, as long as the block lasts.

    Requests are counted for the phase in which they were sent.
    """

    def __init__(self, ask: Callable[[], Ask], rows: Sequence[Row], *, callers: int = 8, pause_s: float = 0.0) -> None:
        """``ask`` is called once for each caller, one after the other, and gives it a client of its own; ``pause_s``
        lies between a caller's requests."""
        self._ask = ask
        self.rows = rows
        self._bodies = [json.dumps({"instances": [row]}).encode() for row in rows]
        self._callers, self._pause_s = callers, pause_s
        self._expected: dict[str, Expected] = {}
        self._turn = itertools.count()
        self._lock = threading.Lock()
        self._phases: dict[str, _Counts] = {}
        self._phase = ""
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    def expect(self, digest: str, expected: Expected) -> None:
        """Answers of this package are known from now on."""
        with self._lock:
            self._expected[digest] = expected

    def __enter__(self) -> Load:
        """Nobody asks before the first phase."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End after the requests that are under way."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def begin(self, name: str) -> None:
        """Requests sent from now on count for this phase, until the next begins. The callers start with the first."""
        with self._lock:
            self._phases.setdefault(name, _Counts())
            self._phase = name
        if not self._threads:
            asks = [self._ask() for _ in range(self._callers)]
            self._threads = [threading.Thread(target=self._call, args=(ask,), daemon=True) for ask in asks]
            for thread in self._threads:
                thread.start()

    def reach(self, name: str, requests: int, *, limit_s: float = 60.0) -> None:
        """Wait until a phase has so many requests.

        Raises:
            EndpointError: it has not, after ``limit_s``.
        """
        end = time.monotonic() + limit_s
        while True:
            with self._lock:
                have = self._phases[name].requests
            if have >= requests:
                return
            if time.monotonic() > end:
                raise EndpointError(
                    f"only {have} of {requests} requests were answered in {limit_s:g} s",
                    why="The live traffic is what the rehearsal's evidence comes from.",
                    todo="See the endpoint's log; or this machine is very busy.",
                )
            self._over.wait(0.02)

    def phases(self) -> tuple[Phase, ...]:
        """What was counted, in the order in which the phases began."""
        with self._lock:
            return tuple(_phase(name, counts) for name, counts in self._phases.items())

    def of(self, name: str) -> Phase:
        """What was counted in one phase, so far."""
        with self._lock:
            return _phase(name, self._phases[name])

    def first_problem(self) -> str:
        """What the first lost request or wrong answer was; empty when there was none."""
        with self._lock:
            return next((counts.first for counts in self._phases.values() if counts.first), "")

    def _call(self, ask: Ask) -> None:
        while not self._over.is_set():
            with self._lock:
                counts = self._phases[self._phase]
            number = next(self._turn) % len(self._bodies)
            begun = time.monotonic()
            try:
                answer = ask(self._bodies[number])
            except Refused:
                with self._lock:
                    counts.errors += 1
            except Exception as none:  # noqa: BLE001 whatever it was, the caller has no answer
                with self._lock:
                    counts.lost += 1
                    counts.first = counts.first or f"{type(none).__name__}: {none}"
            else:
                self._judge(counts, number, answer, time.monotonic() - begun)
            if self._pause_s:
                self._over.wait(self._pause_s)

    def _judge(self, counts: _Counts, number: int, answer: bytes, seconds: float) -> None:
        try:
            table = json.loads(answer)
            digest, (prediction,) = table["model"]["digest"], table["predictions"]
            expected = self._expected[digest]
            right = abs(prediction - expected.predictions[number]) <= expected.tolerance
        except (ValueError, KeyError, TypeError):
            right = False
        with self._lock:
            counts.seconds.append(seconds)
            if right:
                counts.right[expected.version] += 1
            else:
                counts.wrong += 1
                counts.first = counts.first or f"row {number} was answered {answer[:200]!r}"


def _phase(name: str, counts: _Counts) -> Phase:
    ordered = sorted(counts.seconds)

    def quantile(level: float) -> float | None:
        return ordered[int(level * (len(ordered) - 1))] * 1000 if ordered else None

    return Phase(
        name=name,
        requests=counts.requests,
        by_version=dict(sorted(counts.right.items())),
        errors=counts.errors,
        wrong=counts.wrong,
        lost=counts.lost,
        p50_ms=quantile(0.5),
        p99_ms=quantile(0.99),
    )
