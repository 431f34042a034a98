"""A job's lines in CloudWatch Logs."""

from __future__ import annotations

from typing import Any

from seatrial.clouds.aws.calls import Call, declare
from seatrial.clouds.aws.failures import Refused
from seatrial.clouds.aws.session import Aws

Json = Any
_GROUPS = {
    "processing-job": "/aws/sagemaker/ProcessingJobs",
    "training-job": "/aws/sagemaker/TrainingJobs",
    "transform-job": "/aws/sagemaker/TransformJobs",
}
READS = declare(
    Call(
        "logs:DescribeLogStreams",
        ("logs:log-group:/aws/sagemaker/ProcessingJobs:*", "logs:log-group:/aws/sagemaker/TrainingJobs:*"),
        "find a job's log",
    ),
    Call(
        "logs:GetLogEvents",
        (
            "logs:log-group:/aws/sagemaker/ProcessingJobs:log-stream:pipelines-*",
            "logs:log-group:/aws/sagemaker/TrainingJobs:log-stream:pipelines-*",
        ),
        "read a job's log",
    ),
)


class JobLog:
    """All streams of one job; the group and the streams appear when its first line does."""

    def __init__(self, aws: Aws, job: str) -> None:
        """``job`` is the end of its ARN: ``processing-job/<name>``."""
        kind, _, self._name = job.partition("/")
        self._group = _GROUPS.get(kind, "")
        self._aws = aws
        self._streams: list[str] = []
        self._next: dict[str, str] = {}

    def new_lines(self) -> list[str]:
        """Lines since the last call, oldest first."""
        found: list[str] = []
        for stream in self._known():
            while True:
                last = self._next.get(stream)
                where = {"nextToken": last} if last else {}
                page = self._ask("GetLogEvents", logStreamName=stream, startFromHead=True, **where)
                found += [event["message"] for event in page.get("events", [])]
                self._next[stream] = page.get("nextForwardToken", "")
                if not page.get("events") or self._next[stream] == last:
                    break
        return found

    def last_lines(self, count: int) -> list[str]:
        """The end of the log."""
        found: list[str] = []
        for stream in self._known():
            page = self._ask("GetLogEvents", logStreamName=stream, startFromHead=False, limit=count)
            found += [event["message"] for event in page.get("events", [])]
        return found[-count:]

    def _known(self) -> list[str]:
        if not self._streams and self._group:
            page = self._ask("DescribeLogStreams", logStreamNamePrefix=f"{self._name}/")
            self._streams = [stream["logStreamName"] for stream in page.get("logStreams", [])]
        return self._streams

    def _ask(self, operation: str, **parameters: Json) -> Json:
        try:
            return self._aws.ask("logs", operation, logGroupName=self._group, **parameters)
        except Refused as refused:
            if refused.absent:
                return {}
            raise
