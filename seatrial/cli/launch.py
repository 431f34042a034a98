"""``seatrial launch``: a model's pipeline in a cloud, started and followed to its verdict."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from seatrial import clouds, project
from seatrial.cli.output import console, print_error, print_json
from seatrial.cli.run import GATE_SAID_NO, INTERRUPTED, compiled_pipeline, given_arguments
from seatrial.cli.watch import Watch
from seatrial.clouds.base import Execution, PipelineRun, Pipelines, Prepared, SentRequest, StepState
from seatrial.clouds.launch import Launches, stop
from seatrial.clouds.launch import launch as launch_in
from seatrial.document.plan import plan
from seatrial.errors import TaskError, UsageError
from seatrial.execute.journal import TaskRecord

Json = Any
_STATES = {"succeeded": "SUCCEEDED", "failed": "FAILED", "stopped": "FAILED"}
_LAST_LINES = 15
_EXAMPLE_TOKEN = "0" * 40
"""In place of what a real start draws."""


def launch(
    model: Annotated[str, typer.Argument(help="A model's name.")],
    cloud: Annotated[str, typer.Option(help="aws.")] = "aws",
    stack: Annotated[str | None, typer.Option(help="Which deployed stack; default: the only one.")] = None,
    pipeline: Annotated[str, typer.Option(help="Which of the project's pipelines.")] = "train",
    arguments: Annotated[str, typer.Option(help="Pipeline arguments as a JSON object.")] = "{}",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the exact requests; send none.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Start anew, even where the same is under way.")] = False,
    starting: Annotated[
        bool, typer.Option("--start/--no-start", help="Without: only put the pipeline there, for an event to start it.")
    ] = True,
    stopping: Annotated[bool, typer.Option("--stop", help="Stop what was launched here and still runs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")] = False,
) -> None:
    """Run a model's pipeline in a cloud: compile it, send it, start it, and follow it to the verdict.

    Killed or interrupted, the execution goes on; the same command finds it and follows it to its end.

    Exit codes: 0 promoted (or the pipeline succeeded), 3 the gate said no, 1 an error, 2 wrong usage, 130 interrupted.
    """
    given = given_arguments(arguments)
    opened = project.load()
    opened.model(model)
    requests: list[SentRequest] = []
    pipelines = clouds.load_pipelines(cloud, opened.state, stack=stack, record=requests.append if dry_run else None)
    if not starting and given:
        raise UsageError(
            "--arguments are given, and nothing is started",
            why="Whoever starts the pipeline gives its arguments.",
            todo="Leave --arguments or --no-start out.",
        )
    with_arguments = {"model": model, **given} if starting and not stopping else None
    prepared = pipelines.prepare(_run(opened, model, pipeline, with_arguments))
    launches = Launches(opened.state)
    out = console(stderr=as_json)
    if stopping:
        _stop(pipelines, launches, prepared.pipeline, out, as_json=as_json)
        return
    if dry_run:
        pipelines.deploy(prepared)
        if starting:
            pipelines.start(prepared, _EXAMPLE_TOKEN)
        _print_requests(requests, pipelines.assumed, out, as_json=as_json)
        return
    if not starting:
        pipelines.deploy(prepared)
        if as_json:
            print_json({"pipeline": prepared.pipeline, "digest": prepared.digest})
        else:
            out.print(escape(f" {prepared.pipeline} is there, and nothing was started"))
        return
    out.print(f"\n [bold]{escape(model)}[/]  {escape(pipeline)}  ({cloud}: {prepared.pipeline})", soft_wrap=True)
    outcome = _follow(pipelines, prepared, launches, out, Outcome(model, pipeline), again=again)
    if as_json:
        print_json(outcome.told())
    else:
        _print(outcome, cloud, out)
    if outcome.error is not None:
        if not as_json:
            print_error(outcome.error, as_json=False)
        raise typer.Exit(1)
    raise typer.Exit(0 if outcome.verdict in (None, "promote") else GATE_SAID_NO)


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


class _Shown:
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
            ended.error = {"what": _first_line(step.reason) or step.status}
        self._watch.ended(ended)

    def line(self, step: StepState, text: str) -> None:
        """The last line of a job's log moves beside it."""
        if step.name in self._begun:
            self._watch.event(self._begun[step.name], {"say": text})


def _run(opened: project.Project, model: str, pipeline: str, arguments: Mapping[str, Json] | None) -> PipelineRun:
    from seatrial.package.lineage import UNKNOWN, git_state

    document = compiled_pipeline(opened, pipeline)
    commit = git_state(opened.root, commit=opened.commit)
    return PipelineRun(
        name=pipeline,
        model=model,
        document=document,
        plan=plan(document),
        image=opened.layout.image,
        arguments=arguments,
        preload=opened.layout.preload,
        environment={} if commit.commit == UNKNOWN else {"SEATRIAL_GIT_COMMIT": commit.text},
    )


