"""What a model server's refusal says to a person: its message, and the problems that it names."""

from __future__ import annotations

import json
import re
from typing import Any

_SHOWN = 8
_MESSAGE = re.compile(r'"error":\{.*?"message":("(?:[^"\\]|\\.)*")')
_PROBLEM = re.compile(r'\{"row":[^{}]*"message":"(?:[^"\\]|\\.)*"\}')


def refusal_text(body: bytes) -> str:
    """The message and the first problems of a refusal; another server's text as it is.

    A service between the server and the caller may have cut it short: what is left of it is told.
    """
    text = body.decode(errors="replace")
    try:
        error = json.loads(text)["error"]
        return _told(str(error["message"]), error.get("problems", []))
    except (ValueError, KeyError, TypeError, AttributeError):
        message = _MESSAGE.search(text)
        if message is None:
            return text[:300]
        problems = [json.loads(each) for each in _PROBLEM.findall(text)]
        return _told(json.loads(message[1]), problems[:_SHOWN]) + "\n  …"


def _told(message: str, problems: list[dict[str, Any]]) -> str:
    lines = [
        "\n  " + " ".join(str(p[k]) for k in ("row", "column", "message") if p.get(k) is not None)
        for p in problems[:_SHOWN]
    ]
    more = len(problems) - _SHOWN
    return message + "".join(lines) + (f"\n  … and {more} more" if more > 0 else "")
