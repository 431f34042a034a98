"""What a rehearsal's report is made of: the moments of its story, its live traffic, and what that proves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from seatrial.reports.report import Failure, NextStep


@dataclass(frozen=True)
class Moment:
    """Something that happened, or that was found otherwise than it must be."""

    at: float
    """Seconds since the rehearsal began."""
    stage: str
    text: str
    evidence: tuple[str, ...] = ()
    holds: bool = True


@dataclass(frozen=True)
class Phase:
    """The live traffic during one part of the story."""

    name: str
    requests: int
    by_version: Mapping[str, int]
    """Version that answered -> right answers."""
    errors: int = 0
    """Answers that say the model failed (5xx)."""
    wrong: int = 0
    """Answers that are not what the package of the answering version predicts."""
    lost: int = 0
    """Requests without an answer."""
    p50_ms: float | None = None
    p99_ms: float | None = None


@dataclass(frozen=True)
class Operations:
    """What the offline cloud was asked, by what its answers are worth."""

    executed: Mapping[str, int] = field(default_factory=dict)
    """Operation -> calls."""
    stored: Mapping[str, int] = field(default_factory=dict)
    unsupported: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class RehearsalReport:
    """One rehearsal: of a model, or of infrastructure alone."""

    model: str
    """Its name; of infrastructure: the program's folder and the stack."""
    cloud: str
    started: dt.datetime
    seconds: float
    isolation: str
    """How jobs and servers ran: ``namespaces`` or the container engine; empty: there were none."""
    moments: tuple[Moment, ...] = ()
    phases: tuple[Phase, ...] = ()
    operations: Operations = field(default_factory=Operations)
    proven: tuple[str, ...] = ()
    not_proven: tuple[str, ...] = ()
    failure: Failure | None = None
    next_steps: tuple[NextStep, ...] = ()

    @property
    def cleared(self) -> bool:
        """Everything was removed at the end, and nothing was found to be left."""
        return any(moment.stage == "destroy" and moment.holds for moment in self.moments)

    @property
    def requests(self) -> int:
        """All live requests."""
        return sum(phase.requests for phase in self.phases)

    @property
    def lost(self) -> int:
        """Requests without an answer."""
        return sum(phase.lost for phase in self.phases)

    @property
    def wrong(self) -> int:
        """Answers that no version's package gives."""
        return sum(phase.wrong for phase in self.phases)
