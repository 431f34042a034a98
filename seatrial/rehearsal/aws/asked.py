"""What a request asks for, and with whose key: read once, for whoever counts, strikes or judges it."""

from __future__ import annotations

import functools
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

import botocore.session
from botocore.exceptions import UnknownServiceError

from seatrial.rehearsal.aws.world import PLATFORM

_READ = "seatrial.asked"
_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
_FORM = "application/x-www-form-urlencoded"
_SIGNED_AS = {"monitoring": "cloudwatch"}
"""Services that sign with another name than boto3 gives them."""
_MEMBER = re.compile(r"(.+?)\.(?:member\.)?\d+$")


@dataclass(frozen=True)
class Asked:
    """One request."""

    key: str
    """The access key that it is signed with; empty where nobody signed."""
    service: str
    """As boto3 names it; of an unsigned request S3."""
    region: str
    path: str
    operation: str = ""
    """Empty where none could be made out."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """As the service names them; of S3 ``Bucket`` and ``Key``."""
    style: str = "json"
    """How its service words errors: ``json``, ``query`` or ``s3``."""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """S3's, in lower case."""
    platform: bool = False
    """Asked by SageMaker itself."""


def asked(environ: dict[str, Any]) -> Asked:
    """What a WSGI request asks for; its body can still be read afterwards."""
    if _READ not in environ:
        environ[_READ] = _asked(environ)
    found: Asked = environ[_READ]
    return found


def _asked(environ: dict[str, Any]) -> Asked:
    key, region, service = _signature(environ)
    read = functools.partial(
        Asked,
        key,
        service,
        region,
        unquote(environ["PATH_INFO"]),
        platform=PLATFORM in environ.get("HTTP_USER_AGENT", ""),
    )
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        try:
            return read(target.rpartition(".")[2], json.loads(_body(environ) or b"{}"))
        except ValueError:  # its service says what is wrong with it
            return read()
    if service == "s3":
        return _s3(environ, read)
    form = environ.get("CONTENT_TYPE", "").startswith(_FORM)
    query = parse_qs(_body(environ).decode("utf-8", "replace") if form else environ.get("QUERY_STRING", ""))
    if "Action" in query:
        return read(query["Action"][0], _members(query), "query")
    if service == "sagemaker":
        operation = _rest_operation("sagemaker-runtime", environ)
        return read(operation, {"EndpointName": read().path.split("/")[2]} if operation else {})
    return read(_rest_operation(service, environ))


def _signature(environ: Mapping[str, Any]) -> tuple[str, str, str]:
    """Key, region and service of a request's signature, in its header or its address."""
    found = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if found is None:
        query = parse_qs(environ.get("QUERY_STRING", ""))
        if "AWSAccessKeyId" in query:
            return query["AWSAccessKeyId"][0], "", "s3"
        found = _CREDENTIAL.search(f"Credential={query.get('X-Amz-Credential', [''])[0]}")
    if found is None:
        return "", "", "s3"
    key, region, service = found.groups()
    return key, region, _SIGNED_AS.get(service, service)


def _body(environ: dict[str, Any]) -> bytes:
    """The body; whoever reads it next finds it whole."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _members(query: Mapping[str, list[str]]) -> dict[str, Any]:
    """``AlarmNames.member.1=a`` as ``{"AlarmNames": ["a"]}``."""
    found: dict[str, Any] = {}
    for name, given in query.items():
        member = _MEMBER.match(name)
        if member is None:
            found[name] = given[0]
        else:
            found.setdefault(member.group(1), []).append(given[0])
    return found


def _s3(environ: Mapping[str, Any], read: functools.partial[Asked]) -> Asked:
    bucket, _, key = read().path.lstrip("/").partition("/")
    query = {name: each[0] for name, each in parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True).items()}
    headers = {
        name.removeprefix("HTTP_").lower().replace("_", "-"): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    return read(_rest_operation("s3", environ), {"Bucket": bucket, "Key": key}, "s3", query, headers)


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


def _rest_operation(service: str, environ: Mapping[str, Any]) -> str:
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
