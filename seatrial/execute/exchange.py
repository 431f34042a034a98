"""What goes into a task and what comes out: KFP's ``ExecutorInput`` and ``ExecutorOutput`` as files of one work folder.

Everything that a task writes lies below ``outputs``: declared artifacts, and what ``dsl.get_uri()`` names. A component
may point an artifact somewhere else (its ``uri``), or write it elsewhere and have it copied (its ``custom_path``).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seatrial.document import values
from seatrial.document.model import ArtifactSpec, Component
from seatrial.errors import ComponentError
from seatrial.execute.cache import Stored, content_digest, key_of
from seatrial.execute.graph import Values

Json = Any


def executor_input(component: Component, inputs: Values, work: Path) -> dict[str, Json]:
    """The ``ExecutorInput`` of a task that works in ``work``."""
    outputs = work / "outputs"
    artifacts = {}
    for name, spec in component.output_artifacts.items():
        empty = Stored(name, spec.schema, str(outputs / name), dict(spec.metadata), "")
        artifacts[name] = {"artifacts": [empty.runtime()]}
    return {
        "inputs": {
            "parameterValues": inputs.parameters,
            "artifacts": {k: {"artifacts": [a.runtime() for a in v]} for k, v in inputs.artifacts.items()},
        },
        "outputs": {
            "parameters": {k: {"outputFile": str(work / "parameters" / k)} for k in component.output_parameters},
            "artifacts": artifacts,
            "outputFile": str(outputs / "executor_output.json"),
        },
    }


def collect(component: Component, given: Json, name: str) -> tuple[dict[str, Json], dict[str, list[Stored]]]:
    """Read what a task wrote.

    Args:
        component: says which outputs there must be.
        given: the task's ``ExecutorInput``.
        name: of the task, for messages.

    Raises:
        ComponentError: an output is missing or of another type than declared; all are named.
    """
    report = Path(given["outputs"]["outputFile"])
    problems: list[str] = []
    written = _report(report, problems)
    parameters: dict[str, Json] = {}
    for key, spec in component.output_parameters.items():
        file = Path(given["outputs"]["parameters"][key]["outputFile"])
        if key in written["parameterValues"]:
            value = written["parameterValues"][key]
        elif file.exists():
            value = file.read_text(errors="replace")
        else:
            problems.append(f"it did not write parameter '{key}'")
            continue
        try:
            parameters[key] = values.cast(value, spec.type) if value is not None else None
        except ValueError as exc:
            problems.append(f"parameter '{key}': {exc}")
    artifacts: dict[str, list[Stored]] = {}
    for key, slot in component.output_artifacts.items():
        place = given["outputs"]["artifacts"][key]["artifacts"][0]
        try:
            several = written["artifacts"].get(key, {"artifacts": [place]})["artifacts"]
            artifacts[key] = [_stored(key, slot, place, artifact) for artifact in several]
        except (AttributeError, KeyError, TypeError) as exc:
            problems.append(f"artifact '{key}' is described as nothing that KFP knows: {exc!r}")
        except OSError as exc:
            problems.append(f"artifact '{key}': {exc}")
    if problems:
        raise ComponentError(
            f"task '{name}' ended well, but {'; '.join(problems)}",
            why="The tasks behind it would run on values that are not there.",
            todo="Write every declared output in the component.",
        )
    return parameters, artifacts


def _report(path: Path, problems: list[str]) -> dict[str, dict[str, Json]]:
    try:
        text = path.read_text() if path.exists() else ""
        written = json.loads(text) if text else {}
    except ValueError as exc:
        problems.append(f"its output file is not JSON: {exc}")
        written = {}
    if not isinstance(written, dict):
        problems.append("its output file is not a JSON object")
        written = {}
    tables: dict[str, dict[str, Json]] = {}
    for key in ("parameterValues", "artifacts"):
        table = written.get(key) or {}
        if not isinstance(table, dict):
            problems.append(f"its output file holds no object under {key}")
        tables[key] = table if isinstance(table, dict) else {}
    return tables


def _stored(key: str, slot: ArtifactSpec, place: Mapping[str, Json], artifact: Mapping[str, Json]) -> Stored:
    uri = str(artifact["uri"])
    if artifact.get("custom_path"):
        uri = str(place["uri"])
        _copy(Path(artifact["custom_path"]), Path(uri))
    metadata = dict(artifact.get("metadata") or {})
    schema = (artifact.get("type") or {}).get("schemaTitle") or slot.schema
    return Stored(str(artifact.get("name") or key), schema, uri, metadata, digest(uri, metadata))


def digest(uri: str, metadata: Mapping[str, Json]) -> str:
    """Of an artifact's content; of its name and metadata when it is elsewhere, of the metadata when that is all."""
    path = local_path(uri)
    if path is None:
        return key_of([uri, metadata])
    return content_digest(path) if path.exists() else key_of([None, metadata])


def local_path(uri: str) -> Path | None:
    """Where an artifact lies on this machine; ``None`` when it is elsewhere."""
    if "://" in uri and not uri.startswith("file://"):
        return None
    return Path(uri.removeprefix("file://"))


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def arguments_and_artifacts(
    component: Component, given: Mapping[str, Json]
) -> tuple[dict[str, Json], dict[str, list[Stored]], list[str]]:
    """Split a pipeline's arguments into parameters and artifacts.

    An artifact is given as the path or URI of what exists already, or as a list of them.

    Returns: parameters, artifacts, and what is wrong with the artifacts.
    """
    parameters = {name: value for name, value in given.items() if name not in component.input_artifacts}
    artifacts: dict[str, list[Stored]] = {}
    problems: list[str] = []
    for name, slot in component.input_artifacts.items():
        value = given.get(name)
        if value is None:
            continue
        uris: Sequence[Json] = value if isinstance(value, list) else [value]
        if not all(isinstance(uri, str) for uri in uris) or (len(uris) != 1 and not slot.many):
            problems.append(f"artifact '{name}': expected {'paths' if slot.many else 'the path of one file or folder'}")
            continue
        for uri in uris:
            path = local_path(uri)
            if path is None or not path.exists():
                problems.append(f"artifact '{name}': {uri} is not there")
                continue
            place = str(path.resolve())
            artifacts.setdefault(name, []).append(Stored(name, slot.schema, place, {}, digest(place, {})))
    return parameters, artifacts, problems
