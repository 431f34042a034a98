"""One prediction request to a model server on this machine, and what its refusal says."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from seatrial.clouds.answers import refusal_text
from seatrial.errors import EndpointError

Json = Any
_PATIENCE_S = 60.0


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
            f"{url} refused the request: {exc.code} {refusal_text(exc.read())}",
            why="The server predicts only for requests that it understands whole.",
            todo="Correct the request; the endpoint's /metadata lists its columns.",
        ) from exc
    except (urllib.error.URLError, TimeoutError, ConnectionError) as exc:
        raise EndpointError(
            f"nothing answers at {url}: {getattr(exc, 'reason', exc)}",
            why="The endpoint is stopped, or its server died.",
            todo="See: seatrial endpoint list",
        ) from exc
