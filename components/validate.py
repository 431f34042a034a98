"""Is the data fit to train on?"""

from __future__ import annotations

from dataclasses import dataclass

from seatrial import project
from seatrial.component import Artifact, Dataset, Input, Output, component, say


@dataclass(frozen=True)
class ValidateResult:
    """Findings by severity; an error stops the run, a blocker lets the gate reject."""

    blockers: int
    warnings: int


@component(job="train", role="data")
def validate(model: str, raw: Input[Dataset], findings: Output[Artifact]) -> ValidateResult:
    """Check the dataset table against ``model.toml``; raises when it cannot be used, with every error at once."""
    from seatrial.data.validate import validate as check

    found = check(project.load().model(model), raw.path)
    findings.path.write_text(found.to_json())
    say(found.summary())
    found.require_usable()
    return ValidateResult(blockers=len(found.blockers), warnings=len(found.warnings))
