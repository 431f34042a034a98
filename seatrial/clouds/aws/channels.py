"""What passes between jobs through S3: folders, at most ten into a processing job and ten out of it.

A processing job has one output for its scalars (`VALUES`), one for its logs, and one for each artifact. Where it, or a
job that reads from it, would have more of them than SageMaker allows, its artifacts share one. A training job has a
single output. An input is always a reference to the producing step's output, never a computed address: a step whose
result is reused has its outputs where an earlier execution put them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from seatrial.clouds.aws import limits
from seatrial.clouds.aws.machineless import Machineless, machineless
from seatrial.document.jobs import Job, JobOutput, Plan, outputs_of
from seatrial.errors import DocumentError

VALUES = "values"
VALUES_FILE = "outputs.json"
LOGS = "logs"
PACKED = "artifacts"
MODEL = "model"
"""The only output of a training job."""
JOB = "job"
"""The input that holds the job's own file."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_RESERVED = frozenset({VALUES, LOGS, PACKED, MODEL, JOB})


@dataclass(frozen=True)
class Place:
    """A folder inside an output of a job."""

    channel: str
    below: str = ""

    def on(self, mounted: str) -> str:
        """Its path where the output is mounted."""
        return f"{mounted}/{self.below}" if self.below else mounted


@dataclass(frozen=True)
class Made:
    """What a job gives, and in which of its outputs."""

    job: Job
    parameters: tuple[str, ...]
    values: Place
    artifacts: Mapping[str, Place]
    own: Machineless | None = None
    """Set when SageMaker itself does it, and no job runs: its scalars are properties of the step."""

    @property
    def channels(self) -> tuple[str, ...]:
        """The job's outputs but for its logs; none for a job that gives nothing."""
        places = [self.values] if self.parameters else []
        return tuple(dict.fromkeys(place.channel for place in (*places, *self.artifacts.values())))


@dataclass
class Channels:
    """All folders of a plan."""

    made: dict[str, Made] = field(default_factory=dict)

    def inputs(self, job: Job) -> tuple[tuple[str, str], ...]:
        """The (job, output) pairs that a job reads, in a stable order."""
        found: dict[tuple[str, str], None] = {}
        for output in read_values(job):
            if self.made[output.job].own is None:
                found[(output.job, self.made[output.job].values.channel)] = None
        for output in read_artifacts(job):
            found[(output.job, self.artifact(output).channel)] = None
        return tuple(found)

    def artifact(self, output: JobOutput) -> Place:
        """Where an artifact lies."""
        return self.made[output.job].artifacts[output.name]


def channels_of(plan: Plan) -> Channels:
    """Folders so that no job has more inputs or outputs than SageMaker allows.

    Raises:
        DocumentError: a job reads from too many others, whatever is packed.
    """
    channels = Channels()
    for job in plan.jobs():
        parameters, artifacts = _declared(job)
        packed = len(artifacts) + 2 > limits.MAX_CHANNELS  # the scalars and the logs have their own
        channels.made[job.name] = _made(job, parameters, artifacts, packed=packed)
    for job in plan.jobs():
        _fit(channels, job)
    return channels


def read_values(job: Job) -> Iterator[JobOutput]:
    """Scalars of other jobs that a job reads."""
    for value in job.parameters.values():
        yield from outputs_of(value)


def read_artifacts(job: Job) -> Iterator[JobOutput]:
    """Artifacts of other jobs that a job reads."""
    for several in job.artifacts.values():
        yield from several


def _declared(job: Job) -> tuple[tuple[str, ...], tuple[str, ...]]:
    outputs = job.document["root"].get("outputDefinitions", {})
    return tuple(sorted(outputs.get("parameters", {}))), tuple(sorted(outputs.get("artifacts", {})))


def _made(job: Job, parameters: tuple[str, ...], artifacts: Sequence[str], *, packed: bool) -> Made:
    names: dict[str, str] = {}
    for index, name in enumerate(artifacts):
        plain = bool(_NAME.fullmatch(name)) and name not in _RESERVED
        names[name] = name if plain else f"artifact-{index}"
    if job.kind == "training":
        places = {name: Place(MODEL, folder) for name, folder in names.items()}
        return Made(job, parameters, Place(MODEL, VALUES), places)
    places = {name: Place(PACKED, folder) if packed else Place(folder) for name, folder in names.items()}
    return Made(job, parameters, Place(VALUES), places, machineless(job))


def _fit(channels: Channels, job: Job) -> None:
    """Pack the artifacts of producers, the largest first, until the job's own file and its inputs fit."""
    most = (limits.MAX_TRAINING_CHANNELS if job.kind == "training" else limits.MAX_CHANNELS) - 1
    while len(channels.inputs(job)) > most:
        counts: dict[str, int] = {}
        for producer, channel in channels.inputs(job):
            if channel not in (VALUES, PACKED, MODEL):
                counts[producer] = counts.get(producer, 0) + 1
        wide = [name for name, count in counts.items() if count > 1]
        if not wide:
            raise DocumentError(
                f"job '{job.name}' reads {len(channels.inputs(job))} folders of other jobs",
                why=f"SageMaker gives a job at most {most + 1} inputs, one of which is its program.",
                todo='Let its producers share a job with @component(job="..."), or collect their outputs in one task.',
            )
        widest = max(wide, key=lambda name: (counts[name], name))
        made = channels.made[widest]
        channels.made[widest] = _made(made.job, made.parameters, tuple(made.artifacts), packed=True)
