"""``seatrial compile``: a pipeline for the service that will run it; or the check of a SageMaker definition."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import ValidationError
from rich.markup import escape

from seatrial import project
from seatrial.cli.output import console, print_json
from seatrial.document import Document, read, read_text
from seatrial.document.explain import explain
from seatrial.document.jobs import Plan
from seatrial.document.plan import plan
from seatrial.errors import ProjectError, UsageError

Json = Any
Target = Literal["sagemaker", "vertex"]


def compile_(
    pipeline: Annotated[
        Path,
        typer.Argument(
            help="A .py with one @dsl.pipeline, a compiled pipeline (.yaml), or a SageMaker definition (.json)."
        ),
    ],
    target: Annotated[str, typer.Option(help="sagemaker or vertex.")] = "sagemaker",
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Default: <pipeline>.<target>.json.")] = None,
    fuse: Annotated[bool, typer.Option(help="Let tasks share jobs.")] = True,
    explained: Annotated[
        bool, typer.Option("--explain", help="Show tasks, jobs and what they cost in starts.")
    ] = False,
    image: Annotated[
        str | None, typer.Option(help="Run every task on this image, which holds Seatrial and what the tasks need.")
    ] = None,
    cache_expire_after: Annotated[
        str | None,
        typer.Option(help="SageMaker: reuse a step's result that is not older, such as P1D. Default: never."),
    ] = None,
    allow_tags: Annotated[bool, typer.Option("--allow-tags", help="Vertex: accept images without a digest.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")] = False,
) -> None:
    """Compile a pipeline for SageMaker or Vertex AI, without a cloud; or check a SageMaker definition.

    Exit codes: 0 written and valid (or: the definition is valid), 1 it cannot be expressed or is wrong, 2 wrong usage.
    """
    if target not in ("sagemaker", "vertex"):
        raise UsageError(
            f"there is no target '{target}'", why="Targets: sagemaker, vertex.", todo="Name one of those with --target."
        )
    definition = _sagemaker_definition(pipeline)
    if definition is not None:
        _report(_checked(pipeline, definition), None, as_json=as_json)
        return
    document, preload = _document(pipeline)
    planned = plan(document, fuse=fuse, image=image)
    if target == "vertex":
        written = _vertex(document, planned, allow_tags=allow_tags)
    else:
        written = _sagemaker(document, planned, preload, cache_expire_after)
    path = output or Path(f"{pipeline.stem}.{target}.json")
    written.write(path)
    story = explain(planned, plan(document, fuse=False, image=image)) if explained else None
    _report(written, story, as_json=as_json)


@dataclass
class _Written:
    """A result: its text, the files that belong to it, and what was checked."""

    told: dict[str, Json]
    checks: str
    text: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    verb: str = "wrote"
    where: str = ""

    def write(self, path: Path) -> None:
        """Write everything, the definition last: it names the files."""
        self.where = str(path)
        self.told["output"] = str(path)
        if self.files:
            folder = path.with_suffix(".files")
            for name, content in self.files.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
            self.told["files"] = {"folder": str(folder), "names": sorted(self.files)}
            self.checks += f"\n {_count(len(self.files), 'job file')} in {folder}/, to lie below the artifact root"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.text, encoding="utf-8")


def _sagemaker_definition(path: Path) -> Json:
    """The definition in a file, or ``None`` when it is something else."""
    if path.suffix != ".json" or not path.is_file():
        return None
    from seatrial.clouds.aws.check import is_definition

    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError):
        return None  # the document's reader says what is wrong with it
    return found if is_definition(found) else None


def _checked(path: Path, definition: Json) -> _Written:
    from seatrial.clouds.aws import shapes
    from seatrial.clouds.aws.check import check

    found = check(definition).require(str(path))
    told = {"definition": str(path), "steps": found.steps, "requests": found.requests, "references": found.references}
    checks = (
        f"valid against botocore {shapes.version()}: {_count(found.steps, 'step')},"
        f" {_count(found.requests, 'request')} and {_count(found.references, 'reference')} checked"
    )
    return _Written({**told, "botocore": shapes.version()}, checks, verb="checked", where=str(path))


def _document(path: Path) -> tuple[Document, tuple[str, ...]]:
    """The pipeline's document, and what its project wants imported once per job."""
    try:
        opened = project.load()
        root, image, preload = opened.root, opened.layout.image, opened.layout.preload
    except ProjectError:
        root, image, preload = path.resolve().parent, "seatrial", ()  # a stranger's pipeline needs no project
    if path.suffix != ".py":
        return read(path), preload
    from seatrial.document.compile import compile_pipeline  # kfp takes a second to import

    return read_text(compile_pipeline(path, root=root, image=image), str(path)), preload


def _sagemaker(document: Document, planned: Plan, preload: tuple[str, ...], cache_expire_after: str | None) -> _Written:
    from seatrial.clouds.aws.pipeline import compiled
    from seatrial.clouds.aws.settings import SageMakerSettings

    try:
        settings = SageMakerSettings(preload=preload, cache_expire_after=cache_expire_after)
    except ValidationError as exc:
        raise UsageError(
            f"--cache-expire-after: {exc.errors()[0]['msg'].removeprefix('Value error, ')}",
            why="SageMaker takes ISO 8601 durations.",
            todo="For example: --cache-expire-after P1D.",
        ) from exc
    result = compiled(document, planned, settings)
    found = _checked(Path(document.name), result.definition)
    told = {**found.told, "target": "sagemaker", "jobs": [job.name for job in planned.jobs()]}
    checks = found.checks
    if elsewhere := document.source.get("defaultPipelineRoot"):
        checks += f"\n artifacts will lie below the parameter ArtifactRoot, not in {elsewhere}"
    return _Written(told, checks, result.text(), result.files)


def _vertex(document: Document, planned: Plan, *, allow_tags: bool) -> _Written:
    from seatrial.document.fused import fused_document

    spec = fused_document(document, planned, allow_tags=allow_tags)
    again = read_text(json.dumps(spec), "the compiled document")  # what is written is understood again
    told = {"target": "vertex", "jobs": [job.name for job in planned.jobs()]}
    text = json.dumps(spec, sort_keys=True, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    return _Written(told, f"a KFP document with {len(again.components)} components, read back whole", text)


def _report(written: _Written, story: str | None, *, as_json: bool) -> None:
    if as_json:
        print_json({**written.told, "explanation": story} if story is not None else written.told)
        return
    out = console()
    if story is not None:
        out.print("\n".join(f" {line}" for line in escape(story).splitlines()), soft_wrap=True)
    out.print(escape(f" {written.verb} {written.where}: {written.checks}"), soft_wrap=True)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
