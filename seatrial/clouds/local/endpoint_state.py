"""What an endpoint's folder says about it, without asking its supervisor: cheap enough for every cache probe.

Standard library only. ``state.json`` outlives its supervisor, since the next one has to know what served before. It is
believed as a statement about *now* only while a process holds the lock beside it and that process wrote it, so neither
a crash nor a reused process id can make a dead endpoint look alive.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import time
from pathlib import Path
from typing import Any

Json = Any
LOCK, STATE = "lock", "state.json"
_PING_S = 5.0


def folder_of(state: Path, name: str) -> Path:
    """Where the endpoint keeps its files."""
    return state / "endpoints" / name


def read_state(folder: Path) -> dict[str, Json] | None:
    """What the living supervisor wrote last; ``None`` when there is none, or it has written nothing yet."""
    if not supervised(folder):
        return None
    state, pid = read_record(folder), holder(folder)
    return state if pid is not None and state.get("pid") == pid else None


def holder(folder: Path) -> int | None:
    """The process that took the endpoint's lock last, as it wrote there; ``None`` before it has."""
    try:
        return int((folder / LOCK).read_text())
    except (OSError, ValueError):
        return None


def read_record(folder: Path) -> dict[str, Json]:
    """``state.json`` as it lies there, whoever wrote it; empty when there is none that can be read."""
    try:
        record = json.loads((folder / STATE).read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def supervised(folder: Path) -> bool:
    """Whether a supervisor holds the endpoint's lock.

    The probe takes a *shared* lock for an instant: two probes never take each other for a supervisor.
    """
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def take_lock(folder: Path, patience_s: float = 2.0) -> int:
    """Become the folder's supervisor: its lock, with this process's id inside, held until the process ends.

    It tries for a while, since a probe may hold the lock for an instant.

    Raises:
        OSError: another process supervises the folder, or it cannot be written.
    """
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    end = time.monotonic() + patience_s
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.002)
        os.truncate(descriptor, 0)
        os.write(descriptor, b"%d" % os.getpid())
    except OSError:
        with contextlib.suppress(OSError):
            os.close(descriptor)
        raise
    return descriptor


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
