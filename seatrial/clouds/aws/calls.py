"""What adapters ask of AWS, declared beside the code that asks it: permissions are derived from these declarations.

A target's ``Aws`` refuses a request whose operation nobody declared, so a new one comes with its declaration.
"""

from __future__ import annotations

from dataclasses import dataclass

from seatrial.errors import ResourceError


@dataclass(frozen=True)
class Call:
    """One operation that an adapter makes."""

    operation: str
    """``service:Operation``, the service as boto3 names it: ``sagemaker:DescribeEndpoint``."""
    resources: tuple[str, ...]
    """``service:resource`` in the stack's account and region; ``s3:key`` below the artifact root; ``role:name``; ``*``.
    ``{endpoint}`` is a model's endpoint and package group, ``{pipeline}`` one of its pipelines, ``{alarm}`` one of its
    guardrails' alarms; a call on what no model has is not made."""
    why: str
    may_be_missing: bool = False
    """An object that may not be there. S3 says so only to who may list the bucket; others are told "denied"."""
    star_reason: str = ""
    unused_reason: str = ""
    """Why a rehearsal cannot use it."""


LISTING = "AWS lists an account's resources of a kind, and knows no narrower permission"
_PERMITTED_AS = {"s3:HeadObject": "s3:GetObject", "sagemaker-runtime:InvokeEndpoint": "sagemaker:InvokeEndpoint"}
_declared: set[str] = set()


def action(operation: str) -> str:
    """The IAM action that permits an operation: mostly its own name."""
    return _PERMITTED_AS.get(operation, operation)


def declare(*calls: Call) -> tuple[Call, ...]:
    """Calls that an adapter makes for one use of it."""
    _declared.update(call.operation for call in calls)
    return calls


def require_declared(service: str, operation: str) -> None:
    """Let an operation through that some adapter declares.

    Raises:
        ResourceError: none does.
    """
    if f"{service}:{operation}" not in _declared:
        raise ResourceError(
            f"{service}:{operation} was not sent: no adapter declares it",
            why="Permissions are derived from declared calls; no role would be allowed this one.",
            todo="Declare it beside the code that asks it (seatrial.clouds.aws.calls).",
        )
