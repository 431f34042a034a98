"""What one running offline AWS knows: its address, its images, its pace, and everything it has started."""

from __future__ import annotations

import queue
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from seatrial.rehearsal.aws.calls import OWN
from seatrial.rehearsal.aws.image import Image, find_image

ACCOUNT = "123456789012"
# moto takes any credentials; these are the ones that it documents.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}


class World:
    """Shared by every request. Only `endpoint_url` is set late: the port is known when the server listens."""

    def __init__(self, images: Sequence[Image], *, speed: float = 1.0) -> None:
        """``speed`` divides the service's own waits (grace periods, retry intervals), never a program's time."""
        self.images = tuple(images)
        self.speed = speed
        self.endpoint_url = ""
        self._folder = tempfile.TemporaryDirectory(prefix="seatrial-aws-")
        self._clients: dict[tuple[str, str], Any] = {}
        self.jobs: dict[tuple[str, str, str], Any] = {}  # by region, kind and name
        self.events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._lock = threading.Lock()
        self._endings: dict[int, Callable[[], None]] = {}

    def image(self, uri: str) -> Image:
        """The program behind an image URI; see `find_image`."""
        return find_image(self.images, uri)

    def waits(self, seconds: float) -> float:
        """A wait of the service, at this rehearsal's pace."""
        return seconds / self.speed

    def client(self, service: str, region: str) -> Any:
        """A boto3 client of this very server. Jobs' data and logs take the same road as everybody's."""
        with self._lock:
            key = (service, region)
            if key not in self._clients:
                session = boto3.session.Session(
                    aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
                    aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
                    region_name=region,
                )
                own = Config(user_agent_extra=OWN)
                self._clients[key] = session.client(service, endpoint_url=self.endpoint_url, config=own)
            return self._clients[key]

    def job_variables(self, region: str) -> dict[str, str]:
        """How a job reaches AWS: the same names as on the platform, plus the address."""
        return {
            **CREDENTIALS,
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
