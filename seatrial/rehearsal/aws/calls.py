"""Counts what clients ask of the offline AWS, by service and operation. What the server asks itself is not counted."""

from __future__ import annotations

import io
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from botocore import xform_name

from seatrial.rehearsal.aws.operations import Worth, worth
from seatrial.rehearsal.aws.world import PLATFORM

CALLS = "/seatrial/calls"
_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/[^/]+/([^/]+)/aws4_request")
_FORM = "application/x-www-form-urlencoded"
_SIGNED_AS = {"monitoring": "cloudwatch"}
"""Services that sign with another name than boto3 gives them."""
_RUNTIME = ("/invocations", "InvokeEndpoint")

_Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Calls:
    """A WSGI application around another one. ``GET /seatrial/calls`` gives what was counted as JSON:
    ``{"executed": {"sagemaker:CreateEndpoint": 1}, "stored": {...}, "unsupported": {...}}``.
    """

    def __init__(self, app: _Wsgi, responder: type) -> None:
        """``responder`` answers SageMaker's operations: it says what each is worth."""
        self._app = app
        self._responder = responder
        self._seen: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Count one request and hand it on."""
        if environ["PATH_INFO"] == CALLS:
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(self.counted()).encode()]
        if PLATFORM not in environ.get("HTTP_USER_AGENT", ""):
            named = _operation(environ)
            if named is not None:
                with self._lock:
                    self._seen[named] += 1
        return self._app(environ, start_response)

    def counted(self) -> dict[str, dict[str, int]]:
        """Calls so far, by what their answers are worth; each ``service:Operation`` in alphabetical order."""
        with self._lock:
            seen = sorted(self._seen.items())
        found: dict[str, dict[str, int]] = {str(each): {} for each in Worth}
        for (service, operation), count in seen:
            found[str(self._worth(service, operation))][f"{service}:{operation}"] = count
        return found

    def _worth(self, service: str, operation: str) -> Worth:
        if service == "sagemaker" and operation != _RUNTIME[1]:
            return worth(self._responder, xform_name(operation))
        return Worth.EXECUTED if service == "sagemaker" else Worth.STORED


def _operation(environ: dict[str, Any]) -> tuple[str, str] | None:
    """(service, operation) of a signed request; for S3, which names none, the method and what it is about."""
    scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    if scope is None:
        return None
    service = _SIGNED_AS.get(scope.group(1), scope.group(1))
    target: str = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return service, target.rpartition(".")[2]
    path: str = environ["PATH_INFO"]
    if service == "sagemaker" and path.endswith(_RUNTIME[0]):
        return service, _RUNTIME[1]
    if path.startswith("/service/") and "/operation/" in path:  # Smithy RPC v2
        return service, path.rpartition("/")[2]
    if environ.get("CONTENT_TYPE", "").startswith(_FORM):
        return service, _action(environ)
    about = "object" if path.strip("/").count("/") else "bucket"
    return service, f"{environ['REQUEST_METHOD']} {about}" if service == "s3" else environ["REQUEST_METHOD"]


def _action(environ: dict[str, Any]) -> str:
    """The operation that a form names; whoever reads the body next finds it whole."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    named: list[str] = parse_qs(body.decode("utf-8", "replace")).get("Action", ["?"])
    return named[0]
