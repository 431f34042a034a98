"""What a launch came to, and how it is shown while it goes on."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from seatrial.cli.watch import Watch
from seatrial.clouds.base import Pipelines, Prepared, StepState
from seatrial.errors import TaskError
from seatrial.execute.journal import TaskRecord

Json = Any
_STATES = {"succeeded": "SUCCEEDED", "failed": "FAILED", "stopped": "FAILED"}


@dataclass
class Outcome:
    """The end of ``seatrial launch``, for people and for machines."""

    model: str
    pipeline: str
    execution: str = ""
    found: bool = False
    """It was started before, by this command or at the same time."""
    status: str = ""
    seconds: float = 0.0
    tasks: list[Mapping[str, Json]] = field(default_factory=list)
    """As the jobs recorded them."""
    steps: list[Mapping[str, Json]] = field(default_factory=list)
    error: TaskError | None = None

    def task(self, name: str) -> Mapping[str, Json] | None:
        """The successful task of that name; of several, the last."""
        return next((t for t in reversed(self.tasks) if t["name"] == name and t["state"] == "SUCCEEDED"), None)

    @property
    def verdict(self) -> str | None:
        """The gate's."""
        gate = self.task("gate")
        return None if gate is None else str(gate["outputs"]["decision"])

    def told(self) -> dict[str, Json]:
        """As JSON."""
        gate, registered, deployed = self.task("gate"), self.task("register"), self.task("deploy")
        error = self.error
        return {
            "model": self.model,
            "pipeline": self.pipeline,
            "execution": self.execution,
            "found": self.found,
            "status": self.status,
            "seconds": round(self.seconds, 3),
            "steps": self.steps,
            "verdict": self.verdict,
            "headline": gate["summary"] if gate else "",
            "version": (registered or deployed or {"outputs": {"version": None}})["outputs"]["version"],
            "endpoint": deployed["outputs"]["url"] if deployed else None,
            "error": None if error is None else {"what": error.what, "why": error.why, "todo": error.todo},
        }


class Shown:
    """A `Follower` that shows jobs and their tasks as ``seatrial run`` shows tasks."""

    def __init__(self, watch: Watch, pipelines: Pipelines, prepared: Prepared, outcome: Outcome) -> None:
        self._watch = watch
        self._pipelines = pipelines
        self._prepared = prepared
        self._outcome = outcome
        self._begun: dict[str, TaskRecord] = {}

    def step(self, step: StepState) -> None:
        """A job began or ended; choices are not shown."""
        tasks = self._prepared.tasks.get(step.name)
        if tasks is None:
            return
        if step.status == "running":
            if step.name not in self._begun:
                self._begun[step.name] = TaskRecord(step.name, step.name, "", "RUNNING")
                self._watch.started(self._begun[step.name])
            return
        records = self._pipelines.records(step)
        self._outcome.tasks += records
        for record in records:
            self._watch.ended(TaskRecord(**record))
        ended = self._begun.pop(step.name, None) or TaskRecord(step.name, step.name, "", "")
        ended.state, ended.cached, ended.seconds = _STATES[step.status], step.cached, step.seconds
        ended.summary = "job" if step.job else "done by the service"
        if step.status != "succeeded" and not any(record["error"] for record in records):
            ended.error = {"what": (step.reason or step.status).splitlines()[0]}
        self._watch.ended(ended)

    def line(self, step: StepState, text: str) -> None:
        """The last line of a job's log moves beside it."""
        if step.name in self._begun:
            self._watch.event(self._begun[step.name], {"say": text})


def _next(model: str, version: int, cloud: str, *, served: bool) -> str:
    """The command worth typing now."""
    if served:
        return f"seatrial predict {model} --cloud {cloud} --input EXAMPLE.json"
    arguments = shlex.quote(json.dumps({"version": version}))
    return f"approve it, or: seatrial launch {model} --cloud {cloud} --pipeline release --arguments {arguments}"


def lines(outcome: Outcome, cloud: str) -> list[tuple[str, str]]:
    """(label, text) for a terminal."""
    told = outcome.told()
    found = [("gate", told["headline"])] if told["verdict"] else []
    if told["version"] is not None:
        waiting = "registered" if outcome.error is not None else "waits for approval"
        state = "is champion" if told["endpoint"] else waiting
        found.append(("version", f"{outcome.model} v{told['version']} {state}"))
    if told["endpoint"]:
        found.append(("endpoint", told["endpoint"]))
    jobs = sum(1 for step in outcome.steps if step["job"])
    found.append(("execution", f"{outcome.status}  {outcome.seconds:.1f} s, {jobs} job{'s' * (jobs != 1)}"))
    if told["version"] is not None and outcome.error is None:
        found.append(("next", _next(outcome.model, told["version"], cloud, served=told["endpoint"] is not None)))
    return found
