"""boto3's errors, translated once: what is wrong, why it matters, what to do.

botocore retries throttling, time-outs and the service's own failures before any of these arrives here (``session``
says how often); a request that is wrong or not allowed is never tried twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from seatrial.clouds.answers import refusal_text
from seatrial.clouds.aws.calls import action
from seatrial.clouds.aws.stack import BRING_UP
from seatrial.errors import EndpointError, ResourceError, SeatrialError

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_UNKNOWN_IDENTITY = {
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "AuthFailure",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AllAccessDisabled", "403"}
_THROTTLED = {
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "SlowDown",
}
_QUOTA = {"ResourceLimitExceeded", "ServiceQuotaExceededException", "LimitExceededException", "LimitExceeded"}
_CAPACITY = {"InsufficientCapacity", "InsufficientInstanceCapacity", "CapacityError", "InsufficientCapacityException"}
_ABSENT = {"ResourceNotFound", "ResourceNotFoundException", "NoSuchKey", "NoSuchBucket", "NotFound", "404"}
_TAKEN = {"ResourceInUse", "ResourceInUseException", "ConflictException", "ResourceAlreadyExistsException"}
_MOVED = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}

_ABSENT_TEXT = re.compile(r"could not find|does not exist|not found", re.IGNORECASE)
_TAKEN_TEXT = re.compile(r"already exist", re.IGNORECASE)
_ACTION = re.compile(r"(?:perform|action)[: ]+\[?([a-z0-9-]+:[A-Za-z*]+)")
_WHO = re.compile(r"arn:aws[a-z-]*:(?:sts|iam)::\d{12}:([\w+=,.@/-]+)")
_ON = re.compile(r"on resource: ((?:arn:[^\s,]+)|\*)")
_DENIAL = re.compile(r"User: \S+ is not authorized to perform: \S+.*", re.DOTALL)


class Refused(ResourceError):
    """A service said no."""

    code: str = ""
    """As the service names it: ``ValidationException``."""
    status: int = 0
    """HTTP."""
    said: str = ""
    """In the service's own words."""

    @property
    def absent(self) -> bool:
        """Whether what was asked for is not there. SageMaker says so with a ValidationException, in words."""
        return self.code in _ABSENT or self._in_words(_ABSENT_TEXT)

    @property
    def taken(self) -> bool:
        """Whether the name is in use already."""
        return self.code in _TAKEN or self._in_words(_TAKEN_TEXT)

    def _in_words(self, text: re.Pattern[str]) -> bool:
        return self.code.startswith("Validation") and text.search(self.said) is not None

    @property
    def moved(self) -> bool:
        """Whether a conditional write met another state than it named."""
        return self.code in _MOVED

    @property
    def denied(self) -> bool:
        """Whether a policy does not allow it."""
        return self.code in _DENIED

    @property
    def for_lack_of_capacity(self) -> bool:
        """Whether the region had no such machine to give, just now."""
        return self.code in _CAPACITY


@contextmanager
def translated(service: str, operation: str, region: str, on: str = "", who: Callable[[], str] = str) -> Iterator[None]:
    """Raise what botocore raises as an error with an answer.

    ``on``: what the request is about, and ``who`` asks: S3 says neither of an object whose state was asked for.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as exc:
        raise _refusal(exc, service, operation, region, on, who) from exc
    except BotoCoreError as exc:
        raise _unsent(exc, service, operation, region) from exc
    except OSError as exc:
        if type(exc).__module__.startswith(("boto3", "botocore", "urllib3")):
            raise _unsent(exc, service, operation, region) from exc
        raise


def _refusal(exc: Any, service: str, operation: str, region: str, on: str, who: Callable[[], str]) -> SeatrialError:
    error = exc.response.get("Error", {})
    status = int(exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    code, said = str(error.get("Code") or status), str(error.get("Message") or "").strip()
    where = f"{service}:{operation} in {region}"
    if code == "ModelError":
        return _model_failed(exc.response, said)
    what, why, todo = _explained(code, status, said, where)
    if code in _DENIED:
        if not _WHO.search(said):
            said = f"User: {who()} {said}"
        what, why, todo = _denied(said, action(f"{service}:{operation}"), on or f"what it asks {service} for")
    refused = Refused(what, why=why, todo=todo)
    refused.code, refused.status, refused.said = code, status, said
    return refused


def _explained(code: str, status: int, said: str, where: str) -> tuple[str, str, str]:
    for codes, explain in _EXPLAINED:
        if code in codes:
            return explain(said, where)
    if status >= 500:
        return (
            f"AWS failed at {where}: {code} {said}".rstrip(),
            "It was tried several times; the failure is the service's.",
            "Run the same command again later; what had been done is found and not done twice.",
        )
    return (
        f"AWS refused {where}: {said or code}",
        f"The request is wrong as it stands ({code}); it is not tried again. Nothing was changed by it.",
        "Correct the setting or the stack output that it comes from; --dry-run prints the exact request.",
    )


def _expired(_said: str, where: str) -> tuple[str, str, str]:
    return (
        f"the AWS credentials have expired ({where})",
        "Temporary credentials last for hours; everything that was done so far stays and is found again.",
        "Sign in again (aws sso login), then run the same command again.",
    )


def _unknown(_said: str, where: str) -> tuple[str, str, str]:
    return (
        f"AWS does not know these credentials ({where})",
        "The key is of another account or partition, was deleted, or does not fit its secret.",
        "See who you are: aws sts get-caller-identity; choose a profile with AWS_PROFILE.",
    )


def denial(said: str) -> str:
    """A service's denial, wherever it stands in a text, as ``access denied: role X lacks Y on Z``; "" where is none."""
    found = _DENIAL.search(said)
    return "" if found is None else _lacking(found.group(), "", "")


