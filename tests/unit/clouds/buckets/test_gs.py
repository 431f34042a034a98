"""``gs://`` through unmodified google-cloud-storage, against a server of its JSON API with generations."""

from __future__ import annotations

import base64
import builtins
import json
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import google_crc32c
import pytest

from seatrial.clouds import buckets
from seatrial.errors import MissingExtra, ResourceError


@dataclass
class Store:
    """Buckets of objects with generations; what a request about them is answered."""

    objects: dict[tuple[str, str], tuple[int, bytes]] = field(default_factory=dict)
    buckets: set[str] = field(default_factory=lambda: {"trial", "private"})
    page: int = 2
    """Objects in one listing."""
    damaged: bool = False
    """Contents do not fit their checksums."""
    writes: int = 0
    asked: list[str] = field(default_factory=list)

    def put(self, key: str, content: str) -> None:
        self.writes += 1
        self.objects["trial", key] = (self.writes, content.encode())

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        parts = path.removeprefix("/download").removeprefix("/storage/v1/b/").split("/")
        bucket, key = parts[0], urllib.parse.unquote(parts[2]) if len(parts) > 2 else ""
        if bucket == "private":
            return 403, {}, b"{}"
        if bucket not in self.buckets:
            return 404, {}, b"{}"
        if not key:
            return 200, {}, json.dumps(self.listing(bucket, query)).encode()
        if (bucket, key) not in self.objects:
            return 404, {}, b"{}"
        generation, content = self.objects[bucket, key]
        if query.get("ifGenerationMatch", str(generation)) != str(generation):
            return 412, {}, b"{}"
        if query.get("alt") == "media":
            sum_of = b"something else" if self.damaged else content
            crc = base64.b64encode(google_crc32c.Checksum(sum_of).digest()).decode()
            return 200, {"X-Goog-Hash": f"crc32c={crc}", "X-Goog-Generation": str(generation)}, content
        return 200, {}, json.dumps({"name": key, "bucket": bucket, "generation": str(generation)}).encode()

    def listing(self, bucket: str, query: dict[str, str]) -> dict[str, Any]:
        prefix, start = query.get("prefix", ""), int(query.get("pageToken", "0"))
        found = sorted((k, g) for (b, k), (g, _) in self.objects.items() if b == bucket and k.startswith(prefix))
        page = {"items": [{"name": k, "generation": str(g)} for k, g in found[start : start + self.page]]}
        more = {"nextPageToken": str(start + self.page)} if start + self.page < len(found) else {}
        return {**page, **more}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A service that this process's environment names."""
    kept = Store()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urllib.parse.urlsplit(self.path)
            kept.asked.append(url.path)
            status, headers, body = kept.answer(url.path, dict(urllib.parse.parse_qsl(url.query)))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    yield kept
    server.shutdown()
    thread.join()
    server.server_close()


def test_one_object_and_a_folder(store: Store, tmp_path: Path) -> None:
    for key in ("data/a", "data/sub/b", "data/c d", "database", "data/sub/"):
        store.put(key, "" if key.endswith("/") else key)
    buckets.look_up("gs://trial/data/c d").copy(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "data/c d"
    buckets.look_up("gs://trial/data").copy(tmp_path / "folder")
    found = {p.relative_to(tmp_path / "folder").as_posix() for p in (tmp_path / "folder").rglob("*")}
    assert found == {"a", "c d", "sub", "sub/b"}


def test_only_objects_are_asked_for(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Storage Object Viewer is all that is granted; the library would look at the bucket, behind everybody's back."""

    def asked() -> set[str]:
        before = set(threading.enumerate())
        buckets.look_up("gs://trial/data").copy(tmp_path / "file")
        for thread in set(threading.enumerate()) - before:
            thread.join(60)
        return {path.rpartition("/")[2] for path in store.asked}

    store.put("data", "1")
    assert asked() == {"data"}
    monkeypatch.setenv("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "false")
    assert asked() == {"data", "trial"}  # somebody who wants traces may have them, and this test can fail


def test_the_version_follows_content_names_and_removal(store: Store) -> None:
    def version() -> str:
        return buckets.look_up("gs://trial/data").version

    store.put("data/a", "1")
    store.put("data/b", "2")
    seen = [version()]
    assert version() == seen[0]
    store.put("data/a", "1")  # written again, so another generation
    seen.append(version())
    store.put("data/c", "3")
    seen.append(version())
    del store.objects["trial", "data/b"]
    seen.append(version())
    assert len(set(seen)) == 4


@pytest.mark.parametrize("removed", [False, True])
def test_what_changes_between_look_up_and_reading_is_not_read(store: Store, tmp_path: Path, removed: bool) -> None:
    store.put("data", "1")
    found = buckets.look_up("gs://trial/data")
    store.put("data", "2")
    if removed:
        del store.objects["trial", "data"]
    with pytest.raises(ResourceError, match="gs://trial/data changed while it was read"):
        found.copy(tmp_path / "file")


@pytest.mark.parametrize("uri", ["gs://trial/none", "gs://trial/dat", "gs://elsewhere/data", "gs://trial/data/"])
def test_nothing_there(store: Store, uri: str) -> None:
    store.put("data", "1")
    with pytest.raises(ResourceError, match="is not there"):
        buckets.look_up(uri)


def test_denied(store: Store) -> None:
    for uri in ("gs://private/data", "gs://private/data/"):
        with pytest.raises(ResourceError, match=f"access to {uri} is denied") as denied:
            buckets.look_up(uri)
        assert "Storage Object Viewer" in denied.value.todo


def test_content_that_does_not_fit_its_checksum(store: Store, tmp_path: Path) -> None:
    store.put("data", "1")
    found = buckets.look_up("gs://trial/data")
    store.damaged = True
    with pytest.raises(ResourceError, match="cannot be read"):
        found.copy(tmp_path / "file")


def test_without_credentials(store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("STORAGE_EMULATOR_HOST")
    for name, value in {"GCE_METADATA_HOST": "127.0.0.1:1", "NO_GCE_CHECK": "true", "HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    with pytest.raises(ResourceError, match="no credentials") as none:
        buckets.look_up("gs://trial/data")
    assert "gcloud auth application-default login" in none.value.todo


def test_a_service_that_does_not_answer(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")
    monkeypatch.setattr("seatrial.clouds.buckets.gs._PATIENCE_S", 0.1)
    with pytest.raises(ResourceError, match="cannot be read") as gone:
        buckets.look_up("gs://trial/data")
    assert "STORAGE_EMULATOR_HOST" in gone.value.todo


def test_without_the_library(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "google.cloud" and rest[2]:
            raise ModuleNotFoundError(name=name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match="google-cloud-storage") as missing:
        buckets.look_up("gs://trial/data")
    assert "seatrial[gcp]" in missing.value.todo
