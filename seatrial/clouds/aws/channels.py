"""What passes between jobs through S3: folders, at most ten into a processing job and ten out of it.

Each artifact has a folder of its own, and the scalars of a job one file (`VALUES`). When a job would have more inputs
or outputs than SageMaker allows, the artifacts of one producer are packed into a single folder. An input is always a
reference to the producing step's output, never a computed address: a step whose result is reused has its outputs where
an earlier execution put them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from seatrial.clouds.aws import limits
from seatrial.document.jobs import Job, JobOutput, Plan, outputs_of
from seatrial.errors import DocumentError

Json = Any

VALUES = "values"
"""The folder of a job's scalars and of what is known about its artifacts."""
VALUES_FILE = "outputs.json"
PACKED = "artifacts"
JOB = "job"
"""The input that holds the job's own file."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")


@dataclass(frozen=True)
class Made:
    """The folders that a job writes."""

    job: Job
    parameters: tuple[str, ...]
    artifacts: Mapping[str, str]
    """Artifact -> its folder."""

    @property
    def folders(self) -> tuple[str, ...]:
        """Every folder, `VALUES` first; none for a job that gives nothing."""
        if not self.parameters and not self.artifacts:
            return ()
        return (VALUES, *dict.fromkeys(self.artifacts.values()))

    @property
    def registers(self) -> bool:
        """Whether the job is SageMaker's own registration: one model goes in, at most its version comes out."""
        job = self.job
        return (
            job.kind == "registration"
            and [len(several) for several in job.artifacts.values()] == [1]
            and set(job.parameters) == {"model"}
            and set(self.parameters) <= {"version"}
        )


@dataclass
class Channels:
    """All folders of a plan."""

    made: dict[str, Made] = field(default_factory=dict)

    def inputs(self, job: Job) -> tuple[tuple[str, str], ...]:
        """The (job, folder) pairs that a job reads, in a stable order."""
        found: dict[tuple[str, str], None] = {}
        for output in read_values(job):
            if not self.made[output.job].registers:
                found[(output.job, self.folder(output.job, VALUES))] = None
        for output in read_artifacts(job):
            found[(output.job, self.folder(output.job, VALUES))] = None
            found[(output.job, self.folder(output.job, self.made[output.job].artifacts[output.name]))] = None
        return tuple(found)

    def folder(self, job: str, name: str) -> str:
        """The folder under the name that the producer gives it: a training job has only one."""
        return VALUES if self.made[job].job.kind == "training" else name


def channels_of(plan: Plan) -> Channels:
    """Folders so that no job has more inputs or outputs than SageMaker allows.

    Raises:
        DocumentError: a job reads from too many others, whatever is packed.
    """
    channels = Channels()
    jobs = plan.jobs()
    for job in jobs:
        parameters, artifacts = declared_outputs(job)
        packed = len(artifacts) + 1 > limits.MAX_CHANNELS
        channels.made[job.name] = Made(job, parameters, _folders(artifacts, packed=packed))
    for job in jobs:
        _fit(channels, job)
    return channels


def declared_outputs(job: Job) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the parameters and artifacts that leave a job."""
    outputs = job.document["root"].get("outputDefinitions", {})
    return tuple(sorted(outputs.get("parameters", {}))), tuple(sorted(outputs.get("artifacts", {})))


def read_values(job: Job) -> Iterator[JobOutput]:
    """Scalars of other jobs that a job reads."""
    for value in job.parameters.values():
        yield from outputs_of(value)


def read_artifacts(job: Job) -> Iterator[JobOutput]:
    """Artifacts of other jobs that a job reads."""
    for several in job.artifacts.values():
        yield from several


def _folders(artifacts: Iterable[str], *, packed: bool) -> dict[str, str]:
    names = list(artifacts)
    taken = {VALUES, PACKED, JOB}
    result = {}
    for index, name in enumerate(names):
        plain = name if _NAME.fullmatch(name) and name not in taken else f"artifact-{index}"
        taken.add(plain)
        result[name] = PACKED if packed else plain
    return result


def _fit(channels: Channels, job: Job) -> None:
    """Pack the artifacts of producers, the largest first, until the job's own file and its inputs fit."""
    most = limits.MAX_CHANNELS - 1
    while len(channels.inputs(job)) > most:
        counts: dict[str, int] = {}
        for producer, folder in channels.inputs(job):
            if folder not in (VALUES, PACKED):
                counts[producer] = counts.get(producer, 0) + 1
        wide = [name for name, count in counts.items() if count > 1]
        if not wide:
            raise DocumentError(
                f"job '{job.name}' reads {len(channels.inputs(job))} folders of other jobs",
                why=f"SageMaker gives a processing job at most {limits.MAX_CHANNELS} inputs, one of which is its program.",
                todo='Let its producers share a job with @component(job="..."), or collect their outputs in one task.',
            )
        widest = max(wide, key=lambda name: (counts[name], name))
        made = channels.made[widest]
        channels.made[widest] = Made(made.job, made.parameters, _folders(made.artifacts, packed=True))
