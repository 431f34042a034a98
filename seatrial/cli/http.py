"""One HTTP call to a model server on this machine."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from seatrial.errors import EndpointError

Json = Any
_PATIENCE_S = 60.0
_SHOWN = 8


def post_json(url: str, body: Json) -> Json:
    """POST a JSON document and return the answer's.

    Raises:
        EndpointError: nothing answers there, or it refuses; every problem that it names is told.
    """
    request = urllib.request.Request(  # noqa: S310 - the address comes from the endpoint's record: http on loopback
        url, json.dumps(body).encode(), {"content-type": "application/json"}, method="POST"
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=_PATIENCE_S) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as exc:
        raise EndpointError(
            f"{url} refused the request: {exc.code} {_told(exc.read())}",
            why="The server predicts only for requests that it understands whole.",
            todo="Correct the request; the endpoint's /metadata lists its columns.",
        ) from exc
    except (urllib.error.URLError, TimeoutError, ConnectionError) as exc:
        raise EndpointError(
            f"nothing answers at {url}: {getattr(exc, 'reason', exc)}",
            why="The endpoint is stopped, or its server died.",
            todo="See: seatrial endpoint list",
        ) from exc


def _told(body: bytes) -> str:
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
