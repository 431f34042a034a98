"""The offline AWS ends with whoever started it, and takes its jobs along."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seatrial.errors import ResourceError
from seatrial.rehearsal.aws import OfflineAws

_OWNER = """
import sys, uuid, json
from pathlib import Path
sys.path.insert(0, {tests!r})
from conftest import Bench, URI
from seatrial.rehearsal.aws import Image, OfflineAws
aws = OfflineAws([Image(uri=URI, python=Path(sys.executable), workdir=Path.cwd())]).__enter__()
bench = Bench(aws)
request = bench.processing_request("orphan", "import time; print('begun', flush=True); time.sleep(600)")
request["AppSpecification"]["ContainerArguments"] = ["{mark}"]
bench.sagemaker.create_processing_job(**request)
bench.until(lambda: bench.lines("/aws/sagemaker/ProcessingJobs", "orphan"), bool)
print(aws.endpoint_url, flush=True)
sys.stdin.read()
"""


def _marked(mark: str) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "cmdline").read_bytes() and int(folder.name) != os.getpid():
                found.append(int(folder.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def test_nothing_outlives_an_owner_that_was_killed() -> None:
    """A person presses ^C twice, a CI job is cancelled: neither a server nor a job may stay behind."""
    mark = f"orphan-{os.getpid()}"
    script = _OWNER.format(tests=str(Path(__file__).parent), mark=mark)
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        url = owner.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        assert _marked(mark)
        owner.send_signal(signal.SIGKILL)
    port = int(url.rpartition(":")[2])
    end = time.monotonic() + 60
    while time.monotonic() < end and (_marked(mark) or _listens(port)):
        time.sleep(0.05)
    assert _marked(mark) == []
    assert not _listens(port)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_server_that_cannot_start_says_why() -> None:
    """An address in use is a sentence, not a stack trace or a hang."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ResourceError, match="in use"), OfflineAws(port=taken.getsockname()[1]):
            pass


def _said(*arguments: str) -> str:
    """What the module says on standard output before its input ends."""
    with subprocess.Popen(
        [sys.executable, "-m", "seatrial.rehearsal.aws", "--until-eof", *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        assert server.stdin is not None
        assert server.stdout is not None
        first = server.stdout.readline()
        server.stdin.close()
        return first + server.stdout.read()


def test_a_person_is_told_what_to_paste() -> None:
    """A shell that has read the lines reaches this server, and no account."""
    text = _said()
    url = re.search(r"http://127\.0\.0\.1:\d+", text)
    assert url is not None
    exports = "\n".join(line for line in text.splitlines() if line.startswith("export "))
    shown = subprocess.run(["bash", "-c", f"{exports}\nenv"], capture_output=True, text=True, check=True, env={}).stdout
    assert f"AWS_ENDPOINT_URL={url.group()}" in shown
    assert {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"} <= {e.partition("=")[0] for e in shown.split()}


def test_a_program_is_told_in_json() -> None:
    """One line, with the same environment."""
    said = json.loads(_said("--json"))
    assert said["environment"]["AWS_ENDPOINT_URL"] == said["endpoint_url"]


def test_whoever_started_it_may_be_gone_before_it_listens() -> None:
    command = [sys.executable, "-m", "seatrial.rehearsal.aws", "--json", "--until-eof"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, b"")
