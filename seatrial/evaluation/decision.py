"""``decision.json``: what was decided, on which numbers, and why, in a form that a person and a machine can check."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from pydantic import TypeAdapter, ValidationError

from seatrial.errors import EvaluationError
from seatrial.evaluation.comparison import Difference
from seatrial.evaluation.evidence import Role
from seatrial.evaluation.metrics import Metric
from seatrial.evaluation.performance import Performance
from seatrial.evaluation.slices import SliceResult

SCHEMA: Literal["seatrial.decision/1"] = "seatrial.decision/1"

SIGNIFICANT_DIGITS = 9
"""Of a number in decision.json. The last bits of a float differ between processors (vector instructions round in
another order), and the file's digest must not."""

Verdict: TypeAlias = Literal["promote", "reject", "not_enough_data"]


@dataclass(frozen=True)
class Condition:
    """One thing that had to hold. ``why`` is a sentence for a person, whether it held or not.

    ``passed`` is None where there is nothing to hold: no limit is set, or this holdout cannot tell.
    ``low`` and ``high`` are the interval of ``value`` where it has one.
    """

    name: str
    passed: bool | None
    why: str
    value: float | None = None
    threshold: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class JudgedModel:
    """A model by its role in the decision, and how it did on the holdout."""

    name: str
    version: str | None
    digest: str
    performance: Performance


@dataclass(frozen=True)
class Holdout:
    """The rows that every model was scored on."""

    digest: str
    n: int
    positives: int


@dataclass(frozen=True)
class Decision:
    """The gate's answer. Everything that a report shows of it is in here."""

    schema: Literal["seatrial.decision/1"]
    verdict: Verdict
    headline: str
    """One line: ``PROMOTE lightgbm: +0.042 roc_auc over baseline [0.038, 0.046]; no champion yet; 6 slices hold``."""
    reasons: tuple[str, ...]
    """Sentences: why not, or, of a promotion, what holds."""
    notes: tuple[str, ...]
    """What a reader should know and the verdict does not depend on."""
    conditions: tuple[Condition, ...]
    metric: Metric
    holdout: Holdout
    models: dict[Role, JudgedModel]
    differences: dict[Role, Difference]
    """Challenger against each other role."""
    slices: tuple[SliceResult, ...]
    slice_reference: Role
    """Whom the slices were compared with."""
    findings: tuple[dict[str, Any], ...]
    policy: dict[str, Any]
    """The ``[gate]`` settings that were applied, defaults included."""

    @property
    def promoted(self) -> bool:
        """Whether the challenger may replace the champion."""
        return self.verdict == "promote"

    def to_json(self) -> str:
        """The file's content: sorted keys, ``SIGNIFICANT_DIGITS``, no NaN; equal decisions give equal bytes."""
        table = _ADAPTER.dump_python(self, mode="json")
        return json.dumps(_rounded(table), sort_keys=True, indent=2, allow_nan=False, ensure_ascii=False) + "\n"

    @staticmethod
    def from_json(text: str | bytes) -> Decision:
        """Read what ``to_json`` wrote.

        Raises:
            EvaluationError: it is not JSON, not of this schema, or a field is missing or of the wrong type.
        """
        try:
            return _ADAPTER.validate_json(text)
        except ValidationError as exc:
            problems = [f"{'.'.join(str(p) for p in e['loc']) or 'the file'}: {e['msg']}" for e in exc.errors()]
            raise EvaluationError(
                "this is not a decision: " + "; ".join(problems),
                why=f"A promotion rests on a whole decision of schema {SCHEMA}.",
                todo="Run the gate again with this version of Seatrial.",
            ) from exc


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return value


_ADAPTER = TypeAdapter(Decision)
