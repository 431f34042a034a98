"""What there is to train."""

from __future__ import annotations

from dataclasses import dataclass

from seatrial import project
from seatrial.component import component, say
from seatrial.errors import UsageError


@dataclass(frozen=True)
class CandidatesResult:
    """Names of all candidates, the baseline first."""

    names: list[str]


@component(job="train", role="training")
def candidates(model: str, only: list[str]) -> CandidatesResult:
    """List the baseline and the candidates that the model's ``candidates.py`` offers.

    ``only`` names those that are to be trained; the baseline is always among them, since the gate compares with it.
    Empty: all.
    """
    from seatrial.package.recipe import Recipe

    recipe = Recipe.load(project.load(), model)
    names = [c.name for c in recipe.candidates]
    unknown = sorted(set(only) - set(names))
    if unknown:
        raise UsageError(
            f"model '{model}' has no candidate called {', '.join(unknown)}",
            why=f"candidates.py offers {', '.join(names)}.",
            todo="""Name some of those: --arguments '{"only": ["NAME"]}'.""",
        )
    names = [name for i, name in enumerate(names) if i == 0 or not only or name in only]
    say(", ".join(names))
    return CandidatesResult(names=names)
