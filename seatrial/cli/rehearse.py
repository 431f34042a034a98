"""``seatrial rehearse``: a model's whole life cycle against an offline cloud, told with its evidence."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from seatrial import project
from seatrial.cli.interrupt import interruptible
from seatrial.cli.output import console, print_error, print_json
from seatrial.cli.run import INTERRUPTED, compiled_pipeline
from seatrial.errors import RehearsalError, UsageError
from seatrial.reports.rehearsal import Moment, Phase, RehearsalReport

_CLOUDS = ("aws",)


def rehearse(
    model: Annotated[str | None, typer.Argument(help="A model's name; with --infra: none.")] = None,
    cloud: Annotated[str, typer.Option(help="aws.")] = "aws",
    infra: Annotated[
        bool,
        typer.Option(
            "--infra", help="Rehearse the infrastructure alone: preview, up, change, refresh, failure, destroy."
        ),
    ] = False,
    stack: Annotated[str, typer.Option(help="The stack of infra/ whose settings are used.")] = "dev",
    engine: Annotated[
        str,
        typer.Option(
            help="Runs jobs and servers in the image: podman or docker; none runs them in namespaces; auto takes the"
            " engine that has the image of exactly these sources, else namespaces."
        ),
    ] = "auto",
    image: Annotated[
        str | None, typer.Option(help="The image, where `make image` built it under another name.")
    ] = None,
    serve: Annotated[
        bool,
        typer.Option(
            "--serve", help="Clear nothing away, and keep the offline cloud up for other programs until Ctrl-C."
        ),
    ] = False,
    port: Annotated[int, typer.Option(help="Where the offline cloud listens; 0 takes a free one.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")] = False,
) -> None:
    """Walk a model through its life on an offline cloud: train, gate, release, fail, roll back, release again.

    Needs no account and no network. Ends with what was proven and what was not, and an HTML report. model.toml says
    what it begins with ([rehearsal] first) and what guards a rollout ([rollout]).

    With --infra: walk a stack of the Pulumi program in infra/ through its life, and compare state and cloud after each
    operation, property by property.

    Exit codes: 0 everything held, 1 something did not, 2 wrong usage, 130 interrupted.
    """
    if cloud not in _CLOUDS:
        raise UsageError(
            f"there is no offline cloud '{cloud}'", why=f"There is: {', '.join(_CLOUDS)}.", todo="Name it with --cloud."
        )
    if infra:
        if model is not None or serve:
            raise UsageError(
                "--infra takes no model, and no --serve",
                why="The infrastructure is the same for all models, and its rehearsal ends with nothing left.",
                todo=f"Run: seatrial rehearse --infra --cloud {cloud} --stack {stack}",
            )
        _rehearse_infra(cloud, stack, as_json=as_json)
        return
    if model is None:
        raise UsageError(
            "no model is named", why="A rehearsal walks one through its life.", todo="Name it, or give --infra."
        )
    from seatrial.rehearsal.aws.choice import CHOICES
    from seatrial.rehearsal.story.builds import IMAGE

    if engine not in CHOICES:
        raise UsageError(
            f"'{engine}' is no container engine", why="Jobs run in one.", todo=f"Name one of {', '.join(CHOICES)}."
        )
    from seatrial.rehearsal.story.rehearse import Stage, begins_with
    from seatrial.rehearsal.story.rehearse import rehearse as play
    from seatrial.rehearsal.story.timeline import Timeline

    opened = project.load()
    settings = opened.model(model)
    begins_with(settings)
    out = console(stderr=as_json)
    out.print(f"\n [bold]{escape(model)}[/]  rehearsal  ({cloud}, offline)\n", soft_wrap=True)
    documents = {name: compiled_pipeline(opened, name) for name in ("train", "release")}
    page = opened.state / "rehearsals" / f"{model}-{cloud}-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S}.html"

    def afterwards(report: RehearsalReport, environment: Mapping[str, str]) -> None:
        status.stop()
        _write(report, page)
        if as_json:
            kept = {"environment": dict(environment)} if serve else {}
            print_json({**asdict(report), "started": report.started.isoformat(), "report": str(page), **kept})
        else:
            _print_report(out, report, str(page))
        if serve:
            _keep(out, model, environment)

    try:
        with interruptible(), out.status("starting the offline cloud") as status:
            line = Timeline(
                told=lambda moment: _print_moment(out, moment),
                doing=lambda text: status.update(escape(text[:200])),
            )
            stage = Stage(port=port, stack=stack, engine=engine, image=image or IMAGE, clear=not serve)
            report = play(opened, settings, documents, stage, line, afterwards)
    except KeyboardInterrupt as exc:
        out.print("\n interrupted; nothing of the offline cloud is left")
        raise typer.Exit(INTERRUPTED) from exc
    _end(report, as_json=as_json)


def _end(report: RehearsalReport, *, as_json: bool) -> None:
    if report.failure is None:
        return
    if not as_json:
        found = report.failure
        print_error(RehearsalError(f"{found.task}: {found.what}", why=found.why, todo=found.todo), as_json=False)
    raise typer.Exit(1)


def _rehearse_infra(cloud: str, stack: str, *, as_json: bool) -> None:
    from seatrial.rehearsal.infra.offline import program_of
    from seatrial.rehearsal.infra.rehearse import rehearse_infra
    from seatrial.rehearsal.story.timeline import Timeline

    opened = project.load()
    out = console(stderr=as_json)
    out.print(f"\n [bold]infra/{escape(cloud)}[/]  rehearsal  ({escape(stack)}, offline)\n", soft_wrap=True)
    page = opened.state / "rehearsals" / f"infra-{cloud}-{stack}-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S}.html"
    try:
        with interruptible(), out.status("starting the offline cloud") as status:
            line = Timeline(
                told=lambda moment: _print_moment(out, moment),
                doing=lambda text: status.update(escape(text[:200])),
            )
            report = rehearse_infra(program_of(opened.root), stack, line)
    except KeyboardInterrupt as exc:
        out.print("\n interrupted; nothing of the offline cloud is left")
        raise typer.Exit(INTERRUPTED) from exc
    _write(report, page)
    if as_json:
        print_json({**asdict(report), "started": report.started.isoformat(), "report": str(page)})
    else:
        _print_report(out, report, str(page))
    _end(report, as_json=as_json)


def _print_moment(out: Console, moment: Moment) -> None:
    mark, colour = ("✔", "green") if moment.holds else ("✘", "red")
    head = f"{moment.at:7.1f}  {moment.stage:<9} "
    if not out.is_terminal:
        out.print(escape(f"{head}{mark} {moment.text}"))
        for line in moment.evidence:
            out.print(escape(f"{'':<{len(head) + 2}}{line}"))
        return
    table = Table.grid(padding=(0, 1, 0, 0), expand=True)
    table.add_column(width=len(head) - 1, no_wrap=True)
    table.add_column(width=1)
    table.add_column(ratio=1)
    table.add_row(Text(head), Text(mark, colour), Text(moment.text))
    for line in moment.evidence:
        table.add_row("", "", Text(line, "dim"))
    out.print(table)


def _print_report(out: Console, report: RehearsalReport, page: str) -> None:
    out.print()
    if report.phases:
        out.print(_traffic(report.phases))
    for label, lines in (("proven", report.proven), ("not proven", report.not_proven)):
        for number, line in enumerate(lines):
            out.print(f" [bold]{label if number == 0 else '':<11}[/] {escape(line)}", soft_wrap=True)
    worth = report.operations
    counts = ", ".join(f"{name} {sum(calls.values()):,}" for name, calls in asdict(worth).items())
    out.print(f" [bold]{'calls':<11}[/] {counts}")
    out.print(f" [bold]{'report':<11}[/] {escape(page)}", soft_wrap=True)
    out.print(f" [bold]{'took':<11}[/] {report.seconds:.1f} s")
    for step in report.next_steps:
        out.print(f" [bold]{'next':<11}[/] {escape(step.command)}", soft_wrap=True)
    out.print()


def _traffic(phases: tuple[Phase, ...]) -> Table:
    versions = sorted({version for phase in phases for version in phase.by_version})
    table = Table(box=None, padding=(0, 2, 0, 1), header_style="dim")
    table.add_column("live traffic")
    for name in ("requests", *versions, "5xx", "wrong", "lost", "p99 ms"):
        table.add_column(name, justify="right")
    for phase in phases:
        counts = [
            phase.requests,
            *(phase.by_version.get(v, 0) for v in versions),
            phase.errors,
            phase.wrong,
            phase.lost,
        ]
        slowest = "–" if phase.p99_ms is None else f"{phase.p99_ms:.0f}"
        table.add_row(phase.name, *(f"{count:,}" for count in counts), slowest)
    return table


def _keep(out: Console, model: str, environment: Mapping[str, str]) -> None:
    """Say how to reach the offline cloud, and wait for Ctrl-C."""
    from seatrial.rehearsal.aws.greeting import greeting

    text = greeting(
        environment, "aws sagemaker list-endpoints", f"seatrial predict {model} --cloud aws --input EXAMPLE.json"
    )
    with contextlib.suppress(KeyboardInterrupt):
        out.print(escape(text), soft_wrap=True)
        threading.Event().wait()


def _write(report: RehearsalReport, page: Path) -> None:
    from seatrial.reports.render import render_rehearsal

    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(render_rehearsal(report), encoding="utf-8")
