"""The table of candidates side by side: one column per model, one row per thing worth comparing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from seatrial.reports import text
from seatrial.reports.report import Candidate

Better: TypeAlias = Literal["higher", "lower"]

METRICS: Mapping[str, tuple[str, Better]] = {
    "roc_auc": ("ROC AUC", "higher"),
    "pr_auc": ("PR AUC", "higher"),
    "log_loss": ("Log loss", "lower"),
    "brier": ("Brier score", "lower"),
    "calibration_error": ("Calibration error", "lower"),
}


@dataclass(frozen=True)
class Cell:
    """A value as text, and whether no model has a better one."""

    text: str
    best: bool = False


@dataclass(frozen=True)
class Row:
    """One thing that was measured or chosen."""

    name: str
    better: Better | None
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Group:
    """Rows under one heading."""

    name: str
    rows: tuple[Row, ...]


def metric_name(metric: str) -> str:
    """``ROC AUC``; a metric that is not known here by its own name."""
    return METRICS[metric][0] if metric in METRICS else metric.replace("_", " ")


def groups(candidates: Sequence[Candidate]) -> tuple[Group, ...]:
    """Everything that sets the candidates apart; a group in which no candidate has a value is left out."""
    made = [
        _group("Holdout", _metrics([c.holdout for c in candidates])),
        _group("Validation", _metrics([c.validation for c in candidates])),
        _group("Package", _package(candidates)),
    ]
    return tuple(group for group in made if group.rows)


def _group(name: str, rows: Iterable[Row]) -> Group:
    return Group(name, tuple(row for row in rows if any(cell.text != text.ABSENT for cell in row.cells)))


def _metrics(samples: Sequence[Mapping[str, float | None]]) -> Iterable[Row]:
    names = dict.fromkeys([*METRICS, *(name for sample in samples for name in sample)])
    for name in names:
        better = METRICS[name][1] if name in METRICS else None
        yield _row(metric_name(name), better, [sample.get(name) for sample in samples], text.score)


def _package(candidates: Sequence[Candidate]) -> Iterable[Row]:
    yield _row("Parity: largest difference to the framework", "lower", [c.parity for c in candidates], text.number)
    yield _row("Size", "lower", [c.size_mb for c in candidates], text.megabytes)
    for percentile in sorted({name for c in candidates for name in c.latency_ms}):
        values = [c.latency_ms.get(percentile) for c in candidates]
        yield _row(f"Latency of one row, {percentile}", "lower", values, text.milliseconds)
    yield _row("Time to fit", "lower", [c.fit_seconds for c in candidates], text.seconds)
    yield Row("Digest", None, tuple(Cell(c.digest[:12] or text.ABSENT) for c in candidates))


def settings(candidates: Sequence[Candidate]) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """(candidate, its hyper-parameters as texts): families have few in common, so they are no table."""
    chosen = [(c.title, c.parameters) for c in candidates if c.parameters]
    return tuple((title, tuple((k, _parameter(v)) for k, v in parameters.items())) for title, parameters in chosen)


def _parameter(value: object) -> str:
    return text.number(value) if isinstance(value, float) else str(value)


def _row(name: str, better: Better | None, values: Sequence[float | None], shown: Callable[[float | None], str]) -> Row:
    present = [value for value in values if value is not None]
    best = None
    if better and len(set(present)) > 1:
        best = max(present) if better == "higher" else min(present)
    return Row(name, better, tuple(Cell(shown(value), value is not None and value == best) for value in values))
