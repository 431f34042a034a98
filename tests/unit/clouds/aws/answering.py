"""A server on loopback that answers every AWS request with one prepared error, and counts; botocore is the real one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answering:
    """What it answers, in order; the last one for ever."""

    url: str = ""
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    asked: int = 0

    def will_say(self, status: int, code: str, message: str, **more: Any) -> None:
        """In the JSON protocol, as SageMaker answers."""
        body = json.dumps({"__type": code, "message": message, "Message": message, **more}).encode()
        headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-errortype": code}
        self.answers.append((status, headers, body))

    def will_say_in_xml(self, status: int, code: str, message: str) -> None:
        """As S3 answers."""
        body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
        self.answers.append((status, {"Content-Type": "application/xml"}, body))

    def will_succeed(self, body: dict[str, Any]) -> None:
        self.answers.append((200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(body).encode()))


@contextmanager
def answering() -> Iterator[Answering]:
    told = Answering()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, body = told.answers[min(told.asked, len(told.answers) - 1)]
            told.asked += 1
            self.send_response(status)
            for key, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.do_POST()

        def do_PUT(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
