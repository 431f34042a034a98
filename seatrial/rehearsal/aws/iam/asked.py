"""What a signed request asks for, and with whose key."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

from seatrial.rehearsal.aws.faults.wire import body_of, rest_operation

_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
_SIGNED_AS = {"monitoring": "cloudwatch"}
_MEMBER = re.compile(r"(.+?)\.(?:member\.)?\d+$")


@dataclass(frozen=True)
class Signature:
    """Who signed, for which service and region."""

    key: str
    region: str
    service: str


@dataclass(frozen=True)
class Asked:
    """One request."""

    service: str
    region: str
    operation: str
    """Empty where no operation could be made out."""
    parameters: Mapping[str, Any]
    """As the service names them; of S3 ``Bucket`` and ``Key``."""
    style: str
    """How its service words errors: ``json``, ``query`` or ``s3``."""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """S3's, in lower case."""


def signature(environ: Mapping[str, Any]) -> Signature | None:
    """Who signed a request, in its header or its address; None: nobody."""
    found = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if found is None:
        query = parse_qs(environ.get("QUERY_STRING", ""))
        if "AWSAccessKeyId" in query:
            return Signature(query["AWSAccessKeyId"][0], "", "s3")
        found = _CREDENTIAL.search(f"Credential={query.get('X-Amz-Credential', [''])[0]}")
    if found is None:
        return None
    return Signature(found.group(1), found.group(2), _SIGNED_AS.get(found.group(3), found.group(3)))


def asked(environ: dict[str, Any], signed: Signature) -> Asked:
    """What a request asks for; its body can still be read afterwards."""
    service, region = signed.service, signed.region
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        return Asked(service, region, target.rpartition(".")[2], json.loads(body_of(environ) or b"{}"), "json")
    if service == "s3":
        return _s3(environ, region)
    form = environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
    query = parse_qs(body_of(environ).decode() if form else environ.get("QUERY_STRING", ""))
    if "Action" in query:
        return Asked(service, region, query["Action"][0], _members(query), "query")
    path = unquote(environ["PATH_INFO"])
    if service == "sagemaker" and path.endswith("/invocations"):
        return Asked(service, region, "InvokeEndpoint", {"EndpointName": path.split("/")[2]}, "json")
    return Asked(service, region, rest_operation(service, environ), {}, "json")


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


def _s3(environ: Mapping[str, Any], region: str) -> Asked:
    bucket, _, key = unquote(environ["PATH_INFO"]).lstrip("/").partition("/")
    query = {name: each[0] for name, each in parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True).items()}
    headers = {
        name.removeprefix("HTTP_").lower().replace("_", "-"): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    place = {"Bucket": bucket, "Key": key}
    return Asked("s3", region, rest_operation("s3", environ), place, "s3", query, headers)
