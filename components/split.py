"""Train, validation and holdout, in order of time."""

from __future__ import annotations

from dataclasses import dataclass

from seatrial import project
from seatrial.component import Dataset, Input, Output, component, say


@dataclass(frozen=True)
class SplitResult:
    """The digest that says which rows and labels the models are judged on."""

    holdout_digest: str


@component(job="train")
def split(
    model: str,
    raw: Input[Dataset],
    train: Output[Dataset],
    validation: Output[Dataset],
    holdout: Output[Dataset],
) -> SplitResult:
    """Split the dataset table by the dates in ``model.toml``; a frozen holdout that changed is refused.

    The holdout of a quick trial (``ingest`` with ``limit_rows``) is a sample and is not held against the frozen one.
    """
    from seatrial.data.split import split as divide

    parts = divide(
        project.load().model(model),
        raw.path,
        train=train.path,
        validation=validation.path,
        holdout=holdout.path,
        trial=bool(raw.metadata.get("trial")),
    )
    for artifact, (name, part) in zip((train, validation, holdout), parts.named().items(), strict=True):
        artifact.metadata.update(part=name, rows=part.rows, first=part.first, last=part.last, digest=part.digest)
        artifact.metadata.update(positive_rate=part.positive_rate)
    holdout.metadata.update(holdout_digest=parts.holdout_digest, frozen=parts.frozen)
    say(parts.summary())
    return SplitResult(holdout_digest=parts.holdout_digest)
