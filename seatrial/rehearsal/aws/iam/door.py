"""Before every service: requests with a role's credentials are held to the role's policies."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from seatrial.rehearsal.aws import wire
from seatrial.rehearsal.aws.asked import Asked, asked
from seatrial.rehearsal.aws.iam import objects
from seatrial.rehearsal.aws.iam.authority import Authority, Denied, Session
from seatrial.rehearsal.aws.iam.conditions import NotUnderstood
from seatrial.rehearsal.aws.iam.needs import needs

PERMISSIONS = "/seatrial/permissions"
_Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def with_permissions(app: _Wsgi, authority: Authority, account: str) -> _Wsgi:
    """``app`` behind the door. ``GET /seatrial/permissions`` tells what was used and what was denied."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == PERMISSIONS:
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(authority.told()).encode()]
        request = asked(environ)
        session = authority.session(request.key)
        enforced = session is not None and authority.enforced(session.role)
        if session is not None and request.operation == "GetCallerIdentity":
            return _identity(session, account, start_response)
        try:
            if session is not None and enforced:
                _judge(request, session, authority, account)
            if request.service == "sts" and request.operation == "AssumeRole":
                _judge_trust(request, session, authority, account)
        except Denied as denied:
            return _refused(str(denied), request.style, environ, start_response)
        return app(environ, start_response)

    return answer


def _judge(request: Asked, session: Session, authority: Authority, account: str) -> None:
    found = needs(request, account)
    if found is None:
        raise authority.unknown(session, f"{request.service}:{request.operation or 'an operation it cannot make out'}")
    authority.require(session, found)
    if request.service == "s3":
        listing = objects.listing(request)
        if listing is not None and not authority.allows(session, listing):
            authority.require(session, [listing])


def _judge_trust(request: Asked, session: Session | None, authority: Authority, account: str) -> None:
    """The role has a say, too, where it is held to its policies."""
    wanted = str(request.parameters.get("RoleArn", ""))
    if not authority.enforced(wanted):
        return
    caller = session.role if session is not None else f"arn:aws:iam::{account}:root"
    try:
        trusted = authority.may_assume(wanted, caller)
    except NotUnderstood as unknown:
        raise Denied(f"the rehearsal's IAM does not understand {unknown} in the trust policy of {wanted}") from unknown
    if not trusted:
        who = session.arn if session is not None else f"arn:aws:iam::{account}:user/{request.key}"
        raise Denied(
            f"User: {who} is not authorized to perform: sts:AssumeRole on resource: {wanted} because the role's trust "
            "policy does not name it"
        )


def _identity(session: Session, account: str, start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Who asks, of sessions that moto knows nothing of, too."""
    said = f"<Arn>{session.arn}</Arn><UserId>AROA:{session.name}</UserId><Account>{account}</Account>"
    start_response("200 OK", [("Content-Type", "application/xml")])
    result = f"<GetCallerIdentityResult>{said}</GetCallerIdentityResult>"
    return [f"<GetCallerIdentityResponse>{result}</GetCallerIdentityResponse>".encode()]


def _refused(message: str, style: str, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    status, code = (400, "AccessDeniedException") if style == "json" else (403, "AccessDenied")
    line, headers, body = wire.error(style, status, code, message)
    start_response(line, headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
