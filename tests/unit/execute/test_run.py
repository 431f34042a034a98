"""Whole documents in real processes: results, the cache, failures, and what is left behind."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from seatrial.errors import DocumentError, ResourceError, SeatrialError

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

    def left() -> list[Path]:
        found = Path("/proc").glob("[0-9]*/cmdline")
        return [p for p in found if str(steps.root).encode() in _bytes(p) and b"sleep(600)" in _bytes(p)]

    end = time.monotonic() + 60  # killed, it ends when it next gets a processor
    while left() and time.monotonic() < end:
        time.sleep(0.02)
    assert left() == []


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


@pytest.mark.parametrize(
    ("command", "said"),
    [('["no-such-program-here"]', "no-such-program-here"), ('["sh", "-c", "exec no-such-program-here"]', "127")],
)
def test_a_missing_command_is_told_not_a_crash(bench: Any, command: str, said: str) -> None:
    """Before the start where the command names it, else as the failure that it is."""
    bench.write(
        "pipe.py",
        f"""
from kfp import dsl

@dsl.container_component
def absent():
    return dsl.ContainerSpec(image="i", command={command})

@dsl.pipeline(name="p")
def p() -> None:
    absent()
""",
    )
    assert said in str(bench.run().error)


EMBEDDED = """
from kfp import dsl
from typing import NamedTuple

@dsl.component
def f(n: int, data: dsl.Output[dsl.Dataset]) -> int:
    {body}
    return n + {more}

@dsl.pipeline(name="p")
def p(n: int = 1) -> int:
    return f(n=n).outputs["Output"]
"""


def embedded(bench: Any, body: str = "open(data.path, 'w').write('x')", more: int = 1) -> None:
    bench.write("pipe.py", EMBEDDED.format(body=body, more=more))


def test_an_embedded_function_runs_here_and_its_source_is_part_of_the_key(bench: Any) -> None:
    embedded(bench)
    assert bench.run({"n": 5}).record["outputs"] == {"Output": 6}
    bench.run({"n": 5})
    assert bench.states() == {"f": "cached"}
    embedded(bench, more=2)
    assert bench.run({"n": 5}).record["outputs"] == {"Output": 7}
    bench.write(
        "pipe.py", (bench.root / "pipe.py").read_text().replace("@dsl.component", "@dsl.component(base_image='b')")
    )
    bench.run({"n": 5})
    assert bench.states() == {"f": "SUCCEEDED"}


def test_an_embedded_function_sees_the_project_and_is_run_again_when_that_changes(bench: Any) -> None:
    bench.write("lib.py", "FACTOR = 1\n")
    embedded(bench, body="import lib; n = n * lib.FACTOR")
    assert bench.run({"n": 5}).record["outputs"] == {"Output": 6}
    bench.write("lib.py", "FACTOR = 10\n")
    assert bench.run({"n": 5}).record["outputs"] == {"Output": 51}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise ValueError('no good')", "ValueError: no good"),
        ("import sys; sys.exit(3)", "exit code 3"),
        ("import os; os._exit(4)", "exit code 4"),
        ("import sys; sys.exit(0)", "did not write parameter 'Output'"),
        ("n = 'text'", "can only concatenate"),
    ],
)
def test_a_failing_embedded_function_says_how(bench: Any, body: str, said: str) -> None:
    embedded(bench, body=body)
    assert said in str(bench.run().error)


def test_an_embedded_function_leaves_nothing_behind(bench: Any, tmp_path: Path) -> None:
    """Files in its working folder and its temporary folder are its own."""
    embedded(bench, body="import tempfile; open('left', 'w').close(); open(tempfile.mkdtemp() + '/left', 'w').close()")
    before = {p.name for p in tmp_path.iterdir()} | {".seatrial", "pipe.py", "__pycache__"}
    assert bench.run().error is None
    assert {p.name for p in tmp_path.iterdir()} <= before
    assert not list(bench.state.rglob("left"))


def test_missing_packages_are_told_before_the_start(bench: Any) -> None:
    embedded(bench)
    text = (bench.root / "pipe.py").read_text()
    bench.write("pipe.py", text.replace("@dsl.component", "@dsl.component(packages_to_install=['nothing-here>=2'])"))
    error = bench.run().error
    assert "nothing-here>=2" in error.what
    assert error.todo == "Install: pip install 'nothing-here>=2'"
    assert bench.heard.events == []


COMMAND = """
from kfp import dsl

