"""Deleting before replacing: what cannot exist twice goes first, and before it what cannot do without it."""

from __future__ import annotations

from dataclasses import replace

from seatrial.rehearsal.infra.deletion import in_order, refuse_protected
from seatrial.rehearsal.infra.deployment import Deployment, Step
from seatrial.rehearsal.infra.provider.base import UNKNOWN
from seatrial.rehearsal.infra.state import Resource
from seatrial.rehearsal.infra.values import plain


def delete_first(deployment: Deployment, resource: Resource) -> None:
    """Delete a resource whose replacement comes next, and what depends on it so that it would be replaced, too.

    They stay recorded as waiting for their replacements: when the program breaks off, the next update makes them.

    Raises:
        RehearsalError: one is protected, and nothing was deleted.
        SeatrialError: the cloud refused.
    """
    with deployment.lock:
        chosen = in_order([resource, *_dependents(deployment, resource)])
        refuse_protected(chosen)
        for each in chosen:
            if not deployment.dry_run and each.applied and not each.retain_on_delete:
                deployment.provider.delete(each.type, each.id, plain(each.outputs))
            deployment.old[each.urn] = replace(each, pending_replacement=True)
            deployment.note(Step("delete-replaced", each.urn, each.type))
            deployment.save()


def _dependents(deployment: Deployment, resource: Resource) -> list[Resource]:
    """What would be replaced if the values that it takes from ``resource``, or from another of these, were others."""
    replaced = {resource.urn}
    found: list[Resource] = []
    waiting = [each for each in deployment.unregistered() if each.applied and each.urn != resource.urn]
    for each in waiting:  # in the order of the record: what it needs comes first
        names = [name for name, urns in each.property_dependencies.items() if replaced & set(urns)]
        if not names:
            continue
        olds = plain(each.inputs)
        news = olds | {name: UNKNOWN for name in names if name in olds}
        if deployment.provider.diff(each.type, olds, news).replaces:
            replaced.add(each.urn)
            found.append(each)
    return found
