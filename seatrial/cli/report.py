"""``seatrial report``: the HTML page of a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from seatrial import project
from seatrial.cli.output import console, print_json
from seatrial.errors import UsageError
from seatrial.project import Model

Json = Any


def report(
    run: Annotated[str | None, typer.Argument(help="A run's id, or its beginning; the latest without one.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run's record instead.")] = False,
) -> None:
    """Write the report of a run again and print its path."""
    opened = project.load()
    folder = _folder(opened.state / "runs", run)
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    if as_json:
        print_json(record)
        return
    names = {t["parameters"]["model"] for t in record["tasks"] if "model" in t["parameters"]}
    if len(names) != 1:
        raise UsageError(
            f"run {record['run']} is not the training of a model",
            why="A report tells how a model was made and judged.",
            todo=f"Its record: seatrial report {record['run']} --json",
        )
    try:
        page = write_report(opened.model(names.pop()), folder, record)
    except FileNotFoundError as exc:
        raise UsageError(
            f"the results of run {record['run']} are no longer in the cache ({exc.filename})",
            why="Newer results of the same tasks have taken their place.",
            todo=f"The page that was written when it ended: {folder / 'report.html'}",
        ) from exc
    console().print(page, soft_wrap=True)


def write_report(model: Model, folder: Path, record: Json, next_steps: Sequence[tuple[str, str]] = ()) -> Path:
    """Render a run's page beside its record."""
    from seatrial.cli.evidence import run_report
    from seatrial.reports.render import render

    path = folder / "report.html"
    path.write_text(render(run_report(model, record, next_steps)), encoding="utf-8")
    return path


def _folder(runs: Path, run: str | None) -> Path:
    finished = sorted(runs.glob("*/run.json"), key=lambda p: p.stat().st_mtime)
    found = [p.parent for p in finished if run is None or p.parent.name.startswith(run)]
    if not found or (run is not None and len(found) > 1):
        raise UsageError(
            f"{'several runs begin' if found else 'no finished run begins'} with '{run or ''}'",
            why=f"Looked in {runs}; the latest are: {', '.join(p.parent.name for p in finished[-5:]) or 'none'}.",
            todo="Name one of them, or run a model first: seatrial run MODEL",
        )
    return found[-1]
