"""Runs the pipelines that KFP compiles for its own tests, and compares every task with what its source says.

    python tests/conformance/kfp_suite.py FOLDER [--table] [--only TEXT] [--jobs N]

FOLDER is ``test_data/sdk_compiled_pipelines/valid`` of a checkout of kubeflow/pipelines; it is not part of this
repository. Each document runs in a process and a folder of its own. What should come out stands in
``kfp_expectations.py``, written from the Python sources beside the documents, never from our own results.

Exit code 0: nothing wrong, nothing crashed. docs/conformance.md says which packages the pipelines themselves need.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

Json = Any
TIME_LIMIT_S = 120.0
VERDICTS = ("right", "wrong", "refused", "crashed")


@dataclass(frozen=True)
class Task:
    """One task that ran, as an expectation sees it."""

    name: str
    """Its function or component, without KFP's numbering."""
    path: str
    state: str
    inputs: Mapping[str, Json]
    """Parameters, and the content of artifacts as text."""
    outputs: Mapping[str, Json]
    metadata: Mapping[str, Json]
    """Of each output artifact."""
    said: str
    began: float
    ended: float


@dataclass(frozen=True)
class Outcome:
    """A run, as an expectation sees it."""

    state: str
    """SUCCEEDED, FAILED, REFUSED (before anything started) or CRASHED."""
    reason: str
    tasks: tuple[Task, ...] = ()
    outputs: Mapping[str, Json] = field(default_factory=dict)


def run(document: Path, arguments: Mapping[str, Json], folder: Path, **machine: Json) -> Outcome:
    """Execute a document in a folder and describe what happened."""
    from seatrial.document import read
    from seatrial.errors import SeatrialError
    from seatrial.execute.run import Machine, execute

    try:
        ran = execute(read(document), arguments, Machine(root=folder, state=folder / ".s", **machine), Silent())
    except SeatrialError as exc:
        return Outcome("REFUSED", str(exc))
    reason = "" if ran.error is None else str(ran.error)
    executed = [t for t in ran.record["tasks"] if t["state"] in ("SUCCEEDED", "FAILED")]
    if ran.error is not None and not executed:
        return Outcome("REFUSED", reason)
    content = contents(executed, folder)
    tasks = tuple(task_of(t, content) for t in executed)
    artifacts = {k: _one_or_all([content.get(a["digest"]) for a in v]) for k, v in ran.record["artifacts"].items()}
    return Outcome(ran.record["state"], reason, tasks, {**ran.record["outputs"], **artifacts})


def task_of(record: Mapping[str, Json], content: Mapping[str, Json]) -> Task:
    """A task's record as an expectation sees it; ``content`` is what artifacts hold, by digest."""
    files = {k: _one_or_all([content.get(digest) for digest in v]) for k, v in record["inputs"].items()}
    made = {k: _one_or_all([content.get(a["digest"]) for a in v]) for k, v in record["artifacts"].items()}
    log = Path(record["log"]) if record["log"] else None
    return Task(
        name=re.sub(r"(-\d{1,2})*(\[\d+\])?$", "", record["path"].rpartition(".")[2]),
        path=record["path"],
        state=record["state"],
        inputs={**record["parameters"], **files},
        outputs={**record["outputs"], **made},
        metadata={k: _one_or_all([a["metadata"] for a in v]) for k, v in record["artifacts"].items()},
        said=log.read_text(errors="replace") if log is not None and log.exists() else "",
        began=record["started"],
        ended=record["started"] + record["seconds"],
    )


def contents(tasks: Sequence[Mapping[str, Json]], folder: Path) -> dict[str, Json]:
    """Digest -> text of a file, or names and texts of a folder; nothing for an artifact without content."""
    from seatrial.execute.cache import content_digest

    paths = [Path(a["uri"]) for t in tasks for several in t["artifacts"].values() for a in several]
    paths += [p for p in folder.iterdir() if p.is_file()]
    found: dict[str, Json] = {}
    for path in paths:
        if path.is_file():
            found[content_digest(path)] = path.read_text(errors="replace")
        elif path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.is_file())
            found[content_digest(path)] = {
                p.relative_to(path).as_posix(): p.read_text(errors="replace") for p in inside
            }
    return found


def _one_or_all(several: list[Json]) -> Json:
    return several[0] if len(several) == 1 else several


class Silent:
    """An observer that shows nothing."""

    def started(self, record: object) -> None:
        """Nothing."""

    def event(self, record: object, event: object) -> None:
        """Nothing."""

    def ended(self, record: object) -> None:
        """Nothing."""


