"""Names of resources: ``urn:pulumi:stack::project::parent$type::name``, and the names that aliases stand for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from seatrial.rehearsal.infra.state import STACK


@dataclass(frozen=True)
class Alias:
    """What a resource was once called: a whole URN, or what was different."""

    urn: str = ""
    name: str = ""
    type: str = ""
    stack: str = ""
    project: str = ""
    parent: str = ""
    no_parent: bool = False


def urn_of(stack: str, project: str, parent: str, type: str, name: str) -> str:
    """The URN of a resource; ``parent``: its URN, or empty."""
    above = parent.split("::")[2] if parent else ""
    qualified = f"{above}${type}" if above and above != STACK else type
    return f"urn:pulumi:{stack}::{project}::{qualified}::{name}"


def former_urns(
    urn: str, type: str, parent: str, aliases: Iterable[Alias], parent_aliases: Iterable[str]
) -> tuple[str, ...]:
    """Every URN that a resource may be recorded under, besides its own.

    A child is called after its parent, so that each former name of the parent gives one of the child, too.

    Args:
        urn: what it is called now.
        type: its type.
        parent: the URN of its parent, or empty.
        aliases: its own.
        parent_aliases: the URNs that its parent may be recorded under.
    """
    found = dict.fromkeys(_former(urn, type, parent, tuple(aliases), tuple(parent_aliases)))
    found.pop(urn, None)
    return tuple(found)


def _former(
    urn: str, type: str, parent: str, aliases: tuple[Alias, ...], parent_aliases: tuple[str, ...]
) -> Iterator[str]:
    head, project, _, name = urn.split("::", 3)
    stack = head.removeprefix("urn:pulumi:")
    for alias in aliases:
        if alias.urn:
            yield alias.urn
            continue
        above = "" if alias.no_parent else alias.parent or parent
        parents = [above, *(parent_aliases if above == parent else ())]
        for each in parents:
            called = alias.name or _inherited(name, parent, each)
            yield urn_of(alias.stack or stack, alias.project or project, each, alias.type or type, called)
    for each in parent_aliases:
        yield urn_of(stack, project, each, type, _inherited(name, parent, each))


def _inherited(name: str, parent: str, former: str) -> str:
    """A child's name begins with its parent's in many programs, and was then different when the parent's was."""
    now, once = parent.rpartition("::")[2], former.rpartition("::")[2]
    return once + name.removeprefix(now) if now and once and name.startswith(now) else name
