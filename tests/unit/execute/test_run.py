"""Whole documents in real processes: results, the cache, failures, and what is left behind."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from seatrial.errors import DocumentError

STEPS = '''
from __future__ import annotations
import os, signal, subprocess, sys
from dataclasses import dataclass
from pathlib import Path
from seatrial.component import Dataset, Input, Output, Resources, component, observes, progress, reads, say
from lib import factor

@dataclass(frozen=True)
class Made:
    n: int
    names: list[str]

@component()
def make(n: int, data: Output[Dataset]) -> Made:
    """Write a file."""
    data.path.write_text(str(n * factor.FACTOR))
    data.metadata["rows"] = n
    progress(1, 2, "half")
    say(f"{n} rows")
    return Made(n=n + 1, names=["a", "b"])

@component()
def each(name: str, data: Input[Dataset], out: Output[Dataset]) -> None:
    out.path.mkdir()
    (out.path / "part.txt").write_text(name + data.path.read_text())

@component()
def join(outs: Input[list[Dataset]], out: Output[Dataset], maybe: Input[Dataset] | None = None) -> None:
    out.path.write_text(",".join((o.path / "part.txt").read_text() for o in outs))
    say(out.path.read_text())

@component()
def breaks(how: str, out: Output[Dataset]) -> None:
    if how == "raise":
        raise ValueError("no good")
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "exit":
        print("last words", file=sys.stderr)
        sys.exit(3)
    if how == "orphan":
        child = f"import time; open({str(out.path)!r}, 'w').write('x'); time.sleep(600)"
        subprocess.Popen([sys.executable, "-c", child])
        raise ValueError("left a child")

@component()
def looks(place: str) -> Made:
    """Read a project file, a file elsewhere and a probe."""
    try:
        text = Path("settings.txt").read_text()
    except FileNotFoundError:
        text = "none"
    reads(place)
    return Made(n=observes(counter, place=place), names=[text])

def counter(place: str) -> int:
    return len(Path(place).read_text())

@component(cache=False)
def never(n: int) -> Made:
    return Made(n=n, names=[])

@component(resources=Resources(cpu=64))
def threads() -> Made:
    return Made(n=int(os.environ["OMP_NUM_THREADS"]), names=sorted(os.environ))
'''

PIPE = """
from kfp import dsl
from steps import each, join, make

@dsl.pipeline(name="p")
def p(n: int = 3) -> int:
    a = make.task(n=n)
    with dsl.ParallelFor(a.outputs["names"]) as name:
        b = each.task(name=name, data=a.outputs["data"])
    join.task(outs=dsl.Collected(b.outputs["out"]))
    return a.outputs["n"]
