"""The way into the offline AWS: requests that a fault strikes are answered here, and faults are injected here."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any

from pydantic import ValidationError

from seatrial.rehearsal.aws import wire
from seatrial.rehearsal.aws.asked import Asked, asked
from seatrial.rehearsal.aws.faults.fault import Fault, Kind
from seatrial.rehearsal.aws.world import ACCOUNT, World

FAULTS = "/seatrial/fault"
INTERRUPT_SPOT = "/seatrial/interrupt-spot"

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_Start = Callable[..., Any]

# status and code, by kind; a second pair where S3 and the query services differ
_ERRORS: dict[Kind, tuple[tuple[int, str], tuple[int, str], str]] = {
    Kind.THROTTLING: ((400, "ThrottlingException"), (503, "SlowDown"), "Rate exceeded"),
    Kind.INTERNAL_ERROR: (
        (500, "InternalFailure"), (500, "InternalError"), "We encountered an internal error. Please try again.",
    ),
    Kind.UNAVAILABLE: (
        (503, "ServiceUnavailable"), (503, "ServiceUnavailable"), "The service is temporarily unavailable.",
    ),
    Kind.EXPIRED_CREDENTIALS: (
        (400, "ExpiredTokenException"), (400, "ExpiredToken"),
        "The security token included in the request is expired",
    ),
    Kind.ACCESS_DENIED: (
        (400, "AccessDeniedException"), (403, "AccessDenied"),
        "User: arn:aws:iam::{account}:user/rehearsal is not authorized to perform: {operation} on resource: {target} "
        "because no identity-based policy allows the action",
    ),
    Kind.QUOTA: (
        (400, "ResourceLimitExceeded"), (400, "LimitExceeded"),
        "The account-level service limit for {operation} is 0 Instances, with current utilization of 0 Instances and "
        "a request delta of 1 Instances. Please use AWS Service Quotas to request an increase for this quota.",
    ),
}  # fmt: skip


def with_faults(app: Wsgi, world: World) -> Wsgi:
    """``app`` behind the door. AWS has no operation that breaks AWS, so these paths are ours."""

    def answer(environ: dict[str, Any], start_response: _Start) -> Iterable[bytes]:
        if environ["PATH_INFO"] in (FAULTS, INTERRUPT_SPOT):
            status, said = _control(environ, world)
            start_response(status, [("Content-Type", "application/json")])
            return [json.dumps(said).encode()]
        if not world.faults.for_requests:
            return app(environ, start_response)
        request = asked(environ)
        fault = world.faults.take_for_request(request.operation, _targets(request), platform=request.platform)
        if fault is None:
            return app(environ, start_response)
        return _struck(fault, request, app, environ, start_response)

    return answer


def _targets(request: Asked) -> tuple[str, ...]:
    """What a request may be aimed at."""
    if request.style == "s3":
        return (f"s3://{request.path.lstrip('/')}",)
    if not request.parameters:
        return tuple(request.path.split("/"))
    values = [each if isinstance(each, list) else [each] for each in request.parameters.values()]
    return tuple(text for each in values for text in each if isinstance(text, str))


def _control(environ: dict[str, Any], world: World) -> tuple[str, Any]:
    method = environ["REQUEST_METHOD"]
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    if environ["PATH_INFO"] == INTERRUPT_SPOT:
        told = json.loads(body)
        job = world.jobs.get((str(told.get("Region")), "training", str(told.get("TrainingJobName"))))
        return "200 OK", {"interrupted": job is not None and job.interrupt_spot()}
    if method == "POST":
        try:
            world.faults.inject(Fault.model_validate_json(body))
        except ValidationError as wrong:
            problems = [f"{'.'.join(map(str, e['loc'])) or 'fault'}: {e['msg']}" for e in wrong.errors()]
            return "400 Bad Request", {"problems": problems}
    elif method == "DELETE":
        world.faults.clear()
    return "200 OK", {"faults": world.faults.told()}


def _struck(
    fault: Fault, request: Asked, app: Wsgi, environ: dict[str, Any], start_response: _Start
) -> Iterable[bytes]:
    if fault.kind in _ERRORS:
        json_error, xml_error, words = _ERRORS[fault.kind]
        status, code = json_error if request.style == "json" else xml_error
        if request.style == "query" and fault.kind is Kind.THROTTLING:
            status, code = 400, "Throttling"
        target = next(iter(_targets(request)), "*")
        message = words.format(account=ACCOUNT, operation=request.operation, target=target)
        line, headers, body = wire.error(request.style, status, code, message)
        start_response(line, headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
    if fault.kind is Kind.NO_ANSWER:
        raise _hung_up(environ)
    if fault.kind is Kind.SLOW:
        time.sleep(fault.seconds)
        return app(environ, start_response)
    if fault.kind is Kind.CORRUPT_UPLOAD:
        done = list(app(environ, start_response))
        _corrupt(request.path)
        return done
    list(app(environ, lambda *_: None))
    raise _hung_up(environ)


def _hung_up(environ: dict[str, Any]) -> ConnectionError:
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    return ConnectionResetError("a fault closed the connection")


def _corrupt(path: str) -> None:
    """Flip bytes in the middle, and store the object as if it had been sent so: checksums agree with what is there."""
    from moto.s3.models import s3_backends

    bucket, _, key = path.lstrip("/").partition("/")
    store = s3_backends[ACCOUNT]["aws"]
    found = store.get_object(bucket, key)
    if found is None:
        return  # the upload was refused
    value = bytearray(found.value)
    for place in range(len(value) // 2, min(len(value), len(value) // 2 + 64)):
        value[place] ^= 0xFF
    store.put_object(bucket, key, bytes(value))
