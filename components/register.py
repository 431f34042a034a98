"""The challenger as a version in the registry."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seatrial import clouds, project
from seatrial.component import Artifact, Input, Model, component, observes, say

COMPARED_WITH = "champion_version"
"""The tag that keeps which champion a version's evidence compared it with; "0": there was none."""


@dataclass(frozen=True)
class RegisterResult:
    """The version's number."""

    version: int


@component(job="release", role="release", uses=("registry:register",))
def register(
    model: str,
    package: Input[Model],
    decision_file: Input[Artifact],
) -> RegisterResult:
    """Register the challenger's package; the same package gives the same version, however often it is registered."""
    from seatrial.evaluation.decision import Decision
    from seatrial.package.read import Package

    opened = project.load()
    decided = Decision.from_json(decision_file.path.read_text())
    found = Package.open(package.path, digest=decided.models["challenger"].digest)
    challenger = found.lineage.candidate
    champion = decided.models.get("champion")
    registry = clouds.load(opened.target, opened.state).registry
    version = registry.register(
        model,
        package.path,
        found.digest,
        run=opened.run,
        tags={
            "candidate": challenger,
            "verdict": decided.verdict,
            "headline": decided.headline,
            "holdout_digest": decided.holdout.digest,
            "git_commit": found.lineage.git.commit,
            COMPARED_WITH: champion.version or "0" if champion else "0",
        },
    )
    observes(is_registered, target=opened.target, state=str(opened.state), model=model, digest=found.digest)
    say(f"{model} v{version.number} ({challenger}, {found.digest[:8]})")
    return RegisterResult(version=version.number)


def is_registered(target: str, state: str, model: str, digest: str) -> list[int]:
    """What the result depends on besides its inputs: the versions that this package is."""
    versions = clouds.load(target, Path(state)).registry.versions(model)
    return [v.number for v in versions if v.digest == digest]
