"""Counts what clients ask of the offline AWS, by service and operation. What the server asks itself is not counted."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from botocore import xform_name

from seatrial.rehearsal.aws.asked import asked
from seatrial.rehearsal.aws.operations import Worth, worth

CALLS = "/seatrial/calls"
_SMITHY = re.compile(r"/service/[^/]+/operation/([^/]+)")
_RUNTIME = "InvokeEndpoint"

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
        if not asked(environ).platform:
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
        if service == "sagemaker" and operation != _RUNTIME:
            return worth(self._responder, xform_name(operation))
        return Worth.EXECUTED if service == "sagemaker" else Worth.STORED


def _operation(environ: dict[str, Any]) -> tuple[str, str] | None:
    """(service, operation) of a signed request; for S3 the method and what it is about."""
    request = asked(environ)
    if not request.key:
        return None
    method: str = environ["REQUEST_METHOD"]
    if request.service == "s3":
        return "s3", f"{method} {'object' if request.parameters['Key'] else 'bucket'}"
    smithy = _SMITHY.fullmatch(request.path)
    return request.service, smithy.group(1) if smithy else request.operation or method