def _lacking(said: str, asked: str, on: str) -> str:
    who, permission, resource = _WHO.search(said), _ACTION.search(said), _ON.search(said)
    return (
        f"access denied: {_identity(who.group(1)) if who else 'this identity'} lacks "
        f"{permission.group(1) if permission else asked} on {_place(resource.group(1)) if resource else on}"
    )


def _identity(name: str) -> str:
    """``assumed-role/NAME/SESSION`` and ``role/PATH/NAME`` as ``role NAME``; users by their name."""
    kind, _, rest = name.partition("/")
    if kind == "assumed-role":
        return f"role {rest.partition('/')[0]}"
    return f"{kind} {rest.rpartition('/')[2]}"


def _place(resource: str) -> str:
    return f"s3://{resource.split(':', 5)[5]}" if resource.split(":")[2:3] == ["s3"] else resource


def _denied(said: str, asked: str, on: str) -> tuple[str, str, str]:
    explicit = " A policy denies it explicitly." if "explicit deny" in said else ""
    return (
        _lacking(said, asked, on),
        f"No policy of it allows that.{explicit} It is not tried again, and nothing was changed by it.",
        f"If what is deployed is older than the project, bring the permissions up to date: {BRING_UP} "
        "(seatrial permissions MODEL --cloud aws shows what each role needs). Else use another profile.",
    )


def _throttled(_said: str, where: str) -> tuple[str, str, str]:
    return (
        f"AWS still throttles {where}",
        "The account makes more requests than it may; waiting and trying again did not help for long enough.",
        "Run the same command again in a minute, or raise the request quota.",
    )


def _quota(said: str, where: str) -> tuple[str, str, str]:
    return (
        f"a quota of the account is used up: {said or where}",
        "AWS gives no more of it until the quota is raised or something is ended; trying again would not help.",
        "Raise it in Service Quotas, end what is not needed, or choose another instance type in the stack.",
    )


def _no_capacity(said: str, where: str) -> tuple[str, str, str]:
    return (
        f"the region has no such machine free just now: {said or where}",
        "It was tried several times. This is AWS's capacity, not your quota.",
        "Run the same command again later, or choose another instance type in the stack.",
    )


def _absent(said: str, where: str) -> tuple[str, str, str]:
    return (
        f"AWS does not find it at {where}: {said}".rstrip(": "),
        "It was deleted, or it is in another region or account.",
        "Compare the stack's region and account with: aws sts get-caller-identity",
    )


def _taken(said: str, where: str) -> tuple[str, str, str]:
    return (
        f"the name is taken at {where}: {said}".rstrip(": "),
        "Somebody made it meanwhile, or it is being changed just now.",
        "Run the same command again; what is there already is used.",
    )


def _moved(_said: str, where: str) -> tuple[str, str, str]:
    return (
        f"somebody else changed it meanwhile ({where})",
        "A conditional write names the state that it was decided on; nothing was changed.",
        "Run the same command again: it looks at the present state.",
    )


_EXPLAINED: tuple[tuple[set[str], Callable[[str, str], tuple[str, str, str]]], ...] = (
    (_EXPIRED, _expired),
    (_UNKNOWN_IDENTITY, _unknown),
    (_THROTTLED, _throttled),
    (_QUOTA, _quota),
    (_CAPACITY, _no_capacity),
    (_MOVED, _moved),
    (_ABSENT, _absent),
    (_TAKEN, _taken),
)


def _model_failed(response: Any, said: str) -> EndpointError:
    status = response.get("OriginalStatusCode") or "an error"
    message = refusal_text(str(response.get("OriginalMessage") or said).encode())
    log = response.get("LogStreamArn")
    return EndpointError(
        f"the model server answered {status}: {message}",
        why="The endpoint is up; the request reached the model, which refused it or failed.",
        todo=f"Its log: {log}" if log else "Correct the rows, or read the endpoint's log group in CloudWatch.",
    )


def _unsent(exc: Exception, service: str, operation: str, region: str) -> ResourceError:
    kind = type(exc).__name__
    where = f"{service}:{operation} in {region}"
    if kind in ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound"):
        return ResourceError(
            f"there are no AWS credentials: {exc}",
            why="They come from the environment, a profile, single sign-on or the machine's role, in the usual order.",
            todo="Sign in (aws sso login), or set AWS_PROFILE; aws sts get-caller-identity shows who you are.",
        )
    if kind in ("SSOTokenLoadError", "UnauthorizedSSOTokenError", "TokenRetrievalError", "LoginRefreshRequired"):
        what, why, todo = _expired("", where)
        return ResourceError(what, why=why, todo=todo)
    if kind == "ParamValidationError":
        return ResourceError(
            f"{where} was not sent: {exc}",
            why="botocore refuses it before it is sent.",
            todo="This is a fault of Seatrial: please report it with the command that showed it.",
        )
    return ResourceError(
        f"AWS cannot be reached: {where}: {exc}",
        why="It was tried several times. Nothing is known about whether the request arrived.",
        todo="Check the network, the region and AWS_ENDPOINT_URL, then run the same command again: "
        "what had been done is found and not done twice.",
    )
