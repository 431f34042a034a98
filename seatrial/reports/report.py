"""What a run's report is made of: plain data, filled by whoever knows it, with nothing computed here but ratios.

Every part but the run itself may be missing: a run that stopped at its data has no candidates, a first run has no
champion. The page then says so, since a section left out in silence reads as "nothing to see".
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Verdict: TypeAlias = Literal["promote", "reject", "not_enough_data"]
Role: TypeAlias = Literal["challenger", "champion", "baseline", "candidate"]
Severity: TypeAlias = Literal["error", "blocker", "warning"]
Scalar: TypeAlias = str | int | float | bool


@dataclass(frozen=True)
class Failure:
    """Why a run ended before its end: the three parts of a Seatrial error, and where."""

    task: str
    what: str
    why: str
    todo: str


@dataclass(frozen=True)
class NextStep:
    """A command worth typing now."""

    command: str
    why: str


@dataclass(frozen=True)
class Condition:
    """One condition of the gate; ``passed`` is None where there was nothing to hold, or no way to tell."""

    name: str
    passed: bool | None
    why: str
    value: float | None = None
    threshold: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class SliceDifference:
    """Challenger against the reference on the rows of one value; positive means that the challenger is better."""

    column: str
    value: str
    rows: int
    positives: int
    status: Literal["holds", "worse", "too_small"]
    challenger: float | None = None
    reference: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p_adjusted: float | None = None


@dataclass(frozen=True)
class Gate:
    """The decision and all that it rests on."""

    metric: str
    conditions: tuple[Condition, ...]
    confidence: float
    """Two-sided, of every interval."""
    rows: int
    """Of the holdout."""
    positives: int
    holdout_digest: str
    slices: tuple[SliceDifference, ...] = ()
    slice_reference: str = "baseline"
    """Whom the slices were compared with, in words: ``champion flights v3``."""
    slice_margin: float = 0.0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """Points of a curve from left to right, both coordinates in [0, 1]."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class CalibrationPoint:
    """Rows of similar probability: how many, predicted on average, and the share that turned out positive."""

    rows: int
    predicted: float
    observed: float


@dataclass(frozen=True)
class Confusion:
    """Rows by what was predicted at a threshold and what turned out."""

    threshold: float
    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int

    @property
    def rows(self) -> int:
        """All rows."""
        return self.true_positive + self.false_positive + self.true_negative + self.false_negative

    @property
    def precision(self) -> float | None:
        """Share of rows predicted positive that are; None when none is predicted positive."""
        return _ratio(self.true_positive, self.true_positive + self.false_positive)

    @property
    def recall(self) -> float | None:
        """Share of positive rows that are predicted so; None when there is none."""
        return _ratio(self.true_positive, self.true_positive + self.false_negative)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall; None when there is no positive row and none is predicted."""
        return _ratio(2 * self.true_positive, 2 * self.true_positive + self.false_positive + self.false_negative)


@dataclass(frozen=True)
class Candidate:
    """One model that was scored: a candidate of this run, or the champion, scored again."""

    name: str
    role: Role
    version: int | None = None
    digest: str = ""
    validation: Mapping[str, float | None] = field(default_factory=dict)
    """Metric -> value on the validation rows."""
    holdout: Mapping[str, float | None] = field(default_factory=dict)
    parity: float | None = None
    """Largest difference between the framework's prediction and the package's, on the holdout."""
    size_mb: float | None = None
    """Of the package, 1,000,000 bytes."""
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    """``p50``, ``p95``, ``p99`` of one row on one core."""
    fit_seconds: float | None = None
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    roc: Line | None = None
    precision_recall: Line | None = None
    calibration: tuple[CalibrationPoint, ...] = ()
    confusion: Confusion | None = None

    @property
    def title(self) -> str:
        """``flights v3``, or the name alone before there is a version."""
        return self.name if self.version is None else f"{self.name} v{self.version}"


@dataclass(frozen=True)
class Part:
    """One part of the split."""

    name: str
    rows: int
    first: str
    """Time of the first row, ISO 8601."""
    last: str
    positive_rate: float


@dataclass(frozen=True)
class Finding:
    """Something that was found in the data."""

    severity: Severity
    kind: str
    column: str
    """Empty when it is about the table."""
    message: str
    rows: int = 0


@dataclass(frozen=True)
class NumberColumn:
    """A number column of the training rows. Statistics are None where no row has a value."""

    name: str
    rows: int
    missing: int
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    quantiles: Mapping[str, float] = field(default_factory=dict)
    """Level as text (``0.05``) -> value."""
    edges: tuple[float, ...] = ()
    """Inner edges of the histogram, rising; bins may differ in width, the outer ones end at minimum and maximum."""
    counts: tuple[int, ...] = ()
    """One more than ``edges``."""


@dataclass(frozen=True)
class CategoryColumn:
    """A text column of the training rows."""

    name: str
    rows: int
    missing: int
    distinct: int
    counts: Mapping[str, int] = field(default_factory=dict)
    """The most frequent values."""
    other: int = 0
    """Rows with any other value."""


@dataclass(frozen=True)
class Data:
    """What went in, what was left out and why, and what the rest looks like."""

    sources: Mapping[str, int] = field(default_factory=dict)
    """Source table -> rows."""
    joined: int | None = None
    """Rows that dataset.sql yields."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Reason -> rows."""
    rows: int = 0
    parts: tuple[Part, ...] = ()
    frozen: bool = False
    """Whether model.toml names the holdout's digest."""
    findings: tuple[Finding, ...] | None = None
    """None: nobody looked."""
    columns: tuple[NumberColumn | CategoryColumn, ...] = ()


@dataclass(frozen=True)
class Task:
    """One task of the pipeline; times are seconds."""

    name: str
    status: Literal["done", "cached", "failed", "skipped"]
    start: float = 0.0
    """Since the run began."""
    seconds: float = 0.0
    cpu_seconds: float | None = None
    peak_mb: float | None = None
    """Largest resident memory, 1,000,000 bytes."""
    detail: str = ""
    """What it printed last, or why it failed or was skipped."""


@dataclass(frozen=True)
class RunReport:
    """One run of one model."""

    run: str
    model: str
    started: dt.datetime
    verdict: Verdict | None = None
    """None: the run did not come to its gate."""
    headline: str = ""
    reasons: tuple[str, ...] = ()
    positive: str = "positive"
    """What a positive row is, in the model's words: ``late``."""
    version: int | None = None
    """The version that this run registered."""
    replaced: int | None = None
    """The champion that it replaced."""
    url: str = ""
    """Of the endpoint that serves it."""
    next_steps: tuple[NextStep, ...] = ()
    failure: Failure | None = None
    gate: Gate | None = None
    candidates: tuple[Candidate, ...] = ()
    data: Data | None = None
    tasks: tuple[Task, ...] = ()
    lineage: Mapping[str, str] = field(default_factory=dict)
    """Commit, digests and versions of what shaped the result."""

    def of_role(self, role: Role) -> Candidate | None:
        """The first candidate with this role."""
        return next((candidate for candidate in self.candidates if candidate.role == role), None)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
