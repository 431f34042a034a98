"""What can go wrong around an endpoint: killed processes, commands at bad moments, a full disk, a vanished folder.

All but a few (the damaged record, the package that is gone and comes back, nothing left behind) were red against the
first version of the supervisor.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import shutil
import signal
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from seatrial.clouds.local import supervisor as module
from seatrial.clouds.local.control import Control
from seatrial.clouds.local.endpoint_state import folder_of, ping, read_state, supervised, take_lock
from seatrial.clouds.local.endpoints import LocalEndpoints, _spec, _start_supervisor
from seatrial.errors import EndpointError, PackageError, ResourceError
from seatrial.package.read import Package
from seatrial.project import Endpoint
from tests.processes import children
from tests.unit.clouds.local.endpoint_samples import (
    PATIENCE_S,
    alive,
    deploy,
    own_port,
    port_of,
    predict,
    state_of,
    until,
)

Packages = tuple[Path, Path]


def look(pid: int) -> None:
    """Have a supervisor look around now instead of within a second."""
    os.kill(pid, signal.SIGCHLD)


def _status(endpoints: LocalEndpoints) -> str | None:
    state = read_state(folder_of(endpoints._state, "m"))
    return None if state is None else str(state["status"])


def kill_supervisor(endpoints: LocalEndpoints) -> None:
    pid = state_of(endpoints)["pid"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: not supervised(folder_of(endpoints._state, "m")), "the supervisor is dead")


def test_going_back_twice_goes_further_back(endpoints: LocalEndpoints, packages: Packages) -> None:
    """As the registry does: forth again would serve the version that was found to be bad."""
    for version in (1, 2, 3):
        deploy(endpoints, version, packages[version % 2])
    assert endpoints.rollback("m", settings=Endpoint()).version == "2"
    assert endpoints.rollback("m", settings=Endpoint()).version == "1"
    with pytest.raises(EndpointError, match="no previous version"):
        endpoints.rollback("m", settings=Endpoint())
    assert endpoints.get("m").version == "1"


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_the_previous_version_is_remembered_beyond_its_supervisor(
    endpoints: LocalEndpoints, packages: Packages, end: str
) -> None:
    deploy(endpoints, 1, packages[0])
    deploy(endpoints, 2, packages[1])
    if end == "kill":
        kill_supervisor(endpoints)
        deploy(endpoints, 2, packages[1])
        assert [e["previous"] for e in endpoints.list()] == ["1"]
    else:
        endpoints.stop("m")
        deploy(endpoints, 3, packages[0])
        assert endpoints.rollback("m", settings=Endpoint()).version == "2"
    assert endpoints.rollback("m", settings=Endpoint()).version == "1"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"last": 3, "before": [{"version": "1"}, 7]}'])
def test_a_damaged_record_does_not_keep_an_endpoint_down(
    endpoints: LocalEndpoints, packages: Packages, text: str
) -> None:
    """What served before is lost; what is to be served now is not."""
    folder = folder_of(endpoints._state, "m")
    folder.mkdir(parents=True)
    (folder / "state.json").write_text(text)
    deploy(endpoints, 1, packages[0])
    with pytest.raises(EndpointError, match="no previous version"):
        endpoints.rollback("m", settings=Endpoint())


def test_the_challenger_of_a_killed_deployment_ends(endpoints: LocalEndpoints, packages: Packages) -> None:
    """Killing a run at a random moment must not leave a model in memory for ever."""
    deploy(endpoints, 1, packages[0])
    state = state_of(endpoints)
    spec = _spec("2", packages[1], Package.open(packages[1]).digest, Endpoint())
    with Control(folder_of(endpoints._state, "m"), PATIENCE_S) as control:  # the kernel closes a killed one's
        control.ask("start", spec=spec)
        assert len(children(state["pid"])) == 2
    until(lambda: children(state["pid"]) == {state["server_pid"]}, "the challenger is gone")
    assert endpoints.get("m").version == "1"


def test_a_deployment_killed_after_its_switch_has_switched(endpoints: LocalEndpoints, packages: Packages) -> None:
    """The registry was told before: from the command on, the switch is completed without whoever asked for it."""
    deploy(endpoints, 1, packages[0])
    spec = _spec("2", packages[1], Package.open(packages[1]).digest, Endpoint())
    control = Control(folder_of(endpoints._state, "m"), PATIENCE_S)
    started = control.ask("start", spec=spec)
    until(lambda: ping(started["check_port"]), "the challenger is healthy")
    control._socket.sendall(b'{"do": "switch", "server": %d}\n' % started["server"])
    control.close()
    until(lambda: state_of(endpoints)["serving"]["version"] == "2", "v2 serves, and it is written down")
    assert endpoints.fingerprint("m")["version"] == "2"
    assert endpoints.rollback("m", settings=Endpoint()).version == "1"


def test_a_supervisor_killed_between_start_and_switch_is_an_error_and_leaves_nobody(
    endpoints: LocalEndpoints, packages: Packages
) -> None:
    deploy(endpoints, 1, packages[0])
    started: list[int] = []

    def kill() -> None:
        state = state_of(endpoints)
        started.extend(children(state["pid"]))
        os.kill(state["pid"], signal.SIGKILL)

    with pytest.raises(EndpointError, match="does not answer"):
        deploy(endpoints, 2, packages[1], before_switch=kill)
    until(lambda: not any(map(alive, started)), "its servers are dead")
    assert len(started) == 2
    assert deploy(endpoints, 2, packages[1]).version == "2"
    assert endpoints.rollback("m", settings=Endpoint()).version == "1"


def test_a_challenger_killed_before_the_switch_changes_nothing(endpoints: LocalEndpoints, packages: Packages) -> None:
    deploy(endpoints, 1, packages[0])

    def kill() -> None:
        state = state_of(endpoints)
        (challenger,) = children(state["pid"]) - {state["server_pid"]}
        os.kill(challenger, signal.SIGKILL)

    with pytest.raises(EndpointError, match="challenger ended"):
        deploy(endpoints, 2, packages[1], before_switch=kill)
    assert endpoints.fingerprint("m")["version"] == "1"


def test_the_server_that_serves_cannot_be_switched_or_discarded(endpoints: LocalEndpoints, packages: Packages) -> None:
    """The first version killed what served when the answer to its switch was lost."""
    deploy(endpoints, 1, packages[0])
    with Control(folder_of(endpoints._state, "m"), PATIENCE_S) as control:
        numbers: list[object] = [1, 7, None, []]
        for number in numbers:
            with pytest.raises(EndpointError):
                control.ask("switch", server=number)
        assert control.ask("discard", server=1)["serving"]["version"] == "1"
    assert endpoints.fingerprint("m")["version"] == "1"


def test_a_silent_or_broken_caller_does_not_hold_up_the_others(endpoints: LocalEndpoints, packages: Packages) -> None:
    deploy(endpoints, 1, packages[0])
    folder = folder_of(endpoints._state, "m")
    with Control(folder, PATIENCE_S) as silent, Control(folder, PATIENCE_S) as broken:
        silent._socket.sendall(b'{"do": "sta')
        broken._socket.sendall(b"[]\nnull\n3\n{}\n\xff\n")
        with Control(folder, PATIENCE_S) as control:  # the silent one goes on when this has its answer
            assert control.ask("status")["status"] == "serving"
        silent._socket.sendall(b'tus"}\n')
        assert b'"serving"' in silent._socket.recv(65536)


def test_a_deployment_during_a_stop_waits_for_its_end(endpoints: LocalEndpoints, packages: Packages) -> None:
    served = deploy(endpoints, 1, packages[0], settings=own_port())
    caller = http.client.HTTPConnection("127.0.0.1", port_of(endpoints), timeout=PATIENCE_S)
    caller.request("GET", "/ping")
    caller.getresponse().read()  # open, idle: the server waits a while for its next request
    stopping = threading.Thread(target=endpoints.stop, args=("m",))
    stopping.start()
    until(lambda: _status(endpoints) in ("stopping", None), "it is stopping, or over already")
    again: list[str] = []
    deploying = threading.Thread(target=lambda: again.append(deploy(endpoints, 2, packages[1]).url))
    deploying.start()
    caller.close()
    stopping.join(PATIENCE_S)
    assert not stopping.is_alive()
    deploying.join(PATIENCE_S)
    assert again == [served.url]
    assert endpoints.get("m").version == "2"


def test_a_stop_is_over_although_a_deployment_follows_at_once(
    endpoints: LocalEndpoints, packages: Packages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for the supervisor that it asked, and not for the next one, which nobody asked to end."""
    deploy(endpoints, 1, packages[0])
    deployed, pause = threading.Event(), time.sleep

    def late(seconds: float) -> None:
        deployed.wait(PATIENCE_S) if threading.current_thread() is stopping else pause(seconds)

    monkeypatch.setattr("seatrial.clouds.local.endpoints.time.sleep", late)
    monkeypatch.setattr("seatrial.clouds.local.endpoints._STOP_S", 5.0)
    stopped: list[bool] = []
    stopping = threading.Thread(target=lambda: stopped.append(endpoints.stop("m")))
    stopping.start()
    until(lambda: _status(endpoints) in ("stopping", None), "it is stopping, or over already")
    deploy(endpoints, 2, packages[1])
    deployed.set()
    stopping.join(PATIENCE_S)
    assert stopped == [True]
    assert endpoints.get("m").version == "2"


