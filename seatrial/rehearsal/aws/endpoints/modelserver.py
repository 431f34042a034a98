"""One model server process, under the serving contract: /opt/ml/model, ``serve``, GET /ping, POST /invocations.

Servers share this machine's loopback, so port 8080 cannot be everybody's. Each is told its port as the containers of a
multi-container endpoint are: in SAGEMAKER_BIND_TO_PORT.
"""

from __future__ import annotations

import contextlib
import http.client
import math
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import ClientError

from seatrial.rehearsal.aws.endpoints.contention import Contention
from seatrial.rehearsal.aws.faults import Kind
from seatrial.rehearsal.aws.faults.hands import stop_programs
from seatrial.rehearsal.aws.iam.authority import Denied
from seatrial.rehearsal.aws.iam.platform import require_image
from seatrial.rehearsal.aws.isolation import start_isolated
from seatrial.rehearsal.aws.logstream import LogStream
from seatrial.rehearsal.aws.process import Watched
from seatrial.rehearsal.aws.running import Running
from seatrial.rehearsal.aws.transfer import NotAnArchive, download_archive
from seatrial.rehearsal.aws.world import World

_HOST = "127.0.0.1"
_PING_S = 2
_INVOCATION_S = 60
_GRACE_S = 30
_GATHER_S = 0.5
"""Under traffic a server writes a line a request: it is not sent to CloudWatch by the line, nor does AWS do so."""
_LOOK_S = 0.02
_PROGRAMS_S = 1.0
_SHORTEST_HEALTH_S = 120.0  # a program's start takes its own time, however fast the service's time runs


class NotHealthy(Exception):
    """The server never answered its health check."""


@dataclass(frozen=True)
class Served:
    """What one production variant, or one batch transform job, serves."""

    endpoint: str
    variant: str
    image: str
    model_uri: str
    environment: Mapping[str, str]
    health_limit_s: float
    instance: str
    role: str
    """Whom it runs as: the model's execution role."""
    logs: tuple[str, str] | None = None
    """Log group and stream, where they are not those of an endpoint."""


@dataclass(frozen=True)
class Answer:
    """What a model server answered; status 0 when it did not answer at all."""

    status: int
    content_type: str
    body: bytes
    seconds: float
    """Until the answer was there, without what this machine's other work took of it."""


