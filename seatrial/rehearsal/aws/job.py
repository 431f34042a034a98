"""One managed job: its states, its thread, its folder, its process. Processing and training say what differs."""

from __future__ import annotations

import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from botocore.exceptions import BotoCoreError, ClientError

from seatrial.errors import SeatrialError
from seatrial.rehearsal.aws.events import sagemaker_event
from seatrial.rehearsal.aws.faults import Kind
from seatrial.rehearsal.aws.faults.hands import memory_limit, on_small_disk
from seatrial.rehearsal.aws.iam.authority import Denied
from seatrial.rehearsal.aws.iam.platform import require_image, require_keys
from seatrial.rehearsal.aws.image import Image
from seatrial.rehearsal.aws.isolation import start_isolated
from seatrial.rehearsal.aws.logstream import LogStream
from seatrial.rehearsal.aws.process import Ended, Watched
from seatrial.rehearsal.aws.transfer import NothingThere
from seatrial.rehearsal.aws.world import World

_GRACE_S = 120  # the platform's time between SIGTERM and SIGKILL
_LONGEST_REASON = 1024
_LOST = "instance lost"
_LOCAL_DISKS = ("ml.g4dn.", "ml.g5.", "ml.p4d.")
_NO_CAPACITY = (
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance type."
)
INTERNAL = "InternalServerError: We encountered an internal error. Please try again."


class JobFailed(Exception):
    """The job ends as Failed with this text as its FailureReason."""


class JobStopped(Exception):
    """The job ends as Stopped; the text says why, and is empty when somebody asked."""