def _follow(
    pipelines: Pipelines, prepared: Prepared, launches: Launches, out: Console, outcome: Outcome, *, again: bool
) -> Outcome:
    def started(execution: str, found: bool) -> None:
        outcome.execution, outcome.found = execution, found
        out.print(escape(f" {'goes on' if found else 'started'}  {execution}"), style="dim", soft_wrap=True)

    try:
        with Watch(out) as watch:
            shown = _Shown(watch, pipelines, prepared, outcome)
            ended = launch_in(pipelines, prepared, launches, shown, again=again, started=started)
    except KeyboardInterrupt as exc:
        out.print(
            "\n interrupted; the execution goes on in the cloud. The same command follows it again, and with --stop"
            " it ends it"
            if outcome.execution
            else "\n interrupted before it was known to have started; the same command makes sure of it"
        )
        raise typer.Exit(INTERRUPTED) from exc
    outcome.status, outcome.seconds = ended.status, ended.seconds
    outcome.steps = [
        {"name": s.name, "status": s.status, "job": s.job, "seconds": round(s.seconds, 3), "cached": s.cached}
        for s in ended.steps
    ]
    outcome.error = _error(pipelines, ended, outcome.tasks)
    return outcome


def _error(pipelines: Pipelines, ended: Execution, tasks: Sequence[Mapping[str, Json]]) -> TaskError | None:
    """Why it did not succeed: what the failed task said, else what the service says, and the end of the log."""
    if ended.status == "succeeded":
        return None
    if ended.status == "stopped":
        return TaskError(
            "the execution was stopped",
            why="Somebody asked it to end before its tasks had.",
            todo="Run the same command again: it starts a new one.",
        )
    failed = next((step for step in ended.steps if step.status == "failed"), None)
    if failed is None:
        return TaskError(
            f"the execution failed: {ended.reason}",
            why="The service tells no step that failed.",
            todo=f"Look at it in the service: {ended.id}",
        )
    said = next((t["error"] for t in tasks if t["error"] and t["state"] == "FAILED"), None)
    if said is not None and failed.job:
        return TaskError(f"{failed.name}: {said['what']}", why=said["why"], todo=said["todo"])
    lines = pipelines.last_lines(failed, _LAST_LINES)
    return TaskError(
        f"{failed.name}: {_first_line(failed.reason) or 'failed'}",
        why="Its log ends with:\n" + "\n".join(f"  {line}" for line in lines) if lines else "It left no log.",
        todo=f"Correct that, then run the same command again. The job: {failed.job}"
        if failed.job
        else "Change what led there, then run the same command again.",
    )


def _first_line(text: str) -> str:
    return text.splitlines()[0] if text else ""


def _stop(pipelines: Pipelines, launches: Launches, pipeline: str, out: Console, *, as_json: bool) -> None:
    stopped = stop(pipelines, launches, pipeline)
    if as_json:
        print_json({"stopped": stopped})
        return
    for execution in stopped:
        out.print(escape(f" asked to end: {execution}"), soft_wrap=True)
    if not stopped:
        out.print(escape(f" nothing that was launched here runs in {pipeline}"))


def _print_requests(requests: Sequence[SentRequest], assumed: str, out: Console, *, as_json: bool) -> None:
    told = [
        {"service": r.service, "operation": r.operation, "parameters": {k: _text(v) for k, v in r.parameters.items()}}
        for r in requests
    ]
    if as_json:
        print_json({"requests": told, "assumed": assumed or None})
        return
    for request in told:
        out.print(f"\n [bold]{request['service']} {request['operation']}[/]")
        out.print(escape(json.dumps(request["parameters"], indent=2)), soft_wrap=True)
    if assumed:
        out.print(escape(f"\n nothing was taken to be there already, since AWS could not be asked: {assumed}"))
    out.print(f"\n {len(told)} requests, none of them sent")


def _text(value: Json) -> Json:
    return value.decode() if isinstance(value, bytes) else value


def _next(model: str, version: int, cloud: str, *, served: bool) -> str:
    """The command worth typing now."""
    if served:
        return f"seatrial predict {model} --cloud {cloud} --input EXAMPLE.json"
    arguments = shlex.quote(json.dumps({"version": version}))
    return f"approve it, or: seatrial launch {model} --cloud {cloud} --pipeline release --arguments {arguments}"


def _print(outcome: Outcome, cloud: str, out: Console) -> None:
    told = outcome.told()
    lines = [("gate", told["headline"])] if told["verdict"] else []
    if told["version"] is not None:
        state = "is champion" if told["endpoint"] else "waits for approval"
        lines.append(("version", f"{outcome.model} v{told['version']} {state}"))
    if told["endpoint"]:
        lines.append(("endpoint", told["endpoint"]))
    jobs = sum(1 for step in outcome.steps if step["job"])
    lines.append(("execution", f"{outcome.status}  {outcome.seconds:.1f} s, {jobs} job{'s' * (jobs != 1)}"))
    if told["version"] is not None:
        lines.append(("next", _next(outcome.model, told["version"], cloud, served=told["endpoint"] is not None)))
    out.print()
    for label, text in lines:
        out.print(f" [bold]{label:<10}[/] {escape(text)}", soft_wrap=True)
    out.print()
