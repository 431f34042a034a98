"""Writes a job's lines to CloudWatch Logs, where people and clients look for them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

_EVENTS_PER_CALL = 1000
_LONGEST_EVENT = 256_000


class LogStream:
    """One stream of one group; both are made when the job starts, so that a silent job has a stream too."""

    def __init__(self, logs: Any, group: str, stream: str) -> None:
        self._logs = logs
        self._names = {"logGroupName": group, "logStreamName": stream}
        with _unless_there():
            logs.create_log_group(logGroupName=group)
        with _unless_there():
            logs.create_log_stream(**self._names)

    def write(self, lines: list[str]) -> None:
        """Append the lines that are not blank: CloudWatch refuses empty messages."""
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": line[:_LONGEST_EVENT]} for line in lines if line.strip()]
        for start in range(0, len(events), _EVENTS_PER_CALL):
            self._logs.put_log_events(**self._names, logEvents=events[start : start + _EVENTS_PER_CALL])


@contextmanager
def _unless_there() -> Iterator[None]:
    """By the error's code: botocore may make a client's exception classes twice, where two threads ask first."""
    try:
        yield
    except ClientError as refused:
        if refused.response["Error"]["Code"] != "ResourceAlreadyExistsException":
            raise