@dsl.container_component
def say(text: str, out: dsl.OutputPath(str)):
    return dsl.ContainerSpec(
        image="{image}",
        command=["sh", "-c", 'mkdir -p "$(dirname "$1")"; cat note.txt > "$1"; [[ a == a ]]'],
        args=[text, out],
    )

@dsl.pipeline(name="p")
def p(text: str = "x") -> str:
    return say(text=text).outputs["out"]
"""


def test_a_command_is_run_again_when_any_file_of_the_project_changes(bench: Any) -> None:
    """Nobody sees what a foreign command reads."""
    bench.write("pipe.py", COMMAND.format(image="one"))
    bench.write("note.txt", "first")
    assert bench.run().record["outputs"] == {"Output": "first"}
    bench.run()
    assert bench.states() == {"say": "cached"}
    bench.write("note.txt", "second")
    assert bench.run().record["outputs"] == {"Output": "second"}
    bench.write("pipe.py", COMMAND.format(image="two"))
    bench.run()
    assert bench.states() == {"say": "SUCCEEDED"}


def test_the_record_says_what_is_different_here(bench: Any) -> None:
    bench.write("pipe.py", COMMAND.format(image="one"))
    bench.write("note.txt", "first")
    notes = bench.run().task("say")["notes"]
    assert notes == ["ran as a command, outside its image one", "its shell script uses [[, so bash runs it"]


SAME = """
from kfp import dsl
from steps import each, join, make

@dsl.pipeline(name="p")
def p() -> None:
    a = make.task(n=1).set_caching_options(False)
    with dsl.ParallelFor(["x"] * 9) as name:
        b = each.task(name=name, data=a.outputs["data"]).set_caching_options({cache})
    join.task(outs=dsl.Collected(b.outputs["out"]))
"""


@pytest.mark.parametrize("cache", [True, False])
def test_equal_tasks_of_one_run_keep_their_own_results(steps: Any, cache: bool) -> None:
    """Nine rounds with equal inputs at the same time: none removes what another's reader still needs."""
    steps.write("pipe.py", SAME.format(cache=cache))
    assert steps.run().task("join")["summary"] == ",".join(["x1"] * 9)
    assert steps.run().task("join")["summary"] == ",".join(["x1"] * 9)


def test_an_input_artifact_is_given_by_its_path(bench: Any) -> None:
    bench.write(
        "pipe.py",
        """
from kfp import dsl

@dsl.component
def read(data: dsl.Input[dsl.Dataset]) -> str:
    return open(data.path).read()

@dsl.pipeline(name="p")
def p(data: dsl.Input[dsl.Dataset]) -> str:
    return read(data=data).output
""",
    )
    place = bench.write("data.txt", "content")
    assert bench.run({"data": str(place)}).record["outputs"] == {"Output": "content"}
    place.write_text("changed")
    assert bench.run({"data": str(place)}).record["outputs"] == {"Output": "changed"}
    for wrong, said in (({"data": "/nowhere"}, "is not there"), ({"data": 3}, "the path"), ({}, "'data' is missing")):
        assert said in bench.run(wrong).error.what


IMPORT = """
from kfp import dsl

@dsl.component
def read(data: dsl.Input[dsl.Dataset]) -> str:
    return open(data.path).read()

@dsl.pipeline(name="p")
def p(uri: str = "s3://bucket/file.txt") -> str:
    data = dsl.importer(artifact_uri=uri, artifact_class=dsl.Dataset, reimport={again}, metadata={{"k": "v"}})
    return read(data=data.output).output
"""


