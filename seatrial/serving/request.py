"""From the bytes of a request's body to checked rows. Pure: no sockets, no clock.

Everything wrong with a request that can be known together is named together: its shape, and each row's columns.
Status is 400 for all of it. A proxy or SDK treats 422 no differently, SageMaker folds every 4xx into one
``ModelError``, and where "malformed" ends and "invalid" begins is not worth a caller's ``if``: ``code`` says which.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from seatrial.serving.answer import Answer, Problem, refusal
from seatrial.serving.servable import Row, RowProblem, Servable

_EXPECTED = 'expected {"instances": [{"<column>": <value>, ...}, ...]}'
_decode = msgspec.json.Decoder().decode


def read_rows(body: bytes, servable: Servable) -> list[Row] | Answer:
    """The checked rows of ``{"instances": [{...}, ...]}``, or the refusal to send back.

    ``"parameters"`` is accepted when it is an empty object (Vertex AI clients send it); this server has none.
    """
    try:
        document = _decode(body)
    except (ValueError, RecursionError) as exc:
        return _almost_json(body, servable) or _not_json(exc)
    return _read(document, servable)


def _read(document: Any, servable: Servable) -> list[Row] | Answer:
    if not isinstance(document, dict):
        problem = Problem(None, None, f"the body is {_kind(document)}, not an object: {_EXPECTED}")
        return _refused("invalid_request", [problem])
    code, problems = "invalid_request", _shape_problems(document)
    rows: list[Row] = []
    instances = document.get("instances")
    if isinstance(instances, list):
        most = servable.max_rows
        if len(instances) > most:
            code = "too_many_rows"
            message = f"{len(instances)} instances in one request; at most {most} are accepted, and were checked"
            problems.append(Problem(None, None, f"{message}. Send several requests"))
        elif not instances:
            code = "no_instances"
            message = "'instances' is empty, so there is nothing to predict; a request carries at least one"
            problems.append(Problem(None, None, message))
        rows, row_problems = _check(instances[:most], servable)
        problems += row_problems
    return _refused(code, problems) if problems else rows


def _refused(code: str, problems: Sequence[RowProblem]) -> Answer:
    places = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
    return refusal(400, code, f"{places} in the request; nothing was predicted", problems)


def _almost_json(body: bytes, servable: Servable) -> Answer | None:
    """The refusal that names the rows and columns of NaN and Infinity, which Python and JavaScript like to send.

    They are no JSON, but ``json`` reads them, and numbers like 1e999 as infinity. None when that is not what is wrong.
    """
    try:
        found = _read(json.loads(body.decode()), servable)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, Answer) else None


def _not_json(exc: Exception) -> Answer:
    if isinstance(exc, RecursionError):
        why = "it is nested too deeply to be a request"
    elif isinstance(exc, UnicodeDecodeError):
        why = f"it is not UTF-8, at byte {exc.start} of a text"
    else:
        why = str(exc)
    return refusal(400, "not_json", "the body is not JSON; nothing was predicted", [Problem(None, None, why)])


def _shape_problems(document: dict[str, Any]) -> list[RowProblem]:
    problems: list[RowProblem] = [
        Problem(None, None, f"unknown field '{field}' beside 'instances'")
        for field in document
        if field not in ("instances", "parameters")
    ]
    if document.get("parameters", {}) != {}:
        problems.append(Problem(None, None, "'parameters' must be an empty object: this model takes none"))
    if "instances" not in document:
        problems.append(Problem(None, None, f"'instances' is missing: {_EXPECTED}"))
    elif not isinstance(document["instances"], list):
        message = f"'instances' is {_kind(document['instances'])}, not an array of objects"
        problems.append(Problem(None, None, message))
    return problems


def _check(instances: list[Any], servable: Servable) -> tuple[list[Row], list[RowProblem]]:
    """The rows that are objects, and every problem with its position in the request."""
    if all(type(instance) is dict for instance in instances):
        return instances, list(servable.check(instances))
    positions = [at for at, instance in enumerate(instances) if isinstance(instance, dict)]
    rows = [instances[at] for at in positions]
    problems: list[RowProblem] = [
        Problem(at, None, f"is {_kind(instance)}, not an object with one field per column")
        for at, instance in enumerate(instances)
        if not isinstance(instance, dict)
    ]
    found: Sequence[RowProblem] = servable.check(rows) if rows else ()
    problems += [Problem(None if p.row is None else positions[p.row], p.column, p.message) for p in found]
    problems.sort(key=lambda p: -1 if p.row is None else p.row)
    return rows, problems


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "an array" if isinstance(value, list) else "an object"
