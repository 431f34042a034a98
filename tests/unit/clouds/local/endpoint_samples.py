"""What the endpoint tests share: a deployment in one line, and questions about processes."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from seatrial.clouds.local.endpoint_state import folder_of, read_state
from seatrial.clouds.local.endpoints import LocalEndpoints
from seatrial.package.read import Package
from seatrial.project import Endpoint
from tests.ports import free_port

PATIENCE_S = 60.0


def deploy(endpoints: LocalEndpoints, version: int, package: Path, **more: Any) -> Any:
    settings = more.pop("settings", Endpoint())
    digest = more.pop("digest", None) or Package.open(package).digest
    return endpoints.deploy("m", str(version), package, digest=digest, settings=settings, **more)


def own_port() -> Endpoint:
    """A port that no other test, looking for a free one from 8080 on, can take in between."""
    return Endpoint(port=free_port())


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def port_of(endpoints: LocalEndpoints) -> int:
    return int(endpoints.get("m").url.rsplit(":", 1)[1])


def state_of(endpoints: LocalEndpoints) -> dict[str, Any]:
    state = read_state(folder_of(endpoints._state, "m"))
    assert state is not None
    return state


def until(fulfilled: Callable[[], object], what: str) -> None:
    """Wait for another process to get there."""
    end = time.monotonic() + PATIENCE_S
    while not fulfilled():
        assert time.monotonic() < end, f"never happened: {what}"
        time.sleep(0.005)


def predict(port: int, rows: Sequence[Any]) -> list[float]:
    """Ask as a caller would.

    Raises:
        ValueError: the server refuses; the text holds its answer.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        body = json.dumps({"instances": list(rows)}).encode()
        connection.request("POST", "/predict", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise ValueError(text.decode())
        predictions: list[float] = json.loads(text)["predictions"]
        return predictions
    finally:
        connection.close()
