"""What there is to train."""

from __future__ import annotations

from dataclasses import dataclass

from seatrial import project
from seatrial.component import component, say


@dataclass(frozen=True)
class CandidatesResult:
    """Names of all candidates, the baseline first."""

    names: list[str]


@component(job="train")
def candidates(model: str) -> CandidatesResult:
    """List the baseline and the candidates that the model's ``candidates.py`` offers."""
    from seatrial.package.recipe import Recipe

    recipe = Recipe.load(project.load(), model)
    names = [c.name for c in recipe.candidates]
    say(", ".join(names))
    return CandidatesResult(names=names)
