"""The same app behind a real uvicorn on loopback: connections, slow callers, and the end."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from seatrial.clouds.local.server import ModelServer
from seatrial.package.read import Package
from seatrial.serving.app import App, ServerSettings
from seatrial.serving.servable import Row
from tests.ports import free_port
from tests.unit.serving.bench import JSON, Doubler

BODY = b'{"instances": [{"x": 4}]}'
PATIENCE_S = 60


class Running:
    """A server in a thread of its own."""

    def __init__(self, servable: Any, settings: ServerSettings) -> None:
        self.lines: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self._ready = threading.Event()
        self.closed = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(servable, settings)))
        self._thread.start()
        assert self._ready.wait(PATIENCE_S)

    async def _serve(self, servable: Any, settings: ServerSettings) -> None:
        self._loop = asyncio.get_running_loop()
        self._server = ModelServer(App(servable, settings, self.lines.append), closed=self.closed.set)
        await self._server.listen(self.listener)
        self._ready.set()
        await self._server.run()

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._server.end)

    def join(self) -> None:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)


@contextmanager
def running(servable: Any = None, settings: ServerSettings | None = None) -> Iterator[Running]:
    found = Running(servable or Doubler(), settings or ServerSettings())
    try:
        yield found
    finally:
        if found._thread.is_alive():
            found.end()
        found.join()


def ask(
    connection: http.client.HTTPConnection, body: Any = BODY, path: str = "/predict", **headers: str
) -> tuple[int, Any]:
    connection.request("POST", path, body, {**JSON, **headers})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def test_one_connection_carries_many_requests_good_and_bad() -> None:
    with running() as server:
        connection = server.connect()
        assert ask(connection)[1]["predictions"] == [8.0]
        opened = connection.sock
        assert ask(connection, b"{")[0] == 400
        assert ask(connection, BODY, **{"content-type": "text/csv"})[0] == 415
        assert ask(connection, BODY, path="/nowhere")[0] == 404
        assert ask(connection, iter([BODY[:9], BODY[9:]]))[1]["predictions"] == [8.0]  # chunked
        assert connection.sock is opened
        connection.close()


def test_an_answer_does_not_wait_for_the_callers_acknowledgement() -> None:
    """Without TCP_NODELAY each answer on a kept connection took 40 ms. The caller's own was never the matter."""
    with running() as server:
        assert server.listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as caller:
            assert not caller.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_requests_sent_ahead_are_answered_in_order() -> None:
    def request(x: int) -> bytes:
        body = b'{"instances": [{"x": %d}]}' % x
        return (
            b"POST /predict HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
            % (
                len(body),
                body,
            )
        )

    with running() as server, socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as caller:
        caller.sendall(request(1) + request(2) + request(3))
        read = b""
        while read.count(b'"predictions":[') < 3:
            read += caller.recv(65536)
        assert read.index(b"[2.0]") < read.index(b"[4.0]") < read.index(b"[6.0]")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_caller_whose_body_is_far_too_large_gets_to_see_the_refusal(chunked: bool) -> None:
    """Closing on unread bytes resets the connection, and the caller would see only that."""
    body = b" " * 5_000_000
    with running(settings=ServerSettings(linger_s=PATIENCE_S)) as server:
        connection = server.connect()
        status, told = ask(connection, iter([body[:90_000], body[90_000:]]) if chunked else body)
        assert (status, told["error"]["code"]) == (413, "body_too_large")
        assert ask(connection)[0] == 200  # on a connection of its own: the first one was closed
        connection.close()


def test_a_slow_caller_is_waited_for_and_keeps_nobody_else_waiting() -> None:
    with running() as server:
        slow, quick = server.connect(), server.connect()
        slow.putrequest("POST", "/predict")
        slow.putheader("content-type", "application/json")
        slow.putheader("content-length", str(len(BODY)))
        slow.endheaders()
        for at in range(0, len(BODY) - 1, 8):
            slow.send(BODY[at : at + 8])
            assert ask(quick)[0] == 200
        slow.send(BODY[at + 8 :])
        assert slow.getresponse().status == 200
        slow.close()
        quick.close()


def test_a_body_that_stops_arriving_is_answered_and_cut_off() -> None:
    with running(settings=ServerSettings(body_timeout_s=0.05, linger_s=0.05)) as server:
        for first in (b"", BODY[:5]):
            slow = server.connect()
            slow.putrequest("POST", "/predict")
            slow.putheader("content-type", "application/json")
            slow.putheader("content-length", str(len(BODY)))
            slow.endheaders(first)
            answer = slow.getresponse()
            assert (answer.status, answer.getheader("connection")) == (408, "close")
            answer.read()
            slow.close()


