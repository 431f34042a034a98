"""One launch of a pipeline in a cloud, whatever becomes of the process that launches it.

A launch is written down before it is sent: what it is (its digest), and the token with which it is started. So the
same command, run again after a crash or at the same time by somebody else here, meets the same execution instead of
starting a second one. When its end has been told, it is forgotten, and the same command starts anew.

Where nothing that is written down lasts, as on a workflow's machine, the token is given: the service then finds the
execution that was started with it.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from seatrial.clouds.base import Execution, Follower, PipelineRun, Pipelines, Prepared
from seatrial.document.model import Document
from seatrial.document.plan import plan
from seatrial.errors import ResourceError, TaskError, UsageError
from seatrial.project import Project

Json = Any
_LAST_LINES = 15
_DEPLOYMENTS = 3
"""How often a pipeline is deployed for one launch, where others deploy it between that and the start."""
_TOKEN = range(32, 129)
"""How many characters a token may have: AWS's StartPipelineExecution, of its ClientRequestToken.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StartPipelineExecution.html
"""


@dataclass(frozen=True)
class Entry:
    """A launch that was written down."""

    pipeline: str
    digest: str
    token: str
    execution: str = ""
    """Empty while it is not known whether the start arrived."""


class Launches:
    """Launches whose end nobody has been told yet: one file each, below a project's state folder."""

    def __init__(self, state: Path, token: str = "") -> None:
        """``token``: of what is launched anew, where it shall not be drawn.

        Raises:
            UsageError: no service would take it.
        """
        if token and len(token) not in _TOKEN:
            raise UsageError(
                f"SEATRIAL_LAUNCH_TOKEN has {len(token)} characters",
                why=f"AWS knows a launch by a token of {_TOKEN.start} to {_TOKEN.stop - 1} characters.",
                todo="Pad or cut it, so that it stays the same when the same is launched again; or leave it unset.",
            )
        self._folder = state / "launches"
        self._token = token

    def open(self, prepared: Prepared, *, again: bool = False) -> Entry:
        """The launch of this work that is known, or a new one.

        Args:
            prepared: the work.
            again: a new one in any case; the other goes on, and is forgotten here.
        """
        path = self._path(prepared.pipeline, prepared.digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        drawn = secrets.token_hex(20)
        new = Entry(prepared.pipeline, prepared.digest, drawn if again else self._token or drawn)
        if again:
            self._write(new)
            return new
        partial = self._partial(new)
        try:
            os.link(partial, path)  # of two at the same time, one is first and both use its token
        except FileExistsError:
            known = _read(path)
            if known is None:
                self._write(new)
            return known or new
        finally:
            partial.unlink()
        return new

    def note(self, entry: Entry, execution: str) -> Entry:
        """Write down which execution it became."""
        known = replace(entry, execution=execution)
        self._write(known)
        return known

    def forget(self, entry: Entry) -> None:
        """Its end was told."""
        path = self._path(entry.pipeline, entry.digest)
        if _read(path) == entry:  # a newer one may have taken its place
            path.unlink(missing_ok=True)

    def of(self, pipeline: str) -> Iterator[Entry]:
        """All launches of a pipeline that are written down."""
        for path in sorted((self._folder / pipeline).glob("*.json")):
            found = _read(path)
            if found is not None:
                yield found

    def _path(self, pipeline: str, digest: str) -> Path:
        return self._folder / pipeline / f"{digest}.json"

    def _write(self, entry: Entry) -> None:
        self._partial(entry).replace(self._path(entry.pipeline, entry.digest))

    def _partial(self, entry: Entry) -> Path:
        path = self._path(entry.pipeline, f".{secrets.token_hex(4)}")
        path.write_text(json.dumps(asdict(entry), indent=2), encoding="utf-8")
        return path


def _read(path: Path) -> Entry | None:
    """A launch; ``None`` when it was told meanwhile, or when the file is damaged (the machine lost power)."""
    try:
        return Entry(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def run_of(
    opened: Project, model: str, pipeline: str, document: Document, arguments: Mapping[str, Json] | None
) -> PipelineRun:
    """One of a project's pipelines for one of its models, fused, told which commit it is of."""
    from seatrial.package.lineage import UNKNOWN, git_state

    commit = git_state(opened.root, commit=opened.commit)
    return PipelineRun(
        name=pipeline,
        model=model,
        document=document,
        plan=plan(document),
        image=opened.layout.image,
        arguments=arguments,
        preload=opened.layout.preload,
        environment={} if commit.commit == UNKNOWN else {"SEATRIAL_GIT_COMMIT": commit.text},
    )


def launch(
    pipelines: Pipelines,
    prepared: Prepared,
    launches: Launches,
    follower: Follower,
    *,
    again: bool = False,
    started: Callable[[str, bool], None],
) -> Execution:
    """Start a run, or find the one that was started, and follow it to its end.

    Args:
        pipelines: where.
        prepared: what.
        launches: what was started before.
        follower: is told what happens.
        again: start a new one even where one of the same work is under way.
        started: is told the execution's id, and whether it was found instead of started.
    """
    entry = launches.open(prepared, again=again)
    found = bool(entry.execution)
    if found and pipelines.state(entry.execution) is None:  # another account, or the pipeline was deleted
        entry, found = launches.open(prepared, again=True), False
    if not found:
        entry = _started(pipelines, prepared, launches, entry)
    started(entry.execution, found)
    ended = pipelines.follow(entry.execution, follower)
    launches.forget(entry)
    return ended


def _started(pipelines: Pipelines, prepared: Prepared, launches: Launches, entry: Entry) -> Entry:
    token = entry.token
    for _ in range(_DEPLOYMENTS):
        pipelines.deploy(prepared)
        execution = pipelines.start(prepared, token)
        if pipelines.runs(execution, prepared):
            return launches.note(entry, execution)
        pipelines.stop(execution)
        token = hashlib.sha256(token.encode()).hexdigest()  # the same for whoever launches the same beside this
    raise ResourceError(
        f"others deploy the pipeline {prepared.pipeline} all the time",
        why=f"{_DEPLOYMENTS} times it was another definition by the time that it started. Each was stopped at once.",
        todo="Agree on who launches, or give each of you a stack of their own; then run the same command again.",
    )


def stop(pipelines: Pipelines, launches: Launches, pipeline: str) -> list[str]:
    """Ask every launch of a pipeline that is under way to end; returns the executions' ids."""
    stopped = []
    for entry in launches.of(pipeline):
        if not entry.execution:
            continue
        found = pipelines.state(entry.execution)
        if found is not None and not found.over:
            pipelines.stop(entry.execution)
            stopped.append(entry.execution)
    return stopped


def error_of(pipelines: Pipelines, ended: Execution, tasks: Sequence[Mapping[str, Json]]) -> TaskError | None:
    """Why it did not succeed: what the failed task said, else what the service says, and the end of the log."""
    if ended.status == "succeeded":
        return None
    if ended.status == "stopped":
        return TaskError(
            "the execution was stopped",
            why="Somebody asked it to end before its tasks had.",
            todo="Run the same command again: it starts a new one.",
        )
    failed = next((step for step in ended.steps if step.status == "failed"), None)
    if failed is None:
        return TaskError(
            f"the execution failed: {ended.reason}",
            why="The service tells no step that failed.",
            todo=f"Look at it in the service: {ended.id}",
        )
    said = next((t["error"] for t in tasks if t["error"] and t["state"] == "FAILED"), None)
    if said is not None and failed.job:
        return TaskError(f"{failed.name}: {said['what']}", why=said["why"], todo=said["todo"])
    lines = pipelines.last_lines(failed, _LAST_LINES)
    return TaskError(
        f"{failed.name}: {(failed.reason or 'failed').splitlines()[0]}",
        why="Its log ends with:\n" + "\n".join(f"  {line}" for line in lines) if lines else "It left no log.",
        todo=f"Correct that, then run the same command again. The job: {failed.job}"
        if failed.job
        else "Change what led there, then run the same command again.",
    )
