"""The ASGI application: routes, limits, and who runs a prediction.

No framework: five routes and one body format do not pay for one (a framework with validation measured a quarter of the
requests per second). Small requests are answered on the event loop; large ones in a thread, so that a health check
never waits for a batch. A request is large when its *body* is: that is known before it is parsed.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from seatrial.serving.answer import Answer, Problem, ok, refusal
from seatrial.serving.log import Access, Sink, now
from seatrial.serving.request import read_rows
from seatrial.serving.servable import Servable

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_log = logging.getLogger(__name__)
_encode_line = msgspec.json.Encoder().encode_into
_JSON = (b"content-type", b"application/json")


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How the server behaves, whatever it serves."""

    health_routes: tuple[str, ...] = ("/ping", "/health")
    """``/ping`` is SageMaker's; Vertex AI's is added from ``AIP_HEALTH_ROUTE`` by whoever starts the server."""
    predict_routes: tuple[str, ...] = ("/invocations", "/predict")
    """``/invocations`` is SageMaker's; Vertex AI's is added from ``AIP_PREDICT_ROUTE``."""
    inline_bytes: int = 16_384
    """Bodies up to this size are predicted on the event loop: about 50 rows of 18 columns, under a millisecond."""
    threads: int = min(4, os.cpu_count() or 1)
    """Threads for larger bodies."""
    max_waiting: int = 64
    """Larger bodies in a thread or waiting for one; beyond it the answer is 503, so that memory is bounded."""
    body_timeout_s: float = 30.0
    """How long a whole body may take to arrive."""
    linger_s: float = 2.0
    """How long a refused body is still read, so that the caller gets to see the refusal and not a reset connection."""
    linger_bytes: int = 64 * 2**20
    """How much of it is read, at most. Nothing of it is kept."""


class _Predictions(msgspec.Struct):
    predictions: list[float]
    model: msgspec.Raw


