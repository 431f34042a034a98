"""A model's whole life cycle on the offline AWS, through the adapters that `seatrial launch` uses on the real one.

The first version is what model.toml says, such as a model of fewer months. The second, of the whole training pipeline,
has to beat it; it is released on a build of the image whose server has a bug, rolled back by an alarm on live traffic,
and released again on the mended build.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from seatrial.clouds.aws.permissions import Permissions, derive, place_of, usage, uses
from seatrial.clouds.aws.stack import StackOutputs
from seatrial.clouds.base import Execution, StepState, Version
from seatrial.errors import RehearsalError
from seatrial.project import Model, Project
from seatrial.rehearsal.aws import OfflineAws
from seatrial.rehearsal.story.builds import Builds
from seatrial.rehearsal.story.engineer import Engineer
from seatrial.rehearsal.story.load import Expected, Load
from seatrial.rehearsal.story.stack import Stack
from seatrial.rehearsal.story.timeline import Timeline
from seatrial.reports.rehearsal import Phase

Json = Any
ROWS = 64
"""Rows of the golden sample that callers ask for, in turn."""
ENOUGH = 100
"""Requests in a phase before the story goes on."""
_PAUSE_S = 0.1
"""Between a caller's requests: traffic, and not a contest for this machine's cores, which the latency guardrail of a
rollout would see."""
_LONG_S = 8.0
"""A training that takes as long outlasts the release of what it made. The whole pipeline trains no less: begun beside
that release, it comes to its gate after it."""
_SHOWN = 8
"""Differences that a failure lists."""
_EVIDENCE = 120
"""Characters of a notification that are shown."""


class AwsStory:
    """One rehearsal. Each method is a stage; ``tell`` runs them in order.

    Args:
        opened: the project.
        model: the model that is rehearsed.
        aws: the offline AWS.
        infra: the project's infrastructure, of which nothing is made yet.
        builds: images that the cloud knows.
        engineer: launches, approves and looks.
        line: is told what happens.
    """

    def __init__(
        self,
        opened: Project,
        model: Model,
        aws: OfflineAws,
        infra: Stack,
        builds: Builds,
        engineer: Engineer,
        line: Timeline,
    ) -> None:
        self._opened, self._model = opened, model
        self._aws, self._builds, self._line, self._infra = aws, builds, line, infra
        self._engineer = engineer
        self._stack: StackOutputs
        self._permissions: Permissions
        self.load: Load | None = None
        """Live traffic, once there is an endpoint."""
        self._retraining: str | None = None
        self._judges: set[str] = set()
        """Steps of the training pipeline in which versions are compared."""

    def tell(self, *, clear: bool) -> None:
        """Everything, in order; ``clear``: the destruction at the end, too.

        Raises:
            RehearsalError: something that must hold did not.
            SeatrialError: a part of the machinery failed.
        """
        stage = self._stage
        with stage("infra"):
            self._up()
        with stage("train"):
            started = self._training(self._model.rehearsal.model_dump(mode="json")["first"])
            first = self._trained(started, "the first version", self._retrain_beside)
        with stage("release"):
            self._retraining = self._retraining or self._training({})
            self._release_first(first)
        with stage("retrain"):
            retraining = self._judged_after_the_release(self._retraining)
            second = self._another(self._trained(retraining, "the version of the whole pipeline"), first)
        assert self.load is not None
        with self.load:
            with stage("sabotage"):
                self._release_on_a_broken_build(first, second)
            with stage("canary"):
                self._release_on_the_mended_build(second)
        if clear:
            with stage("destroy"):
                self._clear()

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        with self._line.stage(name):
            try:
                yield
            except (ClientError, BotoCoreError) as refused:
                raise RehearsalError(
                    f"the offline AWS refused what the story needs: {refused}",
                    why="No adapter asked this, but the rehearsal itself, as the account's owner would.",
                    todo="If AWS would have answered it, that is a defect of the offline AWS: report it.",
                ) from refused

    # stages

    def _up(self) -> None:
        made = self._infra.up()
        differences = self._infra.differences()
        resources, properties = self._infra.compared()
        self._line.check(
            not differences,
            f"up: {made.counts['create']} created; state = cloud, {resources} resources, {properties} properties",
            otherwise=f"after the up, state and cloud disagree: {'; '.join(differences[:_SHOWN])}",
            todo="Run: seatrial rehearse --infra --cloud aws",
        )
        self._infra.listen()
        self._stack = self._infra.outputs()
        self._permissions = derive(self._opened, [self._model.name], place_of(self._stack))
        self._engineer.become(self._infra.launching(self._stack.roles.launch))
        self._engineer.connect(self._stack, self._builds.sound)
        release = self._engineer.deploy("release", {"version": 1})
        self._line.tell(
            f"role {self._stack.roles.launch.rpartition('/')[2]} launches; an approval starts {release.pipeline}",
            self._stack.artifact_root,
        )

    def _training(self, arguments: Mapping[str, Json]) -> str:
        """Start the training pipeline; gives the execution."""
        prepared = self._engineer.deploy("train", {"release": False, **arguments})
        self._judges = {step for step, tasks in prepared.tasks.items() if "evaluate" in tasks}
        return self._engineer.start(prepared)

    def _retrain_beside(self, step: StepState) -> None:
        """Start the whole pipeline once the first version's training is over, if that was long enough."""
        if self._retraining is None and step.job and step.status == "succeeded" and step.seconds >= _LONG_S:
            self._retraining = self._training({})

    def _judged_after_the_release(self, execution: str) -> str:
        """The retraining; begun again where it came to its gate before there was a champion to compare with."""
        state = self._engineer.state(execution)
        if state is None or not any(step.name in self._judges for step in state.steps):
            return execution
        self._engineer.stop(execution)
        self._line.tell("the retraining was at its gate before the first version was released: it begins again")
        return self._training({})

    def _trained(self, execution: str, which: str, also: Callable[[StepState], None] = lambda _: None) -> Version:
        """Follow the training pipeline to a registered version."""
        ended = self._engineer.follow(execution, also)
        tasks = self._engineer.succeeded(ended)
        jobs = [step for step in ended.steps if step.job]
        self._line.tell(
            f"the training pipeline ran {len(tasks)} tasks in {len(jobs)} jobs",
            *(f"{step.name} {step.seconds:.1f} s" for step in jobs),
        )
        gate, evaluated = tasks["gate"], tasks["evaluate"]
        self._line.check(
            gate["outputs"]["decision"] == "promote",
            f"gate {gate['summary']}",
            *(line.strip() for line in evaluated["summary"].splitlines()[1:]),
            otherwise=f"the gate refused {which}: {gate['summary']}",
            todo="Let [rehearsal] first in model.toml make a model that passes the gate and that the whole pipeline "
            "clearly beats, such as one of fewer months.",
        )
        version = self._engineer.cloud.registry.version(self._model.name, tasks["register"]["outputs"]["version"])
        self._line.tell(f"registered v{version.number}, waiting for approval", f"package {version.digest}")
        return version

    def _another(self, second: Version, first: Version) -> Version:
        """The second version, which has to be another than the first."""
        if second.digest == first.digest:
            raise RehearsalError(
                f"the whole pipeline makes the same package as [rehearsal] first: v{first.number}",
                why="Then nothing is left to release, and nothing to roll back to.",
                todo="Let [rehearsal] first in model.toml make a lesser model, such as one of fewer months.",
            )
        return second

    def _release_first(self, version: Version) -> None:
        ended = self._engineer.approve(version)
        tasks = self._engineer.succeeded(ended)
        self._line.tell(tasks["verify"]["summary"], tasks["deploy"]["summary"])
        package = self._engineer.package(version)
        rows = package.golden.rows[:ROWS]
        self.load = Load(self._engineer.caller, rows, callers=8, pause_s=_PAUSE_S)
        self._expect(version)
        self._serving(version)

    def _release_on_a_broken_build(self, champion: Version, challenger: Version) -> None:
        assert self.load is not None
        before, after = f"v{champion.number} serves", "after the rollback"
        name = f"v{challenger.number} on a broken build"
        self.load.begin(before)
        self._engineer.connect(self._stack, self._builds.broken)
        self._engineer.deploy("release", {"version": challenger.number})
        self._expect(challenger)
        self.load.reach(before, ENOUGH)
        self.load.begin(name)
        ended = self._engineer.approve(challenger)
        self.load.begin(after)
        self._rolled_back(ended, challenger, self.load.of(name))
        self.load.reach(after, ENOUGH)
        seen = self.load.of(after)
        self._line.check(
            seen.errors == 0 and set(seen.by_version) == {f"v{champion.number}"},
            f"champion v{champion.number} answers, alone",
            f"{seen.requests} requests, {seen.errors} errors",
            otherwise=f"after the rollback the answers came from {', '.join(seen.by_version)}: {seen.errors} errors",
        )
        self._serving(champion)

    def _rolled_back(self, ended: Execution, version: Version, seen: Phase) -> None:
        """A failing server was released nowhere, and it was the guardrail on errors that saw to it."""
        answers = f"{seen.errors} of {seen.requests} answers were 5xx, {seen.lost} requests lost"
        guarded = "error_rate" in self._model.rollout.guardrails
        todo = "Look at the alarm's rule and at the rollout's bake time: the errors came, and nothing took notice."
        if not guarded:
            todo = "Set it in model.toml, for example: [rollout] guardrails = { error_rate = 0.01 }."
        if not seen.errors:
            todo = "The rehearsal's broken build did not break, so that nothing is shown: see rehearsal/story/sabotage."
        released = self._engineer.cloud.endpoints.fingerprint(self._model.name)["digest"] == version.digest
        self._line.check(
            ended.status == "failed" and not released and seen.errors > 0,
            f"v{version.number} fails under traffic: {answers}",
            otherwise="a server that fails under traffic was released: "
            f"v{version.number} {'serves' if released else 'does not serve'}, the pipeline {ended.status}, {answers}",
            why="" if guarded else "No guardrail on error_rate watches the rollout.",
            todo=todo,
        )
        told = self._engineer.error_of(ended)
        assert told is not None
        errors = self._engineer.names.alarm("error_rate") if guarded else ""
        raised = self._engineer.raised(errors) if guarded else ""
        self._line.check(
            bool(raised) and errors in told.what,
            f"alarm {errors} rolled v{version.number} back",
            told.what.splitlines()[0],
            raised,
            told.why,
            otherwise=f"v{version.number} was ended by something else than the guardrail on errors: {told.what}",
            why=told.why,
            todo=told.todo,
        )
        self._told(ended.id, errors)

    def _told(self, *what: str) -> None:
        """People were told of a failed execution and of an alarm."""
        heard = {each: self._infra.told_of(each) for each in what}
        missing = [each for each, text in heard.items() if not text]
        self._line.check(
            not missing,
            "the topic for notifications told of the failure and of the alarm",
            *(text[:_EVIDENCE] for text in heard.values()),
            otherwise=f"nobody was told of {' and of '.join(missing)}",
            why="The topic for notifications is where people hear of failures; it stayed silent.",
            todo="Look at the rule's pattern and target, and at whom the topic's and its key's policies let in.",
        )

    def _release_on_the_mended_build(self, version: Version) -> None:
        assert self.load is not None
        self._engineer.connect(self._stack, self._builds.sound)
        prepared = self._engineer.deploy("release", {"version": version.number, "again": True})
        name = f"canary of v{version.number}"
        self.load.begin(name)
        execution = self._engineer.start(prepared)
        self._engineer.succeeded(self._engineer.follow(execution))
        seen = self.load.of(name)
        self._line.check(
            seen.errors == 0 and len(seen.by_version) == 2,
            f"traffic moved to v{version.number} step by step",
            ", ".join(f"{count} answers from {who}" for who, count in seen.by_version.items()),
            otherwise=f"the canary did not shift cleanly: {seen}",
        )
        after = f"v{version.number} serves"
        self.load.begin(after)
        self._serving(version)
        self.load.reach(after, ENOUGH)
        self._line.check(
            set(self.load.of(after).by_version) == {f"v{version.number}"},
            f"all answers come from v{version.number}",
            otherwise=f"after the release, answers came from {self.load.of(after).by_version}",
        )
        total = self.load.phases()
        requests, lost, wrong = (sum(getattr(p, what) for p in total) for what in ("requests", "lost", "wrong"))
        self._line.check(
            lost == wrong == 0,
            f"{requests:,} live requests: 0 lost, 0 wrong",
            otherwise=f"{lost} of {requests:,} live requests were lost, {wrong} answered wrong:"
            f" {self.load.first_problem()}",
        )
        self._permitted()

    def _permitted(self) -> None:
        """Each role did what it is for with what it was granted."""
        told = self._aws.permissions()
        used, denied = (uses(told[kind], self._stack.prefix) for kind in ("used", "denied"))
        found = usage(self._permissions, used, denied)
        never = (*found.idle, *found.excused)
        self._line.check(
            not found.denied,
            found.told(),
            *(f"{each.role} never used {each.action}: {each.reason or 'no reason is known'}" for each in never),
            otherwise=f"{found.told()}: "
            + "; ".join(f"role {each.role} lacks {each.action} on {each.resource}" for each in found.denied),
            todo="Declare what the adapter asks beside its code, and what a component uses in @component(uses=...).",
        )

    def _clear(self) -> None:
        # a promotion approves, and so starts one release more, which finds it serving
        for execution in self._engineer.executions("release"):
            self._engineer.follow(execution)
        self._engineer.become({})  # who launches removes nothing; the account's owner does
        self._engineer.connect(self._stack, self._builds.sound)
        self._engineer.cloud.endpoints.stop(self._model.name)
        self._infra.empty()
        protected = self._infra.unprotect()
        if protected:
            self._line.tell("a person takes the protection away", ", ".join(protected))
        gone = self._infra.destroy()
        left = self._infra.left()
        self._line.check(
            not left,
            f"{gone.counts['delete']} deleted, 0 left",
            otherwise=f"left behind: {', '.join(left)}",
            why="What nobody removes costs money or clutters the account.",
        )

    def _serving(self, version: Version) -> None:
        """The registry and the endpoint agree on who serves."""
        champion = self._engineer.cloud.registry.champion(self._model.name)
        served = self._engineer.cloud.endpoints.fingerprint(self._model.name)
        named = "none" if champion is None else f"v{champion.number}"
        self._line.check(
            named == f"v{version.number}" and served["digest"] == version.digest and served["healthy"],
            f"v{version.number} is champion, and the endpoint serves its package",
            otherwise=f"v{version.number} was to serve; the champion is {named}, the endpoint serves {served}",
        )
        listed = [(row["name"], row["version"]) for row in self._engineer.cloud.endpoints.list()]
        known = [each.number for each in self._engineer.cloud.registry.versions(self._model.name)]
        self._line.check(
            listed == [(self._model.name, str(version.number))] and version.number in known,
            "whoever lists endpoints and versions finds just that",
            otherwise=f"endpoints are listed as {listed}, versions as {known}",
        )

    def _expect(self, version: Version) -> None:
        assert self.load is not None
        package = self._engineer.package(version)
        predictions = package.predict(package.signature.pack(self.load.rows)).tolist()
        self.load.expect(version.digest, Expected(f"v{version.number}", predictions, package.golden.tolerance))