def test_a_stop_during_a_deployment_wins(endpoints: LocalEndpoints, packages: Packages) -> None:
    deploy(endpoints, 1, packages[0])
    pid = state_of(endpoints)["pid"]

    def stop() -> None:
        threading.Thread(target=endpoints.stop, args=("m",)).start()
        until(lambda: _status(endpoints) in ("stopping", None), "it is stopping, or over already")

    with pytest.raises(EndpointError, match=r"being stopped|does not answer"):
        deploy(endpoints, 2, packages[1], before_switch=stop)
    until(lambda: not alive(pid), "the supervisor has ended")


def test_stopping_at_once_from_two_sides_is_not_an_error(endpoints: LocalEndpoints, packages: Packages) -> None:
    deploy(endpoints, 1, packages[0])
    errors: list[BaseException] = []

    def stop() -> None:
        try:
            endpoints.stop("m")
        except BaseException as exc:
            errors.append(exc)

    threads = [threading.Thread(target=stop) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []
    assert not supervised(folder_of(endpoints._state, "m"))


def test_sigterm_to_the_supervisor_is_an_orderly_end(endpoints: LocalEndpoints, packages: Packages) -> None:
    """What an operating system sends when it goes down: the running request is answered."""
    deploy(endpoints, 1, packages[0])
    state = state_of(endpoints)
    row = dict(Package.open(packages[0]).golden.rows[0])
    caller = http.client.HTTPConnection("127.0.0.1", state["port"], timeout=PATIENCE_S)
    caller.putrequest("POST", "/predict")
    body = b'{"instances": [' + json.dumps(row).encode() + b"]}"
    caller.putheader("content-type", "application/json")
    caller.putheader("content-length", str(len(body)))
    caller.endheaders(body[:10])
    until(lambda: len(os.listdir(f"/proc/{state['server_pid']}/fd")) > 0 and ping(state["port"]), "it is accepted")
    os.kill(state["pid"], signal.SIGTERM)
    until(lambda: state_or_none(endpoints) in ("stopping", None), "it stops")
    caller.send(body[10:])
    assert caller.getresponse().status == 200
    caller.close()
    until(lambda: not alive(state["pid"]) and not alive(state["server_pid"]), "both have ended")


def state_or_none(endpoints: LocalEndpoints) -> str | None:
    state = read_state(folder_of(endpoints._state, "m"))
    return None if state is None else str(state["status"])


def test_a_state_file_that_cannot_be_written_takes_nothing_down(endpoints: LocalEndpoints, packages: Packages) -> None:
    """A full disk, seeded here as a folder in the file's place. It is written when that is possible again."""
    deploy(endpoints, 1, packages[0])
    folder, pid = folder_of(endpoints._state, "m"), state_of(endpoints)["pid"]
    (folder / ".state.json").mkdir()
    assert deploy(endpoints, 2, packages[1]).version == "2"
    assert endpoints.fingerprint("m")["version"] == "2"
    (folder / ".state.json").rmdir()
    look(pid)
    until(lambda: state_of(endpoints)["serving"]["version"] == "2", "the state is written")


def test_a_supervisor_ends_when_its_folder_is_deleted(endpoints: LocalEndpoints, packages: Packages) -> None:
    """``make clean``: nobody could find it any more, and it would keep the port for ever."""
    deploy(endpoints, 1, packages[0], settings=own_port())
    state = state_of(endpoints)
    shutil.rmtree(folder_of(endpoints._state, "m"))
    look(state["pid"])
    until(lambda: not alive(state["pid"]) and not alive(state["server_pid"]), "both have ended")
    deploy(endpoints, 1, packages[0], settings=Endpoint(port=state["port"]))
    assert port_of(endpoints) == state["port"]


def test_a_version_whose_package_is_gone_comes_back_with_it(
    endpoints: LocalEndpoints, packages: Packages, tmp_path: Path
) -> None:
    package = shutil.copytree(packages[0], tmp_path / "package")
    deploy(endpoints, 1, package)
    state = state_of(endpoints)
    package.rename(tmp_path / "away")
    os.kill(state["server_pid"], signal.SIGKILL)
    until(lambda: state_of(endpoints)["restarts"] >= 2, "a restart failed")
    with pytest.raises(EndpointError, match="no running server"):
        endpoints.get("m")
    (tmp_path / "away").rename(package)
    until(lambda: endpoints.fingerprint("m")["healthy"], "it serves again")
    assert supervised(folder_of(endpoints._state, "m"))


def test_callers_are_turned_away_at_once_when_nobody_serves(endpoints: LocalEndpoints) -> None:
    """They used to wait in the listening socket's queue until their own patience ended."""
    folder = folder_of(endpoints._state, "m")
    folder.mkdir(parents=True)
    _start_supervisor("m", folder, None)
    until(lambda: read_state(folder), "it has written its state")
    assert state_of(endpoints)["status"] == "empty"
    with pytest.raises(ConnectionError):
        predict(state_of(endpoints)["port"], [{}])


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[module.Supervisor]:
    """A supervisor that is not running: its decisions, with a clock of the test's."""
    monkeypatch.chdir(tmp_path)
    lock = take_lock(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as public, socket.socket(socket.AF_UNIX) as control:
        yield module.Supervisor(tmp_path, public, control, lock)
    os.close(lock)


def test_restarts_become_rare_but_never_end(found: module.Supervisor) -> None:
    pauses = []
    for _ in range(12):
        found._plan_restart(now=1000.0)
        assert found.restart_at is not None
        pauses.append(found.restart_at - 1000.0)
    assert pauses[:3] == pytest.approx([0.05, 0.15, 0.45])
    assert pauses == sorted(pauses)
    assert pauses[-1] == 60.0
    assert found.status()["status"] == "failing"
    found._plan_restart(now=5000.0)  # long after: it starts afresh
    assert found.restart_at == pytest.approx(5000.05)


def test_a_supervisor_with_nothing_to_do_ends(found: module.Supervisor) -> None:
    """The first deployment failed: a process that serves nothing would keep a port."""
    found._notice_the_end(now=0.0)
    found._notice_the_end(now=9.0)
    assert not found.stopping
    found._notice_the_end(now=10.1)
    assert found.stopping


def test_changed_limits_take_effect_for_the_version_that_serves(endpoints: LocalEndpoints, packages: Packages) -> None:
    deploy(endpoints, 1, packages[0])
    rows = list(Package.open(packages[0]).golden.rows[:3])
    predict(port_of(endpoints), rows)
    assert deploy(endpoints, 1, packages[0], settings=Endpoint(max_rows=2)).changed
    with pytest.raises(ValueError, match="at most 2"):
        predict(port_of(endpoints), rows)


def test_after_a_deployment_only_the_new_version_answers(endpoints: LocalEndpoints, packages: Packages) -> None:
    deploy(endpoints, 1, packages[0])
    port = port_of(endpoints)
    for version in (2, 3, 4):
        deploy(endpoints, version, packages[version % 2])
        assert {(ping(port) or {}).get("version") for _ in range(20)} == {str(version)}


def test_a_package_exchanged_behind_the_endpoints_back_is_refused(
    endpoints: LocalEndpoints, packages: Packages, tmp_path: Path
) -> None:
    package = shutil.copytree(packages[0], tmp_path / "package")
    deploy(endpoints, 1, package)
    shutil.rmtree(package)
    shutil.copytree(packages[1], package)
    with pytest.raises(PackageError):
        endpoints.verify("m", "1")


def test_deployments_leave_no_process_and_no_descriptor_behind(endpoints: LocalEndpoints, packages: Packages) -> None:
    deploy(endpoints, 1, packages[0])
    pid = state_of(endpoints)["pid"]
    until(lambda: len(children(pid)) == 1, "only one server")
    before = len(os.listdir(f"/proc/{pid}/fd"))
    for version in (2, 3, 4):
        deploy(endpoints, version, packages[version % 2])
        with contextlib.suppress(EndpointError):
            deploy(endpoints, 9, packages[0], digest="0" * 64)
    until(lambda: len(children(pid)) == 1, "only one server")
    until(lambda: len(os.listdir(f"/proc/{pid}/fd")) <= before, "no more descriptors than before")


def test_only_the_owner_sees_an_endpoints_files(endpoints: LocalEndpoints, packages: Packages) -> None:
    folder = folder_of(endpoints._state, "m")
    folder.mkdir(parents=True, mode=0o755)
    deploy(endpoints, 1, packages[0])
    predict(port_of(endpoints), Package.open(packages[0]).golden.rows[:1])
    open_to_others = [p.name for p in (folder, *folder.iterdir()) if stat.S_IMODE(p.lstat().st_mode) & 0o077]
    assert open_to_others == []


def test_a_folder_that_cannot_be_made_is_named(packages: Packages, tmp_path: Path) -> None:
    (tmp_path / "endpoints").write_text("in the way")
    with pytest.raises(ResourceError, match="cannot be made"):
        deploy(LocalEndpoints(tmp_path), 1, packages[0])


def test_probes_of_the_lock_do_not_take_each_other_for_a_supervisor(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    with (tmp_path / "lock").open() as probe:
        fcntl.flock(probe, fcntl.LOCK_SH)
        assert not supervised(tmp_path)
    holder = take_lock(tmp_path)
    assert supervised(tmp_path)
    os.close(holder)


def test_a_probe_does_not_keep_a_supervisor_from_starting(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    with (tmp_path / "lock").open() as probe:
        fcntl.flock(probe, fcntl.LOCK_SH)
        with pytest.raises(BlockingIOError):
            take_lock(tmp_path, patience_s=0.01)  # the control: it is kept while the probe lasts
        threading.Timer(0.05, lambda: fcntl.flock(probe, fcntl.LOCK_UN)).start()
        os.close(take_lock(tmp_path, patience_s=PATIENCE_S))


def test_a_state_that_another_process_wrote_is_not_believed(tmp_path: Path) -> None:
    """Between taking the lock and its first word, a new supervisor's folder holds its predecessor's state."""
    (tmp_path / "state.json").write_text('{"pid": 1, "serving": null}')
    holder = take_lock(tmp_path)
    assert read_state(tmp_path) is None
    (tmp_path / "state.json").write_text(json.dumps({"pid": os.getpid(), "serving": None}))
    assert read_state(tmp_path) is not None
    os.close(holder)
