"""A tiny model, and a caller that speaks ASGI without a socket."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seatrial.serving.answer import Problem
from seatrial.serving.app import App, ServerSettings
from seatrial.serving.servable import Golden, Row

JSON = {"content-type": "application/json"}


@dataclass
class Doubler:
    """Answers 2x. Its ``check`` believes nothing about values, as the contract asks."""

    max_rows: int = 100
    max_body_bytes: int = 100_000
    fault: Callable[[Sequence[Row]], Sequence[float]] | None = None
    name: str = "doubler"
    version: str = "7"
    digest: str = "ab" * 32
    threads: set[str] = field(default_factory=set)

    @property
    def signature(self) -> Mapping[str, Any]:
        return {"columns": [{"name": "x", "type": "float"}]}

    @property
    def golden(self) -> Golden:
        return Golden([{"x": 1.0}], [2.0], 0.0)

    def check(self, rows: Sequence[Row]) -> Sequence[Problem]:
        found = []
        for at, row in enumerate(rows):
            found += [Problem(at, name, "is not a column") for name in row if name != "x"]
            value = row.get("x")
            if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e30:
                found.append(Problem(at, "x", "is not a number"))
        return found

    def predict(self, rows: Sequence[Row]) -> Sequence[float]:
        self.threads.add(threading.current_thread().name)
        return self.fault(rows) if self.fault is not None else [2.0 * row["x"] for row in rows]


@dataclass
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = self.json["error"]
        assert set(found) - {"id"} == {"code", "message", "problems", "problems_total"}
        return found

    @property
    def problems(self) -> list[tuple[int | None, str | None]]:
        """Rows and columns of the problems."""
        return [(p["row"], p["column"]) for p in self.error["problems"]]


class Wire:
    """Calls an app as a server would, and keeps its access log."""

    def __init__(self, servable: Any = None, settings: ServerSettings | None = None) -> None:
        self.lines: list[bytes] = []
        self.app = App(servable or Doubler(), settings or ServerSettings(), self.lines.append)
        self.taken = 0
        """Messages of the last request's body that were read."""

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]

    def get(self, path: str, method: str = "GET") -> Reply:
        reply = self.call(method, path, [])
        assert reply is not None
        return reply

    def post(self, body: bytes | object, headers: Mapping[str, str] = JSON, path: str = "/predict") -> Reply:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        length = {"content-length": str(len(content))}
        reply = self.call("POST", path, [content], {**length, **headers})
        assert reply is not None
        return reply

    def chunked(
        self, chunks: Iterable[bytes], headers: Mapping[str, str] = JSON, *, leaves: bool = False
    ) -> Reply | None:
        return self.call("POST", "/predict", chunks, {"transfer-encoding": "chunked", **headers}, leaves=leaves)

    def call(
        self,
        method: str,
        path: str,
        chunks: Iterable[bytes],
        headers: Mapping[str, str] | None = None,
        *,
        leaves: bool = False,
    ) -> Reply | None:
        return asyncio.run(self.ask(method, path, chunks, headers or {}, leaves=leaves))

    async def ask(
        self, method: str, path: str, chunks: Iterable[bytes], headers: Mapping[str, str], *, leaves: bool = False
    ) -> Reply | None:
        """One request. With ``leaves`` the caller is gone after its chunks, else the body ends with them."""
        sent: list[Any] = []
        waiting = iter(chunks)
        self.taken = 0

        async def receive() -> dict[str, Any]:
            for chunk in waiting:
                self.taken += 1
                return {"type": "http.request", "body": chunk, "more_body": True}
            if leaves:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"secret=4711",
            "headers": [(k.encode(), v.encode("latin-1")) for k, v in headers.items()],
        }
        await self.app(scope, receive, send)
        if not sent:
            return None
        assert [m["type"] for m in sent[:2]] == ["http.response.start", "http.response.body"]
        assert not sent[-1].get("more_body")
        body = b"".join(m["body"] for m in sent[1:])
        answered = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
        if method != "HEAD":
            assert int(answered["content-length"]) == len(body)
        return Reply(sent[0]["status"], answered, body)
