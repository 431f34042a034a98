"""One operation on a stack while it goes on: what was recorded before, what is known now, and each step between."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

from seatrial.errors import RehearsalError, SeatrialError
from seatrial.rehearsal.infra.assets import Assets
from seatrial.rehearsal.infra.provider.base import Props, Provider
from seatrial.rehearsal.infra.review import Review
from seatrial.rehearsal.infra.settings import ProgramSettings
from seatrial.rehearsal.infra.state import PROVIDER, Resource, StateFile
from seatrial.rehearsal.infra.urns import urn_of
from seatrial.rehearsal.infra.values import HIDDEN, secrets_in

Turn = Callable[[str], AbstractContextManager[object]]
"""The registration of a URN is brought to its goal within one."""
_SHORTEST_SECRET = 4
"""Shorter texts stand in too many messages for another reason."""


@dataclass(frozen=True)
class Step:
    """What an operation does, or at preview would do, with one resource."""

    op: str
    """create, update, replace (the making of the replacement), delete, delete-replaced, read, gone, same."""
    urn: str
    type: str
    properties: tuple[str, ...] = ()
    """Which differ."""
    details: tuple[str, ...] = ()
    """``property: before → after``, without secrets."""

    @property
    def name(self) -> str:
        """The resource's name in the program."""
        return self.urn.split("::")[-1]

    def __str__(self) -> str:
        """One line."""
        names = f" ({', '.join(self.properties)})" if self.properties else ""
        return f"{self.op} {self.type.rpartition(':')[2]} {self.name}{names}"


