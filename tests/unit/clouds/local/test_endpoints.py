"""Real servers on loopback: a new version takes over without losing a request, a bad one changes nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from seatrial.clouds.local.endpoint_state import fingerprint, folder_of, ping, read_state
from seatrial.clouds.local.endpoints import LocalEndpoints
from seatrial.errors import EndpointError, ResourceError
from seatrial.package.read import Package
from seatrial.project import Endpoint
from tests.contract.endpoint_samples import wrong_golden
from tests.ports import free_port
from tests.unit.clouds.local.endpoint_samples import PATIENCE_S, alive, deploy, own_port, port_of, predict


class Traffic:
    """Constant requests from several threads; remembers which version answered and what went wrong."""

    def __init__(self, port: int, row: dict[str, Any], threads: int = 4) -> None:
        self.port, self.row = port, row
        self.answered: dict[str, int] = {}
        self.failed: list[str] = []
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self.ask) for _ in range(threads)]

    def __enter__(self) -> Traffic:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        for thread in self.threads:
            thread.join(30)

    def ask(self) -> None:
        import http.client

        body = json.dumps({"instances": [self.row]}).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        while not self.stopped.is_set():
            try:
                connection.request("POST", "/predict", body, {"content-type": "application/json"})
                answer = connection.getresponse()
                text = answer.read()
                if answer.status != 200:
                    raise OSError(f"status {answer.status}")
                version = json.loads(text)["model"]["version"]
                self.answered[version] = self.answered.get(version, 0) + 1
            except Exception as exc:
                self.failed.append(repr(exc))
                connection.close()
        connection.close()

    def await_answers(self, version: str, more: int = 20) -> None:
        goal = self.answered.get(version, 0) + more
        end = time.monotonic() + PATIENCE_S
        while self.answered.get(version, 0) < goal and time.monotonic() < end:
            self.stopped.wait(0.01)
        assert self.answered.get(version, 0) >= goal


def test_a_version_is_served_where_it_was_promised(endpoints: LocalEndpoints, packages: tuple[Path, Path]) -> None:
    served = deploy(endpoints, 1, packages[0])
    assert served.changed
    assert endpoints.fingerprint("m") == {"version": "1", "digest": served.digest, "healthy": True}
    assert endpoints.verify("m", "1").rows > 0
    golden = Package.open(packages[0]).golden
    assert predict(port_of(endpoints), golden.rows[:3]) == pytest.approx(golden.expected[:3], abs=1e-6)
    assert [e["status"] for e in endpoints.list()] == ["healthy"]


def test_a_new_version_takes_over_without_losing_a_request(
    endpoints: LocalEndpoints, packages: tuple[Path, Path]
) -> None:
    deploy(endpoints, 1, packages[0])
    with Traffic(port_of(endpoints), dict(Package.open(packages[0]).golden.rows[0])) as traffic:
        traffic.await_answers("1")
        deploy(endpoints, 2, packages[1])
        traffic.await_answers("2")
        back = endpoints.rollback("m", settings=Endpoint())
        traffic.await_answers("1")
    assert traffic.failed == []
    assert back.version == "1"
    assert set(traffic.answered) == {"1", "2"}


@pytest.mark.parametrize("fault", ["golden", "crash", "digest"])
def test_a_bad_challenger_leaves_the_champion_serving(
    endpoints: LocalEndpoints, packages: tuple[Path, Path], tmp_path: Path, fault: str
) -> None:
    deploy(endpoints, 1, packages[0])
    promoted: list[int] = []
    bad, digest = packages[1], None
    if fault == "golden":
        bad = wrong_golden(packages[1], tmp_path / "bad")
    elif fault == "crash":
        bad = shutil.copytree(packages[1], tmp_path / "bad")
        digest = Package.open(bad).digest
        (bad / "model.onnx").write_bytes(b"not a model")
    else:
        digest = "0" * 64
    with Traffic(port_of(endpoints), dict(Package.open(packages[0]).golden.rows[0])) as traffic:
        traffic.await_answers("1")
        with pytest.raises(EndpointError, match="golden rows wrong" if fault == "golden" else "ended before") as caught:
            deploy(endpoints, 2, bad, digest=digest, before_switch=lambda: promoted.append(2))
        traffic.await_answers("1")
    assert traffic.failed == []
    assert promoted == []
    assert endpoints.get("m").version == "1"
    if fault == "crash":
        assert "model.onnx" in caught.value.why  # the reason is in the log's tail


def test_a_refused_promotion_moves_no_traffic(endpoints: LocalEndpoints, packages: tuple[Path, Path]) -> None:
    deploy(endpoints, 1, packages[0])

    def refuse() -> None:
        raise EndpointError("stale", why="", todo="")

    with pytest.raises(EndpointError, match="stale"):
        deploy(endpoints, 2, packages[1], before_switch=refuse)
    assert endpoints.get("m").version == "1"


def test_deploying_what_serves_changes_nothing(endpoints: LocalEndpoints, packages: tuple[Path, Path]) -> None:
    deploy(endpoints, 1, packages[0])
    before = read_state(folder_of(endpoints._state, "m"))
    again = deploy(endpoints, 1, packages[0])
    assert not again.changed
    assert read_state(folder_of(endpoints._state, "m")) == before


def test_a_killed_server_is_restarted_and_callers_are_answered(
    endpoints: LocalEndpoints, packages: tuple[Path, Path]
) -> None:
    deploy(endpoints, 1, packages[0])
    state = read_state(folder_of(endpoints._state, "m"))
    assert state is not None
    os.kill(state["server_pid"], signal.SIGKILL)
    golden = Package.open(packages[0]).golden
    assert predict(state["port"], golden.rows[:1]) == pytest.approx(golden.expected[:1], abs=1e-6)
    after = read_state(folder_of(endpoints._state, "m"))
    assert after is not None and after["server_pid"] != state["server_pid"] and after["restarts"] == 1


def test_a_killed_supervisor_takes_its_server_along_and_is_replaced_on_the_same_port(
    endpoints: LocalEndpoints, packages: tuple[Path, Path]
) -> None:
    deploy(endpoints, 1, packages[0], settings=own_port())
    state = read_state(folder_of(endpoints._state, "m"))
    assert state is not None
    os.kill(state["pid"], signal.SIGKILL)
    end = time.monotonic() + PATIENCE_S
    while (ping(state["port"]) or read_state(folder_of(endpoints._state, "m"))) and time.monotonic() < end:
        threading.Event().wait(0.01)
    assert endpoints.fingerprint("m") == {"version": None, "digest": None, "healthy": False}
    assert [e["status"] for e in endpoints.list()] == ["stopped"]
    with pytest.raises(EndpointError, match="no running endpoint"):
        endpoints.get("m")
    deploy(endpoints, 1, packages[0])
    assert port_of(endpoints) == state["port"]


def test_a_stale_state_file_is_not_believed(endpoints: LocalEndpoints, tmp_path: Path) -> None:
    """After a reboot the process id may be anybody's."""
    folder = folder_of(tmp_path, "m")
    folder.mkdir(parents=True)
    (folder / "lock").touch()
    (folder / "state.json").write_text(json.dumps({"pid": os.getpid(), "port": 1, "serving": {}, "previous": None}))
    assert read_state(folder) is None
    assert fingerprint(folder)["healthy"] is False