class Job(ABC):
    """A job that runs in a thread of its own from `start` on, and always ends as Completed, Failed or Stopped."""

    kind: ClassVar[str]
    log_group: ClassVar[str]
    not_found: ClassVar[str]  # AWS's words, which differ between kinds

    def __init__(
        self, world: World, *, name: str, arn: str, region: str, request: Mapping[str, Any], record: Any
    ) -> None:
        """``request`` is what Create was called with.

        ``record`` is moto's own entry, kept in step for List and tags.
        """
        self.world, self.name, self.arn, self.region = world, name, arn, region
        self.request = request
        self.status = "InProgress"
        self.failure_reason: str | None = None
        self.created = self.modified = datetime.now(UTC)
        self.started: datetime | None = None
        self.ended: datetime | None = None
        self.done = threading.Event()
        self._record = record
        record.creation_time = self.created
        self._lock = threading.Lock()
        self._watched: Watched | None = None
        self._stop_asked = False
        self._keep_record()

    # what differs

    @abstractmethod
    def work(self, folder: Path) -> None:
        """Do the job in ``folder``; raise JobFailed or JobStopped where it does not complete."""

    @abstractmethod
    def writes_to(self) -> list[str]:
        """The folders that the program fills, as it sees them."""

    @abstractmethod
    def image_uri(self) -> str:
        """The image that is fetched for it."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """The answer of Describe."""

    def told(self) -> dict[str, Any]:
        """The detail of the event for a change of state."""
        key = self.kind.capitalize()
        said = {f"{key}JobName": self.name, f"{key}JobArn": self.arn, f"{key}JobStatus": self.status}
        return said | ({"FailureReason": self.failure_reason} if self.failure_reason else {})

    # what it does as its role

    def role(self) -> str:
        """Whom it runs as."""
        return str(self.request.get("RoleArn", ""))

    def client(self, service: str) -> Any:
        """A client of this very server, as the job's role: so the platform fetches, stores and logs."""
        return self.world.client(service, self.region, self.role())

    # its life

    def start(self) -> None:
        """Begin, in a thread. Ends with the world at the latest."""
        forget = self.world.on_close(self._end_with_world)

        def live() -> None:
            try:
                self._live()
            finally:
                forget()
                self.done.set()

        threading.Thread(target=live, name=f"{self.kind}-{self.name}", daemon=True).start()

    def stop(self, why: str = "") -> bool:
        """Ask the job to end; it is Stopping until its process has gone. False when it had ended already."""
        with self._lock:
            if self.status != "InProgress":
                return self.status == "Stopping"
            self._stop_asked = True
            self._set_status("Stopping")
            watched = self._watched
        if watched is not None:
            watched.stop(why)
        return True

    def interrupt(self, why: str, *, grace_s: float) -> bool:
        """End the job's process for a reason of the platform's (a spot interruption); the job decides what follows."""
        with self._lock:
            watched = self._watched
        if watched is None:
            return False
        watched.stop(why, grace_s=grace_s)
        return True

    def _end_with_world(self) -> None:
        self.stop("the rehearsal was closed")
        with self._lock:
            watched = self._watched
        if watched is not None:
            watched.kill()
        self.done.wait(10)

    def _live(self) -> None:
        self.started = datetime.now(UTC)
        try:
            require_image(self.world.iam, self.role(), self.image_uri())
            require_keys(self.world.iam, self.role(), self.request)
            if self.world.faults.take(Kind.NO_CAPACITY, self.name):
                raise JobFailed(_NO_CAPACITY)
            with self.world.new_folder(self.name) as folder:
                self.work(Path(folder))
            self._finish("Completed", None)
        except JobStopped as stopped:
            self._finish("Stopped", str(stopped) or None)
        except JobFailed as failed:
            self._finish("Failed", str(failed))
        except NothingThere as nothing:
            self._finish("Failed", f"ClientError: {nothing}")
        except Denied as denied:
            self._finish("Failed", f"ClientError: {denied}")
        except ClientError as refused:
            self._finish("Failed", f"ClientError: Data transfer failed: {refused}")
        except (SeatrialError, BotoCoreError, OSError) as broken:
            self._finish("Failed", f"InternalServerError: {broken}")
        except Exception as broken:  # noqa: BLE001 a job must reach a final state whatever breaks, or its caller waits for ever
            self._finish(
                "Failed", f"InternalServerError: the rehearsal itself broke: {type(broken).__name__}: {broken}"
            )

    def _finish(self, status: str, reason: str | None) -> None:
        with self._lock:
            if self._stop_asked and status == "Failed":
                status = "Stopped"  # it breaks off wherever the request finds it
            self.ended = datetime.now(UTC)
            self.failure_reason = None if reason is None else reason[:_LONGEST_REASON]
            self._set_status(status)

    def _set_status(self, status: str) -> None:
        self.status = status
        self.modified = datetime.now(UTC)
        self.status_changed(status)
        self._keep_record()

    def status_changed(self, status: str) -> None:  # noqa: B027 most kinds keep one status only
        """Told of each status, for kinds that keep more than one."""

    def _keep_record(self) -> None:
        setattr(self._record, f"{self.kind}_job_status", self.status)
        setattr(self._record, f"{self.kind}_end_time", self.ended)
        self._record.last_modified_time = self.modified
        if self.status != "Stopping":
            told = sagemaker_event(
                f"SageMaker {self.kind.capitalize()} Job State Change", arn=self.arn, detail=self.told()
            )
            self.world.events.put(told)

    # its process

    def run(
        self,
        command: Sequence[str],
        *,
        image: Image,
        folder: Path,
        variables: Mapping[str, str],
        limit_s: float | None,
        instance: str,
        entry_point: bool = True,
    ) -> Ended:
        """Run the command isolated, its lines going to CloudWatch Logs. See `start_isolated`.

        Raises:
            JobStopped: it was asked to stop, or its time is over.
            JobFailed: its instance was lost.
        """
        disk = self.world.faults.take(Kind.DISK_FULL, self.name)
        if disk is not None:
            if image.engine is not None:
                raise JobFailed(f"RehearsalError: {disk.kind} cannot be injected into a job that runs in a container")
            command = on_small_disk(command, self.writes_to(), disk.megabytes)
        memory = self.world.faults.take(Kind.OUT_OF_MEMORY, self.name)
        log = LogStream(self.client("logs"), self.log_group, self.log_stream())
        with self._lock:
            if self._stop_asked:
                raise JobStopped
            running = start_isolated(
                command,
                image=image,
                folder=folder,
                environment={**self.world.job_variables(self.region, self.role()), **variables},
                entry_point=entry_point,
                instance=instance,
                yields=True,
            )
            watched = self._watched = Watched(
                running,
                log=lambda lines: self.heard(log, lines),
                limit_s=limit_s,
                grace_s=self.world.grace(_GRACE_S),
            )
        with contextlib.ExitStack() as faults:
            limit = faults.enter_context(memory_limit(running, memory.megabytes)) if memory is not None else None
            faults.enter_context(self.world.faults.running(self))
            try:
                ended = watched.wait()
            except ClientError:  # its log may not be written: the program must not outlive its job
                watched.abandon()
                raise
        if limit is not None and limit.exceeded:
            ended = replace(ended, out_of_memory=True)
        with self._lock:
            self._watched = None
        if self._stop_asked:
            raise JobStopped(ended.why or "")
        if ended.why == _LOST:
            raise JobFailed(INTERNAL)
        return ended

    def strike(self, kind: Kind) -> bool:
        """Suffer a sudden fault; False where it has no hold on this kind of job."""
        return kind is Kind.INSTANCE_LOST and self.interrupt(_LOST, grace_s=0)

    def log_stream(self) -> str:
        """The stream's name, in the platform's form: one host, and the second in which it started."""
        return f"{self.name}/algo-1-{int(self.created.timestamp())}"

    def heard(self, log: LogStream, lines: list[str]) -> None:
        """Lines that the process printed."""
        log.write(lines)
        self.world.faults.heard(self, lines)


def failure_reason(ended: Ended, failure_file: Path) -> str:
    """Why a process failed: what it wrote to its failure file, else its last line; and the exit code."""
    told = ""
    if failure_file.is_file():
        told = failure_file.read_text(errors="replace").strip()[:_LONGEST_REASON]
    if not told and ended.tail:
        told = ended.tail[-1][:500]
    if ended.out_of_memory:
        told = f"{told} (out of memory: the kernel killed it. Use an instance type with more, or less data)".strip()
    elif ended.exit_code == 137:
        told = f"{told} (killed by SIGKILL, and not by the kernel for its memory)".strip()
    return f"AlgorithmError: {told}, exit code: {ended.exit_code}"


def volume_key_problems(machines: Mapping[str, Any]) -> list[str]:
    """What AWS says of a key for the disks of a machine that encrypts its own.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ResourceConfig.html
    """
    if machines.get("VolumeKmsKeyId") and str(machines.get("InstanceType", "")).startswith(_LOCAL_DISKS):
        return ["You can't request a VolumeKmsKeyId when using an instance type with local storage"]
    return []


def empty_artifact(what: str) -> str:
    """The reason of a job that exited with 0 and left nothing: stricter than AWS, on purpose."""
    return (
        f"RehearsalError: the job exited with 0, but {what} is empty. SageMaker would complete it all the same; "
        "a rehearsal treats a missing artifact as an error."
    )
