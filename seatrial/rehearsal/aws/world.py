"""What one running offline AWS knows: its address, its images, its pace, and everything it has started."""

from __future__ import annotations

import contextlib
import fcntl
import queue
import shutil
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from seatrial.rehearsal.aws.faults.register import Faults
from seatrial.rehearsal.aws.iam.authority import Authority
from seatrial.rehearsal.aws.image import Image, find_image

ACCOUNT = "123456789012"
# moto takes any credentials; these are the ones that it documents.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
PLATFORM = "seatrial-platform"
"""In the user agent of what SageMaker itself asks of other services, as opposed to its clients."""
_FOLDER = "seatrial-aws-"
_ATTEMPTS = 3
_SHORTEST_GRACE_S = 5.0


class World:
    """Shared by every request. Only `endpoint_url` is set late: the port is known when the server listens."""

    def __init__(self, images: Sequence[Image], *, speed: float = 1.0, every_role: bool = False) -> None:
        """``speed`` divides the service's own waits (grace periods, retry intervals), never a program's time.

        ``every_role``: see `Authority`.
        """
        self.images = tuple(images)
        self.speed = speed
        self.endpoint_url = ""
        self.faults = Faults()
        self.iam = Authority(ACCOUNT, every_role=every_role)
        _sweep()
        self._folder = tempfile.TemporaryDirectory(prefix=_FOLDER)
        unlocked = Path(self._folder.name) / "lives-soon"
        self._lives = unlocked.open("w")
        fcntl.flock(self._lives, fcntl.LOCK_EX)
        unlocked.rename(unlocked.with_name("lives"))  # a sweep that sees it finds it locked
        self._clients: dict[tuple[str, str, str], Any] = {}
        self.jobs: dict[tuple[str, str, str], Any] = {}  # by region, kind and name
        self.events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.changing = threading.Lock()
        """Held while a request makes, changes or deletes something in SageMaker: the next finds it as it then is."""
        self._lock = threading.Lock()
        self._endings: dict[int, Callable[[], None]] = {}

    def image(self, uri: str) -> Image:
        """The program behind an image URI; see `find_image`."""
        return find_image(self.images, uri)

    def waits(self, seconds: float) -> float:
        """A wait of the service, at this rehearsal's pace."""
        return seconds / self.speed

    def grace(self, seconds: float) -> float:
        """A job's time between SIGTERM and SIGKILL: a program tidies up in its own time, however fast the service's."""
        return max(self.waits(seconds), _SHORTEST_GRACE_S)

    def credentials(self, role: str) -> dict[str, str]:
        """What a job or the service has when it acts as a role; the account's own where the role is held to nothing."""
        return self.iam.credentials(self.iam.service_session(role)) if self.iam.enforced(role) else CREDENTIALS

    def client(self, service: str, region: str, role: str = "") -> Any:
        """A boto3 client of this very server. Jobs' data and logs take the same road as everybody's.

        ``role``: whom the service acts as.
        """
        credentials = self.credentials(role)
        with self._lock:
            key = (service, region, credentials["AWS_ACCESS_KEY_ID"])
            if key not in self._clients:
                session = boto3.session.Session(
                    aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
                    aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
                    aws_session_token=credentials.get("AWS_SESSION_TOKEN"),
                    region_name=region,
                )
                # a pipeline's own retry policies decide whether a step asks SageMaker again
                attempts = 1 if service == "sagemaker" else _ATTEMPTS
                settings = Config(
                    user_agent_extra=PLATFORM, retries={"mode": "standard", "total_max_attempts": attempts}
                )
                self._clients[key] = session.client(service, endpoint_url=self.endpoint_url, config=settings)
            return self._clients[key]

    def job_variables(self, region: str, role: str) -> dict[str, str]:
        """How a job reaches AWS as its role: the same names as on the platform, plus the address."""
        return {
            **self.credentials(role),
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def new_folder(self, name: str) -> tempfile.TemporaryDirectory[str]:
        """A folder for one job; it goes when the job has ended."""
        return tempfile.TemporaryDirectory(prefix=f"{name[:40]}-", dir=self._folder.name)

    @property
    def folder(self) -> Path:
        """Where jobs' folders lie while they run."""
        return Path(self._folder.name)

    def on_close(self, ending: Callable[[], None]) -> Callable[[], None]:
        """Have ``ending`` called when the world closes; returns what takes it back."""
        with self._lock:
            self._endings[id(ending)] = ending
        return lambda: self._forget(ending)

    def _forget(self, ending: Callable[[], None]) -> None:
        with self._lock:
            self._endings.pop(id(ending), None)

    def close(self) -> None:
        """End everything that runs, then remove the folders."""
        with self._lock:
            endings = list(self._endings.values())
        for ending in endings:
            ending()
        self._folder.cleanup()
        self._lives.close()


def _sweep() -> None:
    """Remove the folders of servers that were killed: the kernel has let go of their locks."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*"):
        with contextlib.suppress(OSError), (folder / "lives").open() as lives:
            fcntl.flock(lives, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
