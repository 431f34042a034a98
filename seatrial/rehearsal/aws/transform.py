"""Batch transform: every object below a prefix goes through a model server, and each becomes one ``.out`` object."""

from __future__ import annotations

import gzip
import io
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from seatrial.rehearsal.aws.endpoints.modelserver import Answer, ModelServer, NotHealthy, Served
from seatrial.rehearsal.aws.faults import Kind
from seatrial.rehearsal.aws.job import INTERNAL, Job, JobFailed, JobStopped
from seatrial.rehearsal.aws.logstream import LogStream
from seatrial.rehearsal.aws.transfer import download, split_uri

_HEALTH_S = 600
_MEGABYTE = 1024 * 1024
_MOST_MEGABYTES = 6  # the service's, where MaxPayloadInMB is left out
_INVOCATION_S = 600


class TransformJob(Job):
    """One model server, started for this job, and the objects that go through it."""

    kind = "transform"
    log_group = "/aws/sagemaker/TransformJobs"
    not_found = "Could not find requested job with name: {name}"

    def __init__(self, *arguments: Any, model: Mapping[str, Any], role: str, **named: Any) -> None:
        """As `Job`; ``model`` is the container of the model that the request names, ``role`` the model's."""
        self._container, self._role = model, role
        self._halt = threading.Event()
        self._lost = False
        self._server: ModelServer | None = None
        super().__init__(*arguments, **named)

    def work(self, folder: Path) -> None:
        """Start the server, send it each object, store what it answers. One bad object does not stop the others."""
        source = self.request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
        given = folder / "given"
        s3 = self.client("s3")
        download(s3, source, given)
        log = LogStream(self.client("logs"), self.log_group, f"{self.log_stream()}/data-log")
        server = self._server = ModelServer(self.world, self.region, self._served())
        try:
            try:
                server.start()
            except NotHealthy as failed:
                self._require_running()
                raise JobFailed(f"ClientError: {failed}") from failed
            with self.world.faults.running(self):
                failures = self._transform_all(server, s3, given)
        finally:
            server.kill()
            server.ended.wait()
        if failures:
            log.write(failures)
            raise JobFailed(f"ClientError: See job logs for more information. {failures[0]}")

    def _transform_all(self, server: ModelServer, s3: Any, given: Path) -> list[str]:
        target = self.request["TransformOutput"]
        bucket, prefix = split_uri(target["S3OutputPath"].rstrip("/"))
        failures: list[str] = []
        for path in sorted(each for each in given.rglob("*") if each.is_file()):
            name = path.relative_to(given).as_posix()
            try:
                answered = self._transform(server, path)
            except _Refused as refused:
                failures.append(f"{name}: {refused}")
                continue
            s3.put_object(Bucket=bucket, Key=f"{prefix}/{name}.out".lstrip("/"), Body=answered)
        return failures

    def _transform(self, server: ModelServer, path: Path) -> bytes:
        body = path.read_bytes()
        if self.request["TransformInput"].get("CompressionType", "None") == "Gzip":
            body = gzip.decompress(body)
        payloads = payloads_of(body, self.request)
        newline = self.request["TransformOutput"].get("AssembleWith", "None") == "Line"
        with ThreadPoolExecutor(self.request.get("MaxConcurrentTransforms") or 1) as pool:
            answers = [each.body for each in pool.map(lambda payload: self._send(server, payload), payloads)]
        return b"".join(
            answer + b"\n" if newline and not answer.endswith(b"\n") else answer for answer in answers
        )  # fmt: skip

    def _send(self, server: ModelServer, payload: bytes) -> Answer:
        client = self.request.get("ModelClientConfig", {})
        headers = {
            "Content-Type": self.request["TransformInput"].get("ContentType"),
            "Accept": self.request["TransformOutput"].get("Accept"),
        }
        for attempt in range(client.get("InvocationsMaxRetries", 0) + 1):
            self._require_running()
            server.reserve()
            answer = server.invoke(
                payload,
                {key: value for key, value in headers.items() if value},
                limit_s=client.get("InvocationsTimeoutInSeconds", _INVOCATION_S),
            )
            if answer.status == 200:
                return answer
            if 0 < answer.status < 500 or attempt == client.get("InvocationsMaxRetries", 0):
                break
        self._require_running()
        text = answer.body.decode("utf-8", "replace")[:500]
        raise _Refused(f"Bad HTTP status received from algorithm: {answer.status or 'no answer'} ({text})")

    def _require_running(self) -> None:
        if self._lost:
            raise JobFailed(INTERNAL)
        if self._halt.is_set():
            raise JobStopped

    def _served(self) -> Served:
        variables = {
            "SAGEMAKER_BATCH": "true",
            "SAGEMAKER_MAX_PAYLOAD_IN_MB": str(self.request.get("MaxPayloadInMB", _MOST_MEGABYTES)),
            "SAGEMAKER_BATCH_STRATEGY": self.request.get("BatchStrategy", "MultiRecord"),
            "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": str(self.request.get("MaxConcurrentTransforms") or 1),
        }
        return Served(
            endpoint=self.name,
            variant="transform",
            image=self._container["Image"],
            model_uri=self._container.get("ModelDataUrl", ""),
            environment={**self._container.get("Environment", {}), **self.request.get("Environment", {}), **variables},
            instance=self.request["TransformResources"]["InstanceType"],
            role=self.role(),
            health_limit_s=_HEALTH_S,
            logs=(self.log_group, self.log_stream()),
        )

    def role(self) -> str:
        """The model's: a transform job has none of its own."""
        return self._role

    def image_uri(self) -> str:
        """The model's."""
        return str(self._container["Image"])

    def stop(self, why: str = "") -> bool:
        """Ask the job to end, its server included."""
        self._halt.set()
        if self._server is not None:
            self._server.kill()
        return super().stop(why)

    def strike(self, kind: Kind) -> bool:
        """Suffer a sudden fault."""
        if kind is not Kind.INSTANCE_LOST or self._server is None:
            return False
        self._lost = True
        self._server.kill()
        return True

    def writes_to(self) -> list[str]:
        """A model server writes nothing that is kept."""
        return []

    def describe(self) -> dict[str, Any]:
        """DescribeTransformJob: the request as it was given, and what became of it."""
        state = {
            "TransformJobArn": self.arn,
            "TransformJobStatus": self.status,
            "CreationTime": self.created,
            "TransformStartTime": self.started,
            "TransformEndTime": self.ended,
            "FailureReason": self.failure_reason,
        }
        given = {key: value for key, value in self.request.items() if key != "Tags"}
        return given | {key: value for key, value in state.items() if value is not None}


