"""Starts the offline AWS as a child process, for tests and for stories, and ends it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from seatrial.errors import ResourceError
from seatrial.rehearsal.aws.calls import CALLS
from seatrial.rehearsal.aws.faults.door import FAULTS, INTERRUPT_SPOT
from seatrial.rehearsal.aws.faults.fault import Fault, Kind
from seatrial.rehearsal.aws.greeting import REGION, environment
from seatrial.rehearsal.aws.iam.door import PERMISSIONS
from seatrial.rehearsal.aws.image import Image
from seatrial.rehearsal.aws.world import CREDENTIALS

_LONGEST_END_S = 30


class OfflineAws:
    """A context manager around ``python -m seatrial.rehearsal.aws``.

    It ends with this process, however this process ends.
    """

    def __init__(
        self,
        images: Sequence[Image] = (),
        *,
        port: int = 0,
        speed: float = 1.0,
        engine: str = "auto",
        every_role: bool = False,
    ) -> None:
        """``port`` 0 takes a free one. ``speed`` divides the service's own waits, never a program's time.

        ``engine``: ``podman`` or ``docker`` for the images that name a container, ``none`` for namespaces, ``auto`` for
        what there is. ``every_role``: a role without any policy may do nothing; otherwise it may do everything, for
        trials with roles that nobody furnished.
        """
        self._arguments = ["--port", str(port), "--speed", str(speed), "--engine", engine, "--json", "--until-eof"]
        if every_role:
            self._arguments.append("--every-role")
        for image in images:
            self._arguments += ["--image", image.model_dump_json()]
        self._process: subprocess.Popen[str] | None = None
        self.endpoint_url = ""

    def __enter__(self) -> OfflineAws:
        """Start it, and wait until it listens.

        Raises:
            ResourceError: it did not start.
        """
        self._process = subprocess.Popen(
            [sys.executable, "-m", "seatrial.rehearsal.aws", *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        try:
            line = self._process.stdout.readline()
        except BaseException:  # interrupted: nobody else would end it
            self._end()
            raise
        said: dict[str, Any] = json.loads(line) if line else {}
        if "endpoint_url" not in said:
            code = self._end()
            error = said.get("error", {})
            raise ResourceError(
                error.get("what", f"The offline AWS ended with {code} before it listened"),
                why=error.get("why", "Its standard error says more."),
                todo=error.get("todo", "Run: python -m seatrial.rehearsal.aws"),
            )
        self.endpoint_url = said["endpoint_url"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it and every job that it runs."""
        self._end()

    @property
    def pid(self) -> int:
        """The server's process."""
        assert self._process is not None
        return self._process.pid

    def environment(self, region: str = REGION) -> dict[str, str]:
        """What an unmodified client needs in its environment: address, region, credentials."""
        return environment(self.endpoint_url, region)

    def client_settings(self, region: str = REGION) -> dict[str, str]:
        """The same as keyword arguments of ``boto3.client``."""
        return {
            "endpoint_url": self.endpoint_url,
            "region_name": region,
            "aws_access_key_id": CREDENTIALS["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        }

    def calls(self) -> dict[str, dict[str, int]]:
        """What clients have asked so far: worth (executed, stored, unsupported) -> ``service:Operation`` -> calls."""
        counted: dict[str, dict[str, int]] = self._control("GET", CALLS)
        return counted

    def permissions(self) -> dict[str, list[dict[str, Any]]]:
        """``used`` and ``denied`` so far: each with its ``role``, ``action``, ``resource`` and how many ``times``."""
        told: dict[str, list[dict[str, Any]]] = self._control("GET", PERMISSIONS)
        return told

    def interrupt_spot(self, training_job: str, region: str = REGION) -> bool:
        """Take a training job's spot instance away. False when it does not train just now, or not on spot."""
        said = self._control("POST", INTERRUPT_SPOT, {"TrainingJobName": training_job, "Region": region})
        return bool(said["interrupted"])

    def fault(self, kind: Kind | str, **settings: Any) -> Fault:
        """Have something go wrong: ``aws.fault("throttling", operation="CreateTrainingJob", times=3)``.

        The settings are those of `Fault`; docs/rehearsal.md lists the kinds.

        Raises:
            pydantic.ValidationError: there is no such fault.
        """
        fault = Fault.model_validate({"kind": kind, **settings})
        self._control("POST", FAULTS, fault.model_dump(mode="json"))
        return fault

    def faults(self) -> list[dict[str, Any]]:
        """Each fault with what it has ``struck`` so far, and how many strikes are ``left``."""
        told: list[dict[str, Any]] = self._control("GET", FAULTS)["faults"]
        return told

    def clear_faults(self) -> None:
        """Forget the faults that wait. What they struck stays struck."""
        self._control("DELETE", FAULTS)

    def _control(self, method: str, path: str, asked: Any = None) -> Any:
        body = None if asked is None else json.dumps(asked).encode()
        request = urllib.request.Request(self.endpoint_url + path, data=body, method=method)  # noqa: S310 loopback
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 the address is ours, on loopback
            return json.load(answer)

    def _end(self) -> int:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            code = process.wait(_LONGEST_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        process.stdout.close()
        return code
