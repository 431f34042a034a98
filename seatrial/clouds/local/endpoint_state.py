"""What an endpoint's folder says about it, without asking its supervisor: cheap enough for every cache probe.

Standard library only. A state file is believed only while its supervisor holds the lock beside it, so neither a crash
nor a reused process id can make a dead endpoint look alive.
"""

from __future__ import annotations

import fcntl
import http.client
import json
import os
from pathlib import Path
from typing import Any

Json = Any
_PING_S = 5.0


def folder_of(state: Path, name: str) -> Path:
    """Where the endpoint keeps its files."""
    return state / "endpoints" / name


def read_state(folder: Path) -> dict[str, Json] | None:
    """The supervisor's ``state.json``; ``None`` when no supervisor lives."""
    if not supervised(folder):
        return None
    try:
        state: dict[str, Json] = json.loads((folder / "state.json").read_text())
    except (FileNotFoundError, ValueError):
        return None
    return state


def supervised(folder: Path) -> bool:
    """Whether a supervisor holds the endpoint's lock."""
    try:
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def ping(port: int) -> dict[str, Json] | None:
    """The health answer of the server on a port of this machine; ``None`` when it is not healthy."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PING_S)
    try:
        connection.request("GET", "/ping")
        answer = connection.getresponse()
        body = answer.read()
        return json.loads(body) if answer.status == 200 else None
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def fingerprint(folder: Path) -> dict[str, Json]:
    """Which version serves, by a real health check."""
    state = read_state(folder)
    healthy = None if state is None or state["serving"] is None else ping(state["port"])
    if state is None or healthy is None:
        return {"version": None, "digest": None, "healthy": False}
    return {"version": healthy["version"], "digest": healthy["digest"], "healthy": True}
