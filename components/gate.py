"""May the challenger replace the champion?"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from seatrial import project
from seatrial.component import Artifact, Dataset, Input, Metrics, Output, component, say


@dataclass(frozen=True)
class GateResult:
    """The verdict, and what a promotion needs to know."""

    decision: str
    challenger: str
    champion_version: int


@component(job="decide", role="evaluation")
def gate(
    model: str,
    scores: Input[Dataset],
    evaluation: Input[Metrics],
    findings: Input[Artifact],
    decision_file: Output[Artifact],
) -> GateResult:
    """Decide whether the challenger may replace the champion, by the policy in ``model.toml``."""
    from seatrial.data.findings import Findings
    from seatrial.evaluation.evidence import Evidence, ScoredModel
    from seatrial.evaluation.gate import decide
    from seatrial.evaluation.scores import read_scores

    policy = project.load().model(model).gate
    measured = json.loads(evaluation.path.read_text())
    scored = read_scores(scores.path)
    models: dict[str, dict[str, Any]] = measured["models"]

    def judged(key: str, version: str | None = None) -> ScoredModel:
        table = models[key]
        name = model if version else table["candidate"]
        return ScoredModel(name, version, table["digest"], scored.probabilities[key], table["threshold"])

    challenger = models[measured["challenger"]]
    champion = models.get("champion")
    decided = decide(
        Evidence(
            outcome=scored.outcome,
            challenger=judged(measured["challenger"]),
            baseline=judged(measured["baseline"]),
            champion=None if champion is None else judged("champion", str(champion["version"])),
            holdout_digest=measured["holdout_digest"],
            slices=scored.slices,
            parity_difference=challenger["parity"],
            latency_ms=challenger["latency_ms"],
            size_mb=challenger["size_mb"],
            findings=[asdict(f) for f in Findings.from_json(findings.path.read_text()).found],
            champion_saw_holdout=bool(champion and champion["saw_holdout"]),
        ),
        policy,
    )
    decision_file.path.write_text(decided.to_json())
    say(decided.headline)
    return GateResult(
        decision=decided.verdict,
        challenger=measured["challenger"],
        champion_version=champion["version"] if champion else 0,
    )
