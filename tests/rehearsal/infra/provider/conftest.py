"""One offline AWS for the tests of a module, and the provider on it."""

from __future__ import annotations

import io
import itertools
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from seatrial.rehearsal.aws import OfflineAws
from seatrial.rehearsal.infra.provider.aws import AwsProvider
from seatrial.rehearsal.infra.provider.base import Props


def trust(service: str) -> str:
    allow = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [allow]})


class Cloud:
    """What an example stands on: clients, the provider, and resources that exist already."""

    def __init__(self, aws: OfflineAws) -> None:
        self.aws = aws
        self.provider = AwsProvider(aws.client_settings())
        self._numbers = itertools.count(1)
        self.standing: list[tuple[str, Props]] = []

    def client(self, service: str) -> Any:
        return boto3.client(service, **self.aws.client_settings())

    def name(self, stem: str = "trial") -> str:
        return f"{stem}-{next(self._numbers)}"

    def made(self, token: str, **inputs: Any) -> Props:
        """The outputs of a new resource, ``id`` among them."""
        checked, problems = self.provider.check(token, self.name(), inputs, None)
        assert problems == []
        id, outputs = self.provider.create(token, checked)
        self.standing.append((token, {**outputs, "id": id}))
        return {**outputs, "id": id}

    def clear(self) -> None:
        """Delete what was made, the latest first."""
        while self.standing:
            token, outputs = self.standing.pop()
            self.provider.delete(token, outputs["id"], outputs)

    def bucket(self) -> str:
        return str(self.made("aws:s3/bucket:Bucket")["id"])

    def key(self) -> str:
        """A key's ARN."""
        return str(self.made("aws:kms/key:Key")["arn"])


@pytest.fixture(scope="module")
def offline() -> Iterator[OfflineAws]:
    with OfflineAws() as aws:
        yield aws


@pytest.fixture
def cloud(offline: OfflineAws) -> Iterator[Cloud]:
    cloud = Cloud(offline)
    yield cloud
    cloud.clear()
    assert cloud.provider.inventory() == set()


def packed(source: str) -> bytes:
    """A zip with ``source`` as main.py; the same bytes whenever it is made."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr(zipfile.ZipInfo("main.py"), source)
    return archive.getvalue()
