"""The nouns of a plan: jobs, the choices between them, and what passes from one to the next.

A *job* is what a managed service starts and bills; it runs a part of the pipeline document. Everything here is plain
frozen data: `seatrial.document.plan` makes it, the compilers of the targets read it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from seatrial.component import JobRole, TrainingOptions
from seatrial.document.expression import Expression
from seatrial.document.model import Constant, ParameterType, Retry

Json = Any
Kind = Literal["processing", "training", "foreign", "registration", "function", "failure"]
APART = frozenset({"registration", "function", "failure"})
"""Kinds that start no machine."""


@dataclass(frozen=True)
class JobResources:
    """What a job's machine needs: the maximum over its tasks."""

    cpu: float = 1.0
    memory_gb: float | None = None
    accelerator: str = ""
    accelerators: int = 0


@dataclass(frozen=True)
class PipelineParameter:
    """A parameter of the whole pipeline."""

    name: str


@dataclass(frozen=True)
class JobOutput:
    """A root output of an earlier job's part: a parameter or an artifact, as the place that names it says."""

    job: str
    name: str


@dataclass(frozen=True)
class Gathered:
    """A list of outputs of several jobs, in this order (``dsl.Collected`` over an unrolled loop)."""

    outputs: tuple[JobOutput, ...]


@dataclass(frozen=True)
class FirstOf:
    """The output of whichever of these jobs ran (``dsl.OneOf`` over an opened choice)."""

    outputs: tuple[JobOutput, ...]


JobParameter = PipelineParameter | JobOutput | Constant | Gathered | FirstOf


@dataclass(frozen=True)
class Job:
    """Some tasks that run on one machine, one after the other or side by side."""

    name: str
    """Unique in the plan; ``^[a-z0-9][a-z0-9-]{0,60}$``."""
    tasks: tuple[str, ...]
    """Paths in the source document, in an order in which they can run; a loop's body is named once."""
    document: Mapping[str, Json]
    """The part as a ``PipelineSpec``: its root inputs and outputs are exactly what crosses the job's border."""
    image: str
    resources: JobResources
    kind: Kind
    """``foreign``: an image without Seatrial, so exactly one container task; ``registration``, ``function``,
    ``failure``: exactly one task, a step of the service itself."""
    parameters: Mapping[str, JobParameter]
    """By root input of the part."""
    artifacts: Mapping[str, tuple[JobOutput, ...]]
    """By root input of the part. Several: collected where the part's input is a list, else the first that ran."""
    after: tuple[str, ...] = ()
    """Jobs that must have succeeded, and choices that must be over (whichever branch ran), beyond what inputs name."""
    retry: Retry = field(default_factory=Retry)
    """The policy, where all tasks have the same. A part retries each task itself; a ``foreign`` job cannot."""
    cache: bool = False
    """Every task allows that its result is reused."""
    training: TrainingOptions | None = None
    role: JobRole = "data"
    """Whom it runs as: the class furthest along among its tasks."""
    uses: tuple[str, ...] = ()
    """What its tasks ask of the target's registry and endpoints."""
    columns: tuple[tuple[str, ...], ...] = ()
    """The same tasks; those of one column can run side by side. For people."""
    display: Mapping[str, str] = field(default_factory=dict)
    """Path of a task -> the name that people know it by."""

    def upstream(self) -> frozenset[str]:
        """Every job that must end first."""
        found = set(self.after)
        for value in self.parameters.values():
            found |= {output.job for output in outputs_of(value)}
        found |= {output.job for several in self.artifacts.values() for output in several}
        return frozenset(found)


@dataclass(frozen=True)
class Operand:
    """What a condition reads."""

    source: PipelineParameter | JobOutput
    type: ParameterType
    path: tuple[str | int, ...] | None = None
    """Which part of a JSON value is meant; ``None``: all of it."""


@dataclass(frozen=True)
class Choice:
    """A condition between jobs."""

    name: str
    condition: Expression
    """Its references are keys of ``operands``."""
    operands: Mapping[str, Operand]
    then: tuple[Job | Choice, ...]
    otherwise: tuple[Job | Choice, ...] = ()


Node = Job | Choice


@dataclass(frozen=True)
class Figures:
    """What a plan costs in starts."""

    tasks: int
    """Container tasks in the document; a loop's body counts once."""
    loops: int
    """Loops whose length only the run knows: each item would start its own tasks."""
    task_chain: int
    """Container tasks on the longest chain: cold starts one after the other, were each task a job."""
    jobs: int
    job_chain: int
    """Jobs on the longest chain, choices taken."""
    moved: int
    """Artifacts that pass between jobs, each consumer counted."""


@dataclass(frozen=True)
class Plan:
    """Jobs and choices in an order in which they can run."""

    name: str
    nodes: tuple[Node, ...]
    parameters: Mapping[str, JobParameter]
    """The pipeline's output parameters."""
    artifacts: Mapping[str, tuple[JobOutput, ...]]
    """The pipeline's output artifacts."""
    figures: Figures

    def jobs(self) -> tuple[Job, ...]:
        """All jobs, those inside choices too, in order."""
        return tuple(walk(self.nodes))


def walk(nodes: tuple[Node, ...]) -> Iterator[Job]:
    """All jobs of some nodes, in order."""
    for node in nodes:
        if isinstance(node, Job):
            yield node
        else:
            yield from walk(node.then)
            yield from walk(node.otherwise)


def outputs_of(value: JobParameter) -> tuple[JobOutput, ...]:
    """The outputs of jobs that a value is made of."""
    if isinstance(value, JobOutput):
        return (value,)
    return value.outputs if isinstance(value, Gathered | FirstOf) else ()
