"""`seatrial run --engine`: a document's container components in real containers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import Bench

pytestmark = pytest.mark.containers

_PIPE = """
from kfp import dsl

@dsl.container_component
def make(text: str, times: int, data: dsl.Output[dsl.Dataset], rows: dsl.OutputPath(int)):
    script = '''
import os, sys
text, times, data, rows = sys.argv[1:]
assert os.environ["WORD"] == "given"
for path in (data, rows):
    os.makedirs(os.path.dirname(path), exist_ok=True)
open(data, "w").write(text * int(times))
open(rows, "w").write(times)
print("made on", sys.prefix)
'''
    return dsl.ContainerSpec(image="{image}", command=["python3", "-c", script], args=[text, times, data.path, rows])

@dsl.container_component
def read(data: dsl.Input[dsl.Dataset], out: dsl.OutputPath(str)):
    script = '''
mkdir -p "$(dirname "$1")"
echo changed > "$0" 2>/dev/null && echo "an input can be written" > "$1" || cat "$0" > "$1"
'''
    return dsl.ContainerSpec(image="{image}", command=["sh", "-c", script], args=[data.path, out])

@dsl.pipeline(name="p")
def p(text: str = "ab") -> str:
    made = make(text=text, times=3).set_env_variable("WORD", "given")
    return read(data=made.outputs["data"]).outputs["out"]
"""

_ONE = """
from kfp import dsl

@dsl.container_component
def one():
    return dsl.ContainerSpec(image="{image}", command=["sh", "-c", {script!r}])

@dsl.pipeline(name="p")
def p():
    one(){more}
"""


def test_values_and_artifacts_go_from_container_to_container(bench: Bench, engine: str, trial_image: str) -> None:
    bench.write("pipe.py", _PIPE.replace("{image}", trial_image))
    ran = bench.run({"text": "xy"}, engine=engine)
    assert ran.error is None
    assert ran.record["outputs"] == {"Output": "xyxyxy"}
    made = ran.task("make")
    assert made is not None
    assert made["outputs"] == {"rows": 3}
    assert made["notes"] == [f"ran in a container of {engine}"]
    assert Path(made["log"]).read_text() == "made on /opt/venv\n"
    assert Path(made["artifacts"]["data"][0]["uri"]).read_text() == "xyxyxy"
    bench.run({"text": "xy"}, engine=engine)
    assert set(bench.states().values()) == {"cached"}


def test_a_failing_container_is_reported_failing_25_times_of_25(bench: Bench, engine: str, trial_image: str) -> None:
    """One run: the task is tried 24 times more."""
    again = ".set_retry(24, backoff_duration='0s')"
    bench.write("pipe.py", _ONE.format(image=trial_image, script="echo last words; exit 3", more=again))
    ran = bench.run(engine=engine)
    assert ran.error is not None
    assert [task["state"] for task in ran.record["tasks"]] == ["FAILED"] * 25
    assert {task["error"]["what"] for task in ran.record["tasks"]} == {"failed: exit code 3"}
    assert all("last words" in task["error"]["why"] for task in ran.record["tasks"])


def test_an_image_that_is_not_there_fails_the_task(bench: Bench, engine: str) -> None:
    bench.write("pipe.py", _ONE.format(image="localhost/no-such:1", script="true", more=""))
    error = bench.run(engine=engine).error
    assert error is not None
    assert "exit code 125" in error.what
    assert "no-such" in error.why


@contextmanager
def _running(bench: Bench, engine: str, image: str) -> Iterator[subprocess.Popen[bytes]]:
    """`seatrial run`, while its only task sleeps in a container."""
    bench.write("pipe.py", _ONE.format(image=image, script=f"touch {bench.root}/never; exec sleep 600", more=""))
    bench.write("document.yaml", bench.compile())
    command = [sys.executable, "-m", "seatrial.cli.main", "run", "document.yaml", "--engine", engine]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    # a shell without a terminal starts background programs with SIGINT ignored, which would be handed down
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        started = subprocess.Popen(
            command, cwd=bench.root, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    finally:
        signal.signal(signal.SIGINT, before)
    with started as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_container_outlives_a_run_that_was_ended(
    bench: Bench,
    engine: str,
    trial_image: str,
    containers: Callable[[str], list[str]],
    until: Callable[[Callable[[], object]], None],
    how: signal.Signals,
) -> None:
    """Ctrl-C, a CI job that is cancelled, the out-of-memory killer: a container is not the runner's child."""
    runs = bench.state / "runs"
    with _running(bench, engine, trial_image) as process:
        until(lambda: runs.is_dir() and any(containers(path.name) for path in runs.iterdir()))
        (run,) = (path.name for path in runs.iterdir() if containers(path.name))
        process.send_signal(how)
        process.wait(300)
    until(lambda: containers(run) == [])
