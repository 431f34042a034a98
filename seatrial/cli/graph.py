"""``seatrial graph``: a picture of a pipeline."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from seatrial import project
from seatrial.cli.output import console
from seatrial.document import Document, draw, read, read_text
from seatrial.document.plan import plan
from seatrial.errors import SeatrialError


def graph(
    pipeline: Annotated[
        Path, typer.Argument(help="A compiled pipeline (.yaml), or a Python file with one @dsl.pipeline.")
    ],
    kind: Annotated[
        Literal["mermaid", "svg"] | None, typer.Option("--format", help="By default what FILE is; Mermaid without one.")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="A file; standard output without one.")] = None,
    jobs: Annotated[bool, typer.Option("--jobs", help="Show which tasks share which cloud job.")] = False,
    image: Annotated[str | None, typer.Option(help="With --jobs: the image on which all tasks run.")] = None,
) -> None:
    """Draw a pipeline's tasks and what waits for what."""
    document = _document(pipeline)
    planned = plan(document, image=image) if jobs else None
    as_svg = kind == "svg" or (kind is None and output is not None and output.suffix == ".svg")
    text = draw.svg(document, planned) if as_svg else draw.mermaid(document, planned)
    if output is None:
        sys.stdout.write(text)
        return
    output.write_text(text, encoding="utf-8")
    console(stderr=True).print(f" wrote {output}")


def _document(pipeline: Path) -> Document:
    if pipeline.suffix != ".py":
        return read(pipeline)
    from seatrial.document.compile import compile_pipeline  # kfp takes a second to import

    try:
        opened = project.load(pipeline.parent)
        root, image = opened.root, opened.layout.image
    except SeatrialError:
        root, image = pipeline.resolve().parent, "image"  # a stranger's pipeline needs no project
    return read_text(compile_pipeline(pipeline, root=root, image=image), str(pipeline))
