"""Runs one job of a plan on the machine that a service started for it: ``python -m seatrial.execute --job SPEC.json``.

The specification is a JSON object::

    {"format": 1, "job": "decide",
     "document": {...},                       the job's part, a PipelineSpec
     "parameters": {"model": {"value": "flights"}, "n": {"file": ".../outputs.json", "name": "gate-n"}},
     "artifacts": {"train-split-holdout": ["/opt/ml/processing/input/holdout"]},
     "outputs": {"parameters": "/opt/ml/processing/output/values/outputs.json",
                 "artifacts": {"evaluate-package": "/opt/ml/processing/output/package"}},
     "failure": "/opt/ml/output/message", "state": "/tmp/seatrial", "logs": "/opt/ml/processing/output/logs",
     "root": ".", "preload": [], "cache": true, "environment": {}, "inherit": [], "facts": {},
     "buckets": "seatrial.clouds.buckets:look_up"}

A parameter is one of ``{"value": JSON}``; ``{"file": PATH, "name": KEY}``, from an earlier job's outputs;
``{"environment": NAME, "absent": TEXT}``, text that is cast to the declared type, or no value at all when it equals
``absent``; ``{"all": [...]}`` and ``{"first": [...]}`` over other such references. Values of any length are thus read
from files: a service's 256 characters for arguments limit nothing.

An artifact is a list of folders as `parcel` writes them; of several for an input that is not a list, the first that
holds something counts. ``{"uri", "name", "schema", "metadata"}`` names content that lies there as it is.

``environment`` is what tasks are told. Of the job's own environment they see little; ``inherit`` names more of it: how
the cloud is reached, and as whom. ``buckets`` names the function that reads what importers name (`importing.Buckets`).

Only ``format``, ``document`` and ``outputs`` have to be there.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from seatrial.document import read_text
from seatrial.document.model import Document
from seatrial.errors import DocumentError, SeatrialError, TaskError, UsageError
from seatrial.execute import parcel
from seatrial.execute.cache import Stored
from seatrial.execute.importing import Buckets
from seatrial.execute.journal import TaskRecord, write_json
from seatrial.execute.run import Machine, Ran, execute

Json = Any
FORMAT = 1
MESSAGE_LIMIT = 1024
"""Characters of a failure message that SageMaker keeps."""
_KEYS = frozenset(
    {"format", "job", "document", "parameters", "artifacts", "outputs", "failure", "state", "logs"}
    | {"root", "preload", "cache", "environment", "inherit", "facts", "buckets"}
)
_STOPPED = 128 + signal.SIGTERM


@dataclass
class Specification:
    """A job's specification, checked."""

    job: str
    document: Document
    parameters: Mapping[str, Json]
    artifacts: Mapping[str, list[Stored]]
    values_file: Path | None
    places: Mapping[str, Path]
    """Root output artifact -> its folder."""
    state: Path
    logs: Path | None = None
    root: Path = field(default_factory=Path.cwd)
    preload: tuple[str, ...] = ()
    use_cache: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Json] = field(default_factory=dict)
    buckets: Buckets | None = None


def run_file(path: Path) -> int:
    """Run the job that a file specifies; gives the exit code.

    Raises:
        DocumentError: the file is no specification of a job.
    """
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise UsageError(
            f"{path} cannot be read: {exc}", why="It says what the job runs.", todo="Compile the pipeline again."
        ) from exc
    failure = table.get("failure") if isinstance(table, dict) else None
    with ending_in_order(Path(failure) if isinstance(failure, str) else None):
        ran = run(specification(table))
        if ran.error is not None:
            raise ran.error
    return 0


def run(spec: Specification) -> Ran:
    """Run a job and put what it gives in its place."""
    machine = Machine(
        root=spec.root,
        state=spec.state,
        preload=spec.preload,
        environment=spec.environment,
        use_cache=spec.use_cache,
        facts=spec.facts,
        buckets=spec.buckets,
    )
    ran = execute(spec.document, spec.parameters, machine, Log(), spec.artifacts)
    if spec.logs is not None:
        keep_logs(ran, spec.logs)
    if ran.error is None:
        for name, several in ran.given.artifacts.items():
            parcel.pack(several, spec.places[name])
        if spec.values_file is not None:
            spec.values_file.parent.mkdir(parents=True, exist_ok=True)
            write_json(spec.values_file, ran.given.parameters)
    return ran


