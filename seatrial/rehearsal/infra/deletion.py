"""Deleting: everything before what it needs, nothing that is protected, and each deletion recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from seatrial.errors import RehearsalError, SeatrialError
from seatrial.rehearsal.infra.deployment import Deployment, Step
from seatrial.rehearsal.infra.state import Resource
from seatrial.rehearsal.infra.values import plain


def in_order(resources: Iterable[Resource]) -> list[Resource]:
    """Everything before what it needs; what was recorded last goes first, where both would do."""
    left = list(resources)[::-1]
    needs = {id(each): each.needs - {each.urn} for each in left}
    needed = Counter(urn for each in needs.values() for urn in each)
    ordered: list[Resource] = []
    while left:
        free = next((each for each in left if not needed[each.urn]), None)
        if free is None:  # only a replaced resource and its successor can need each other
            free = next((each for each in left if each.delete), left[0])
        left.remove(free)
        needed.subtract(needs[id(free)])
        ordered.append(free)
    return ordered


def refuse_protected(resources: Iterable[Resource]) -> None:
    """Make sure that nothing protected would be deleted, before anything is.

    Raises:
        RehearsalError: something is; all of it is named.
    """
    kept = [each for each in resources if each.protect]
    if kept:
        raise RehearsalError(
            f"{len(kept)} protected resource{'s' if len(kept) > 1 else ''} would be deleted: "
            f"{', '.join(sorted(f'{each.name} ({each.type})' for each in kept))}",
            why="Protection is there so that nobody deletes them by mistake. Nothing was deleted.",
            todo="If they are to go, take the protection away on purpose: pulumi state unprotect URN for each, or "
            "protect=False in the program and pulumi up; then again.",
        )


def delete_all(deployment: Deployment, resources: Iterable[Resource]) -> None:
    """Delete them in order, or at preview say so; the first that fails ends it.

    Raises:
        RehearsalError: one is protected, and nothing was deleted.
        SeatrialError: the cloud refused a deletion; what came before it is deleted and recorded so.
    """
    chosen = in_order(resources)
    refuse_protected(each for each in chosen if not each.delete)
    going = {each.urn for each in chosen}
    for each in chosen:
        delete_one(deployment, each, going)


def delete_one(deployment: Deployment, resource: Resource, going: Iterable[str] = ()) -> None:
    """Delete one; ``going``: URNs of what goes with it."""
    with_another = resource.deleted_with in set(going)
    if not deployment.dry_run and resource.applied and not resource.retain_on_delete and not with_another:
        try:
            deployment.provider.delete(resource.type, resource.id, plain(resource.outputs))
        except SeatrialError as refused:
            raise RehearsalError(
                f"{resource.name} ({resource.type}) could not be deleted: {refused.what}",
                why=refused.why,
                todo=refused.todo,
            ) from refused
    with deployment.lock:
        if resource.delete:
            deployment.replaced = [each for each in deployment.replaced if each is not resource]
        else:
            deployment.gone.add(resource.urn)
        if not resource.is_default_provider:
            deployment.note(Step("delete-replaced" if resource.delete else "delete", resource.urn, resource.type))
        deployment.save()