class App:
    """One model behind HTTP. Made and used on one event loop; ``close`` ends its threads."""

    def __init__(self, servable: Servable, settings: ServerSettings, access: Sink) -> None:
        self._servable = servable
        self._settings = settings
        self._access = access
        self._pool = ThreadPoolExecutor(settings.threads, thread_name_prefix="predict")
        self._pooled = 0
        self._draining = False
        identity = {"name": servable.name, "version": servable.version, "digest": servable.digest}
        self._model = msgspec.Raw(msgspec.json.encode(identity))
        self._healthy = ok({"status": "healthy", **identity})
        self._metadata = ok({**identity, "signature": servable.signature, "limits": self._limits()})
        self._gets = dict.fromkeys(settings.health_routes, self._health) | {"/metadata": lambda: self._metadata}
        self._posts = frozenset(settings.predict_routes)

    def drain(self) -> None:
        """From now on every answer ends its connection, and health checks say 503."""
        self._draining = True

    def close(self) -> None:
        """End the threads, when the last request has been answered."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        started = time.perf_counter()
        read = 0
        try:
            outcome = await self._predict(scope, receive) if self._is_predict(scope) else self._get(scope)
            answer, read = outcome if isinstance(outcome, tuple) else (outcome, 0)
        except Exception:  # noqa: BLE001 - one request's fault must not end the server; it is logged with its traceback
            answer, read = self._failed(), 0
        if answer is not None:
            if not read and not answer.linger and _declared_bytes(dict(scope["headers"])) > self._settings.inline_bytes:
                answer = replace(answer, linger=True)  # a body that nobody wants: do not read it to its end
            await self._send(answer, scope, receive, send)
        if answer is not self._healthy:  # platforms ask every few seconds: the log would hold little else
            self._write_access(scope, answer, read, time.perf_counter() - started)

    def predict(self, body: bytes) -> Answer:
        """Parse, check, predict, encode: the part of a request that needs a processor and no socket."""
        try:
            rows = read_rows(body, self._servable)
            if isinstance(rows, Answer):
                return rows
            predictions = list(self._servable.predict(rows))
            if len(predictions) != len(rows) or not all(map(math.isfinite, predictions)):
                raise ValueError(
                    f"the model returned {len(predictions)} values for {len(rows)} rows, or one not finite"
                )
            return ok(_Predictions(predictions, self._model), rows=len(rows))
        except Exception:  # noqa: BLE001 - as above
            return self._failed()

    def _limits(self) -> dict[str, int]:
        return {"max_rows": self._servable.max_rows, "max_body_bytes": self._servable.max_body_bytes}

    def _health(self) -> Answer:
        return refusal(503, "draining", "this server is shutting down") if self._draining else self._healthy

    def _is_predict(self, scope: Scope) -> bool:
        return scope["method"] == "POST" and scope["path"] in self._posts

    def _get(self, scope: Scope) -> Answer:
        """Everything that carries no body worth reading: health, metadata, and what does not exist."""
        path, method = scope["path"], scope["method"]
        if path in self._posts:
            return refusal(
                405, "method_not_allowed", "predictions are asked for with POST", headers=((b"allow", b"POST"),)
            )
        if path not in self._gets:
            known = ", ".join(sorted({*self._gets, *self._posts}))
            return refusal(404, "not_found", f"there is no such route; known: {known}")
        if method not in ("GET", "HEAD"):
            return refusal(
                405, "method_not_allowed", "this route is read with GET", headers=((b"allow", b"GET, HEAD"),)
            )
        return self._gets[path]()

    async def _predict(self, scope: Scope, receive: Receive) -> tuple[Answer | None, int]:
        """The answer (None when the caller went away) and the bytes that were read for it."""
        headers = dict(scope["headers"])
        problems = _header_problems(headers)
        if problems:
            return refusal(415, "unsupported_media_type", "the body cannot be read", problems), 0
        if self._servable.max_body_bytes < _declared_bytes(headers) < math.inf:
            return self._too_large(), 0
        body = await self._body(receive)
        if not isinstance(body, bytes):
            return body
        if len(body) <= self._settings.inline_bytes:
            return self.predict(body), len(body)
        if self._pooled >= self._settings.max_waiting:
            message = "too many large requests are waiting; try again shortly"
            return refusal(503, "busy", message, headers=((b"retry-after", b"1"),)), len(body)
        self._pooled += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self.predict, body), len(body)
        finally:
            self._pooled -= 1

    async def _body(self, receive: Receive) -> bytes | tuple[Answer | None, int]:
        """The whole body; or a refusal (None when the caller went away) and how much had arrived."""
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._settings.body_timeout_s):
                while (message := await receive())["type"] == "http.request":
                    chunk: bytes = message.get("body", b"")
                    size += len(chunk)
                    if size > self._servable.max_body_bytes:
                        return self._too_large(), size
                    if not message.get("more_body"):
                        return b"".join([*chunks, chunk]) if chunks else chunk
                    chunks.append(chunk)
        except TimeoutError:
            text = f"the body did not arrive within {self._settings.body_timeout_s:g} seconds"
            return refusal(408, "body_timeout", text, linger=True), size
        return None, size

    def _too_large(self) -> Answer:
        problem = f"it is larger than {self._servable.max_body_bytes} bytes. Send fewer rows per request"
        return refusal(413, "body_too_large", "the body is too large", [Problem(None, None, problem)], linger=True)

    def _failed(self) -> Answer:
        """Call it while the exception is being handled: the traceback is for the log, the id is for the caller."""
        error_id = secrets.token_hex(8)
        _log.exception("request failed, id %s", error_id)
        message = "the server failed to answer; its log tells why under this id"
        return refusal(500, "internal_error", message, error_id=error_id)

    async def _send(self, answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [_JSON, (b"content-length", b"%d" % len(answer.body)), *answer.headers]
        if self._draining or answer.linger:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else answer.body
        if answer.linger:
            await send({"type": "http.response.body", "body": body, "more_body": True})
            await self._discard(receive)
            body = b""
        await send({"type": "http.response.body", "body": body})

    async def _discard(self, receive: Receive) -> None:
        """Read on for a while: closing on unread bytes makes the kernel reset the connection, answer and all."""
        left = self._settings.linger_bytes
        try:
            async with asyncio.timeout(self._settings.linger_s):
                while left > 0:
                    message = await receive()
                    left -= len(message.get("body", b""))
                    if message["type"] != "http.request" or not message.get("more_body"):
                        return
        except TimeoutError:
            return

    def _write_access(self, scope: Scope, answer: Answer | None, read: int, seconds: float) -> None:
        line = bytearray()
        access = Access(
            time=now(),
            event="request",
            method=scope["method"],
            path=scope["path"][:100],
            status=499 if answer is None else answer.status,
            ms=round(seconds * 1000, 3),
            bytes_in=read,
            version=self._servable.version,
        )
        if answer is not None:
            access.rows, access.code = answer.rows, answer.code
            access.problems, access.error_id = answer.problems, answer.error_id
        _encode_line(access, line)
        line += b"\n"
        self._access(bytes(line))


def _header_problems(headers: Mapping[bytes, bytes]) -> list[Problem]:
    """What makes a body unreadable before any of it is read."""
    problems = []
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind != b"application/json":
        given = f"content-type '{kind.decode('latin-1')}'" if kind else "a body without content-type"
        problems.append(Problem(None, None, f"{given} is not accepted; send application/json"))
    coding = headers.get(b"content-encoding", b"identity").strip().lower()
    if coding != b"identity":
        given = coding.decode("latin-1")
        problems.append(Problem(None, None, f"content-encoding '{given}' is not accepted; send the body as it is"))
    return problems


def _declared_bytes(headers: Mapping[bytes, bytes]) -> float:
    """The size of the body that follows; infinite when it is not said."""
    if b"transfer-encoding" in headers:
        return math.inf
    try:
        return int(headers.get(b"content-length", b"0"))
    except ValueError:
        return math.inf
