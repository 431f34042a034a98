"""Plain clients of the cloud that resources are applied to, and the few questions that every type asks."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

PARTITION = "aws"


class Session:
    """An account and a region of the offline AWS."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        """``settings``: keyword arguments of ``boto3.client``, as `OfflineAws.client_settings` gives them."""
        self._settings = dict(settings)
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._boto = boto3.Session()

    @property
    def region(self) -> str:
        """The region's name."""
        return self._settings["region_name"]

    @cached_property
    def caller(self) -> dict[str, str]:
        """Who asks: ``Account``, ``Arn``, ``UserId``."""
        return {key: self.client("sts").get_caller_identity()[key] for key in ("Account", "Arn", "UserId")}

    @property
    def account(self) -> str:
        """The account's number."""
        return self.caller["Account"]

    def arn(self, service: str, resource: str, *, regional: bool = True, account: bool = True) -> str:
        """The ARN of something in this account and region."""
        region, number = self.region if regional else "", self.account if account else ""
        return f"arn:{PARTITION}:{service}:{region}:{number}:{resource}"

    def client(self, service: str) -> Any:
        """A client, made once: boto3 needs 0.1 s to make one, and a client may be used by many threads."""
        with self._lock:  # making two at once is what boto3 does not allow
            if service not in self._clients:
                retries = Config(retries={"mode": "standard", "total_max_attempts": 3})
                self._clients[service] = self._boto.client(service, **self._settings, config=retries)
            return self._clients[service]

    def call(self, service: str, operation: str, /, **request: Any) -> dict[str, Any]:
        """One request; ``operation`` as the API names it (``CreateBucket``).

        Raises:
            ClientError: AWS refused it.
        """
        answer: dict[str, Any] = getattr(self.client(service), xform_name(operation))(**request)
        return answer

    @staticmethod
    def refusal(operation: str, code: str, message: str) -> ClientError:
        """An error as AWS would have sent it: for what it says in an answer, or does not say in one region of all."""
        return ClientError({"Error": {"Code": code, "Message": message}}, operation)

    def ask(self, service: str, operation: str, gone: tuple[str, ...], /, **request: Any) -> dict[str, Any] | None:
        """One request; None where AWS answers with one of the codes ``gone``: there is no such thing."""
        try:
            return self.call(service, operation, **request)
        except ClientError as error:
            if error.response["Error"]["Code"] in gone:
                return None
            raise

    def pages(self, service: str, operation: str, result: str, /, **request: Any) -> Iterator[Any]:
        """Every entry of a list, page after page."""
        client = self.client(service)
        name = xform_name(operation)
        if client.can_paginate(name):
            for page in client.get_paginator(name).paginate(**request):
                yield from page.get(result, ())
        else:
            yield from self.call(service, operation, **request).get(result, ())

    def shape(self, service: str, operation: str) -> Any:
        """The input shape of an operation."""
        return self.client(service).meta.service_model.operation_model(operation).input_shape
