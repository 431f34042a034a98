"""State against cloud: every recorded property against what the cloud says of it, and the other way round."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from seatrial.rehearsal.infra.provider.base import Props, Provider
from seatrial.rehearsal.infra.state import Resource
from seatrial.rehearsal.infra.values import HIDDEN, NOTHING, apart, has_secret, plain, shown, without_nulls

_AT_ONCE = 8


@dataclass(frozen=True)
class Difference:
    """One property that the record and the cloud do not agree on."""

    urn: str
    """Of the resource; for what only the cloud has, its type and id."""
    property: str
    """A path, such as ``tags.owner``; empty: the resource itself."""
    recorded: str
    cloud: str

    def __str__(self) -> str:
        """One line."""
        what = f"{self.urn} {self.property}".strip()
        return f"{what}: the state says {self.recorded}, the cloud {self.cloud}"


def differences(
    resources: Iterable[Resource], provider: Provider, others: Callable[[str, str], bool] = lambda _type, _id: False
) -> list[Difference]:
    """Compare a record with the cloud.

    Every recorded input has to be what `Provider.read` says, but for those that no cloud could tell
    (`Provider.unseen`); so has every output that both know. Whatever the cloud has besides is an orphan.

    Args:
        resources: of one stack.
        provider: asks the cloud.
        others: whether a type and an id are of what somebody else makes there, such as jobs their logs; without it
            the stack has the cloud to itself.
    """
    applied = [each for each in resources if each.applied]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = [one for several in pool.map(lambda each: list(_of(each, provider)), applied) for one in several]
    known = {(each.type, each.id) for each in applied}
    orphans = sorted(provider.inventory() - known)
    return found + [
        Difference(f"{type} {id}", "", "nothing", "that it is there") for type, id in orphans if not others(type, id)
    ]


def compared(resources: Iterable[Resource], provider: Provider) -> tuple[int, int]:
    """How many resources and input properties `differences` looks at."""
    applied = [each for each in resources if each.applied]
    return len(applied), sum(len(set(each.inputs) - set(provider.unseen(each.type))) for each in applied)


def otherwise(resource: Resource, there: Props, provider: Provider) -> dict[str, Any]:
    """Recorded properties, as marked, of which the cloud says something else; ``there``: without nulls.

    Equal values agree, and so do those that the provider would not bring up a change for: two ways to write one policy.
    """
    unseen = provider.unseen(resource.type)
    outputs = {key: value for key, value in resource.outputs.items() if key in there}
    recorded = {key: value for key, value in (outputs | resource.inputs).items() if key not in unseen}
    unlike = {key: value for key, value in recorded.items() if plain(value) != there.get(key, NOTHING)}
    if not unlike:
        return {}
    wanted = plain(resource.inputs)
    olds = {key: there.get(key) if key in unlike else value for key, value in wanted.items()}
    changed = provider.diff(resource.type, without_nulls(olds), wanted).changed
    return {key: value for key, value in unlike.items() if key in changed or key not in resource.inputs}


def _of(resource: Resource, provider: Provider) -> Iterator[Difference]:
    there = without_nulls(provider.read(resource.type, resource.id, plain(resource.outputs)))
    if there is None:
        yield Difference(resource.urn, "", f"that it is there, as {resource.id}", "that it is not")
        return
    for name, value in otherwise(resource, there, provider).items():
        hidden = has_secret(value)
        for path, one, other in apart(name, plain(value), there.get(name, NOTHING)):
            yield Difference(resource.urn, path, _said(one, hidden=hidden), _said(other, hidden=hidden))


def _said(value: Any, *, hidden: bool) -> str:
    if value is NOTHING:
        return "nothing"
    return HIDDEN if hidden else shown(value)
