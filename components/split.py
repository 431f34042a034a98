"""Train, validation and holdout, in order of time."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from seatrial import project
from seatrial.component import Dataset, Input, Output, component, say
from seatrial.errors import UsageError


@dataclass(frozen=True)
class SplitResult:
    """The digest that says which rows and labels the models are judged on."""

    holdout_digest: str


@component(job="train", role="data")
def split(
    model: str,
    raw: Input[Dataset],
    train: Output[Dataset],
    validation: Output[Dataset],
    holdout: Output[Dataset],
    train_until: str = "",
) -> SplitResult:
    """Split the dataset table by the dates in ``model.toml``; a frozen holdout that changed is refused.

    The holdout of a quick trial (``ingest`` with ``limit_rows``) is a sample and is not held against the frozen one.
    ``train_until`` (``YYYY-MM-DD``) leaves later training rows out: the model that one would have had on that day.
    """
    from seatrial.data.split import split as divide

    parts = divide(
        project.load().model(model),
        raw.path,
        train=train.path,
        validation=validation.path,
        holdout=holdout.path,
        trial=bool(raw.metadata.get("trial")),
        train_until=_day(train_until),
    )
    for artifact, (name, part) in zip((train, validation, holdout), parts.named().items(), strict=True):
        artifact.metadata.update(part=name, rows=part.rows, first=part.first, last=part.last, digest=part.digest)
        artifact.metadata.update(positive_rate=part.positive_rate)
    holdout.metadata.update(holdout_digest=parts.holdout_digest, frozen=parts.frozen)
    say(parts.summary())
    return SplitResult(holdout_digest=parts.holdout_digest)


def _day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError as exc:
        raise UsageError(
            f"train_until is '{text}', which is no day",
            why="It is the last day whose rows are learnt from.",
            todo="Write it as YYYY-MM-DD, or leave it empty.",
        ) from exc
