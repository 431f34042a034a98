"""Which operation an HTTP request asks for, and how its service would word an error."""

from __future__ import annotations

import functools
import io
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

import botocore.session
from botocore.exceptions import UnknownServiceError

from seatrial.rehearsal.aws.world import PLATFORM

_CREDENTIAL = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/")


@dataclass(frozen=True)
class Asked:
    """One request, as far as faults need it. ``style``: how its service words errors."""

    operation: str
    targets: tuple[str, ...]
    platform: bool
    style: str


def read(environ: dict[str, Any]) -> Asked:
    """What a WSGI request asks for; its body can still be read afterwards."""
    signed = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    service = signed.group(1) if signed else "s3"
    platform = PLATFORM in environ.get("HTTP_USER_AGENT", "")
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        return Asked(target.rpartition(".")[2], _texts(json.loads(body_of(environ) or b"{}")), platform, "json")
    form = environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
    query = parse_qs(body_of(environ).decode() if form else environ.get("QUERY_STRING", ""))
    if "Action" in query:
        return Asked(query["Action"][0], tuple(v for each in query.values() for v in each), platform, "query")
    path = unquote(environ["PATH_INFO"])
    if service == "s3":
        return Asked(rest_operation("s3", environ), (f"s3://{path.lstrip('/')}",), platform, "s3")
    service = "sagemaker-runtime" if service == "sagemaker" else service
    return Asked(rest_operation(service, environ), tuple(path.split("/")), platform, "json")


def body_of(environ: dict[str, Any]) -> bytes:
    """The body; whoever reads it next finds it whole."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _texts(request: Any) -> tuple[str, ...]:
    values = request.values() if isinstance(request, dict) else ()
    return tuple(value for value in values if isinstance(value, str))


@dataclass(frozen=True)
class _Rest:
    """An operation of a REST service. The more a request must hold to mean it, the better it fits one that does."""

    name: str
    method: str
    path: re.Pattern[str]
    query: frozenset[str]
    headers: frozenset[str]


@functools.cache
def _rest_operations(service: str) -> tuple[_Rest, ...]:
    try:
        model = botocore.session.get_session().get_service_model(service)
    except UnknownServiceError:
        return ()
    found = []
    for name in model.operation_names:
        operation = model.operation_model(name)
        path, _, literal = operation.http["requestUri"].partition("?")
        pattern = re.sub(r"\\\{[^}]+?\\\+\\\}", ".+", re.escape(path))
        pattern = re.sub(r"\\\{[^}]+?\\\}", "[^/]+", pattern)
        query, headers = set(literal.split("&")) - {""}, set[str]()
        shape = operation.input_shape
        for member in shape.required_members if shape else ():
            place = shape.members[member].serialization
            if place.get("location") == "querystring":
                query.add(place["name"])
            elif place.get("location") == "header":
                headers.add("HTTP_" + place["name"].upper().replace("-", "_"))
        found.append(
            _Rest(name, operation.http["method"], re.compile(pattern + "/?"), frozenset(query), frozenset(headers))
        )
    return tuple(found)


def rest_operation(service: str, environ: Mapping[str, Any]) -> str:
    """Which operation of a REST service a request means; "" where it fits none."""
    text = environ.get("QUERY_STRING", "")
    given = set(text.split("&")) | set(parse_qs(text, keep_blank_values=True))
    fitting = [
        each
        for each in _rest_operations(service)
        if each.method == environ["REQUEST_METHOD"]
        and each.path.fullmatch(environ["PATH_INFO"])
        and each.query <= given
        and each.headers <= set(environ)
    ]
    return max(fitting, key=lambda each: len(each.query) + len(each.headers)).name if fitting else ""


def error(style: str, status: int, code: str, message: str) -> tuple[str, list[tuple[str, str]], bytes]:
    """Status line, headers and body of an error, as the service words it."""
    number = str(uuid.uuid4())
    headers = [("x-amzn-RequestId", number)]
    if style == "json":
        headers += [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-errortype", code)]
        body = json.dumps({"__type": code, "message": message, "Message": message})
    else:
        headers += [("Content-Type", "application/xml")]
        inner = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
        plain = f"<Error>{inner}<RequestId>{number}</RequestId></Error>"
        typed = f"<Error><Type>Sender</Type>{inner}</Error><RequestId>{number}</RequestId>"
        body = plain if style == "s3" else f"<ErrorResponse>{typed}</ErrorResponse>"
    return f"{status} {code}", headers, body.encode()
