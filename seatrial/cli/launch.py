"""``seatrial launch``: a model's pipeline in a cloud, started and followed to its verdict."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from seatrial import clouds, project
from seatrial.cli.interrupt import interruptible
from seatrial.cli.launched import Outcome, Shown, lines
from seatrial.cli.output import console, print_error, print_json
from seatrial.cli.requests import DryRun, print_requests
from seatrial.cli.run import GATE_SAID_NO, INTERRUPTED, compiled_pipeline, given_arguments
from seatrial.cli.target import StackOption
from seatrial.cli.watch import Watch
from seatrial.clouds.base import Pipelines, Prepared, SentRequest
from seatrial.clouds.launch import Launches, error_of, run_of, stop
from seatrial.clouds.launch import launch as launch_in
from seatrial.errors import UsageError

Json = Any
_EXAMPLE_TOKEN = "0" * 40
"""In place of what a real start draws."""


def launch(
    model: Annotated[str, typer.Argument(help="A model's name.")],
    cloud: Annotated[str, typer.Option(help="aws.")] = "aws",
    stack: StackOption = None,
    pipeline: Annotated[str, typer.Option(help="Which of the project's pipelines.")] = "train",
    arguments: Annotated[str, typer.Option(help="Pipeline arguments as a JSON object.")] = "{}",
    dry_run: DryRun = False,
    again: Annotated[bool, typer.Option("--again", help="Start anew, even where the same is under way.")] = False,
    starting: Annotated[
        bool, typer.Option("--start/--no-start", help="Without: only put the pipeline there, for an event to start it.")
    ] = True,
    stopping: Annotated[bool, typer.Option("--stop", help="Stop what was launched here and still runs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")] = False,
) -> None:
    """Run a model's pipeline in a cloud: compile it, send it, start it, and follow it to the verdict.

    Killed or interrupted, the execution goes on; the same command finds it and follows it to its end. On
    another machine it does so where both were given the same SEATRIAL_LAUNCH_TOKEN (32 to 128 characters).

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
    prepared = pipelines.prepare(run_of(opened, model, pipeline, compiled_pipeline(opened, pipeline), with_arguments))
    launches = Launches(opened.state, opened.launch_token)
    out = console(stderr=as_json)
    if stopping:
        _stop(pipelines, launches, prepared.pipeline, out, as_json=as_json)
        return
    if dry_run:
        pipelines.deploy(prepared)
        if starting:
            pipelines.start(prepared, opened.launch_token or _EXAMPLE_TOKEN)
        print_requests(requests, as_json=as_json, assumed=pipelines.assumed)
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
        out.print()
        for label, text in lines(outcome, cloud):
            out.print(f" [bold]{label:<10}[/] {escape(text)}", soft_wrap=True)
        out.print()
    if outcome.error is not None:
        if not as_json:
            print_error(outcome.error, as_json=False)
        raise typer.Exit(1)
    raise typer.Exit(0 if outcome.verdict in (None, "promote") else GATE_SAID_NO)


def _follow(
    pipelines: Pipelines, prepared: Prepared, launches: Launches, out: Console, outcome: Outcome, *, again: bool
) -> Outcome:
    def started(execution: str, found: bool) -> None:
        outcome.execution, outcome.found = execution, found
        out.print(escape(f" {'goes on' if found else 'started'}  {execution}"), style="dim", soft_wrap=True)

    try:
        with interruptible(), Watch(out) as watch:
            shown = Shown(watch, pipelines, prepared, outcome)
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
    outcome.error = error_of(pipelines, ended, outcome.tasks)
    return outcome


def _stop(pipelines: Pipelines, launches: Launches, pipeline: str, out: Console, *, as_json: bool) -> None:
    stopped = stop(pipelines, launches, pipeline)
    if as_json:
        print_json({"stopped": stopped})
        return
    for execution in stopped:
        out.print(escape(f" asked to end: {execution}"), soft_wrap=True)
    if not stopped:
        out.print(escape(f" nothing that was launched here runs in {pipeline}"))
