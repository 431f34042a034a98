"""All packages and the champion, scored on the one holdout."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial import clouds, project
from seatrial.component import Dataset, Input, Metrics, Model, Output, Resources, component, observes, say

if TYPE_CHECKING:
    import pyarrow as pa

    from seatrial.package.read import Package

CHAMPION = "champion"
"""The name of the champion's column in the scores; no candidate may be called so."""


@dataclass(frozen=True)
class EvaluateResult:
    """Whom the gate decides on."""

    challenger: str
    champion_version: int
    """The version that the challenger would replace, or did replace; 0: there is none."""


@component(job="decide", role="evaluation", uses=("registry:read",), resources=Resources(cpu=1, memory_gb=2))
def evaluate(
    model: str,
    packages: Input[list[Model]],
    validation: Input[Dataset],
    holdout: Input[Dataset],
    scores: Output[Dataset],
    evaluation: Output[Metrics],
    package: Output[Model],
) -> EvaluateResult:
    """Score every package on the holdout, the champion's too; the challenger is chosen on *validation* before that.

    Chosen on the holdout, the best of several would look better than it is. Its package is handed on as ``package``.
    """
    import pyarrow.parquet as pq

    from seatrial.evaluation.scores import Scores, write_scores
    from seatrial.evaluation.selection import select
    from seatrial.package.read import Package

    opened = project.load()
    settings = opened.model(model)
    registry = clouds.load(opened.target, opened.state).registry
    candidates = {p.metadata["candidate"]: Package.open(p.path) for p in packages}
    digests = sorted(p.digest for p in candidates.values())
    champion = registry.champion_for(model, digests)
    observes(registry_champion_for, target=opened.target, state=str(opened.state), model=model, digests=digests)

    validation_rows, holdout_rows = pq.read_table(validation.path), pq.read_table(holdout.path)
    opponent = None if champion is None else Package.open(registry.package_path(champion), digest=champion.digest)
    judged = _measured(
        {**candidates, **({} if opponent is None else {CHAMPION: opponent})},
        settings.label,
        validation_rows,
        holdout_rows,
    )
    measured = {name: judged[name] for name in candidates}
    if champion is not None and opponent is not None:
        judged[CHAMPION].table["version"] = champion.number
        trained_to = opponent.lineage.trained_to
        judged[CHAMPION].table["saw_holdout"] = trained_to is None or trained_to.date() >= settings.split.holdout_from

    write_scores(
        Scores(
            outcome=holdout_rows.column(settings.label).to_numpy().astype("int8"),
            slices={c: _as_text(holdout_rows, c) for c in settings.gate.slices},
            probabilities={name: m.probability for name, m in judged.items()},
        ),
        scores.path,
    )
    metric = settings.gate.metric
    baseline = packages[0].metadata["candidate"]
    selected = select(
        {name: m.validated for name, m in measured.items() if name != baseline}
        or {baseline: measured[baseline].validated},
        validation_rows.column(settings.label).to_numpy(),
        metric=metric,
    )
    challenger = selected.chosen
    shutil.copytree(candidates[challenger].path, package.path)
    package.metadata["candidate"] = challenger
    table = {
        "challenger": challenger,
        "best_on_validation": selected.best,
        "baseline": baseline,
        "holdout_digest": holdout.metadata["holdout_digest"],
        "models": {name: m.table for name, m in judged.items()},
    }
    for artifact in packages:
        table["models"][artifact.metadata["candidate"]]["seconds"] = artifact.metadata["seconds"]
    evaluation.path.write_text(json.dumps(table, sort_keys=True, indent=2, allow_nan=False))
    rows = [f"{name:<12} {metric} {_shown(m.table['holdout'][metric])}" for name, m in judged.items()]
    how = (
        "best on validation"
        if challenger == selected.best
        else f"on validation level with {selected.best}, listed before it"
    )
    say("\n".join([f"challenger {challenger} ({how}); on the holdout of {holdout_rows.num_rows:,} rows:", *rows]))
    return EvaluateResult(challenger=challenger, champion_version=0 if champion is None else champion.number)


def registry_champion_for(target: str, state: str, model: str, digests: list[str]) -> dict[str, Any] | None:
    """What the result depends on besides its inputs: which version is champion."""
    champion = clouds.load(target, Path(state)).registry.champion_for(model, digests)
    return None if champion is None else {"version": champion.number, "digest": champion.digest}


@dataclass
class _Measured:
    validated: Any
    """Probabilities of the validation rows."""
    probability: Any
    """Probabilities of the holdout rows."""
    table: dict[str, Any]


def _measured(
    packages: Mapping[str, Package], label: str, validation: pa.Table, holdout: pa.Table
) -> dict[str, _Measured]:
    """Every package by name: scored as many at once as there are cores, then timed one by one, with nothing beside."""
    from seatrial.package import latency

    def score(package: Package) -> _Measured:
        return _scored(package, label, validation, holdout)

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        found = dict(zip(packages, pool.map(score, packages.values()), strict=True))
    for name, package in packages.items():
        timed = latency.measure(package)
        found[name].table["latency_ms"] = {"p50": timed.p50, "p95": timed.p95, "p99": timed.p99}
    return found


def _scored(package: Package, label: str, validation: pa.Table, holdout: pa.Table) -> _Measured:
    from seatrial.evaluation.metrics import best_f1_threshold
    from seatrial.evaluation.performance import measure

    known = package.predict(package.signature.pack(validation))
    outcome = validation.column(label).to_numpy()
    threshold = best_f1_threshold(known, outcome) if 0 < outcome.sum() < len(outcome) else 0.5
    probability = package.predict(package.signature.pack(holdout))
    lineage = package.lineage
    return _Measured(
        known,
        probability,
        {
            "digest": package.digest,
            "candidate": lineage.candidate,
            "parameters": dict(lineage.parameters),
            "threshold": threshold,
            "validation": asdict(measure(known, outcome, threshold)),
            "holdout": asdict(measure(probability, holdout.column(label).to_numpy(), threshold)),
            "parity": package.metrics.parity.max_abs,
            "size_mb": package.size_bytes / 1e6,
        },
    )


def _as_text(table: pa.Table, column: str) -> Any:
    import numpy as np

    return np.array(["" if v is None else str(v) for v in table.column(column).to_pylist()], dtype=np.str_)


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
