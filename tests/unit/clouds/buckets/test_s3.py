"""``s3://`` through unmodified boto3, against moto's server."""

from __future__ import annotations

import builtins
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

from seatrial.clouds import buckets
from seatrial.errors import MissingExtra, ResourceError

TURNED_OFF = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nowhere",
    "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


def moto(address: str, path: str, body: str = "") -> None:
    request = urllib.request.Request(f"{address}/moto-api/{path}", data=body.encode(), method="POST")
    request.add_header("Content-Type", "text/plain")
    urllib.request.urlopen(request, timeout=10).close()


@pytest.fixture
def s3(address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of an empty S3, which this process's environment names."""
    moto(address, "reset")
    settings = {"AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "one", "AWS_SECRET_ACCESS_KEY": "two"}
    for name, value in {**TURNED_OFF, **settings, "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    client = boto3.client("s3")
    client.create_bucket(Bucket="trial")
    yield client
    moto(address, "reset-auth", "inf")


def put(client: Any, **objects: str) -> None:
    for key, text in objects.items():
        client.put_object(Bucket="trial", Key=key.replace("__", "/"), Body=text.encode())


def test_one_object_and_a_folder(s3: Any, tmp_path: Path) -> None:
    put(s3, data__a="1", data__sub__b="2", database="other", data__sub__="")
    buckets.look_up("s3://trial/data/a").copy(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "1"
    for number, uri in enumerate(("s3://trial/data", "s3://trial/data/")):
        buckets.look_up(uri).copy(tmp_path / str(number))
        found = {p.relative_to(tmp_path / str(number)).as_posix() for p in (tmp_path / str(number)).rglob("*")}
        assert found == {"a", "sub", "sub/b"}  # and not what only begins like the folder's name
    buckets.look_up("s3://trial").copy(tmp_path / "all")
    assert (tmp_path / "all/database").read_text() == "other"


def test_more_objects_than_one_listing_has(s3: Any, tmp_path: Path) -> None:
    backend = s3_backends["123456789012"]["aws"]  # a thousand requests would take seconds
    for number in range(1_010):
        backend.put_object("trial", f"many/{number:04}", b"")
    assert len(buckets.look_up("s3://trial/many").objects) == 1_010


def test_the_version_follows_content_names_and_removal(s3: Any) -> None:
    def version() -> str:
        return buckets.look_up("s3://trial/data").version

    put(s3, data__a="1", data__b="2")
    seen = [version()]
    assert version() == seen[0]
    put(s3, data__a="changed")
    seen.append(version())
    put(s3, data__c="3")
    seen.append(version())
    s3.delete_object(Bucket="trial", Key="data/b")
    seen.append(version())
    assert len(set(seen)) == 4


@pytest.mark.parametrize("removed", [False, True])
def test_what_changes_between_look_up_and_reading_is_not_read(s3: Any, tmp_path: Path, removed: bool) -> None:
    put(s3, data="1")
    found = buckets.look_up("s3://trial/data")
    if removed:
        s3.delete_object(Bucket="trial", Key="data")
    else:
        put(s3, data="2")
    with pytest.raises(ResourceError, match="s3://trial/data changed while it was read"):
        found.copy(tmp_path / "file")


@pytest.mark.parametrize("uri", ["s3://trial/none", "s3://trial/dat", "s3://elsewhere/data", "s3://trial/data/"])
def test_nothing_there(s3: Any, uri: str) -> None:
    put(s3, data="1")
    with pytest.raises(ResourceError, match="is not there"):
        buckets.look_up(uri)


@pytest.mark.parametrize("key", ["data/../../escaped", "data//absolute", "data/./same"])
def test_a_key_that_leaves_the_folder_is_refused(s3: Any, tmp_path: Path, key: str) -> None:
    s3.put_object(Bucket="trial", Key=key, Body=b"x")
    target = tmp_path / "one/two"
    target.parent.mkdir()
    with pytest.raises(ResourceError, match="holds an object named"):
        buckets.look_up("s3://trial/data").copy(target)
    assert [p.name for p in tmp_path.rglob("*")] == ["one"]


def test_a_name_that_is_a_file_and_a_folder_is_refused(s3: Any, tmp_path: Path) -> None:
    put(s3, data__a="1", data__a__b="2")
    with pytest.raises(ResourceError, match="an object and objects below it: a"):
        buckets.look_up("s3://trial/data").copy(tmp_path / "t")


def test_denied(s3: Any, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(s3, data="1")
    iam = boto3.client("iam")
    iam.create_user(UserName="u")
    key = iam.create_access_key(UserName="u")["AccessKey"]
    moto(address, "reset-auth", "0")  # from now on, who asks is looked at
    with pytest.raises(ResourceError, match="not accepted") as unknown:
        buckets.look_up("s3://trial/data/")
    assert "InvalidAccessKeyId" in unknown.value.what
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    for uri in ("s3://trial/data", "s3://trial/data/"):
        with pytest.raises(ResourceError, match=f"access to {uri} is denied") as denied:
            buckets.look_up(uri)
        assert "s3:GetObject" in denied.value.todo


def test_without_credentials(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ResourceError, match="no credentials") as none:
        buckets.look_up("s3://trial/data")
    assert "AWS_PROFILE" in none.value.todo


def test_a_service_that_does_not_answer(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(ResourceError, match="cannot be read") as gone:
        buckets.look_up("s3://trial/data")
    assert "AWS_ENDPOINT_URL" in gone.value.todo
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(ResourceError, match="no client of S3"):
        buckets.look_up("s3://trial/data")


def test_without_the_library(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "boto3":
            raise ModuleNotFoundError(name=name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match="boto3") as missing:
        buckets.look_up("s3://trial/data")
    assert "seatrial[aws]" in missing.value.todo


@pytest.mark.parametrize(("uri", "said"), [("oci://b/k", "oci:// is not read"), ("s3:///k", "names no bucket")])
def test_other_uris_are_refused(uri: str, said: str) -> None:
    with pytest.raises(ResourceError, match=said):
        buckets.look_up(uri)
