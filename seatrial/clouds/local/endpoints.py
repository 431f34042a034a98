"""Endpoints on this machine: deploy with checks before the switch, roll back by the same way, list and stop.

Each endpoint is a supervisor process (see ``supervisor``) with a folder under ``<state>/endpoints``. A new version is
started beside the one that serves, has to be healthy and to answer its golden sample, and only then takes over the
public port. Whatever goes wrong before that changes nothing for callers.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from seatrial.clouds.base import Replayed, Served
from seatrial.clouds.local.endpoint_state import fingerprint, folder_of, ping, read_state, supervised
from seatrial.errors import EndpointError, ResourceError
from seatrial.project import Endpoint

Json = Any
_START_S = 60.0
_LOCK_S = 120.0
_LOG_LINES = 12
_BATCH = 256


class LocalEndpoints:
    """The endpoint contract of ``seatrial.clouds.base``, under ``<state>/endpoints``."""

    def __init__(self, state: Path) -> None:
        self._state = state

    def deploy(
        self,
        name: str,
        version: str,
        package: Path,
        *,
        digest: str,
        settings: Endpoint,
        before_switch: Callable[[], None] | None = None,
    ) -> Served:
        """Put a version behind the endpoint; see the contract."""
        folder = folder_of(self._state, name)
        folder.mkdir(parents=True, exist_ok=True)
        with _deploying(folder):
            state = self._supervisor(name, folder, settings.port)
            if fingerprint(folder) == {"version": version, "digest": digest, "healthy": True}:
                if before_switch is not None:
                    before_switch()
                return _served(name, state, version, digest, changed=False)
            spec = {
                "version": version,
                "digest": digest,
                "package": str(package.resolve()),
                "max_rows": settings.max_rows,
                "max_body_bytes": settings.max_body_bytes,
            }
            started = self._command(folder, {"do": "start", "spec": spec})
            try:
                self._await_health(name, folder, started, spec)
                _replay(f"challenger {name} v{version}", started["check_port"], package)
                if before_switch is not None:
                    before_switch()
                state = self._command(folder, {"do": "switch", "server": started["server"]})
            except BaseException:
                with contextlib.suppress(EndpointError):
                    self._command(folder, {"do": "discard", "server": started["server"]})
                raise
            return _served(name, state, version, digest, changed=True)

    def rollback(self, name: str, *, settings: Endpoint, before_switch: Callable[[], None] | None = None) -> Served:
        """Put the version back that served before; see the contract."""
        previous = self._required(name).get("previous")
        if previous is None:
            raise EndpointError(
                f"endpoint '{name}' has no previous version",
                why="Only one version has served since it was started.",
                todo=f"Deploy another one, or end it: seatrial endpoint stop {name}",
            )
        return self.deploy(
            name,
            previous["version"],
            Path(previous["package"]),
            digest=previous["digest"],
            settings=settings,
            before_switch=before_switch,
        )

    def get(self, name: str) -> Served:
        """What serves now."""
        state = self._required(name)
        serving = state["serving"]
        if serving is None:
            raise EndpointError(
                f"endpoint '{name}' has no running server ({state['status']})",
                why=f"Its logs are in {folder_of(self._state, name)}.",
                todo=f"Run the model again, or end it: seatrial endpoint stop {name}",
            )
        return _served(name, state, serving["version"], serving["digest"], changed=False)

    def list(self) -> list[dict[str, Json]]:
        """Every endpoint that has a folder: name, url, version, status."""
        found = []
        for folder in sorted((self._state / "endpoints").glob("*/")):
            state = read_state(folder)
            if state is None:
                found.append({"name": folder.name, "status": "stopped", "url": None, "version": None, "digest": None})
                continue
            serving = state["serving"] or {}
            healthy = fingerprint(folder)["healthy"]
            found.append(
                {
                    "name": folder.name,
                    "status": "healthy" if healthy else state["status"] if not serving else "unhealthy",
                    "url": _url(state["port"]),
                    "version": serving.get("version"),
                    "digest": serving.get("digest"),
                    "previous": (state["previous"] or {}).get("version"),
                    "restarts": state["restarts"],
                    "log": str(folder / f"server-v{serving.get('version')}.log"),
                }
            )
        return found

    def stop(self, name: str) -> bool:
        """End the endpoint after its running requests; ``False`` when it was not running."""
        folder = folder_of(self._state, name)
        if not supervised(folder):
            return False
        self._command(folder, {"do": "stop"})
        end = time.monotonic() + _START_S
        while supervised(folder):
            if time.monotonic() > end:
                raise EndpointError(
                    f"endpoint '{name}' does not end",
                    why=f"Its log is {folder}/supervisor.log.",
                    todo="End it by hand.",
                )
            time.sleep(0.02)
        return True

    def fingerprint(self, name: str) -> dict[str, Json]:
        """Which version serves, by a real health check."""
        return fingerprint(folder_of(self._state, name))

    def verify(self, name: str, version: str) -> Replayed:
        """Replay the serving version's golden sample through the public port."""
        state = self._required(name)
        serving = state["serving"]
        if serving is None or serving["version"] != version:
            found = "nothing" if serving is None else f"v{serving['version']}"
            raise EndpointError(
                f"endpoint '{name}' serves {found}, not v{version}",
                why="Another deployment took its place.",
                todo="See: seatrial endpoint list",
            )
        return _replay(f"endpoint {name} v{version}", state["port"], Path(serving["package"]))

    def _required(self, name: str) -> dict[str, Json]:
        state = read_state(folder_of(self._state, name))
        if state is None:
            running = [e["name"] for e in self.list() if e["status"] != "stopped"]
            raise EndpointError(
                f"there is no running endpoint '{name}'",
                why=f"Running: {', '.join(running) or 'none'}.",
                todo=f"Bring it up: seatrial run {name}",
            )
        return state

    def _supervisor(self, name: str, folder: Path, port: int | None) -> dict[str, Json]:
        """The state of a living supervisor; starts one where there is none."""
        state = read_state(folder)
        if state is not None:
            if port is not None and state["port"] != port:
                raise EndpointError(
                    f"endpoint '{name}' listens on port {state['port']}, model.toml now says {port}",
                    why="A running endpoint keeps its port, since its callers know it.",
                    todo=f"End it first: seatrial endpoint stop {name}",
                )
            return state
        command = [sys.executable, "-m", "seatrial.clouds.local.supervisor", str(folder)]
        started = subprocess.run(
            [*command, *([str(port)] if port is not None else [])],
            stdout=subprocess.PIPE,
            check=False,
            timeout=_START_S,
        )
        told = json.loads(started.stdout or b"{}")
        if "port" not in told:
            raise _not_started(name, folder, port, told)
        end = time.monotonic() + _START_S
        while (state := read_state(folder)) is None:
            if time.monotonic() > end:
                raise _not_started(name, folder, port, {"text": "it wrote no state"})
            time.sleep(0.005)
        return state

    def _command(self, folder: Path, command: Mapping[str, Json]) -> dict[str, Json]:
        try:
            with _connected(folder) as connection:
                connection.sendall(json.dumps(command).encode() + b"\n")
                answer = b""
                while part := connection.recv(65536):
                    answer += part
            told: dict[str, Json] = json.loads(answer)
        except (OSError, ValueError) as exc:
            raise EndpointError(
                f"the supervisor of endpoint '{folder.name}' does not answer: {exc}",
                why=f"Its log is {folder}/supervisor.log.",
                todo="Run the same command again; a dead supervisor is replaced.",
            ) from exc
        if "error" in told:
            raise EndpointError(
                f"endpoint '{folder.name}': {told['error']}",
                why=f"The logs are in {folder}.",
                todo="Run the same command again.",
            )
        return told

    def _await_health(self, name: str, folder: Path, started: Mapping[str, Json], spec: Mapping[str, Json]) -> None:
        end = time.monotonic() + _START_S
        while True:
            healthy = ping(started["check_port"])
            if healthy is not None and healthy["digest"] == spec["digest"]:
                return
            alive = self._command(folder, {"do": "alive", "server": started["server"]})["alive"]
            if not alive or time.monotonic() > end:
                what = "ended before it was healthy" if not alive else f"was not healthy within {_START_S:.0f} s"
                raise EndpointError(
                    f"challenger {name} v{spec['version']} {what}",
                    why="What served before still serves. Its log ends with:\n" + _tail(Path(started["log"])),
                    todo=f"The whole log: {started['log']}",
                )
            time.sleep(0.01)


