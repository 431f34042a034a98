"""Gathers what a run left in its artifacts into the plain data of its report."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import seatrial.reports.report as page
from seatrial.data.findings import Findings
from seatrial.evaluation.decision import Decision
from seatrial.evaluation.evidence import Role as JudgedRole
from seatrial.monitoring.profile import Profile
from seatrial.project import Model

Json = Any
_STATUS: Mapping[str, Any] = {"SUCCEEDED": "done", "FAILED": "failed"}


class RunArtifacts:
    """The record of a run (``run.json``) and the files that its tasks made."""

    def __init__(self, record: Mapping[str, Json]) -> None:
        self.record = record

    def task(self, name: str) -> Mapping[str, Json] | None:
        """The successful task of that name; of several, the last."""
        found = [t for t in self.record["tasks"] if t["name"] == name and t["state"] == "SUCCEEDED"]
        return found[-1] if found else None

    def artifact(self, task: str, name: str) -> tuple[Path, Mapping[str, Json]] | None:
        """Where an artifact lies, and its metadata."""
        found = self.task(task)
        if found is None or not found["artifacts"].get(name):
            return None
        artifact = found["artifacts"][name][0]
        return Path(artifact["uri"]), artifact["metadata"]

    def read(self, task: str, name: str) -> str | None:
        """The text of an artifact."""
        found = self.artifact(task, name)
        return found[0].read_text(encoding="utf-8") if found else None

    def decision(self) -> Decision | None:
        """What the gate decided."""
        text = self.read("gate", "decision_file")
        return None if text is None else Decision.from_json(text)

    def evaluation(self) -> Mapping[str, Json] | None:
        """What was measured of each model."""
        text = self.read("evaluate", "evaluation")
        return None if text is None else json.loads(text)


def run_report(model: Model, record: Mapping[str, Json], next_steps: Sequence[tuple[str, str]] = ()) -> page.RunReport:
    """Everything that a report shows of a run, whether it came to its end or not."""
    left = RunArtifacts(record)
    decision, evaluation = left.decision(), left.evaluation()
    deployed, registered = left.task("deploy"), left.task("register")
    champion = None if evaluation is None else evaluation["models"].get("champion")
    return page.RunReport(
        run=record["run"],
        model=model.name,
        started=dt.datetime.fromisoformat(record["began"]),
        verdict=None if decision is None else decision.verdict,
        headline="" if decision is None else decision.headline,
        reasons=() if decision is None else decision.reasons,
        positive=model.label,
        version=None if registered is None else registered["outputs"]["version"],
        replaced=None if registered is None or champion is None else champion["version"],
        url="" if deployed is None else deployed["outputs"]["url"],
        next_steps=tuple(page.NextStep(command, why) for command, why in next_steps),
        failure=_failure(record),
        gate=None if decision is None else _gate(model, decision),
        candidates=() if evaluation is None else _candidates(model, evaluation),
        data=_data(model, left),
        tasks=tuple(_task(t) for t in record["tasks"]),
        lineage=_lineage(left, evaluation),
    )


def _failure(record: Mapping[str, Json]) -> page.Failure | None:
    failed = [t for t in record["tasks"] if t["error"] is not None]
    if record["error"] is None:
        return None
    return page.Failure(task=failed[0]["name"] if failed else "", **record["error"])


def _gate(model: Model, decision: Decision) -> page.Gate:
    reference = decision.models[decision.slice_reference]
    title = reference.name if reference.version is None else f"champion {model.name} v{reference.version}"
    return page.Gate(
        metric=decision.metric,
        conditions=tuple(page.Condition(**_same(page.Condition, c)) for c in decision.conditions),
        confidence=decision.policy["confidence"],
        rows=decision.holdout.n,
        positives=decision.holdout.positives,
        holdout_digest=decision.holdout.digest,
        slices=tuple(
            page.SliceDifference(
                column=s.column,
                value=s.value,
                rows=s.n,
                positives=s.positives,
                status=s.status,
                challenger=s.challenger,
                reference=s.reference,
                difference=None if s.difference is None else s.difference.value,
                low=None if s.difference is None else s.difference.low,
                high=None if s.difference is None else s.difference.high,
                p_adjusted=s.p_adjusted,
            )
            for s in decision.slices
        ),
        slice_reference=title,
        slice_margin=decision.policy["slice_margin"],
        notes=decision.notes,
    )


def _candidates(model: Model, evaluation: Mapping[str, Json]) -> tuple[page.Candidate, ...]:
    found = []
    for name, table in evaluation["models"].items():
        role: page.Role = "candidate"
        if name == "champion":
            role = "champion"
        elif name == evaluation["challenger"]:
            role = "challenger"
        elif name == evaluation["baseline"]:
            role = "baseline"
        holdout = table["holdout"]
        confusion = holdout["confusion"]
        found.append(
            page.Candidate(
                name=model.name if role == "champion" else name,
                role=role,
                version=table.get("version"),
                digest=table["digest"],
                validation=_metrics(table["validation"]),
                holdout=_metrics(holdout),
                parity=table["parity"],
                size_mb=table["size_mb"],
                latency_ms=table["latency_ms"],
                fit_seconds=table.get("seconds", {}).get("fit"),
                parameters={k: v for k, v in table["parameters"].items() if v is not None},
                roc=_line(holdout["roc"]),
                precision_recall=_line(holdout["precision_recall"]),
                calibration=tuple(
                    page.CalibrationPoint(b["n"], b["predicted"], b["observed"]) for b in holdout["calibration"]
                ),
                confusion=None if confusion is None else page.Confusion(**_named(page.Confusion, confusion)),
            )
        )
    order: dict[JudgedRole | str, int] = {"challenger": 0, "champion": 1, "candidate": 2, "baseline": 3}
    return tuple(sorted(found, key=lambda c: (order[c.role], c.name)))


def _metrics(performance: Mapping[str, Json]) -> dict[str, float | None]:
    return {k: performance[k] for k in ("roc_auc", "pr_auc", "log_loss", "brier", "calibration_error")}


def _line(curve: Mapping[str, Json] | None) -> page.Line | None:
    return None if curve is None else page.Line(tuple(curve["x"]), tuple(curve["y"]))


def _data(model: Model, left: RunArtifacts) -> page.Data | None:
    raw = left.artifact("ingest", "raw")
    if raw is None:
        return None
    ingested = raw[1]
    findings, profile = left.read("validate", "findings"), left.read("profile", "profile")
    parts = [left.artifact("split", name) for name in ("train", "validation", "holdout")]
    return page.Data(
        sources=ingested["sources"],
        joined=ingested["joined"],
        left_out=ingested["left_out"],
        rows=ingested["rows"],
        parts=tuple(
            page.Part(
                name=m["part"], rows=m["rows"], first=m["first"], last=m["last"], positive_rate=m["positive_rate"]
            )
            for _, m in (p for p in parts if p is not None)
        ),
        frozen=model.split.holdout_digest is not None,
        findings=None
        if findings is None
        else tuple(
            page.Finding(f.severity, f.kind, f.column, f.message, f.count) for f in Findings.from_json(findings).found
        ),
        columns=() if profile is None else _columns(model, Profile.from_json(profile)),
    )


def _columns(model: Model, profile: Profile) -> tuple[page.NumberColumn | page.CategoryColumn, ...]:
    found: list[page.NumberColumn | page.CategoryColumn] = []
    for name, column in model.columns.items():
        if column.numeric:
            number = profile.numbers[name]
            found.append(page.NumberColumn(**{**_same(page.NumberColumn, number), "name": name, "unit": column.unit}))
        else:
            category = profile.categories[name]
            found.append(page.CategoryColumn(**{**_same(page.CategoryColumn, category), "name": name}))
    return tuple(found)


def _task(task: Mapping[str, Json]) -> page.Task:
    status: Json = "cached" if task["cached"] else _STATUS.get(task["state"], "skipped")
    detail = task["summary"] if task["error"] is None else task["error"]["what"]
    return page.Task(
        name=_task_name(task),
        status=status,
        start=task["started"],
        seconds=0.0 if task["cached"] else task["seconds"],
        cpu_seconds=task["cpu_s"],
        peak_mb=task["max_rss_kb"] * 1024 / 1e6,
        detail=detail,
    )


def _task_name(task: Mapping[str, Json]) -> str:
    candidate = task["parameters"].get("candidate")
    return f"{task['name']} {candidate}" if candidate else task["name"]


def _lineage(left: RunArtifacts, evaluation: Mapping[str, Json] | None) -> dict[str, str]:
    package = left.artifact("evaluate", "package")
    if package is None or evaluation is None:
        return {}
    lineage = json.loads((package[0] / "lineage.json").read_text())
    dirty = {True: " with uncommitted changes", False: "", None: ""}[lineage["git"]["dirty"]]
    return {
        "git commit": lineage["git"]["commit"] + dirty,
        "package digest": evaluation["models"][evaluation["challenger"]]["digest"],
        "holdout digest": evaluation["holdout_digest"],
        "training table": lineage["data"]["train"],
        "trained on": f"{lineage['trained_from']} to {lineage['trained_to']}",
        "seed": str(lineage["seed"]),
        **{f"{name} version": version for name, version in sorted(lineage["versions"].items())},
    }


def _same(kind: type, value: object) -> dict[str, Json]:
    """The fields of one dataclass that another has too, under the same names."""
    return {f.name: getattr(value, f.name) for f in fields(kind) if hasattr(value, f.name)}


def _named(kind: type, table: Mapping[str, Json]) -> dict[str, Json]:
    return {f.name: table[f.name] for f in fields(kind) if f.name in table}
