"""A stack's life: preview, up, refresh, destroy. What `seatrial rehearse` and its story call."""

from __future__ import annotations

import os
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seatrial.errors import MissingExtra, RehearsalError, SeatrialError
from seatrial.rehearsal.infra.compare import Difference, differences, otherwise
from seatrial.rehearsal.infra.deletion import delete_all
from seatrial.rehearsal.infra.deployment import Deployment, Step, Turn
from seatrial.rehearsal.infra.provider.base import Props, Provider
from seatrial.rehearsal.infra.review import Review
from seatrial.rehearsal.infra.rpc import quieten
from seatrial.rehearsal.infra.settings import read_settings
from seatrial.rehearsal.infra.state import Resource, StateFile, outputs_of
from seatrial.rehearsal.infra.values import marked_like, plain, without_nulls

_TOLD = 5
"""Problems besides the first that are told in one message."""


@dataclass(frozen=True)
class Applied:
    """What came of one operation."""

    operation: str
    steps: tuple[Step, ...]
    seconds: float
    outputs: Props
    """The stack's, plain: they may hold secrets."""
    messages: tuple[str, ...] = ()
    """Warnings of the program."""
    registered: tuple[Resource, ...] = ()
    """What the program registered, in order; at preview without what only an update will know."""

    @property
    def counts(self) -> dict[str, int]:
        """Kind of step -> how many; the stack itself, components and providers are steps, too."""
        return dict(Counter(step.op for step in self.steps))

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps that did, or would do, something."""
        return tuple(step for step in self.steps if step.op not in ("same", "read"))

    def __str__(self) -> str:
        """``41 create, 3 same``."""
        return ", ".join(f"{count} {op}" for op, count in sorted(self.counts.items())) or "nothing"


class DeploymentFailed(RehearsalError):
    """An operation broke off; what was done until then is recorded."""

    def __init__(self, applied: Applied, problems: tuple[SeatrialError, ...]) -> None:
        """``problems``: at least one."""
        first = problems[0]
        others = list(dict.fromkeys(each.what for each in problems if each.what != first.what))
        rest = [*others[:_TOLD], *([f"{len(others) - _TOLD} more"] if len(others) > _TOLD else [])]
        also = f"\nAlso: {'; '.join(rest)}" if rest else ""
        super().__init__(f"{applied.operation} failed: {first.what}", why=first.why + also, todo=first.todo)
        self.applied, self.problems = applied, problems


class Infra:
    """One stack of one Pulumi program, applied by one provider."""

    def __init__(
        self,
        program: Path,
        stack: str,
        provider: Provider,
        state: Path,
        *,
        config: Mapping[str, Any] | None = None,
        passphrase: str | None = None,
        environment: Mapping[str, str] | None = None,
        told: Callable[[Step], None] = lambda _: None,
        review: Review | None = None,
    ) -> None:
        """Nothing is read or run yet but the settings.

        Args:
            program: the folder with ``Pulumi.yaml``; it is not written to.
            stack: such as ``dev``.
            provider: applies the resources.
            state: the folder that keeps the record.
            config: values instead of the stack's; `values.secret` makes one secret, ``None`` takes one away.
            passphrase: encrypts secrets in the record, and opens the stack's; ``None``: the stack's have to be open,
                and the record can be read by this object alone.
            environment: the program's; ``None``: this process's.
            told: hears of each step.
            review: looks at each resource before it is applied, and at all of them before anything is deleted.

        Raises:
            MissingExtra: Pulumi's SDK is not installed.
            UsageError: the settings are wrong.
        """
        quieten()
        try:
            import pulumi  # noqa: F401
        except ImportError as missing:
            raise MissingExtra("Rehearsing infrastructure", "pulumi", "infra") from missing
        self._provider, self._told, self._review = provider, told, review
        self._environment = dict(os.environ if environment is None else environment)
        self._settings = read_settings(program.resolve(), stack, passphrase).with_config(config or {})
        self._state = StateFile.of(state, self._settings.project, stack, passphrase or secrets.token_hex(16))

    def configure(self, changes: Mapping[str, Any]) -> None:
        """Change settings, as ``pulumi config set`` would; ``None`` takes one away."""
        self._settings = self._settings.with_config(changes)

    def config(self, key: str) -> Any:
        """A setting of the program's own namespace as it is now, plain; ``None``: there is none."""
        return plain(self._settings.config.get(key if ":" in key else f"{self._settings.project}:{key}"))

    @property
    def resources(self) -> tuple[Resource, ...]:
        """What is recorded."""
        return self._state.load()

    @property
    def outputs(self) -> Props:
        """What the stack exports, plain: it may hold secrets."""
        return dict(plain(outputs_of(self.resources)))

    def preview(self) -> Applied:
        """Say what `up` would do; nothing is touched.

        Raises:
            DeploymentFailed: the program, or something that it wants, is wrong.
        """
        return self._run("preview", dry_run=True)

    def up(self, *, turn: Turn = nullcontext) -> Applied:
        """Bring the cloud to what the program says.

        Args:
            turn: each resource is made within one of these; all at once, unless they hold each other up.

        Raises:
            DeploymentFailed: it broke off; what was done is recorded, and the next one goes on from there.
        """
        return self._run("up", dry_run=False, turn=turn)

    def refresh(self) -> Applied:
        """Take into the record what the cloud says: what is gone, and what is otherwise.

        Raises:
            DeploymentFailed: the cloud did not answer.
        """
        return self._operate("refresh", self._refreshed)

    def destroy(self) -> Applied:
        """Delete everything that the stack owns, each resource before what it needs.

        Raises:
            DeploymentFailed: something is protected, and nothing was deleted; or the cloud refused.
        """

        def destroyed(deployment: Deployment) -> None:
            delete_all(deployment, [*deployment.old.values(), *deployment.replaced])

        return self._operate("destroy", destroyed)

    def protected(self) -> tuple[Resource, ...]:
        """What `destroy` would refuse to delete."""
        return tuple(each for each in self.resources if each.protect)

    def unprotect(self, *urns: str) -> None:
        """Take the protection away, as ``pulumi state unprotect`` does.

        Raises:
            RehearsalError: there is no such resource.
        """
        recorded = self.resources
        unknown = sorted(set(urns) - {each.urn for each in recorded})
        if unknown:
            raise RehearsalError(
                f"the stack has no {', '.join(unknown)}",
                why="Only what is recorded can be unprotected.",
                todo="Name the URNs as a refused destroy lists them.",
            )
        self._state.save(replace(each, protect=False) if each.urn in urns else each for each in recorded)

    def compare(self, others: Callable[[str, str], bool] = lambda _type, _id: False) -> list[Difference]:
        """What the record and the cloud say differently, property by property, and what only one of them has.

        Args:
            others: whether a type and an id are of what somebody else makes in this cloud, such as jobs their logs.
        """
        return differences(self.resources, self._provider, others)

    def _run(self, operation: str, *, dry_run: bool, turn: Turn = nullcontext) -> Applied:
        from seatrial.rehearsal.infra.program import run_program

        def ran(deployment: Deployment) -> None:
            deployment.save()
            run_program(deployment, self._environment)
            if self._review is not None and not deployment.problems:
                self._review.stack(deployment.new.values())
            if not deployment.problems:
                delete_all(deployment, [*deployment.unregistered(), *deployment.replaced])

        return self._operate(operation, ran, dry_run=dry_run, turn=turn)

    def _operate(
        self, operation: str, work: Callable[[Deployment], None], *, dry_run: bool = False, turn: Turn = nullcontext
    ) -> Applied:
        begun = time.monotonic()
        deployment = Deployment(
            self._settings,
            self._state,
            self._provider,
            dry_run=dry_run,
            told=self._told,
            review=self._review,
            turn=turn,
        )
        try:
            work(deployment)
        except SeatrialError as problem:
            deployment.fail(problem)
        applied = Applied(
            operation,
            tuple(deployment.steps),
            time.monotonic() - begun,
            dict(plain(outputs_of(deployment.resources()))),
            tuple(deployment.messages),
            tuple(deployment.new.values()),
        )
        if deployment.problems:
            raise DeploymentFailed(applied, tuple(deployment.problems))
        return applied

    def _refreshed(self, deployment: Deployment) -> None:
        for each in list(deployment.old.values()):
            if not each.applied:
                continue
            there = without_nulls(self._provider.read(each.type, each.id, plain(each.outputs)))
            if there is None:
                deployment.gone.add(each.urn)
                deployment.note(Step("gone", each.urn, each.type))
            else:
                self._taken(deployment, each, there)
            deployment.save()

    def _taken(self, deployment: Deployment, resource: Resource, there: Props) -> None:
        """Record what the cloud says of a resource, where it says otherwise."""
        unlike = otherwise(resource, there, self._provider)
        changed = tuple(sorted(set(unlike) & set(resource.inputs)))
        inputs = {k: there.get(k) if k in changed else v for k, v in plain(resource.inputs).items()}
        inputs = {key: value for key, value in inputs.items() if value is not None}
        outputs = {
            **plain(resource.outputs),
            **{key: value for key, value in there.items() if key not in inputs},
            **inputs,
        }
        taken = replace(
            resource,
            inputs=marked_like(inputs, resource.inputs),
            outputs=marked_like(outputs, resource.outputs, frozenset(resource.additional_secret_outputs)),
        )
        deployment.old[resource.urn] = taken
        deployment.note(Step("update" if changed else "same", resource.urn, resource.type, changed))
