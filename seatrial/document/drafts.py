"""Jobs while they are being put together: what is in them, what they wait for, who may still join.

A member joins a job only if no other job would then stand between the two (the job would wait for itself), both suit
one machine, and both lie in the same branch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from seatrial.document import expression
from seatrial.document.flow import MemberOutput, Status, Symbol, gathered, sources
from seatrial.document.model import ParameterType, Task
from seatrial.document.needs import Leaf, Needs, alike
from seatrial.errors import DocumentError

Json = Any
Scope = tuple[tuple[int, bool], ...]
"""Choices around a job, outermost first, and which branch of each."""


@dataclass(frozen=True)
class Member:
    """A task that stays whole, with everything below it."""

    name: str
    """Its path in the document; unique."""
    task: Task
    source: Mapping[str, Json]
    """The task as the document writes it."""
    parameters: Mapping[str, Symbol]
    artifacts: Mapping[str, Symbol]
    after: frozenset[str]
    """Members that must end first, beyond those whose outputs it takes."""
    needs: Needs
    floating: bool = False
    """An importer that may be repeated in every job that uses it."""

    def producers(self) -> frozenset[str]:
        """Members whose outputs or status it takes."""
        symbols = [*self.parameters.values(), *self.artifacts.values()]
        return frozenset(
            s.member for symbol in symbols for s in sources(symbol) if isinstance(s, MemberOutput | Status)
        )

    def gathers(self) -> frozenset[str]:
        """Members whose outputs it takes together with those of others."""
        return frozenset().union(*(gathered(s) for s in (*self.parameters.values(), *self.artifacts.values())))


@dataclass
class Draft:
    """A job being filled."""

    index: int
    scope: Scope
    image: str = ""
    members: list[Member] = field(default_factory=list)
    before: set[int] = field(default_factory=set)
    """Jobs that must end first."""

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """All container tasks in it."""
        return tuple(leaf for member in self.members for leaf in member.needs.leaves)

    @property
    def hint(self) -> str:
        """The job's name, as its tasks ask for it."""
        return next((leaf.hint for leaf in self.leaves if leaf.hint), "")


@dataclass
class Fork:
    """A choice being filled."""

    index: int
    scope: Scope
    """Where it stands."""
    name: str
    condition: expression.Expression
    operands: Mapping[str, tuple[Symbol, ParameterType]]
    before: set[int]


