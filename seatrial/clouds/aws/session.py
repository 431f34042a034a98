"""The one way to AWS: every request is made here, so that all are retried, explained and printable alike.

Region and credentials come as for every AWS client: the stack names the region, the standard chain finds the
credentials. The offline AWS differs in ``AWS_ENDPOINT_URL`` and credentials, and in nothing else.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from seatrial import __version__
from seatrial.clouds.aws import shapes
from seatrial.clouds.aws.calls import require_declared
from seatrial.clouds.aws.failures import Refused, translated
from seatrial.errors import MissingExtra, ResourceError

Json = Any
_CONNECT_S = 5
_READ_S = 70  # a model may take 60 s to answer
_ATTEMPTS = 5
_POOL = 16
_CAPACITY_PAUSES_S = (5.0, 20.0, 60.0)


@dataclass(frozen=True)
class Request:
    """One request that changes something."""

    service: str
    """As boto3 names it: ``sagemaker``."""
    operation: str
    """As the service names it: ``CreatePipeline``."""
    parameters: Mapping[str, Json]

    def problems(self) -> list[str]:
        """What the service would refuse before it even looks: unknown members, lengths, patterns, enumerations."""
        shape = shapes.request_shape(self.operation, self.service)
        return shapes.conform(shape, dict(self.parameters), self.operation, lambda *_: None)


def new_session(region: str | None = None) -> Any:
    """A boto3 session; ``None`` leaves the region to the standard chain.

    Services' descriptions are shared with the process's other sessions: reading them is most of what a client costs.

    Raises:
        MissingExtra: boto3 is not installed.
    """
    try:
        import boto3
        import botocore.session
    except ImportError as exc:
        raise MissingExtra("The target 'aws'", "boto3", "aws") from exc
    session = botocore.session.get_session()
    session.register_component("data_loader", _descriptions(session.get_config_variable("data_path")))
    return boto3.session.Session(botocore_session=session, region_name=region)


@functools.cache
def _descriptions(data_path: str | None) -> Any:
    from botocore.loaders import create_loader

    return create_loader(data_path)


class Aws:
    """Clients of one region. Safe to share between threads.

    Args:
        region: where everything is.
        attempts: how often one request is made, when it is throttled, times out or the service fails.
        record: when given, requests that change something are handed to it and **not** sent (``--dry-run``).
        sleep: waits between attempts where capacity is short.
        only_declared: operations that no adapter declares are refused (``calls``).
    """

    def __init__(
        self,
        region: str,
        *,
        attempts: int = _ATTEMPTS,
        record: Callable[[Request], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        only_declared: bool = False,
    ) -> None:
        self.region = region
        self._attempts = attempts
        self._record = record
        self._sleep = sleep
        self._only_declared = only_declared
        self._clients: dict[str, Any] = {}
        self._session: Any = None
        self._lock = threading.Lock()

    @property
    def dry_run(self) -> bool:
        """Whether requests that change something are only recorded."""
        return self._record is not None

    def client(self, service: str) -> Any:
        """The boto3 client of a service, for what is no plain request: uploads, waiters.

        Raises:
            MissingExtra: boto3 is not installed.
        """
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._make(service)
            return self._clients[service]

    def _make(self, service: str) -> Any:
        try:
            from botocore.config import Config
        except ImportError as exc:
            raise MissingExtra("The target 'aws'", "boto3", "aws") from exc
        config = Config(
            retries={"mode": "standard", "total_max_attempts": self._attempts},
            connect_timeout=_CONNECT_S,
            read_timeout=_READ_S,
            max_pool_connections=_POOL,
            user_agent_extra=f"seatrial/{__version__}",
        )
        with translated(service, "connect", self.region):
            if self._session is None:
                self._session = new_session(self.region)
            return self._session.client(service, config=config)

    def ask(self, service: str, operation: str, **parameters: Json) -> Json:
        """Make a request that changes nothing.

        Raises:
            Refused: the service says no; throttling and failures of its own were retried before.
            ResourceError: it cannot be reached, or there are no credentials.
        """
        return self._call(service, operation, parameters)

    def pages(self, service: str, operation: str, member: str, **parameters: Json) -> Iterator[Json]:
        """The items of a listing, whatever its pages are. Raises as :meth:`ask`."""
        from botocore import xform_name

        if self._only_declared:
            require_declared(service, operation)
        with translated(service, operation, self.region):
            for page in self.client(service).get_paginator(xform_name(operation)).paginate(**parameters):
                yield from page.get(member, [])

    def submit(self, service: str, operation: str, **parameters: Json) -> Json:
        """Make a request that changes something; in a dry run, hand it to the recorder and answer ``{}``.

        Raises:
            Refused: the service says no. Its own limits were checked before it was asked.
            ResourceError: it cannot be reached, or there are no credentials.
        """
        request = Request(service, operation, parameters)
        problems = request.problems() if service == "sagemaker" else []
        if problems:
            raise ResourceError(
                f"{operation} was not sent: {len(problems)} problem{'s' * (len(problems) > 1)}\n"
                + "\n".join(f"  {p}" for p in problems),
                why=f"{service} would refuse it.",
                todo="Correct the setting or the stack output that it comes from.",
            )
        if self._record is not None:
            self._record(request)
            return {}
        for pause in _CAPACITY_PAUSES_S:
            try:
                return self._call(service, operation, parameters)
            except Refused as refused:
                if not refused.for_lack_of_capacity:
                    raise
                self._sleep(pause)
        return self._call(service, operation, parameters)

    def _call(self, service: str, operation: str, parameters: Mapping[str, Json]) -> Json:
        from botocore import xform_name

        if self._only_declared:
            require_declared(service, operation)
        client = self.client(service)
        with translated(service, operation, self.region, _about(parameters), self._who):
            return getattr(client, xform_name(operation))(**parameters)

    def _who(self) -> str:
        """Whom these credentials stand for; "" where nobody says."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return str(self.client("sts").get_caller_identity()["Arn"])  # everybody may ask this, and needs no grant
        except (BotoCoreError, ClientError):
            return ""


def _about(parameters: Mapping[str, Json]) -> str:
    """The object that a request names, for people."""
    return f"s3://{parameters['Bucket']}/{parameters.get('Key', '')}" if "Bucket" in parameters else ""