"""


def one(component: str, **arguments: Any) -> str:
    given = ", ".join(f"{k}={v!r}" for k, v in arguments.items())
    imports = f"from kfp import dsl\nfrom steps import {component}\n"
    return f"{imports}\n@dsl.pipeline(name='one')\ndef one() -> None:\n    {component}.task({given})\n"


@pytest.fixture
def steps(bench: Any) -> Any:
    bench.write("steps.py", STEPS)
    bench.write("lib/__init__.py", "")
    bench.write("lib/factor.py", "FACTOR = 1\n")
    bench.write("pipe.py", PIPE)
    return bench


def test_a_pipeline_runs_from_its_document(steps: Any) -> None:
    ran = steps.run({"n": 5})
    assert ran.error is None
    assert ran.record["outputs"] == {"Output": 6}
    joined = ran.task("join")
    assert joined["summary"] == "a5,b5"
    assert Path(joined["artifacts"]["out"][0]["uri"]).read_text() == "a5,b5"
    assert ran.task("make")["artifacts"]["data"][0]["metadata"] == {"rows": 5}
    assert ("make", {"progress": [1, 2], "text": "half"}) in steps.heard.events
    assert ran.task("make")["max_rss_kb"] > 1000
    assert json.loads((ran.folder / "run.json").read_text())["state"] == "SUCCEEDED"


def test_the_second_run_is_cached_whole(steps: Any) -> None:
    first = steps.run({"n": 5})
    again = steps.run({"n": 5})
    assert set(steps.states().values()) == {"cached"}
    assert [e for e in steps.heard.events if "started" in e[1]] == []
    assert again.record["outputs"] == first.record["outputs"]
    assert again.task("join")["summary"] == "a5,b5"


def test_another_argument_runs_again_and_equal_outputs_stop_there(steps: Any) -> None:
    """The cache goes by content: what did not change downstream is not done again."""
    steps.write("lib/factor.py", "FACTOR = 0\n")
    steps.run({"n": 5})
    steps.run({"n": 6})
    # another n: make runs, but the file's content is equal (0) while its metadata is not
    assert steps.states()["make"] == "SUCCEEDED"
    steps.run({"n": 5})
    assert set(steps.states().values()) == {"cached"}


def test_a_changed_module_runs_what_imported_it_and_only_what_follows_from_it(steps: Any) -> None:
    steps.run()
    steps.write("lib/factor.py", "FACTOR = 1 * 1\n")
    steps.run()
    assert steps.states()["make"] == "SUCCEEDED"
    steps.write("lib/factor.py", "FACTOR = 7\n")
    steps.run()
    assert steps.states()["join"] == "SUCCEEDED"
    assert steps.heard.ends["join"].summary == "a21,b21"


def test_an_unrelated_file_does_not_matter(steps: Any) -> None:
    steps.run()
    steps.write("README.md", "new")
    steps.write("other.py", "x = 1")
    steps.run()
    assert set(steps.states().values()) == {"cached"}


def test_files_and_probes_that_a_task_looked_at_are_looked_at_again(steps: Any, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside.txt"
    outside.write_text("abc")
    steps.write("pipe.py", one("looks", place=str(outside)))
    assert steps.run().task("looks")["outputs"] == {"n": 3, "names": ["none"]}
    steps.run()
    assert steps.states() == {"looks": "cached"}
    steps.write("settings.txt", "hello")  # it looked for this file and did not find it
    assert steps.run().task("looks")["outputs"]["names"] == ["hello"]
    assert steps.states() == {"looks": "SUCCEEDED"}
    outside.write_text("abcd")
    assert steps.run().task("looks")["outputs"]["n"] == 4
    outside.unlink()
    assert steps.run().error is not None


def test_a_component_that_must_not_be_cached_runs_each_time(steps: Any) -> None:
    steps.write("pipe.py", one("never", n=1))
    steps.run()
    steps.run()
    assert steps.states() == {"never": "SUCCEEDED"}


def test_the_cache_can_be_turned_off(steps: Any) -> None:
    steps.run()
    steps.run(use_cache=False)
    assert set(steps.states().values()) == {"SUCCEEDED"}


@pytest.mark.parametrize("damage", ["change", "remove", "entry"])
def test_a_damaged_result_is_made_anew(steps: Any, damage: str) -> None:
    steps.run()
    entry = next(p for p in (steps.state / "cache").glob("*/*/*/entry.json") if '"rows"' in p.read_text())
    data = entry.parent / "outputs" / "data"
    if damage == "change":
        data.write_text("999")
    elif damage == "remove":
        data.unlink()
    else:
        entry.write_text("{half")
    ran = steps.run()
    assert ran.error is None
    assert steps.states()["make"] == "SUCCEEDED"
    assert ran.task("join")["summary"] == "a3,b3"


def test_a_touched_result_is_still_good(steps: Any) -> None:
    """Only the time differs: the content is read, found equal, and reused."""
    steps.run()
    for data in (steps.state / "cache").glob("*/*/*/outputs/data"):
        os.utime(data, (1, 1))
    steps.run()
    assert set(steps.states().values()) == {"cached"}


@pytest.mark.parametrize(
    ("how", "said"),
    [("raise", "no good"), ("kill", "killed by SIGKILL"), ("exit", "last words"), ("nothing", "without writing out")],
)
def test_a_failing_task_says_how_and_keeps_its_log(steps: Any, how: str, said: str) -> None:
    steps.write("pipe.py", one("breaks", how=how))
    ran = steps.run()
    assert ran.error is not None
    assert said in str(ran.error)
    assert ran.record["state"] == "FAILED"
    assert Path(ran.task("breaks")["log"]).exists()
    assert list((steps.state / "work").iterdir()) == []
    assert not list((steps.state / "cache").glob("*/*/*"))


def test_a_failing_task_is_reported_failing_every_time(steps: Any) -> None:
    steps.write("pipe.py", one("breaks", how="exit"))
    document = steps.compile()
    assert "exit" in document
    assert [steps.run().task("breaks")["state"] for _ in range(10)] == ["FAILED"] * 10


def test_what_a_task_started_does_not_outlive_it(steps: Any) -> None:
    steps.write("pipe.py", one("breaks", how="orphan"))
    steps.run()
    alive = [
        p
        for p in Path("/proc").glob("[0-9]*/cmdline")
        if str(steps.root).encode() in _bytes(p) and b"sleep(600)" in _bytes(p)
    ]
    assert alive == []


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_a_task_that_wants_more_cores_than_there_are_gets_all(steps: Any) -> None:
    steps.write("pipe.py", one("threads"))
    outputs = steps.run(cores=2).task("threads")["outputs"]
    assert outputs["n"] == 2


def test_a_task_does_not_see_the_callers_secrets(steps: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do-not-pass")
    steps.write("pipe.py", one("threads"))
    names = steps.run().task("threads")["outputs"]["names"]
    assert "PATH" in names
    assert "AWS_SECRET_ACCESS_KEY" not in names


def test_wrong_arguments_start_nothing(steps: Any) -> None:
    ran = steps.run({"m": 1})
    assert isinstance(ran.error, DocumentError)
    assert steps.heard.events == []


def test_the_run_survives_the_removal_of_its_cache(steps: Any) -> None:
    steps.run()
    shutil.rmtree(steps.state / "cache")
    assert steps.run().error is None


def test_commands_of_other_images_run_as_they_are(bench: Any) -> None:
    """A container component that is no component of ours: its command is executed, its files are read."""
    bench.write(
        "pipe.py",
        """
from kfp import dsl

@dsl.container_component
def shell(text: str, out: dsl.OutputPath(str), data: dsl.Output[dsl.Dataset]):
    return dsl.ContainerSpec(
        image="alpine",
        command=["sh", "-c", 'mkdir -p "$(dirname "$1")" && printf "%s!" "$0" > "$1" && echo data > "$2"'],
        args=[text, out, data.path],
    )

@dsl.pipeline(name="p")
def p() -> str:
    return shell(text="it's $HOME").outputs["out"]
""",
    )
    ran = bench.run()
    assert ran.error is None, ran.error
    assert ran.record["outputs"] == {"Output": "it's $HOME!"}
    assert Path(ran.task("shell")["artifacts"]["data"][0]["uri"]).read_text() == "data\n"


def test_a_missing_command_is_a_failure_not_a_crash(bench: Any) -> None:
    bench.write(
        "pipe.py",
        """
from kfp import dsl

@dsl.container_component
def absent():
    return dsl.ContainerSpec(image="i", command=["no-such-program-here"])

@dsl.pipeline(name="p")
def p() -> None:
    absent()
""",
    )
    ran = bench.run()
    assert "exit code 127" in str(ran.error)
    assert "no-such-program-here" in str(ran.error)