class Drafts:
    """All jobs and choices of a plan in the making."""

    def __init__(self, own: Collection[str], *, fuse: bool) -> None:
        self._own = own
        self._fuse = fuse
        self.members: dict[str, Member] = {}
        self.home: dict[str, Draft] = {}
        """Member -> its job; none for a floating one."""
        self.drafts: dict[int, Draft] = {}
        self.forks: dict[int, Fork] = {}
        self._above: dict[str, frozenset[str]] = {}
        self._count = 0

    def is_own(self, image: str) -> bool:
        """Whether an image holds Seatrial."""
        return image in self._own

    def number(self) -> int:
        """The next index, for a job or a choice."""
        self._count += 1
        return self._count

    def add(self, member: Member) -> None:
        """Make a member known, before it is settled."""
        self.members[member.name] = member
        direct = member.producers() | member.after
        self._above[member.name] = direct.union(*(self._above.get(name, frozenset()) for name in direct))

    def join(self, members: list[Member], scope: Scope, *, tied: Collection[str] = ()) -> bool:
        """Put members into the best job that takes them, if one does.

        Args:
            members: to be kept together.
            scope: the branch that they are in.
            tied: members whose job it must be.
        """
        before = self.waits_for(members, scope)
        between = {p: self.upstream(p) for p in before}
        homes = {self.home[name].index for name in tied if name in self.home}
        found = [
            draft
            for draft in self.drafts.values()
            if draft.scope == scope
            and homes <= {draft.index}
            and not any(draft.index in above for p, above in between.items() if p != draft.index)
            and (self._suits(draft, members, before) if self._fuse else bool(homes))
        ]
        if not found:
            return False
        hint = next((leaf.hint for member in members for leaf in member.needs.leaves if leaf.hint), "")
        best = max(
            found,
            key=lambda d: (
                bool(hint) and d.hint == hint,
                d.index in before,
                d.index if d.index in before else -d.index,
            ),
        )
        self._fill(best, members, before)
        return True

    def start(self, members: list[Member], scope: Scope, image: str) -> Draft:
        """Put members into a job of their own."""
        draft = Draft(self.number(), scope, image)
        self.drafts[draft.index] = draft
        self._fill(draft, members, self.waits_for(members, scope))
        return draft

    def waits_for(self, members: Iterable[Member], scope: Scope) -> set[int]:
        """Jobs that must end before these members can run."""
        names = {member.name for member in members}
        found = self.jobs_of({n for m in members for n in m.producers() | m.after} - names, scope)
        for index, _ in scope:
            found |= self.forks[index].before
        return found

    def jobs_of(self, members: Collection[str], scope: Scope) -> set[int]:
        """Jobs of members, seen from a branch: of a choice that it is not in, every job counts."""
        found: set[int] = set()
        for name in members:
            draft = self.home.get(name)
            if draft is None:
                continue
            found.add(draft.index)
            outside = self.unshared(draft.scope, scope)
            if outside is not None:
                found |= {d.index for d in self.drafts.values() if outside in [i for i, _ in d.scope]}
        return found

    @staticmethod
    def unshared(inner: Scope, scope: Scope) -> int | None:
        """The outermost choice around ``inner`` that is not around ``scope``."""
        around = {index for index, _ in scope}
        return next((index for index, _ in inner if index not in around), None)

    def upstream(self, index: int) -> set[int]:
        """Every job before a job."""
        found: set[int] = set()
        stack = list(self.drafts[index].before)
        while stack:
            current = stack.pop()
            if current not in found:
                found.add(current)
                stack += self.drafts[current].before
        return found

    def _fill(self, draft: Draft, members: list[Member], before: set[int]) -> None:
        draft.before |= before - {draft.index}
        for member in members:
            draft.members.append(member)
            self.home[member.name] = draft
            images = member.needs.images
            draft.image = draft.image or next(iter(sorted(images)), "")

    def _suits(self, draft: Draft, members: list[Member], before: set[int]) -> bool:
        leaves = tuple(leaf for member in members for leaf in member.needs.leaves)
        together = (*draft.leaves, *leaves)
        inside = {member.name for member in draft.members}
        if any(member.gathers() & inside for member in members):
            return False  # the list is made at the border
        if Needs(together, 0).obstacle(self.is_own, hints=False) is not None:
            return False
        hints = {leaf.hint for leaf in leaves if leaf.hint}
        if draft.hint in hints and hints:
            return True
        if (draft.hint and hints) or (bool(draft.hint) != bool(hints) and leaves and draft.index not in before):
            return False
        return alike(together) and not self._worth_a_machine_each(draft, members) if together else True

    def _worth_a_machine_each(self, draft: Draft, members: list[Member]) -> bool:
        """Whether heavy tasks could run at the same time, were they in different jobs."""
        heavy = [m for m in members if any(leaf.heavy for leaf in m.needs.leaves)]
        beside = [m for m in draft.members if any(leaf.heavy for leaf in m.needs.leaves)]
        return any(other.name not in self._above[member.name] for member in heavy for other in beside)

    def floats(self, draft: Draft) -> Iterator[Member]:
        """Floating members that a job's members use, once each."""
        seen: set[str] = set()
        for member in draft.members:
            for name in sorted(member.producers()):
                if name not in self.home and name not in seen:
                    seen.add(name)
                    yield self.members[name]


def cannot(what: str, obstacle: str, todo: str) -> DocumentError:
    """A construct that has to stay in one job and cannot."""
    return DocumentError(
        f"{what} has to run in one job, and {obstacle}", why="Only inside a job can it be run.", todo=todo
    )