class Deployment:
    """Shared by all requests of a program; the record is saved after each step that is not a preview's."""

    def __init__(
        self,
        settings: ProgramSettings,
        state: StateFile,
        provider: Provider,
        *,
        dry_run: bool,
        told: Callable[[Step], None] = lambda _: None,
        review: Review | None = None,
        turn: Turn = nullcontext,
    ) -> None:
        """Nothing has been done yet.

        Args:
            settings: the program's.
            state: the record.
            provider: applies the resources.
            dry_run: a preview.
            told: hears of each step.
            review: looks at each resource before it is applied.
            turn: gives each registration its turn.

        Raises:
            RehearsalError: the record cannot be read.
        """
        recorded = state.load()
        self.settings, self.provider, self.dry_run = settings, provider, dry_run
        self.review, self.turn = review, turn
        self.assets = Assets(settings.folder)
        self.lock = threading.RLock()
        self.old = {each.urn: each for each in recorded if not each.delete}
        """What was recorded, by URN."""
        self.replaced = [each for each in recorded if each.delete]
        """To be deleted once nothing refers to it."""
        self.new: dict[str, Resource] = {}
        """What the program has registered, in order."""
        self.former: dict[str, str] = {}
        """URN in ``old`` -> URN that the program registers it under."""
        self.gone: set[str] = set()
        """URNs in ``old`` that were deleted in this operation."""
        self.steps: list[Step] = []
        self.problems: list[SeatrialError] = []
        """What failed, in order."""
        self.messages: list[str] = []
        """What the program logged, from warnings up."""
        self._state = state
        self._told = told
        self._secrets = {text for each in recorded for text in secrets_in([each.inputs, each.outputs])}
        self._secrets |= secrets_in(list(settings.config.values()))

    def urn(self, parent: str, type: str, name: str) -> str:
        """The URN of a resource of this stack."""
        return urn_of(self.settings.stack, self.settings.project, parent, type, name)

    def other_stack(self, name: str) -> tuple[Resource, ...]:
        """What is recorded of another stack, ``organization/project/stack`` or ``project/stack`` or ``stack``."""
        *above, stack = name.split("/")
        project = above[-1] if above else self.settings.project
        return self._state.beside(project, stack).load()

    def unregistered(self) -> list[Resource]:
        """What is recorded and has not come out of the program, so far."""
        done = self._renamed()
        return [each for urn, each in self.old.items() if urn not in done and urn not in self.gone]

    def resources(self) -> tuple[Resource, ...]:
        """The record as it is now: each resource after what it needs."""
        gone = frozenset(self.gone) - set(self.new)
        kept = [*self.new.values(), *self.unregistered(), *self.replaced]
        names = self._renamed()
        return tuple(each.renamed(names).without(gone) for each in kept)

    def _renamed(self) -> dict[str, str]:
        """What was registered and failed is still what it was."""
        return {old: new for old, new in self.former.items() if new in self.new}

    def record(self, resource: Resource, step: Step | None = None) -> None:
        """A resource is now so."""
        with self.lock:
            self.new[resource.urn] = resource
            self._secrets |= secrets_in([resource.inputs, resource.outputs])
            if step is not None:
                self.note(step)
            self.save()

    def note(self, step: Step) -> None:
        """A step was done."""
        with self.lock:
            self.steps.append(step)
        self._told(step)

    def save(self) -> None:
        """Save the record; a preview records nothing."""
        with self.lock:
            if not self.dry_run:
                self._state.save(self.resources())

    def fail(self, problem: SeatrialError) -> None:
        """Something went wrong; secrets are taken out of what it says."""
        with self.lock:
            hide = self.hide
            self.problems.append(RehearsalError(hide(problem.what), why=hide(problem.why), todo=hide(problem.todo)))

    def know_secrets(self, values: Props) -> None:
        """What must not be printed, from before something is tried with it."""
        with self.lock:
            self._secrets |= secrets_in(values)

    def hide(self, text: str) -> str:
        """``text`` without secrets."""
        with self.lock:
            known = sorted(self._secrets, key=len, reverse=True)
        for each in known:
            if len(each) >= _SHORTEST_SECRET:
                text = text.replace(each, HIDDEN)
        return text

    def provider_of(self, type: str, reference: str, version: str) -> str:
        """The provider of a resource, ``urn::id``: the one that it names, or the stack's own for its package.

        Raises:
            RehearsalError: it has settings that the rehearsal does not follow.
        """
        if reference:
            return reference
        package = type.partition(":")[0]
        name = f"default_{version.replace('.', '_')}" if version else "default"
        urn = self.urn("", f"{PROVIDER}{package}", name)
        with self.lock:
            if urn not in self.new:
                settings = self.settings.of_package(package)
                self.new[urn] = self.provider_resource(urn, package, settings, self.old.get(urn))
                self.former[urn] = urn
            return f"{urn}::{self.new[urn].id}"

    def provider_resource(self, urn: str, package: str, settings: Props, old: Resource | None) -> Resource:
        """A provider as it is recorded.

        Raises:
            RehearsalError: it has settings that the rehearsal does not follow.
        """
        import uuid

        problems = self.provider.configure(package, {k: v for k, v in settings.items() if k != "version"})
        if problems:
            raise RehearsalError(
                f"provider '{urn.split('::')[-1]}' of {package} is not rehearsed so: {'; '.join(problems)}",
                why="Its resources would be made elsewhere or otherwise than in the account.",
                todo=f"Leave it out of the stack's {package}: settings, or rehearse it in seatrial/rehearsal/infra.",
            )
        kept = old.id if old is not None else str(uuid.uuid4())
        return Resource(urn, f"{PROVIDER}{package}", custom=True, id=kept, inputs=settings, outputs=settings)

    def claim(self, urn: str, type: str, former: Iterable[str]) -> Resource | None:
        """Say that the program has registered ``urn``; gives what is recorded of it, under whatever name.

        Raises:
            RehearsalError: it was registered before.
        """
        with self.lock:
            if urn in self.former.values() or urn in self.new:
                raise RehearsalError(
                    f"two resources are called {urn.split('::')[-1]} ({type})",
                    why=f"Both would be {urn}.",
                    todo="Give one of them another name or another parent.",
                )
            for each in (urn, *former):
                if each in self.old and each not in self.former:
                    self.former[each] = urn
                    return self.old[each]
            self.former[urn] = urn
            return None

    def replace_later(self, old: Resource) -> None:
        """Its replacement is there; it will be deleted."""
        with self.lock:
            self.replaced.append(replace(old, delete=True))
