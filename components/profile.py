"""What the training data looks like."""

from __future__ import annotations

from seatrial import project
from seatrial.component import Artifact, Dataset, Input, Output, component, say


@component(job="train", role="data")
def profile(model: str, train: Input[Dataset], profile: Output[Artifact]) -> None:
    """Describe every column of the training rows: the reference for monitoring, and a part of the report."""
    from seatrial.monitoring.profile import profile as describe

    settings = project.load().model(model)
    profile.path.write_text(describe(settings, train.path).to_json())
    say(f"{len(settings.columns)} columns")
