"""The registry contract: which versions of a model exist, which one is champion, and on what evidence it became so.

Every cloud keeps this with its own means (MLflow's SQLite file here, model package groups on SageMaker, model versions
with aliases on Vertex). Three promises hold everywhere, and the contract suite checks them:

- a package is one version: the same digest gives the same version, however often and from wherever it is registered;
- a promotion is compare-and-set: it names the champion that the evidence compared with, and fails when that one moved;
- every change is one step: a process killed at any point leaves the old state or the new one, never a mixture.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from seatrial.document.jobs import Plan
    from seatrial.document.model import Document
    from seatrial.project import Endpoint, Rollout


@dataclass(frozen=True, slots=True)
class Version:
    """One registered version of a model, as it was when it was read."""

    model: str
    number: int
    """Counts from 1 within the model; never used twice."""
    digest: str
    """SHA-256 of the package's manifest, 64 hex digits; empty for a version that something else put there."""
    run: str
    """The Seatrial run that registered it; empty when unknown."""
    created: dt.datetime
    promoted: bool
    """Whether it is or ever was champion."""
    promoted_over: int | None
    """The champion that it replaced when it was last promoted; None also when there was none."""
    rolled_back: bool
    """Whether its last time as champion ended in a rollback."""
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    """What the caller of ``register`` said about it."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """What a promotion did."""

    version: Version
    over: int | None
    """The champion that it replaced."""
    changed: bool
    """False when the version already was champion, over the same one: the promotion had happened before."""


@runtime_checkable
class Approvals(Protocol):
    """A registry that keeps a person's decision on a version, and tells whoever waits for it."""

    def approve(self, model: str, number: int, *, note: str) -> None:
        """Approve a version; raises `RegistryError` when there is none."""
        ...

    def reject(self, model: str, number: int, *, note: str) -> None:
        """Reject a version: it is not promoted. Raises `RegistryError` when there is none."""
        ...


class Registry(Protocol):
    """Versions of models, and which one serves. Every method may be called from several processes at once.

    All methods raise ``ResourceError`` when the machine or the service refuses (full disk, no permission, busy for too
    long) and ``RegistryError`` when the registry itself is damaged or was written by something newer.
    """

    def register(self, model: str, package: Path, digest: str, *, run: str, tags: Mapping[str, str]) -> Version:
        """Keep a copy of the package and make a version for it; create the model when it is new.

        Idempotent by ``digest``: the same package gives the version that exists, with the tags it was first given.

        Raises:
            PackageError: the package must not be trusted.
            RegistryError: its digest is not ``digest``: something else than what was evaluated.
        """

    def promote(self, model: str, version: int, *, expected_champion: int | None, again: bool = False) -> Promotion:
        """Make ``version`` the champion and the present champion ``previous``, if that still is ``expected_champion``.

        Promoting the champion over the one that it already replaced changes nothing and is not an error, so that a
        run killed after this call may repeat it.

        ``expected_champion`` is the version that the evidence compared with; None: there was no champion. ``again``
        promotes a version although it was rolled back; otherwise an unchanged pipeline, run once more, would undo the
        rollback with the evidence that had already turned out wrong.

        Raises:
            RegistryError: the champion moved, or the version does not exist, lost its package or was rolled back.
        """

    def rollback(self, model: str, version: int | None = None) -> Version | None:
        """Make the previous champion champion again; None: there was none, and the model now has no champion.

        ``version`` is the champion that is to go; None: whichever is champion now. When it has been rolled back
        already, nothing changes: two alarms about one version must not go back two steps.

        Raises:
            RegistryError: there is no champion, or it is another one than ``version``.
        """

    def champion(self, model: str) -> Version | None:
        """Return the version that serves; None when there is none."""

    def champion_for(self, model: str, digests: Collection[str]) -> Version | None:
        """Return the version that packages with these digests would replace, or did replace.

        When the champion is one of them, that is the version it was promoted over, else the champion. So a run that is
        repeated without a change compares with what it compared with before, and finds everything cached.
        """

    def version(self, model: str, number: int) -> Version:
        """Return one version.

        Raises:
            RegistryError: there is no such version; those that exist are listed.
        """

    def versions(self, model: str) -> Sequence[Version]:
        """Return all versions, oldest first; empty for an unknown model."""

    def models(self) -> Sequence[str]:
        """Return the names of all models that have been registered, sorted."""

    def package_path(self, version: Version) -> Path:
        """Return the folder that holds the version's package; reading it checks its manifest.

        Raises:
            RegistryError: the version has no package here.
        """


