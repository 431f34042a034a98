"""``seatrial run``: a model's training pipeline, or any compiled pipeline."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape

from seatrial import project
from seatrial.cli.outcome import Outcome, conclude
from seatrial.cli.output import console, print_error, print_json
from seatrial.cli.watch import Watch
from seatrial.clouds import buckets
from seatrial.document import Document, read, read_text
from seatrial.errors import SeatrialError, UsageError
from seatrial.execute.run import Machine, Ran, execute

Json = Any
GATE_SAID_NO = 3
INTERRUPTED = 130


def run(
    what: Annotated[str, typer.Argument(help="A model's name, or a pipeline: compiled (.yaml) or a .py with one.")],
    arguments: Annotated[str, typer.Option(help="Pipeline arguments as a JSON object.")] = "{}",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")] = False,
    cache: Annotated[bool, typer.Option(help="Reuse results that still hold.")] = True,
    engine: Annotated[
        str | None, typer.Option(help="podman or docker: run commands of other images in containers.")
    ] = None,
) -> None:
    """Run a model's training pipeline on this machine, or any KFP v2 pipeline.

    Exit codes: 0 promoted (or the pipeline succeeded), 3 the gate said no, 1 an error, 2 wrong usage.
    """
    given = given_arguments(arguments)
    if what.endswith((".yaml", ".yml", ".json", ".py")):
        _run_document(Path(what), given, as_json=as_json, cache=cache, engine=engine)
    elif engine is not None:
        raise UsageError(
            f"--engine {engine} is for compiled pipelines, and '{what}' is a model",
            why="A model's pipeline runs the project's own components, in the project's environment.",
            todo="Leave --engine away; or compile the pipeline and run that file.",
        )
    else:
        _run_model(what, given, as_json=as_json, cache=cache)


def _run_model(name: str, given: dict[str, Json], *, as_json: bool, cache: bool) -> None:
    opened = project.load()
    model = opened.model(name)
    document = compiled_pipeline(opened, "train")
    machine = _machine(opened, cache=cache)
    out = console(stderr=as_json)
    out.print(f"\n [bold]{escape(name)}[/]  train  ({opened.target})", soft_wrap=True)
    ran = _watched(document, {"model": name, **given}, machine, out)
    outcome = conclude(opened, model, ran)
    if as_json:
        print_json(outcome.to_dict())
    else:
        _print_outcome(out, outcome)
    if ran.error is not None:
        if not as_json:
            print_error(ran.error, as_json=False)
        raise typer.Exit(1)
    raise typer.Exit(0 if outcome.promoted else GATE_SAID_NO)


def _run_document(path: Path, given: dict[str, Json], *, as_json: bool, cache: bool, engine: str | None) -> None:
    opened = _project()
    if path.suffix != ".py":
        document = read(path)
        state = Path.cwd() / ".seatrial" if opened is None else opened.state
        machine = Machine(root=Path.cwd(), state=state, use_cache=cache, buckets=buckets.look_up)
    elif opened is None:
        root = path.resolve().parent
        document = _compiled(path, root, "seatrial")
        machine = Machine(root=root, state=root / ".seatrial", use_cache=cache, buckets=buckets.look_up)
    else:
        document = _compiled(path, opened.root, opened.layout.image)
        machine = _machine(opened, cache=cache)
    machine = replace(machine, engine=engine)
    out = console(stderr=as_json)
    out.print(f"\n [bold]{escape(document.name)}[/]  (local)", soft_wrap=True)
    if elsewhere := document.source.get("defaultPipelineRoot"):
        out.print(escape(f" results stay in {machine.state}, not in {elsewhere}"), style="dim", soft_wrap=True)
    ran = _watched(document, given, machine, out)
    if as_json:
        print_json(ran.record)
    elif ran.error is None:
        for key, value in ran.record["outputs"].items():
            out.print(escape(f" {key} = {json.dumps(value)}"))
        out.print(escape(f" run      {ran.folder}"), style="dim")
    if ran.error is not None:
        if not as_json:
            print_error(ran.error, as_json=False)
        raise typer.Exit(1)


def _watched(document: Document, arguments: dict[str, Json], machine: Machine, out: Console) -> Ran:
    try:
        with Watch(out) as watch:
            ran = execute(document, arguments, machine, watch)
    except KeyboardInterrupt as exc:
        out.print("\n interrupted; finished tasks are kept, the same command goes on from there")
        raise typer.Exit(INTERRUPTED) from exc
    if freed := ran.record["freed_bytes"]:
        out.print(
            f" freed {decimal(freed)} of old results in {escape(str(machine.state))}", style="dim", soft_wrap=True
        )
    return ran


def compiled_pipeline(opened: project.Project, pipeline: str) -> Document:
    """One of the project's pipelines, as a document."""
    path = opened.root / opened.layout.pipelines / f"{pipeline}.py"
    return _compiled(path, opened.root, opened.layout.image)


def _compiled(path: Path, root: Path, image: str) -> Document:
    from seatrial.document.compile import compile_pipeline  # kfp takes a second to import

    return read_text(compile_pipeline(path, root=root, image=image), str(path))


def _machine(opened: project.Project, *, cache: bool) -> Machine:
    """This machine, for components of the project."""
    return Machine(
        root=opened.root,
        state=opened.state,
        preload=opened.layout.preload,
        environment={
            "SEATRIAL_PROJECT": str(opened.root),
            "SEATRIAL_HOME": str(opened.state),
            "SEATRIAL_TARGET": opened.target,
        },
        use_cache=cache,
        buckets=buckets.look_up,
    )


def _project() -> project.Project | None:
    """A stranger's pipeline needs no project; without one its results are kept beside it."""
    try:
        return project.load()
    except SeatrialError:
        return None


def given_arguments(text: str) -> dict[str, Json]:
    """What ``--arguments`` says.

    Raises:
        UsageError: it is not a JSON object.
    """
    try:
        given = json.loads(text)
    except json.JSONDecodeError as exc:
        raise UsageError(
            f"--arguments is not JSON: {exc.msg} at character {exc.pos}",
            why="Arguments have types, and JSON writes them.",
            todo="""For example: --arguments '{"n": 10, "name": "a"}'.""",
        ) from exc
    if not isinstance(given, dict):
        raise UsageError(
            "--arguments is not a JSON object",
            why="Arguments are passed by name.",
            todo="""For example: --arguments '{"n": 10}'.""",
        )
    return given


def _print_outcome(out: Console, outcome: Outcome) -> None:
    out.print()
    for label, text in outcome.lines():
        out.print(f" [bold]{label:<10}[/] {escape(text)}", soft_wrap=True)
    out.print()
