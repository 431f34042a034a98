"""Runs a job whose inputs and outputs are a KFP ``ExecutorInput``: what Vertex AI Pipelines hands to a container.

An artifact that is a list has no place in an ``ExecutorOutput``; it travels as one folder, packed (see `parcel`), and
its metadata says so.
"""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from seatrial.document import Document, read_text
from seatrial.document.fused import PACKED
from seatrial.errors import DocumentError
from seatrial.execute import job, parcel
from seatrial.execute.cache import Stored
from seatrial.execute.run import Ran

Json = Any


def run(part: str, executor_input: str) -> int:
    """Run a part; gives the exit code.

    Args:
        part: base64 of the part's JSON: as plain text, the service would fill the placeholders in it.
        executor_input: JSON.

    Raises:
        DocumentError: one of them is not what it should be.
        SeatrialError: a task failed.
    """
    try:
        document = read_text(base64.b64decode(part, validate=True).decode(), "the job's part")
        given = json.loads(executor_input)
        inputs, outputs = given.get("inputs", {}), given["outputs"]
    except (ValueError, KeyError, AttributeError) as exc:
        raise DocumentError(
            f"the job cannot be read: {exc!r}",
            why="Its part and its inputs are arguments of the container.",
            todo="Compile the pipeline again with `seatrial compile --target vertex`.",
        ) from exc
    state = Path(tempfile.mkdtemp(prefix="seatrial-job-"))
    spec = job.Specification(
        job=document.name,
        document=document,
        parameters=parameters(document, inputs.get("parameterValues", {})),
        artifacts=_artifacts(document, inputs.get("artifacts", {})),
        values_file=None,
        places={n: state / "packed" / n for n in document.root.output_artifacts},
        state=state,
    )
    with job.ending_in_order(None):
        ran = job.run(spec)
        if ran.error is not None:
            raise ran.error
    _report(ran, outputs, spec)
    return 0


def parameters(document: Document, given: Mapping[str, Json]) -> dict[str, Json]:
    """Parameters by root input of the part; one that is collected comes as ``name--0``, ``name--1``, and so on."""
    found: dict[str, Json] = {}
    for name in document.root.input_parameters:
        if name in given:
            found[name] = given[name]
        elif keys(name, given):
            found[name] = [given[key] for key in keys(name, given)]
    return found


def keys(name: str, given: Iterable[str]) -> list[str]:
    """The inputs of the container that make up a root input of the part."""
    known = set(given)
    if name in known:
        return [name]
    numbered = [key for key in known if key.rpartition("--")[0] == name and key.rpartition("--")[2].isdigit()]
    return sorted(numbered, key=lambda key: int(key.rpartition("--")[2]))


def _artifacts(document: Document, given: Mapping[str, Json]) -> dict[str, list[Stored]]:
    found = {}
    for name in document.root.input_artifacts:
        several = [artifact for key in keys(name, given) for artifact in _given(given[key]["artifacts"])]
        if several:
            found[name] = several
    return found


def _given(artifacts: list[Mapping[str, Json]]) -> list[Stored]:
    found: list[Stored] = []
    for artifact in artifacts:
        metadata = dict(artifact.get("metadata") or {})
        uri = local(artifact["uri"])
        if metadata.get(PACKED):
            found += parcel.unpack(Path(uri)) or []
        else:
            schema = artifact.get("type", {}).get("schemaTitle", "system.Artifact")
            found.append(parcel.stored(artifact.get("name", ""), schema, metadata, uri))
    return found


def _report(ran: Ran, outputs: Mapping[str, Json], spec: job.Specification) -> None:
    artifacts = {}
    for name, several in ran.given.artifacts.items():
        declared = outputs["artifacts"][name]["artifacts"][0]
        target = Path(local(declared["uri"]))
        if spec.document.root.output_artifacts[name].many:
            parcel.copy(spec.places[name], target)
            artifacts[name] = {"artifacts": [{**declared, "metadata": {PACKED: True}}]}
            continue
        source = Path(several[0].uri)
        if source.exists():
            parcel.copy(source, target)
        artifacts[name] = {"artifacts": [{**declared, "metadata": dict(several[0].metadata)}]}
    # an output of a branch that was not taken has no value, and the service asks for one
    values = {name: ran.given.parameters.get(name) for name in spec.document.root.output_parameters}
    report = Path(local(outputs["outputFile"]))
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps({"parameterValues": values, "artifacts": artifacts}, allow_nan=False))


def local(uri: str) -> str:
    """Where a container on Vertex AI sees a bucket's object."""
    return f"/gcs/{uri[5:]}" if uri.startswith("gs://") else uri.removeprefix("file://")
