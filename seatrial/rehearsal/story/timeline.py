"""What happened in a rehearsal, and when: each moment with the evidence that it rests on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from seatrial.errors import RehearsalError, SeatrialError
from seatrial.reports.rehearsal import Moment

_ANYTHING = "What failed here would fail in the cloud: fix it, then rehearse again."


class Timeline:
    """Collects moments and tells them to whoever watches."""

    def __init__(
        self, told: Callable[[Moment], None] = lambda _: None, doing: Callable[[str], None] = lambda _: None
    ) -> None:
        """The clock starts now; ``told`` hears of each moment as it is added, ``doing`` of what goes on meanwhile."""
        self._told = told
        self._doing = doing
        self._begun = time.monotonic()
        self.stage_now = ""
        """The stage that runs, or that broke off."""
        self.moments: list[Moment] = []

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._begun

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Moments inside belong to this stage; an error is told as its last moment and goes on."""
        self.stage_now = name
        self._doing(name)
        try:
            yield
        except SeatrialError as failed:
            self._add(failed.what, (failed.why,), holds=False)
            raise

    def going_on(self, text: str) -> None:
        """Something goes on that may take a while; nobody keeps it."""
        self._doing(f"{self.stage_now}: {text}")

    def tell(self, text: str, *evidence: str) -> None:
        """Something happened."""
        self._add(text, evidence, holds=True)

    def check(
        self, holds: bool, text: str, *evidence: str, otherwise: str, why: str = "", todo: str = _ANYTHING
    ) -> None:
        """Something must be so.

        Raises:
            RehearsalError: it is not, with what ``otherwise`` says; ``why`` is the evidence, unless it is given.
        """
        if not holds:
            found = "; ".join(e for e in evidence if e) or "The rehearsal looked, and found it otherwise."
            raise RehearsalError(otherwise, why=why or found, todo=todo)
        self._add(text, evidence, holds=True)

    def _add(self, text: str, evidence: Sequence[str], *, holds: bool) -> None:
        lines = tuple(line for each in evidence for line in each.splitlines() if line)
        moment = Moment(self.seconds, self.stage_now, text, lines, holds)
        self.moments.append(moment)
        self._told(moment)
