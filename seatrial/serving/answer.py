"""Answers as bytes, and refusals: the one shape that every error of the server has.

::

    {"error": {"code": "invalid_request", "message": "...", "problems": [{"row": 0, "column": "x", "message": "..."}],
               "problems_total": 1}}

A refusal is a result and not an exception: the caller was wrong, the server was not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from seatrial.serving.servable import RowProblem

MAX_PROBLEMS = 100
"""Problems listed in one answer; ``problems_total`` counts them all."""

MAX_ECHO = 200
"""Characters of a caller's column name, or of a message, that are sent back."""

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem found by the server itself."""

    row: int | None
    column: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One response, and what the access log says about it.

    Attributes:
        linger: the request's body was not read to its end, so the connection cannot be used again.
    """

    status: int
    body: bytes
    headers: Headers = ()
    rows: int | None = None
    code: str | None = None
    problems: int | None = None
    error_id: str | None = None
    linger: bool = False


def ok(content: object, rows: int | None = None) -> Answer:
    """200 with ``content`` as JSON."""
    return Answer(200, msgspec.json.encode(content), rows=rows)


def refusal(
    status: int,
    code: str,
    message: str,
    problems: Sequence[RowProblem] = (),
    *,
    headers: Headers = (),
    error_id: str | None = None,
    linger: bool = False,
) -> Answer:
    """An error in the server's one shape. ``code`` is for programs, ``message`` for people."""
    error: dict[str, Any] = {
        "code": code,
        "message": message,
        "problems": [
            {"row": p.row, "column": _short(p.column), "message": _short(p.message)} for p in problems[:MAX_PROBLEMS]
        ],
        "problems_total": len(problems),
    }
    if error_id is not None:
        error["id"] = error_id
    body = msgspec.json.encode({"error": error})
    return Answer(status, body, headers, code=code, problems=len(problems) or None, error_id=error_id, linger=linger)


def _short(text: str | None) -> str | None:
    return text if text is None or len(text) <= MAX_ECHO else text[: MAX_ECHO - 1] + "…"