@dataclass
class Bucket:
    """A bucket with one object, or with a folder's; counts how often it is copied."""

    content: str = "content"
    breaks: SeatrialError | None = None
    copied: list[str] = field(default_factory=list)

    @property
    def version(self) -> str:
        return self.content

    def copy(self, target: Path) -> None:
        self.copied.append(self.content)
        target.write_text(self.content[: len(self.content) // 2] if self.breaks else self.content)
        if self.breaks is not None:
            raise self.breaks

    def __call__(self, uri: str) -> Bucket:
        assert uri == "s3://bucket/file.txt"
        return self


def test_an_importer_copies_an_object_once_for_each_of_its_versions(bench: Any) -> None:
    bucket = Bucket()
    bench.write("pipe.py", IMPORT.format(again=False))
    assert "no access to s3://" in bench.run().error.what
    assert bench.run(buckets=bucket).record["outputs"] == {"Output": "content"}
    assert bench.run(buckets=bucket).record["outputs"] == {"Output": "content"}
    assert bench.states()["read"] == "cached"
    assert bucket.copied == ["content"]
    bucket.content = "changed"
    assert bench.run(buckets=bucket).record["outputs"] == {"Output": "changed"}
    bucket.content = "content"
    assert bench.run(buckets=bucket).record["outputs"] == {"Output": "content"}
    assert bucket.copied == ["content", "changed"]
    bench.write("pipe.py", IMPORT.format(again=True))
    assert bench.run(buckets=bucket).record["outputs"] == {"Output": "content"}
    assert bucket.copied == ["content", "changed", "content"]


def test_an_importer_does_not_use_half_a_copy(bench: Any) -> None:
    bucket = Bucket(breaks=ResourceError("broke off", why="It was cut.", todo="Do it again."))
    bench.write("pipe.py", IMPORT.format(again=False))
    error = bench.run(buckets=bucket).error
    assert "task 'importer' cannot import s3://bucket/file.txt: broke off" in error.what
    assert error.todo == "Do it again."
    assert [p for p in (bench.state / "imports").rglob("*") if p.is_file()] == []
    bucket.breaks = None
    assert bench.run(buckets=bucket).record["outputs"] == {"Output": "content"}


def test_an_artifact_that_nobody_reads_is_not_copied(bench: Any) -> None:
    bucket = Bucket()
    unread = IMPORT.format(again=False).replace('file.txt") -> str:', 'file.txt"):')
    bench.write("pipe.py", unread.replace("return read(data=data.output).output", ""))
    assert bench.run(buckets=bucket).error is None
    assert bucket.copied == []
    assert bench.heard.ends["importer"].artifacts["artifact"][0]["uri"] == "s3://bucket/file.txt"


def test_a_container_engine_gets_the_command_and_the_tasks_folders(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for podman that notes its arguments and runs the command: what leaves us is what podman would get."""
    engine = bench.write(
        "bin/podman",
        """#!/bin/sh
echo "$@" >> "$(dirname "$0")/calls"
[ "$1" = run ] || exit 0
while [ "$1" != one ]; do [ "$1" = --entrypoint ] && program=$2; shift; done
shift
cd "$(dirname "$0")/.." && exec "$program" "$@"
""",
    )
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", f"{engine.parent}:{os.environ['PATH']}")
    bench.write("pipe.py", COMMAND.format(image="one").replace("[[ a == a ]]", "no-such-program; true"))
    bench.write("note.txt", "inside")
    ran = bench.run(engine="podman")
    assert ran.record["outputs"] == {"Output": "inside"}
    assert ran.task("say")["notes"] == ["ran in a container of podman"]
    info, listed, run, *_, remove = (bench.root / "bin" / "calls").read_text().splitlines()
    assert info == "info"
    assert listed.startswith("ps --all")
    name = f"seatrial-{ran.id}-00001"
    work = bench.state / "work" / ran.id / "00001"
    assert run.startswith("run --label seatrial.keeper=")
    assert f"--name {name} --cpus 1 --entrypoint sh" in run
    assert f"--volume {work}:{work}" in run
    assert remove == f"rm --force {name}"


def test_an_engine_that_does_not_answer_is_told(bench: Any) -> None:
    bench.write("pipe.py", COMMAND.format(image="one"))
    assert "known are podman and docker" in bench.run(engine="lxc").error.what


def test_a_retried_task_is_recorded_with_each_attempt(steps: Any) -> None:
    steps.write("pipe.py", one("breaks", how="exit").rstrip() + ".set_retry(2, backoff_duration='0s')\n")
    document = steps.compile()
    assert "maxRetryCount" in document
    ran = steps.run()
    assert [t["attempts"] for t in ran.record["tasks"]] == [1, 2, 3]
    assert len(list((ran.folder / "logs").iterdir())) == 3


def test_pipeline_outputs_hold_artifacts(steps: Any) -> None:
    steps.write("pipe.py", PIPE.replace("-> int", "-> dsl.Dataset").replace('a.outputs["n"]', 'a.outputs["data"]'))
    artifact = steps.run({"n": 5}).record["artifacts"]["Output"][0]
    assert Path(artifact["uri"]).read_text() == "5"
    assert artifact["metadata"] == {"rows": 5}
