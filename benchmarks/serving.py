"""Requests per second for one row: our model server beside a minimal FastAPI + pydantic + onnxruntime server.

Run: ``python benchmarks/serving.py [seconds]``. Both serve the same package on loopback, one process each, and are
asked in turn by the same caller over eight connections; each round alternates who goes first. Figures are medians over
the rounds. The caller shares the machine, so the ratio says more than the figures. Ours names every problem of a row,
and writes its access log (to /dev/null here); the other does neither. Under a minute in all.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

warnings.simplefilter("ignore")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

CONNECTIONS = 8
ROUNDS = 3
SECONDS = 4.0
PATIENCE_S = 30.0

OURS = """
import sys
from pathlib import Path
from seatrial.clouds.local.server import serve
serve(Path(sys.argv[1]), name="tides", version="1", host="127.0.0.1", port=int(sys.argv[2]), limits={})
"""

THEIRS = """
import sys
from pathlib import Path
import numpy as np, onnxruntime as ort, uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

class Row(BaseModel):
    month: int
    carrier: str
    wind_gust: float | None
    origin: str | None
    seats: int | None

class Request(BaseModel):
    instances: list[Row]

options = ort.SessionOptions()
options.intra_op_num_threads = 1
session = ort.InferenceSession(Path(sys.argv[1]) / "model.onnx", options)
app = FastAPI()

@app.get("/ping")
def ping() -> dict:
    return {}

@app.post("/predict")
async def predict(request: Request) -> dict:
    rows = request.instances
    numeric = np.array([[r.month, r.wind_gust, r.seats] for r in rows], np.float32)
    text = np.array([[r.carrier, r.origin or ""] for r in rows], object)
    return {"predictions": session.run(None, {"numeric": numeric, "text": text})[0].tolist()}

uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="error", access_log=False)
"""


def request_bytes(row: dict[str, object]) -> bytes:
    """One keep-alive request for one row."""
    body = json.dumps({"instances": [row]}).encode()
    lines = ("POST /predict HTTP/1.1", "host: bench", "content-type: application/json", f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def whole(answer: bytes) -> bool:
    """Whether a response is complete."""
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return False
    assert head.startswith(b"HTTP/1.1 200"), answer[:300]
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return len(body) >= int(length.partition(b":")[2])


def rate(port: int, request: bytes, seconds: float) -> float:
    """Answers per second over ``CONNECTIONS`` connections, each with one request at a time."""
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
        for _ in range(CONNECTIONS):
            opened = stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE_S))
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(opened, selectors.EVENT_READ, bytearray())
            opened.sendall(request)
        answered, start = 0, time.perf_counter()
        while (now := time.perf_counter()) - start < seconds:
            for key, _ in selector.select(PATIENCE_S):
                caller, read = key.fileobj, key.data
                assert isinstance(caller, socket.socket)
                part = caller.recv(65536)
                assert part, "the server closed the connection"
                read += part
                if whole(bytes(read)):
                    read.clear()
                    answered += 1
                    caller.sendall(request)
        return answered / (now - start)


@contextlib.contextmanager
def serving(program: str, package: Path) -> Iterator[int]:
    """A server's process; gives its port when it answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    paths = os.pathsep.join(p for p in sys.path if p)
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    errors = subprocess.DEVNULL
    process = subprocess.Popen([sys.executable, "-c", program, str(package), str(port)], env=environment, stderr=errors)
    try:
        end = time.monotonic() + PATIENCE_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert process.poll() is None and time.monotonic() < end, "a server did not come up"
            time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def main(seconds: float = SECONDS) -> None:
    """Print each server's requests per second, and the ratio."""
    from tests.unit.package.example import CANDIDATES, build_example

    programs = {"seatrial": OURS}
    if importlib.util.find_spec("fastapi") is None:
        print("  fastapi    skipped: it is not installed (it usually comes with mlflow)")
    else:
        programs["fastapi"] = THEIRS
    rates: dict[str, list[float]] = {name: [] for name in programs}
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        package = Path(folder) / "package"
        built = build_example(package, CANDIDATES["logistic"])
        request = request_bytes(dict(built.package.golden.rows[0]))
        ports = {name: stack.enter_context(serving(program, package)) for name, program in programs.items()}
        for port in ports.values():
            rate(port, request, seconds / 8)  # warm
        for i in range(ROUNDS):
            for name in sorted(ports, reverse=bool(i % 2)):
                rates[name].append(rate(ports[name], request, seconds))
    print(f"one row of 5 columns, {CONNECTIONS} connections, {ROUNDS} rounds of {seconds:g} s, {os.cpu_count()} cores")
    medians = {name: statistics.median(found) for name, found in rates.items()}
    for name, found in rates.items():
        print(f"  {name:<10} {medians[name]:8,.0f} requests/s  (from {min(found):,.0f} to {max(found):,.0f})")
    if "fastapi" in medians:
        print(f"  ratio      {medians['seatrial'] / medians['fastapi']:.2f}")


if __name__ == "__main__":
    main(*(float(argument) for argument in sys.argv[1:]))
