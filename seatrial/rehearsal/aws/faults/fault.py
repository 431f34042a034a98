"""What can go wrong on request: the kinds of faults, and where each of them strikes."""

from __future__ import annotations

import functools
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Literal

import botocore.session
from pydantic import BaseModel, ConfigDict, Field, model_validator

_SERVICES = (
    "sagemaker", "sagemaker-runtime", "s3", "logs", "cloudwatch", "events", "sqs", "iam", "sts", "lambda", "ecr",
    "kms", "sns", "ec2", "budgets",
)  # fmt: skip


class Kind(StrEnum):
    """What goes wrong. The comment says what really happens."""

    # requests: answered in the service's place
    THROTTLING = "throttling"  # 400 ThrottlingException; S3: 503 SlowDown
    INTERNAL_ERROR = "internal-error"  # 500 InternalFailure; S3: 500 InternalError
    UNAVAILABLE = "unavailable"  # 503 ServiceUnavailable
    EXPIRED_CREDENTIALS = "expired-credentials"  # 400 ExpiredTokenException; S3 and IAM: ExpiredToken
    ACCESS_DENIED = "access-denied"  # 400 AccessDeniedException; S3 and IAM: 403 AccessDenied
    QUOTA = "quota"  # 400 ResourceLimitExceeded
    NO_ANSWER = "no-answer"  # the connection is closed before anything is done
    LOST_ANSWER = "lost-answer"  # the operation is done, and the connection is closed in place of the answer
    SLOW = "slow"  # the operation is done after `seconds`
    CORRUPT_UPLOAD = "corrupt-upload"  # bytes in the middle of the object are flipped once it is stored
    # jobs
    NO_CAPACITY = "no-capacity"  # no instance is found: the job fails before its program starts
    INSTANCE_LOST = "instance-lost"  # every process of the job ends at once
    SPOT_INTERRUPTION = "spot-interruption"  # SIGTERM, SIGKILL after the notice, a new start from the checkpoints
    OUT_OF_MEMORY = "out-of-memory"  # SIGKILL once the program's resident memory exceeds `megabytes`
    DISK_FULL = "disk-full"  # the folders that the program writes to hold `megabytes`
    # servers of endpoints
    NEVER_HEALTHY = "never-healthy"  # no health check passes
    SERVER_LOST = "server-lost"  # every process of the server ends at once
    SERVER_HANGS = "server-hangs"  # SIGSTOP: the server takes connections and answers nothing


REQUESTS = frozenset(list(Kind)[: list(Kind).index(Kind.NO_CAPACITY)])
SERVERS = frozenset({Kind.NEVER_HEALTHY, Kind.SERVER_LOST, Kind.SERVER_HANGS})
JOBS = frozenset(Kind) - REQUESTS - SERVERS
SUDDEN = frozenset({Kind.INSTANCE_LOST, Kind.SPOT_INTERRUPTION, Kind.SERVER_LOST, Kind.SERVER_HANGS})
"""The kinds that strike what runs; the others are asked for when something begins."""
UPLOADS = ("PutObject", "CompleteMultipartUpload")


class Fault(BaseModel):
    """One fault, which strikes ``times`` times.

    ``operation`` and ``target`` are shell patterns. ``target`` is the name of a job or an endpoint; for requests it is
    any text of the request's first level, or the s3:// URI. ``by`` says whose requests: ``clients`` (a person, a
    launcher, a job's program), ``platform`` (what SageMaker itself asks: a job's data, a pipeline's steps), or both.
    ``on_line`` waits until the job's program prints a line that holds this text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: Kind
    operation: str = "*"
    target: str = "*"
    times: int = Field(default=1, ge=1)
    by: Literal["anybody", "clients", "platform"] = "anybody"
    on_line: str = ""
    seconds: float = Field(default=5.0, gt=0)
    megabytes: int = Field(default=16, ge=1)

    @model_validator(mode="after")
    def _can_strike(self) -> Fault:
        if self.kind not in REQUESTS and (self.operation != "*" or self.by != "anybody"):
            raise ValueError(f"'{self.kind}' strikes no request: leave operation and by out, name a target")
        if self.on_line and self.kind not in SUDDEN & JOBS:
            raise ValueError(f"on_line is for {', '.join(sorted(SUDDEN & JOBS))}, not for '{self.kind}'")
        if self.kind in REQUESTS and not any(fnmatchcase(name, self.operation) for name in _operations()):
            raise ValueError(f"no operation is called '{self.operation}' ({', '.join(_SERVICES)})")
        if self.kind is Kind.CORRUPT_UPLOAD and self.operation not in ("*", *UPLOADS):
            raise ValueError(f"'{self.kind}' strikes {' and '.join(UPLOADS)}, not {self.operation}")
        return self


@functools.cache
def _operations() -> frozenset[str]:
    session = botocore.session.get_session()
    return frozenset(name for each in _SERVICES for name in session.get_service_model(each).operation_names)
