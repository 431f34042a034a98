"""What the gate decides on: plain data, checked when it is put together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from seatrial.errors import EvaluationError
from seatrial.evaluation.sample import Outcome, Probability, outcome_problems, probability_problems

Role: TypeAlias = Literal["challenger", "baseline", "champion"]

Finding: TypeAlias = Mapping[str, Any]
"""What a check of the data found: ``severity`` (error, blocker, warning), ``kind``, ``column`` or None, ``message``."""


@dataclass(frozen=True, eq=False)
class ScoredModel:
    """A model package and what it predicted for every row of the holdout."""

    name: str
    """Of the candidate or version: ``lightgbm``, ``flights``."""
    version: str | None
    """In the registry; None before it is registered."""
    digest: str
    """SHA-256 of the package: equal digests are the same model, whatever they are called."""
    probability: Probability
    """Shape (n,), computed by the package that would be served, on this holdout: never a stored score."""
    threshold: float
    """Chosen on validation rows; at or above it a row counts as predicted positive."""

    @property
    def title(self) -> str:
        """``flights v3``, or the name alone before there is a version."""
        return self.name if self.version is None else f"{self.name} v{self.version}"


@dataclass(frozen=True, eq=False)
class Evidence:
    """One frozen holdout, the models scored on it, and what was measured of the challenger's package.

    A measurement that was not made is None or absent; the gate then fails the condition that needs it. The holdout
    may be empty or of one class: that is the gate's business. What cannot be a measurement at all is an error here.

    Raises:
        EvaluationError: arrays disagree in length, a probability is NaN or outside [0, 1], an outcome is neither 0
            nor 1, or a measurement is negative or not finite. Every problem is named.
    """

    outcome: Outcome
    challenger: ScoredModel
    baseline: ScoredModel
    champion: ScoredModel | None
    """The version that serves; None when there is none yet."""
    holdout_digest: str
    slices: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    """Column name to the value of each row as text, shape (n,); an empty text is a missing value."""
    parity_difference: float | None = None
    """Largest absolute difference between the framework's prediction and the package's on the holdout."""
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    """``p50``, ``p95``, ``p99`` of one row through the package on one core, milliseconds."""
    size_mb: float | None = None
    """Of the package, megabytes (1,000,000 bytes)."""
    findings: Sequence[Finding] = ()
    champion_saw_holdout: bool = False
    """Whether rows of this holdout were among those that the champion was trained on."""

    def __post_init__(self) -> None:
        problems = outcome_problems(self.outcome)
        n = np.shape(self.outcome)
        for role, model in self.models().items():
            problems += [f"{role} {model.title}: {problem}" for problem in probability_problems(model.probability)]
            if np.shape(model.probability) != n:
                problems.append(f"{role} {model.title}: shape {np.shape(model.probability)}, outcome has {n}")
            if not 0 <= model.threshold <= 1:
                problems.append(f"{role} {model.title}: threshold {model.threshold} is outside [0, 1]")
        problems += [
            f"slice column '{column}' has shape {np.shape(values)}, outcome has {n}"
            for column, values in self.slices.items()
            if np.shape(values) != n
        ]
        measured = {"parity_difference": self.parity_difference, "size_mb": self.size_mb, **self.latency_ms}
        problems += [
            f"{name} is {value}"
            for name, value in measured.items()
            if value is not None and not (math.isfinite(value) and value >= 0)
        ]
        problems += [f"finding {f} has no severity" for f in self.findings if "severity" not in f]
        if problems:
            raise EvaluationError(
                "the gate's evidence is inconsistent: " + "; ".join(problems),
                why="A decision on numbers that do not belong together would look like any other decision.",
                todo="Correct what produced the evidence, and evaluate again.",
            )

    @property
    def n(self) -> int:
        """Rows of the holdout."""
        return int(np.size(self.outcome))

    @property
    def positives(self) -> int:
        """Rows of the holdout whose outcome is 1."""
        return int(np.count_nonzero(self.outcome))

    def models(self) -> dict[Role, ScoredModel]:
        """The models by role; the champion only when there is one."""
        models: dict[Role, ScoredModel] = {"challenger": self.challenger, "baseline": self.baseline}
        if self.champion is not None:
            models["champion"] = self.champion
        return models