class _Refused(Exception):
    """One object cannot be transformed."""


def payloads_of(body: bytes, request: Mapping[str, Any]) -> Iterator[bytes]:
    """What is sent in one request each: the whole object, one line, or as many lines as MaxPayloadInMB holds.

    Raises:
        _Refused: a payload would be larger than MaxPayloadInMB.
    """
    most = request.get("MaxPayloadInMB", _MOST_MEGABYTES) * _MEGABYTE
    whole = request["TransformInput"].get("SplitType", "None") == "None"
    records = [body] if whole else io.BytesIO(body).readlines()
    single = request.get("BatchStrategy", "MultiRecord") == "SingleRecord"
    batch: list[bytes] = []
    size = 0
    for record in records:
        if most and len(record) > most:
            raise _Refused(f"a record of {len(record)} bytes exceeds MaxPayloadInMB ({most // _MEGABYTE})")
        if batch and (single or size + len(record) > most > 0):
            yield b"".join(batch)
            batch, size = [], 0
        batch.append(record)
        size += len(record)
    if batch:
        yield b"".join(batch)


def transform_gaps(request: Mapping[str, Any], model: Mapping[str, Any] | None, *, image_serves: bool) -> list[str]:
    """What AWS would run and this rehearsal does not."""
    source, gaps = request["TransformInput"], []
    if request["TransformResources"].get("InstanceCount", 1) != 1:
        gaps.append("more than one instance")
    if source["DataSource"]["S3DataSource"]["S3DataType"] != "S3Prefix":
        gaps.append("input other than S3DataType S3Prefix")
    if source.get("SplitType", "None") not in ("None", "Line"):
        gaps.append(f"SplitType {source['SplitType']}")
    shaping = request.get("DataProcessing", {})
    if shaping.get("InputFilter", "$") != "$" or shaping.get("OutputFilter", "$") != "$":
        gaps.append("filters in DataProcessing")
    if shaping.get("JoinSource", "None") != "None":
        gaps.append("JoinSource in DataProcessing")
    if request.get("DataCaptureConfig"):
        gaps.append("DataCaptureConfig")
    if model is None or "Image" not in model:
        gaps.append("a model without one container with an Image")
    elif not image_serves:
        gaps.append(f"image '{model['Image']}', whose 'serve' command it does not know (Image.serve)")
    return gaps


def transform_problems(request: Mapping[str, Any], *, known: bool) -> list[str]:
    """What AWS would refuse beyond the shapes."""
    problems = [] if known else [f'Could not find model "{request["ModelName"]}".']
    split = request["TransformInput"].get("SplitType", "None")
    if request.get("BatchStrategy") == "SingleRecord" and split == "None":
        problems.append("BatchStrategy SingleRecord needs a SplitType other than None")
    most, at_once = request.get("MaxPayloadInMB", _MOST_MEGABYTES), request.get("MaxConcurrentTransforms") or 1
    if most * at_once > 100:
        problems.append(f"MaxPayloadInMB * MaxConcurrentTransforms must not exceed 100 MB, and is {most * at_once}")
    return problems


def container_of(model: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The one container of a model's request, wherever it stands."""
    listed = model.get("Containers") or []
    found: Mapping[str, Any] | None = model.get("PrimaryContainer") or (listed[0] if len(listed) == 1 else None)
    return found