def _replay(who: str, port: int, package: Path) -> Replayed:
    """Ask a server for its package's golden sample and compare.

    Raises:
        EndpointError: an answer differs, or there is none.
    """
    from seatrial.package.read import Package

    golden = Package.open(package).golden
    answers: list[float] = []
    try:
        for start in range(0, len(golden.rows), _BATCH):
            answers += _predict(port, golden.rows[start : start + _BATCH])
    except (OSError, ValueError, KeyError, http.client.HTTPException) as exc:
        raise EndpointError(
            f"{who} did not answer its golden sample: {exc}",
            why="The sample is made of rows that callers could send.",
            todo="Read the server's log in the endpoint's folder.",
        ) from exc
    replay = golden.compare(answers)
    if not replay.passed:
        raise EndpointError(
            f"{who} answers {replay.rows - replay.equal} of {replay.rows} golden rows wrong",
            why=f"The largest difference is {replay.max_abs:.3g}: this is not the model that was judged.",
            todo="Nothing was switched to it. Build the package again, and compare the machines' onnxruntime versions.",
        )
    return Replayed(rows=replay.rows, largest_difference=replay.max_abs)


def _predict(port: int, rows: Any) -> list[float]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_START_S)
    try:
        body = json.dumps({"instances": list(rows)}).encode()
        connection.request("POST", "/predict", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise ValueError(f"status {answer.status}: {text[:300].decode(errors='replace')}")
        predictions: list[float] = json.loads(text)["predictions"]
        return predictions
    finally:
        connection.close()


@contextlib.contextmanager
def _deploying(folder: Path) -> Iterator[None]:
    """One deployment of an endpoint at a time; the next one waits for a while."""
    descriptor = os.open(folder / "deploy.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        end = time.monotonic() + _LOCK_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as exc:
                if time.monotonic() > end:
                    raise EndpointError(
                        f"another deployment of endpoint '{folder.name}' has been going on for {_LOCK_S:.0f} s",
                        why="Two at a time would switch past each other.",
                        todo="Wait for it, then run the same command again.",
                    ) from exc
                time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)


def _connected(folder: Path) -> socket.socket:
    """A connection to the supervisor. The folder may lie deeper than a Unix socket's path may be long."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_START_S)
    directory = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        short = f"/proc/self/fd/{directory}/control"
        connection.connect(short if os.path.isdir("/proc/self/fd") else str(folder / "control"))  # noqa: PTH112
    except OSError:
        connection.close()
        raise
    finally:
        os.close(directory)
    return connection


def _served(name: str, state: Mapping[str, Json], version: str, digest: str, *, changed: bool) -> Served:
    return Served(name=name, url=_url(state["port"]), version=version, digest=digest, changed=changed)


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _not_started(name: str, folder: Path, port: int | None, told: Mapping[str, Json]) -> ResourceError | EndpointError:
    if told.get("errno") in (errno.EADDRINUSE, errno.EACCES):
        place = f"port {port}" if port is not None else str(told.get("text"))
        how = "taken" if told["errno"] == errno.EADDRINUSE else "forbidden"
        return ResourceError(
            f"endpoint '{name}' cannot listen: {place} is {how}",
            why="Another program listens there; nothing was changed.",
            todo="End that program, or choose another endpoint.port in model.toml (without one, a free port is found).",
        )
    return EndpointError(
        f"the supervisor of endpoint '{name}' did not start: {told.get('text', 'no reason given')}",
        why=f"Its log is {folder}/supervisor.log.",
        todo="Read the log, then run the same command again.",
    )


def _tail(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
    except OSError:
        lines = []
    return "\n".join(f"  {line[:300]}" for line in lines) or "  (empty)"
