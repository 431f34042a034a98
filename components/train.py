"""One candidate to a model package."""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seatrial import project
from seatrial.component import Artifact, Dataset, Input, Model, Output, Resources, component, progress, say

if TYPE_CHECKING:
    from pydantic import JsonValue

    from seatrial.package.candidate import FloatVector, LabelVector


@dataclass(frozen=True)
class TrainResult:
    """What the gate and the reader ask first. ``parity`` is the largest absolute difference on the holdout."""

    score: float
    parity: float
    digest: str


@component(job="train", role="training", resources=Resources(cpu=1, memory_gb=2))
def train(
    model: str,
    candidate: str,
    train: Input[Dataset],
    validation: Input[Dataset],
    holdout: Input[Dataset],
    profile: Input[Artifact],
    package: Output[Model],
    seed: int = 0,
) -> TrainResult:
    """Fit one candidate and build its package; the holdout is used for parity and the golden sample, without labels."""
    import pyarrow.parquet as pq

    from seatrial.evaluation.performance import measure
    from seatrial.package.build import Labelled, build
    from seatrial.package.lineage import DataDigests, Lineage, git_state
    from seatrial.package.recipe import Recipe
    from seatrial.package.signature import Signature

    opened = project.load()
    settings = opened.model(model)
    recipe = Recipe.load(opened, model)
    metric = settings.gate.metric

    def score(outcome: LabelVector, probability: FloatVector) -> dict[str, JsonValue]:
        found = measure(probability, outcome, threshold=0.5)
        names = ("roc_auc", "pr_auc", "log_loss", "brier", "calibration_error")
        return {name: getattr(found, name) for name in names}

    built = build(
        recipe.candidate(candidate),
        model=settings,
        transformer=recipe.features(settings),
        train=Labelled.of(pq.read_table(train.path), settings),
        validation=Labelled.of(pq.read_table(validation.path), settings),
        holdout=Signature.of(settings).pack(pq.read_table(holdout.path, columns=list(settings.columns))),
        out=package.path,
        profile=profile.path.read_bytes(),
        lineage=Lineage(
            git=git_state(opened.root, commit=opened.commit),
            data=DataDigests(
                train=train.metadata["digest"],
                validation=validation.metadata["digest"],
                holdout=holdout.metadata["holdout_digest"],
            ),
            holdout_from=settings.split.holdout_from,
            trained_from=dt.datetime.fromisoformat(train.metadata["first"]),
            trained_to=dt.datetime.fromisoformat(train.metadata["last"]),
            seed=seed,
        ),
        score=score,
        threads=int(os.environ.get("OMP_NUM_THREADS", "1")),
        progress=lambda done, total, text: progress(done, total, f"{candidate} {text}"),
    )
    value = built.package.metrics.validation[metric]
    reached = float(value) if isinstance(value, int | float) else float("nan")
    package.metadata.update(candidate=candidate, seconds=built.seconds)
    say(f"{candidate:<12} validation {metric} {reached:.4f}   parity {built.parity.max_abs:.0e}")
    return TrainResult(score=reached, parity=built.parity.max_abs, digest=built.package.digest)
