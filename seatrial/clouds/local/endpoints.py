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
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from seatrial.clouds.base import Replayed, Served
from seatrial.clouds.local.control import Control
from seatrial.clouds.local.endpoint_state import (
    fingerprint,
    folder_of,
    holder,
    ping,
    read_record,
    read_state,
    supervised,
)
from seatrial.clouds.local.predicting import post_json
from seatrial.clouds.replay import replay, require_serving
from seatrial.errors import EndpointError, ResourceError
from seatrial.project import Endpoint, Rollout

Json = Any
_START_S = 60.0
_STOP_S = 60.0
_LOCK_S = 120.0
_LOG_LINES = 12


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
        rollout: Rollout | None = None,  # noqa: ARG002 - on one machine the traffic moves in one step
        before_switch: Callable[[], None] | None = None,
    ) -> Served:
        """Put a version behind the endpoint; see the contract."""
        return self._deploy(
            name, _spec(version, package, digest, settings), settings.port, before_switch or (lambda: None)
        )

    def rollback(
        self,
        name: str,
        *,
        settings: Endpoint,
        leaving: str | None = None,
        before_switch: Callable[[], None] | None = None,
    ) -> Served:
        """Put the version back that served before; see the contract. Once more goes further back, never forth."""
        state = self._required(name)
        if leaving is not None:
            require_serving(name, (state["serving"] or {}).get("version"), leaving)
        previous = state["previous"]
        if previous is None:
            raise EndpointError(
                f"endpoint '{name}' has no previous version",
                why="No other version served before this one.",
                todo=f"Deploy another one, or end it: seatrial endpoint stop {name}",
            )
        spec = _spec(previous["version"], Path(previous["package"]), previous["digest"], settings)
        return self._deploy(name, spec, settings.port, before_switch or (lambda: None), back=True)

    def _deploy(
        self,
        name: str,
        spec: dict[str, Json],
        port: int | None,
        before_switch: Callable[[], None],
        *,
        back: bool = False,
    ) -> Served:
        folder = folder_of(self._state, name)
        _prepare(folder)
        with _deploying(folder), self._supervisor(name, folder, port) as control:
            state = control.ask("status")
            serves = {"version": spec["version"], "digest": spec["digest"], "healthy": True}
            if state["serving"] == spec and fingerprint(folder) == serves:
                before_switch()
                return _served(name, state, changed=False)
            started = control.ask("start", spec=spec)
            who = f"challenger {name} v{spec['version']}"
            _await_health(who, control, started, spec["digest"])
            _replay(who, started["check_port"], spec)
            before_switch()
            return _served(name, control.ask("switch", server=started["server"], back=back), changed=True)

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
        return _served(name, state, changed=False)

    def predict(self, name: str, document: Json) -> Json:
        """Ask for predictions; see the contract."""
        return post_json(f"{self.get(name).url}/predict", document)

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
        end = time.monotonic() + _STOP_S
        asked: int | None = None
        while supervised(folder) and asked in (None, holder(folder)):  # another's is that of a deployment since
            if asked is None:
                with contextlib.suppress(OSError, EndpointError), Control(folder, _STOP_S) as control:
                    asked = int(control.ask("stop")["pid"])
            if time.monotonic() > end:
                raise _stuck(folder, f"endpoint '{name}' does not end within {_STOP_S:.0f} s")
            time.sleep(0.02)
        return True

    def fingerprint(self, name: str) -> dict[str, Json]:
        """Which version serves, by a real health check."""
        return fingerprint(folder_of(self._state, name))

    def verify(self, name: str, version: str) -> Replayed:
        """Replay the serving version's golden sample through the public port."""
        state = self._required(name)
        require_serving(name, (state["serving"] or {}).get("version"), version)
        return _replay(f"endpoint {name} v{version}", state["port"], state["serving"])

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

    def _supervisor(self, name: str, folder: Path, port: int | None) -> Control:
        """A connection to the endpoint's supervisor, which cannot end from idleness while it is open.

        Starts one where there is none; waits for one that is being stopped.
        """
        end = time.monotonic() + _START_S
        while time.monotonic() < end:
            if not supervised(folder):
                _start_supervisor(name, folder, port)
            with contextlib.suppress(OSError), contextlib.ExitStack() as held:  # it is starting, or it ended
                control = held.enter_context(Control(folder, _START_S))
                try:
                    state = control.ask("status")
                except EndpointError:
                    state = {"status": "stopping"}  # it ended while it was asked
                if state["status"] != "stopping":
                    _refuse_other_port(name, state["port"], port)
                    held.pop_all()
                    return control
            time.sleep(0.01)
        raise _stuck(folder, f"the supervisor of endpoint '{name}' does not answer")