def test_a_caller_that_expects_100_continue_is_refused_before_it_sends() -> None:
    with running() as server, socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as caller:
        head = "POST /predict HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nexpect: 100-continue\r\n"
        caller.sendall(f"{head}content-length: 999999999\r\n\r\n".encode())
        assert caller.recv(65536).startswith(b"HTTP/1.1 413")


def test_an_upgrade_to_another_protocol_is_just_a_request() -> None:
    with running() as server:
        connection = server.connect()
        upgrade = {
            "connection": "upgrade",
            "upgrade": "websocket",
            "sec-websocket-version": "13",
            "sec-websocket-key": "x",
        }
        connection.request("GET", "/ping", headers=upgrade)
        assert connection.getresponse().status == 200
        connection.close()


@pytest.mark.parametrize(
    "text",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
    ],
)
def test_what_is_not_http_is_a_400_and_ends_its_connection_only(text: bytes) -> None:
    """A TLS greeting, among others. uvicorn answers these, in plain text."""
    with running() as server:
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as caller:
            caller.sendall(text)
            assert caller.recv(65536).startswith(b"HTTP/1.1 400")
        connection = server.connect()
        assert ask(connection)[0] == 200
        connection.close()


def test_an_ending_server_answers_what_runs_and_what_still_comes_and_accepts_nobody() -> None:
    holding, go_on = threading.Event(), threading.Event()

    def hold(rows: Sequence[Row]) -> Sequence[float]:
        if len(rows) > 1:
            holding.set()
            assert go_on.wait(PATIENCE_S)
        return [1.0] * len(rows)

    with running(Doubler(max_rows=10_000, fault=hold)) as server:
        busy, idle = server.connect(), server.connect()
        assert ask(idle)[0] == 200
        busy.request("POST", "/predict", json.dumps({"instances": [{"x": 1}] * 3000}), JSON)
        assert holding.wait(PATIENCE_S)
        server.end()
        assert server.closed.wait(PATIENCE_S)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), PATIENCE_S)
        idle.request("POST", "/predict", BODY, JSON)
        last = idle.getresponse()
        assert (last.status, last.getheader("connection")) == (200, "close")
        last.read()
        go_on.set()
        answer = busy.getresponse()
        assert (answer.status, len(json.loads(answer.read())["predictions"])) == (200, 3000)
        server.join()
        busy.close()
        idle.close()


def test_a_caller_accepted_at_the_very_end_is_answered() -> None:
    """asyncio drops, without a word, what it accepted in the tick in which its listener is closed."""
    callers: list[socket.socket] = []
    request = b"POST /predict HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"

    with running() as server:

        def connect_and_end() -> None:  # in the server's loop: the next tick accepts, and begins the end
            callers.extend(socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) for _ in range(5))
            server._loop.call_soon(server._server.end)

        server._loop.call_soon_threadsafe(connect_and_end)
        assert server.closed.wait(PATIENCE_S)
        for caller in callers:
            caller.sendall(request % (len(BODY), BODY))
        assert [caller.recv(12) for caller in callers] == [b"HTTP/1.1 200"] * 5
        for caller in callers:
            caller.close()


SERVE = """
import sys, time
from pathlib import Path
from seatrial.clouds.local import server
predict = server.ServedPackage.predict
def slow(self, rows):
    if len(rows) > 100:
        print("predicting", flush=True)
        sys.stdin.readline()
    return predict(self, rows)
server.ServedPackage.predict = slow
server.serve(Path(sys.argv[1]), name="tides", version="1", host="127.0.0.1", port=int(sys.argv[2]), limits={})
"""


def test_sigterm_during_a_request_lets_it_end(package: Package) -> None:
    """How SageMaker, Kubernetes and a supervisor end a server."""
    port = free_port()
    rows = [dict(r) for r in package.golden.rows][:150]
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(package.path), str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ),
    )
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        until_connected(connection.connect)
        connection.request("POST", "/predict", json.dumps({"instances": rows * 2}), JSON)
        assert process.stdout.readline() == b"predicting\n"
        process.send_signal(signal.SIGTERM)
        until_refused(port)
        process.stdin.write(b"go on\n")
        process.stdin.flush()
        answer = connection.getresponse()
        assert answer.status == 200
        assert json.loads(answer.read())["predictions"] == pytest.approx([*package.golden.expected[:150]] * 2, abs=1e-6)
        connection.close()
        assert process.wait(PATIENCE_S) == 0
        assert b"Traceback" not in process.stderr.read()
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()


def until_connected(connect: Callable[[], None]) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            return connect()
        except ConnectionRefusedError:
            time.sleep(0.005)
    raise AssertionError("it never listened")


def until_refused(port: int) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), PATIENCE_S).close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:  # in the queue when the listener closed
            continue
        time.sleep(0.005)
    raise AssertionError("it never stopped listening")