def specification(table: Json) -> Specification:
    """Check a specification and read what it names.

    Raises:
        DocumentError: it is not one; every problem is told.
    """
    if not isinstance(table, dict) or table.get("format") != FORMAT:
        raise _bad([f"format is {table.get('format') if isinstance(table, dict) else None!r}, not {FORMAT}"])
    problems = [f"{key}: not known" for key in sorted(set(table) - _KEYS)]
    outputs = table.get("outputs")
    if not isinstance(outputs, dict) or not isinstance(table.get("document"), dict):
        raise _bad([*problems, "document and outputs have to be objects"])
    document = read_text(json.dumps(table["document"]), f"the part of job '{table.get('job', '')}'")
    parameters = _parameters(table.get("parameters", {}), problems)
    artifacts = _artifacts(document, table.get("artifacts", {}), problems)
    places = {name: Path(place) for name, place in outputs.get("artifacts", {}).items()}
    buckets = _function(table["buckets"], problems) if "buckets" in table else None
    missing = sorted(set(document.root.output_artifacts) - set(places))
    problems += [f"outputs.artifacts.{name}: nobody says where it goes" for name in missing]
    if document.root.output_parameters and "parameters" not in outputs:
        problems.append("outputs.parameters: nobody says where the values go")
    if problems:
        raise _bad(problems)
    return Specification(
        job=str(table.get("job", document.name)),
        document=document,
        parameters=parameters,
        artifacts=artifacts,
        values_file=Path(outputs["parameters"]) if "parameters" in outputs else None,
        places=places,
        state=Path(table["state"]) if "state" in table else Path(tempfile.mkdtemp(prefix="seatrial-job-")),
        logs=Path(table["logs"]) if "logs" in table else None,
        root=Path(table.get("root", ".")).resolve(),
        preload=tuple(table.get("preload", ())),
        use_cache=bool(table.get("cache", True)),
        environment={
            **{name: os.environ[name] for name in table.get("inherit", ()) if name in os.environ},
            **table.get("environment", {}),
        },
        facts=dict(table.get("facts", {})),
        buckets=buckets,
    )


def _function(name: Json, problems: list[str]) -> Buckets | None:
    module, _, attribute = str(name).partition(":")
    try:
        found: Buckets = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as exc:
        problems.append(f"buckets: {name!r} is no function here: {exc}")
        return None
    return found


def _parameters(table: Mapping[str, Json], problems: list[str]) -> dict[str, Json]:
    found = {}
    for name, reference in table.items():
        try:
            value = _value(reference)
        except (KeyError, TypeError, OSError, ValueError) as exc:
            problems.append(f"parameters.{name}: {json.dumps(reference)[:120]}: {exc!r}")
            continue
        if value is not None:
            found[name] = value
    return found


def _value(reference: Json) -> Json:
    """A value, or ``None`` where there is none."""
    kinds = {"value", "file", "environment", "all", "first"} & set(reference)
    if len(kinds) != 1:
        raise ValueError(f"expected one of value, file, environment, all, first; found {', '.join(reference)}")
    if "value" in reference:
        return reference["value"]
    if "environment" in reference:
        text = os.environ[reference["environment"]]
        return None if text == reference.get("absent") else text
    if "all" in reference:
        return [value for value in map(_value, reference["all"]) if value is not None]
    if "first" in reference:
        return next((value for value in map(_value, reference["first"]) if value is not None), None)
    path = Path(reference["file"])
    if not path.exists():
        return None  # a job in a branch that was not taken
    return json.loads(path.read_text(encoding="utf-8")).get(reference["name"])