def test_a_taken_port_is_named(endpoints: LocalEndpoints, packages: tuple[Path, Path]) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as other:
        port = other.getsockname()[1]
        with pytest.raises(ResourceError, match=f"port {port} is taken"):
            deploy(endpoints, 1, packages[0], settings=Endpoint(port=port))
    deploy(endpoints, 1, packages[0], settings=Endpoint(port=port))
    assert port_of(endpoints) == port


def test_without_a_port_a_free_one_is_found(
    endpoints: LocalEndpoints, packages: tuple[Path, Path], tmp_path: Path
) -> None:
    first = deploy(endpoints, 1, packages[0])
    second = LocalEndpoints(tmp_path / "other")
    try:
        other = deploy(second, 1, packages[0])
        assert other.url != first.url
    finally:
        second.stop("m")


def test_a_state_folder_deeper_than_a_unix_sockets_path(packages: tuple[Path, Path], tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    found = LocalEndpoints(deep)
    try:
        assert deploy(found, 1, packages[0]).changed
    finally:
        assert found.stop("m")


def test_two_deployments_at_once_happen_one_after_the_other(
    endpoints: LocalEndpoints, packages: tuple[Path, Path]
) -> None:
    deploy(endpoints, 1, packages[0])
    errors: list[BaseException] = []

    def other(version: int) -> None:
        try:
            deploy(endpoints, version, packages[version % 2])
        except BaseException as exc:
            errors.append(exc)

    threads = [threading.Thread(target=other, args=(v,)) for v in (2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert endpoints.get("m").version in ("2", "3")


def test_stopping_ends_every_process_and_is_repeatable(endpoints: LocalEndpoints, packages: tuple[Path, Path]) -> None:
    deploy(endpoints, 1, packages[0])
    state = read_state(folder_of(endpoints._state, "m"))
    assert state is not None
    assert endpoints.stop("m")
    assert not endpoints.stop("m")
    assert [pid for pid in (state["pid"], state["server_pid"]) if alive(pid)] == []


def test_only_loopback_is_listened_on(endpoints: LocalEndpoints, packages: tuple[Path, Path]) -> None:
    deploy(endpoints, 1, packages[0])
    port = f":{port_of(endpoints):04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    listening = [
        fields[1] for fields in (line.split() for line in lines) if fields[3] == "0A" and fields[1].endswith(port)
    ]
    assert listening == [f"0100007F{port}"]


def test_the_control_socket_is_for_its_owner_only(endpoints: LocalEndpoints, packages: tuple[Path, Path]) -> None:
    deploy(endpoints, 1, packages[0])
    assert (folder_of(endpoints._state, "m") / "control").stat().st_mode & 0o077 == 0