@dataclass(frozen=True, slots=True)
class CandidateRecord:
    """What is worth comparing about one candidate across runs."""

    parameters: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One Seatrial run, as a tracking service keeps it."""

    run: str
    model: str
    status: Literal["running", "finished", "failed"]
    started: dt.datetime
    """Aware; also the time of the metrics."""
    ended: dt.datetime | None = None
    parameters: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    """Such as ``verdict``, ``git_commit`` and ``data_digest``."""
    candidates: Mapping[str, CandidateRecord] = field(default_factory=dict)
    """Candidate name -> its values; they are kept as ``<candidate>/<name>``."""
    folder: Path | None = None
    """The run's own folder, with its report: the tracking service links to it."""


class Tracking(Protocol):
    """What happened in runs, for people who compare them."""

    def log_run(self, record: RunRecord) -> str:
        """Keep the record and return the service's own id of the run.

        Idempotent by ``record.run``: logging a run again replaces what was kept, in one step, so a resumed run neither
        duplicates nor mixes. Texts longer than the service takes are cut, with an ellipsis at the cut.

        Raises:
            RegistryError: a name is not one that the service takes; all of them are listed.
        """


@dataclass(frozen=True, slots=True)
class Served:
    """An endpoint and what it serves."""

    name: str
    url: str
    version: str
    digest: str
    changed: bool
    """False when the version served already."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """A golden sample that was answered as it was when the package was built."""

    rows: int
    largest_difference: float


class Endpoints(Protocol):
    """Models behind a stable address. Every method may be called from several processes at once."""

    def deploy(
        self,
        name: str,
        version: str,
        package: Path,
        *,
        digest: str,
        settings: Endpoint,
        rollout: Rollout | None = None,
        before_switch: Callable[[], None] | None = None,
    ) -> Served:
        """Bring a version up, check it, and move the traffic to it without losing a request.

        The version has to be healthy and to answer its golden sample before ``before_switch`` is called (the promotion
        in the registry); only when that returns does the traffic move. Whatever fails before leaves what served
        serving. Deploying what serves healthily calls ``before_switch`` and changes nothing else. Blocks until done.

        ``rollout`` says in which steps the traffic moves and what ends the attempt, where the target can do that; None:
        all at once. When a guardrail brings the traffic back, the registry's champion goes back with it.

        Raises:
            EndpointError: the version did not come up, answered wrong, or the endpoint does not react.
            ResourceError: the machine refuses: a port is taken.
        """

    def rollback(
        self,
        name: str,
        *,
        settings: Endpoint,
        leaving: str | None = None,
        before_switch: Callable[[], None] | None = None,
    ) -> Served:
        """Deploy the version that served before this one.

        ``leaving`` is the version that is to go; None: whichever serves. So two people who see the same bad version go
        back one step together, not two.

        Raises:
            EndpointError: as ``deploy``; or there is no such version, no such endpoint, or another serves than
                ``leaving``.
        """

    def get(self, name: str) -> Served:
        """Return what serves.

        Raises:
            EndpointError: no such endpoint runs.
        """

    def predict(self, name: str, document: Any) -> Any:
        """Ask the endpoint with a document such as ``{"instances": [...]}`` and return its answer.

        Raises:
            EndpointError: there is none, it does not answer, or it refuses; every problem that it names is told.
        """

    def list(self) -> Sequence[Mapping[str, Any]]:
        """Return every endpoint with its name, status, url and version."""

    def stop(self, name: str) -> bool:
        """End an endpoint; stopping one that does not run is not an error and returns False."""

    def fingerprint(self, name: str) -> Mapping[str, Any]:
        """Return ``version``, ``digest`` and ``healthy``, by a real health check and in milliseconds."""

    def verify(self, name: str, version: str) -> Replayed:
        """Replay the golden sample through the endpoint's address.

        Raises:
            EndpointError: another version serves, or an answer differs.
        """


StepStatus = Literal["running", "succeeded", "failed", "stopped"]
ExecutionStatus = Literal["running", "stopping", "succeeded", "failed", "stopped"]


@dataclass(frozen=True, slots=True)
class PipelineRun:
    """A pipeline, divided into jobs, and what one start of it is given."""

    name: str
    """Which pipeline: ``train``."""
    model: str
    document: Document
    plan: Plan
    image: str
    """What the document calls the project's one image; the target knows its address."""
    arguments: Mapping[str, Any] | None = None
    """What it is started with; None: it is only put there, for an event or a schedule to start."""
    preload: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    """What every task is told."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run in the target's own words: all that will be sent, and nothing of it sent."""

    pipeline: str
    """The pipeline's name in the target."""
    digest: str
    """SHA-256 of the definition, its files and the arguments: the same digest is the same work."""
    definition: str
    files: Mapping[str, bytes]
    """By address, which is made of the content."""
    parameters: Mapping[str, str]
    tasks: Mapping[str, tuple[str, ...]]
    """Step -> the tasks in it."""