def _artifacts(document: Document, table: Mapping[str, Json], problems: list[str]) -> dict[str, list[Stored]]:
    found: dict[str, list[Stored]] = {}
    for name, places in table.items():
        slot = document.root.input_artifacts.get(name)
        if slot is None:
            problems.append(f"artifacts.{name}: not an input of the part")
            continue
        several = []
        for place in places:
            try:
                packed = parcel.unpack(Path(place)) if isinstance(place, str) else [_as_it_is(place, name, slot.schema)]
            except TaskError as exc:
                problems.append(f"artifacts.{name}: {exc.what}")
                continue
            several += packed or []
            if packed and not slot.many:
                break
        if several:
            found[name] = several
    return found


def _as_it_is(place: Mapping[str, Json], name: str, schema: str) -> Stored:
    return parcel.stored(place.get("name", name), place.get("schema", schema), place.get("metadata", {}), place["uri"])


class Log:
    """Writes what happens to standard output, where a service keeps it: each task's own log, its lines marked."""

    def started(self, record: TaskRecord) -> None:
        """A task starts."""
        self._line(f"▶ {record.path}")

    def event(self, record: TaskRecord, event: Mapping[str, Json]) -> None:
        """A task says something."""
        if "say" in event:
            self._line(f"  {record.path}: {event['say']}")

    def ended(self, record: TaskRecord) -> None:
        """A task ended."""
        if record.log and not record.cached and Path(record.log).exists():
            for line in Path(record.log).read_text(errors="replace").splitlines():
                self._line(f"  {record.path} | {line}")
        how = "cached" if record.cached else record.state
        self._line(f"{'✔' if record.state == 'SUCCEEDED' else '✖'} {record.path} {how} {record.seconds:.1f} s")

    @staticmethod
    def _line(text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def keep_logs(ran: Ran, folder: Path) -> None:
    """Copy the run's record and each task's log to where they outlive the machine."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("run.json", "events.jsonl"):
        shutil.copyfile(ran.folder / name, folder / name)
    for task in ran.record["tasks"]:
        if task["log"] and Path(task["log"]).exists():
            safe = re.sub(r"[^A-Za-z0-9._-]+", "_", task["path"])
            shutil.copyfile(task["log"], folder / f"{safe}.txt")


class ending_in_order:  # noqa: N801 - used as a statement, like contextlib's
    """Inside, SIGTERM ends all tasks before the program ends, and what went wrong is left in the failure file."""

    def __init__(self, failure: Path | None) -> None:
        self._failure = failure

    def __enter__(self) -> None:
        # asyncio turns an interrupt into a cancellation, which ends what was started
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, _interrupt)

    def __exit__(self, _: object, exc: BaseException | None, __: object) -> None:
        if isinstance(exc, KeyboardInterrupt):
            self._tell("the job was stopped\nThe service or a person ended it before its tasks had.\nStart it again.")
            raise SystemExit(_STOPPED)
        if isinstance(exc, SeatrialError):
            self._tell(message(exc))

    def _tell(self, text: str) -> None:
        if self._failure is not None:
            self._failure.parent.mkdir(parents=True, exist_ok=True)
            self._failure.write_text(text[:MESSAGE_LIMIT], encoding="utf-8")


def _interrupt(_: int, __: FrameType | None) -> None:
    signal.raise_signal(signal.SIGINT)


def message(error: SeatrialError) -> str:
    """What, why and what to do, in the 1,024 characters that are kept; a log's end says more than its start."""
    what, todo = error.what[:300], error.todo[:200]
    room = MESSAGE_LIMIT - len(what) - len(todo) - 2
    why = error.why if len(error.why) <= room else "…" + error.why[len(error.why) - room + 1 :]
    return f"{what}\n{why}\n{todo}"


def _bad(problems: list[str]) -> DocumentError:
    return DocumentError(
        "the job's specification cannot be used:\n" + "\n".join(f"  {p}" for p in problems),
        why="A job runs on exactly what it was compiled for.",
        todo="Compile the pipeline again with the Seatrial that is in the job's image.",
    )
