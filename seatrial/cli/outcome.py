"""What a training run came to: the verdict, the version, the endpoint, one prediction, the report, what to do next."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from seatrial import clouds
from seatrial.cli.evidence import RunArtifacts
from seatrial.cli.report import write_report
from seatrial.clouds.base import CandidateRecord, RunRecord
from seatrial.clouds.local.predicting import post_json
from seatrial.execute.run import Ran
from seatrial.project import Model, Project

Json = Any


@dataclass
class Outcome:
    """The end of ``seatrial run MODEL``, for people and for machines."""

    model: str
    run: str
    state: str
    seconds: float
    cached: int
    executed: int
    verdict: str | None = None
    headline: str = ""
    reasons: list[str] = field(default_factory=list)
    version: int | None = None
    endpoint: str | None = None
    prediction: Json = None
    report: str | None = None
    next: list[str] = field(default_factory=list)
    error: Mapping[str, str] | None = None

    @property
    def promoted(self) -> bool:
        """Whether the gate let the challenger through."""
        return self.verdict == "promote"

    def to_dict(self) -> dict[str, Json]:
        """As JSON."""
        return asdict(self)

    def lines(self) -> list[tuple[str, str]]:
        """(label, text) for a terminal."""
        found: list[tuple[str, str]] = []
        if self.verdict is not None:
            found.append(("gate", self.headline))
        if self.version is not None:
            found.append(("version", f"{self.model} v{self.version} is champion"))
        if self.endpoint is not None:
            found.append(("endpoint", self.endpoint))
        if self.prediction is not None:
            found.append(("prediction", self.prediction))
        if self.report is not None:
            found.append(("report", self.report))
        steps = "all cached" if not self.executed else f"{self.executed} executed, {self.cached} cached"
        found.append(("run", f"{self.run}  {self.seconds:.1f} s, {steps}"))
        found += [("next" if i == 0 else "", text) for i, text in enumerate(self.next)]
        return found


def conclude(project: Project, model: Model, ran: Ran) -> Outcome:
    """Read what the run left, track it, write its report, and make one prediction through the endpoint."""
    tasks = ran.record["tasks"]
    done = [t for t in tasks if t["state"] == "SUCCEEDED"]
    outcome = Outcome(
        model=model.name,
        run=ran.id,
        state=ran.record["state"],
        seconds=ran.record["seconds"],
        cached=sum(t["cached"] for t in done),
        executed=sum(not t["cached"] for t in done),
        error=ran.record["error"],
    )
    left = RunArtifacts(ran.record)
    decision = left.decision()
    if decision is not None:
        (ran.folder / "decision.json").write_text(decision.to_json(), encoding="utf-8")  # outlives the cache
        outcome.verdict = decision.verdict
        outcome.headline = decision.headline
        outcome.reasons = list(decision.reasons)
    deployed = left.task("deploy")
    if deployed is not None:
        outcome.version = deployed["outputs"]["version"]
        outcome.endpoint = deployed["outputs"]["url"]
        outcome.prediction = _prediction(model, deployed["outputs"]["url"])
    _track(project, model, ran, left.evaluation(), outcome)
    steps = _next(project, model, outcome)
    outcome.report = _relative(write_report(model, ran.folder, ran.record, steps))
    outcome.next = [command for command, _ in steps]
    return outcome


def _prediction(model: Model, url: str) -> str | None:
    """One call as a stranger would make it, with the model's own example."""
    example = model.folder / "example.json"
    if not example.is_file():
        return None
    answer = post_json(f"{url}/predict", json.loads(example.read_text()))
    shown = ", ".join(f"{p:.3f}" for p in answer["predictions"])
    return f"{_relative(example)} → {model.label} {shown}"


def _track(project: Project, model: Model, ran: Ran, measured: Mapping[str, Json] | None, outcome: Outcome) -> None:
    candidates: dict[str, CandidateRecord] = {}
    if measured is not None:
        candidates = {
            name: CandidateRecord(
                parameters={k: v for k, v in table["parameters"].items() if v is not None},
                metrics={
                    **{f"validation/{k}": v for k, v in table["validation"].items() if isinstance(v, float)},
                    **{f"holdout/{k}": v for k, v in table["holdout"].items() if isinstance(v, float)},
                    "parity": table["parity"],
                    "size_mb": table["size_mb"],
                },
            )
            for name, table in measured["models"].items()
        }
    began = dt.datetime.fromisoformat(ran.record["began"])
    tags = {"verdict": outcome.verdict or "none", "headline": outcome.headline}
    clouds.load(project.target, project.state).tracking.log_run(
        RunRecord(
            run=ran.id,
            model=model.name,
            status="finished" if ran.error is None else "failed",
            started=began,
            ended=began + dt.timedelta(seconds=ran.record["seconds"]),
            metrics={"seconds": ran.record["seconds"]},
            tags=tags,
            candidates=candidates,
            folder=ran.folder,
        )
    )


def _next(project: Project, model: Model, outcome: Outcome) -> list[tuple[str, str]]:
    """Commands worth typing now, and why."""
    registry = _relative(project.state / "registry" / "mlflow.db")
    ui = _typed("mlflow", "ui", "--backend-store-uri", f"sqlite:///{registry}")
    browse = (ui, "compare runs and versions in a browser")
    if outcome.error is not None:
        return []
    if not outcome.promoted:
        return [(_typed("seatrial", "models", model.name), "see which version serves"), browse]
    example = _relative(model.folder / "example.json")
    return [
        (_typed("seatrial", "predict", model.name, "--input", example), "ask the endpoint"),
        (_typed("seatrial", "endpoint", "list"), "see what serves"),
        (_typed("seatrial", "endpoint", "stop", model.name), "end it"),
        browse,
    ]


def _typed(command: str, *words: str) -> str:
    """A command as it can be typed here: by its name where that is found, else by its place beside this program."""
    beside = Path(sys.argv[0]).parent / command
    found = shutil.which(command)
    return " ".join([command if found or not beside.is_file() else _relative(beside), *words])


def _relative(path: Path) -> str:
    """A path as a person would type it from here."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
