"""``seatrial graph``: a picture of a pipeline."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from seatrial import project
from seatrial.cli.output import console
from seatrial.document import Document, draw, read, read_text
from seatrial.errors import SeatrialError


def graph(
    pipeline: Annotated[
        Path, typer.Argument(help="A compiled pipeline (.yaml), or a Python file with one @dsl.pipeline.")
    ],
    kind: Annotated[Literal["mermaid", "svg"], typer.Option("--format", help="What to draw it as.")] = "mermaid",
    output: Annotated[Path | None, typer.Option("-o", "--output", help="A file; standard output without one.")] = None,
) -> None:
    """Draw a pipeline's tasks and what waits for what."""
    document = _document(pipeline)
    text = draw.svg(document) if kind == "svg" else draw.mermaid(document)
    if output is None:
        sys.stdout.write(text)
        return
    output.write_text(text, encoding="utf-8")
    console(stderr=True).print(f" wrote {output}")


def _document(pipeline: Path) -> Document:
    if pipeline.suffix != ".py":
        return read(pipeline)
    from seatrial.document.compile import compile_pipeline

    try:
        opened = project.load(pipeline.parent)
        root, image = opened.root, opened.layout.image
    except SeatrialError:
        root, image = pipeline.resolve().parent, "image"  # a stranger's pipeline needs no project
    return read_text(compile_pipeline(pipeline, root=root, image=image), str(pipeline))
