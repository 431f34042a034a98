"""What a model server's refusal says to a person: its message, and the problems that it names."""

from __future__ import annotations

import json

_SHOWN = 8


def refusal_text(body: bytes) -> str:
    """The message and the first problems of a refusal; another server's text as it is."""
    try:
        error = json.loads(body)["error"]
        problems = error.get("problems", [])
        lines = [
            "\n  " + " ".join(str(p[k]) for k in ("row", "column", "message") if p.get(k) is not None)
            for p in problems[:_SHOWN]
        ]
        more = len(problems) - _SHOWN
        return str(error["message"]) + "".join(lines) + (f"\n  … and {more} more" if more > 0 else "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return body[:300].decode(errors="replace")