@dataclass(frozen=True)
class StandIn:
    """A stand-in for an object of a bucket."""

    version: str
    """Its text."""

    def copy(self, target: Path) -> None:
        """Write the text."""
        target.write_text(self.version)


def judge(name: str, document: Path) -> dict[str, Json]:
    """Run one document and compare it with its expectation."""
    from tests.conformance import kfp_expectations

    expected = kfp_expectations.of(name)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="kfp-suite-") as temporary:
        folder = Path(temporary)
        text = document.read_text()
        for old, new in expected.shortened.items():
            assert old in text, f"{name} does not say {old!r}"
            text = text.replace(old, new)
        copy = folder / "pipeline.yaml"
        copy.write_text(text)
        for file, content in expected.files.items():
            (folder / file).write_text(content)
        arguments = json.loads(json.dumps(expected.arguments).replace("FOLDER", str(folder)))
        machine = {
            **expected.machine,
            **({"buckets": lambda uri: StandIn(expected.bucket[uri])} if expected.bucket else {}),
        }
        try:
            outcome = run(copy, arguments, folder, **machine)
        except Exception:  # the run ended with a traceback: that is the finding
            outcome = Outcome("CRASHED", traceback.format_exc(limit=-4))
        problems = [] if outcome.state in ("CRASHED", "REFUSED") else expected.problems(outcome)
    verdict = {"CRASHED": "crashed", "REFUSED": "refused"}.get(outcome.state, "wrong" if problems else "right")
    if outcome.state == "REFUSED" and expected.reason and expected.reason not in outcome.reason:
        verdict, problems = "wrong", [f"refused, but not for {expected.reason!r}"]
    return {
        "name": name,
        "verdict": verdict,
        "runnable": expected.runnable,
        "state": outcome.state,
        "tasks": len(outcome.tasks),
        "compared": expected.compares,
        "why": "\n".join(problems) or outcome.reason,
        "note": expected.note,
        "seconds": round(time.perf_counter() - began, 2),
    }


def _in_a_process(name: str, document: Path) -> dict[str, Json]:
    command = [sys.executable, str(Path(__file__).resolve()), str(document), "--one", name]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        out, errors = process.communicate(timeout=TIME_LIMIT_S)
        return dict(json.loads(out.splitlines()[-1]))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        why = f"did not end within {TIME_LIMIT_S:.0f} s"
    except (IndexError, json.JSONDecodeError):
        why = errors[-600:]
    nothing = {"runnable": True, "state": "CRASHED", "tasks": 0, "note": "", "compared": False}
    return {"name": name, "verdict": "crashed", "why": why, "seconds": TIME_LIMIT_S, **nothing}


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def main() -> int:
    """Run the suite and print the table."""
    parser = argparse.ArgumentParser(description="Run KFP's own compiled pipelines.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--table", action="store_true", help="one line per document")
    parser.add_argument("--only", default="", help="documents whose name contains this")
    parser.add_argument("--jobs", type=int, default=max(2, os.cpu_count() or 2))
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        _say(json.dumps(judge(options.one, options.folder)))
        return 0
    documents = {p.relative_to(options.folder).as_posix(): p for p in sorted(options.folder.rglob("*.yaml"))}
    chosen = {name: path for name, path in documents.items() if options.only in name}
    if not chosen:
        _say(f"no compiled pipelines in {options.folder}")
        return 2
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        found = list(pool.map(lambda item: _in_a_process(*item), chosen.items()))
    for one in found:
        first = one["why"].strip().splitlines()
        if options.table or one["verdict"] in ("wrong", "crashed"):
            told = next((line.strip() for line in first[1:] if line.startswith("  ")), first[0] if first else "")
            detail = (
                one["why"] if one["verdict"] in ("wrong", "crashed") else told if one["verdict"] == "refused" else ""
            )
            note = f"  [{one['note']}]" if one["note"] else ""
            _say(f"{one['verdict']:8} {one['name']:75} {one['tasks']:3} tasks {one['seconds']:6.2f} s{note}  {detail}")
    _say("")
    for title, rows in (
        ("runnable on one machine", [one for one in found if one["runnable"]]),
        ("not runnable on one machine", [one for one in found if not one["runnable"]]),
    ):
        counts = Counter(one["verdict"] for one in rows)
        figures = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS)
        _say(f"{len(rows):3} {title}: {figures}")
    compared = sum(one["compared"] for one in found if one["verdict"] == "right")
    _say(f"    every task compared with a written expectation in {compared} of those that are right")
    return 1 if any(one["verdict"] in ("wrong", "crashed") for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