@dataclass(frozen=True, slots=True)
class StepState:
    """One step of an execution."""

    name: str
    status: StepStatus
    job: str = ""
    """The job's name in the target, once it has one; a choice, for one, never has."""
    reason: str = ""
    """Why it failed."""
    cached: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution of a pipeline, as it was when it was asked for."""

    id: str
    status: ExecutionStatus
    steps: tuple[StepState, ...]
    reason: str = ""
    seconds: float = 0.0

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.status not in ("running", "stopping")


class SentRequest(Protocol):
    """One request that changes something, as a dry run tells it."""

    @property
    def service(self) -> str:
        """Whose it is."""

    @property
    def operation(self) -> str:
        """Its name in the service's own words."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """All that it says."""


class Follower(Protocol):
    """Is told what happens to an execution while it is followed."""

    def step(self, step: StepState) -> None:
        """A step began, or its state changed."""

    def line(self, step: StepState, text: str) -> None:
        """A running step's job wrote a line to its log."""


class Pipelines(Protocol):
    """Pipelines of a managed service. Every method may be called again, by another process, after a crash.

    In a dry run nothing is changed: each request that would change something is recorded instead, and where the
    service cannot even be asked what is there, `assumed` says so and nothing counts as there.

    All methods raise ``ResourceError`` when the service refuses or cannot be reached.
    """

    @property
    def assumed(self) -> str:
        """Why the service was not asked; empty when it was."""

    def prepare(self, run: PipelineRun) -> Prepared:
        """Compile and check a run. Opens no connection.

        Raises:
            DocumentError: the target cannot express it.
            UsageError: an argument is unknown, missing or of the wrong type; every problem is told.
        """

    def deploy(self, prepared: Prepared) -> None:
        """Put the files where jobs find them, and make or update the pipeline; what is there already stays."""

    def start(self, prepared: Prepared, token: str) -> str:
        """Start an execution and return its id. The same token again returns the same execution.

        Args:
            prepared: what was deployed.
            token: 32 to 128 characters.
        """

    def runs(self, execution: str, prepared: Prepared) -> bool:
        """Whether an execution runs what was prepared: between deploy and start, somebody else may have deployed."""

    def state(self, execution: str) -> Execution | None:
        """Return what an execution has come to; None when there is none with this id."""

    def follow(self, execution: str, follower: Follower) -> Execution:
        """Tell what happens until the execution is over; what happened before is told first."""

    def stop(self, execution: str) -> None:
        """Ask an execution to end; stopping one that is over is not an error."""

    def records(self, step: StepState) -> Sequence[Mapping[str, Any]]:
        """Return what each task of a job did, as the executor recorded it (``run.json``), of a failed job too."""

    def last_lines(self, step: StepState, count: int) -> Sequence[str]:
        """Return the end of a job's log."""


class Cloud(Protocol):
    """Everything that a target offers."""

    @property
    def registry(self) -> Registry:
        """Versions and champions."""

    @property
    def tracking(self) -> Tracking:
        """Runs, for people who compare them."""

    @property
    def endpoints(self) -> Endpoints:
        """Models behind an address."""