def _spec(version: str, package: Path, digest: str, settings: Endpoint) -> dict[str, Json]:
    return {
        "version": version,
        "digest": digest,
        "package": str(package.resolve()),
        "max_rows": settings.max_rows,
        "max_body_bytes": settings.max_body_bytes,
    }


def _refuse_other_port(name: str, port: int, wanted: int | None) -> None:
    if wanted not in (None, port):
        raise EndpointError(
            f"endpoint '{name}' listens on port {port}, model.toml now says {wanted}",
            why="A running endpoint keeps its port, since its callers know it.",
            todo=f"End it first: seatrial endpoint stop {name}",
        )


def _start_supervisor(name: str, folder: Path, port: int | None) -> None:
    """Start a supervisor; it has detached itself, and listens, when this returns."""
    command = [sys.executable, "-P", "-m", "seatrial.clouds.local.supervisor", str(folder)]
    try:
        started = subprocess.run(
            [*command, *([str(port)] if port is not None else [])],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            check=False,
            timeout=_START_S,
        )
        told = json.loads(started.stdout or b"{}")
    except (OSError, ValueError, subprocess.TimeoutExpired) as exc:
        told = {"text": str(exc)}
    if "port" not in told and not supervised(folder):
        raise _not_started(name, folder, port, told)


def _await_health(who: str, control: Control, started: Mapping[str, Json], digest: str) -> None:
    end = time.monotonic() + _START_S
    while True:
        healthy = ping(started["check_port"])
        if healthy is not None and healthy["digest"] == digest:
            return
        alive = control.ask("alive", server=started["server"])["alive"]
        if not alive or time.monotonic() > end:
            what = "ended before it was healthy" if not alive else f"was not healthy within {_START_S:.0f} s"
            raise EndpointError(
                f"{who} {what}",
                why="What served before still serves. Its log ends with:\n" + _tail(Path(started["log"])),
                todo=f"The whole log: {started['log']}",
            )
        time.sleep(0.01)


def _replay(who: str, port: int, spec: Mapping[str, Json]) -> Replayed:
    settings = Endpoint(max_rows=spec["max_rows"], max_body_bytes=spec["max_body_bytes"])
    return replay(who, Path(spec["package"]), spec["digest"], settings, lambda body: _predict(port, body))


def _predict(port: int, body: bytes) -> Json:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_START_S)
    try:
        connection.request("POST", "/predict", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise ValueError(f"status {answer.status}: {text[:300].decode(errors='replace')}")
        return json.loads(text)
    finally:
        connection.close()


def _prepare(folder: Path) -> None:
    """Make the endpoint's folder, its owner's only: logs, and the socket that commands the endpoint.

    Raises:
        ResourceError: it cannot be made or changed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as exc:
        raise ResourceError(
            f"the endpoint's folder {folder} cannot be made: {exc.strerror or exc}",
            why="State, logs and the control socket lie there; nothing was started.",
            todo="Check the disk and the folder's owner, or set SEATRIAL_HOME to a place that you may write.",
        ) from exc


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


def _served(name: str, state: Mapping[str, Json], *, changed: bool) -> Served:
    serving = state["serving"]
    return Served(
        name=name, url=_url(state["port"]), version=serving["version"], digest=serving["digest"], changed=changed
    )


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _not_started(name: str, folder: Path, port: int | None, told: Mapping[str, Json]) -> ResourceError | EndpointError:
    if told.get("errno") in (errno.ENOSPC, errno.EDQUOT):
        return ResourceError(
            f"endpoint '{name}' cannot start: {told['text']}",
            why=f"Its supervisor keeps its state in {folder}; nothing was started.",
            todo="Free some space, then run the same command again.",
        )
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


def _stuck(folder: Path, what: str) -> EndpointError:
    return EndpointError(
        what,
        why=f"Its supervisor is process {read_record(folder).get('pid')}; its log is {folder}/supervisor.log.",
        todo="End that process by hand (its servers end with it), then run the same command again.",
    )


def _tail(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
    except OSError:
        lines = []
    return "\n".join(f"  {line[:300]}" for line in lines) or "  (empty)"