class ModelServer:
    """A running server. Its thread lives as long as its process."""

    def __init__(self, world: World, region: str, served: Served) -> None:
        """Nothing runs before `start`."""
        self.served = served
        self._world, self._region = world, region
        self._port = 0
        self._watched: Watched | None = None
        self._unwanted = False
        self._failure = self._no_model = ""
        self.ended = threading.Event()
        self._isolated: Running | None = None
        self._running = contextlib.ExitStack()
        self._looked, self._seen = -math.inf, list[int]()
        self._in_flight = 0
        self._idle = threading.Condition()

    def start(self) -> None:
        """Start the process and wait until it is healthy.

        Raises:
            NotHealthy: its model cannot be unpacked, it ended, or it did not answer /ping with 200 in time.
        """
        # bound until the server has ended, and never listening: the server can bind it too, nobody else is given it
        held = socket.socket()
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((_HOST, 0))
        self._port = int(held.getsockname()[1])
        ill = self._world.faults.take(Kind.NEVER_HEALTHY, self.served.endpoint)
        threading.Thread(target=self._live, args=(held,), name=f"serve-{self.served.endpoint}", daemon=True).start()
        limit_s = self._world.waits(self.served.health_limit_s)
        end = time.monotonic() + (limit_s if ill else max(limit_s, _SHORTEST_HEALTH_S))
        while not self.ended.is_set() and time.monotonic() < end:
            if not ill and self.ping():
                self._running.enter_context(self._world.faults.running(self))
                if self.ended.is_set():
                    self._running.close()
                return
            self.ended.wait(_LOOK_S)
        self.kill()
        if self._no_model:
            raise NotHealthy(self._no_model)
        why = f" ({self._failure})" if self._failure else ""
        raise NotHealthy(
            f"The primary container for production variant {self.served.variant} did not pass the ping health check"
            f"{why}. "
            "Please check CloudWatch logs for this endpoint."
        )

    def _live(self, held: socket.socket) -> None:
        forget = self._world.on_close(self.kill)
        try:
            with self._world.new_folder(self.served.endpoint) as folder:
                self._serve(Path(folder))
        except (NotAnArchive, Denied) as broken:
            self._no_model = str(broken)
        except ClientError as refused:
            self._no_model = f"The model data or the log cannot be reached: {refused}"
        except Exception as broken:  # noqa: BLE001 whatever breaks, whoever waits for health must hear of it
            self._failure = f"{type(broken).__name__}: {broken}"
        finally:
            forget()
            held.close()
            self.ended.set()
            self._running.close()

    def _serve(self, folder: Path) -> None:
        model = folder / "opt" / "ml" / "model"
        model.mkdir(parents=True)
        role = self.served.role
        require_image(self._world.iam, role, self.served.image)
        if self.served.model_uri:
            download_archive(self._world.client("s3", self._region, role), self.served.model_uri, model)
        image = self._world.image(self.served.image)
        usual = (f"/aws/sagemaker/Endpoints/{self.served.endpoint}", f"{self.served.variant}/{folder.name}")
        log = LogStream(self._world.client("logs", self._region, role), *(self.served.logs or usual))
        variables = {
            **self._world.job_variables(self._region, role),
            **self.served.environment,
            "SAGEMAKER_BIND_TO_PORT": str(self._port),
        }
        running = start_isolated(
            image.words("serve"),
            image=image,
            folder=folder,
            environment=variables,
            entry_point=False,
            instance=self.served.instance,
        )
        self._isolated = running
        grace_s = self._world.waits(_GRACE_S)
        self._watched = Watched(running, log=log.write, limit_s=None, grace_s=grace_s, gather_s=_GATHER_S)
        if self._unwanted:  # whoever ended it found no process yet
            self._watched.kill()
        ended = self._watched.wait()
        self._failure = f"exit code {ended.exit_code}: {ended.tail[-1] if ended.tail else 'it said nothing'}"

    @property
    def name(self) -> str:
        """What the target of a fault is matched with: the endpoint's name."""
        return self.served.endpoint

    def strike(self, kind: Kind) -> bool:
        """Suffer a sudden fault."""
        if kind is Kind.SERVER_HANGS:
            return self._isolated is not None and stop_programs(self._isolated)
        if kind is Kind.SERVER_LOST:
            self.kill()
        return kind is Kind.SERVER_LOST

    def ping(self) -> bool:
        """Whether the server passes a health check now."""
        connection = http.client.HTTPConnection(_HOST, self._port, timeout=_PING_S)
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def reserve(self) -> None:
        """Count a request that is about to come, so that `retire` waits for it."""
        with self._idle:
            self._in_flight += 1

    def invoke(self, body: bytes, headers: Mapping[str, str], *, limit_s: float = _INVOCATION_S) -> Answer:
        """Hand a request on that was reserved; it fails after ``limit_s``."""
        contention = Contention(self._programs())
        begun = time.monotonic()

        def took_s() -> float:
            return max(0.0, time.monotonic() - begun - contention.seconds())

        connection = http.client.HTTPConnection(_HOST, self._port, timeout=limit_s)
        try:
            connection.request("POST", "/invocations", body=body, headers=dict(headers))
            answer = connection.getresponse()
            kind = answer.getheader("Content-Type") or "application/octet-stream"
            return Answer(answer.status, kind, answer.read(), took_s())
        except (OSError, http.client.HTTPException) as broken:
            return Answer(0, "text/plain", str(broken).encode(), took_s())
        finally:
            connection.close()
            with self._idle:
                self._in_flight -= 1
                self._idle.notify_all()

    def _programs(self) -> list[int]:
        """The server's processes; looked for once a second, for it may start others."""
        now = time.monotonic()
        if self._isolated is not None and now - self._looked >= _PROGRAMS_S:
            self._looked, self._seen = now, self._isolated.programs()
        return self._seen

    def retire(self) -> None:
        """End the process once its last request is answered: SIGTERM, and SIGKILL after the grace period."""
        with self._idle:
            self._idle.wait_for(lambda: self._in_flight == 0, timeout=_INVOCATION_S)
        if self._watched is None:
            self.kill()
            return
        self._watched.stop("retired")
        self.ended.wait(self._world.waits(_GRACE_S) + 5)

    def kill(self) -> None:
        """End the process at once, or as soon as there is one."""
        self._unwanted = True
        if self._watched is not None:
            self._watched.kill()
