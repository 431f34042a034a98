"""Registering a resource: what is recorded, what the program wants, and the one step that brings them together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from seatrial.errors import RehearsalError, SeatrialError
from seatrial.rehearsal.infra.deployment import Deployment, Step
from seatrial.rehearsal.infra.goal import Goal
from seatrial.rehearsal.infra.paths import touched, with_ignored
from seatrial.rehearsal.infra.provider.base import Diff, Props, Unfinished, UnsupportedType
from seatrial.rehearsal.infra.replacement import delete_first
from seatrial.rehearsal.infra.state import PROVIDER, Resource
from seatrial.rehearsal.infra.urns import former_urns
from seatrial.rehearsal.infra.values import (
    HIDDEN,
    NOTHING,
    apart,
    has_secret,
    has_unknown,
    marked_like,
    plain,
    shown,
    without_nulls,
)


@dataclass(frozen=True)
class _Change:
    """A checked goal against what is recorded."""

    op: str
    inputs: Props
    """Checked, with marks."""
    diff: Diff
    first: bool = False
    """The old one has to be deleted before."""


def register(deployment: Deployment, goal: Goal) -> Resource:
    """Bring one resource to its goal, at preview only on paper.

    Returns:
        The resource as it then is: at preview an empty ``id`` and missing outputs are what only an update will know.

    Raises:
        SeatrialError: it cannot be; what the record says is still what there is.
    """
    urn = deployment.urn(goal.parent, goal.type, goal.name)
    parent = deployment.new.get(goal.parent)
    former = former_urns(urn, goal.type, goal.parent, goal.aliases, parent.aliases if parent else ())
    old = deployment.claim(urn, goal.type, former)
    wanted = _wanted(deployment, goal, urn, former, parent)
    if not goal.custom:
        step = Step("same" if old else "create", urn, goal.type)
        made = replace(wanted, inputs=goal.inputs, outputs=old.outputs if old else {})
        deployment.record(made, step)
        return made
    if goal.type.startswith(PROVIDER):
        return _provider(deployment, goal, wanted, old)
    deployment.know_secrets(goal.inputs)
    there = old if old is not None and not old.pending_replacement and not old.external else None
    change = _change(deployment, goal, there)
    if deployment.review is not None:
        deployment.review.resource(replace(wanted, inputs=change.inputs))
    return _apply(deployment, replace(wanted, inputs=change.inputs), there, change)


def _wanted(deployment: Deployment, goal: Goal, urn: str, former: tuple[str, ...], parent: Resource | None) -> Resource:
    """Everything but id and properties."""
    above = (parent.protect, parent.retain_on_delete) if parent else (False, False)
    is_applied = goal.custom and not goal.type.startswith("pulumi:")
    return Resource(
        urn=urn,
        type=goal.type,
        custom=goal.custom,
        parent=goal.parent,
        dependencies=goal.dependencies,
        property_dependencies=goal.property_dependencies,
        provider=deployment.provider_of(goal.type, goal.provider, goal.version) if is_applied else "",
        protect=above[0] if goal.protect is None else goal.protect,
        retain_on_delete=above[1] if goal.retain_on_delete is None else goal.retain_on_delete,
        deleted_with=goal.deleted_with,
        aliases=former,
        additional_secret_outputs=goal.additional_secret_outputs,
    )


def _provider(deployment: Deployment, goal: Goal, wanted: Resource, old: Resource | None) -> Resource:
    settings = {key: _parsed(plain(value)) for key, value in goal.inputs.items()}
    made = deployment.provider_resource(wanted.urn, goal.type.removeprefix(PROVIDER), settings, old)
    changed = _differing(plain(old.inputs), settings) if old else ()
    resource = replace(wanted, id=made.id, inputs=goal.inputs, outputs=goal.inputs)
    deployment.record(
        resource, Step("update" if changed else "same" if old else "create", wanted.urn, goal.type, changed)
    )
    return resource


def _parsed(value: Any) -> Any:
    """The SDK sends what is no text in a provider's settings as JSON."""
    import json

    try:
        return json.loads(value) if isinstance(value, str) and value[:1] in ("{", "[") else value
    except ValueError:
        return value


def _change(deployment: Deployment, goal: Goal, old: Resource | None) -> _Change:
    olds = plain(old.inputs) if old else None
    sent = deployment.assets.hashed(goal.inputs)
    if old is not None and goal.ignore_changes:
        sent = with_ignored(sent, old.inputs, goal.ignore_changes)
    if not deployment.dry_run and has_unknown(sent):
        unknown = ", ".join(sorted(key for key, value in sent.items() if has_unknown(value)))
        raise RehearsalError(
            f"{goal.name} ({goal.type}) depends on what is not known even now: {unknown}",
            why="What it comes from gave no such output.",
            todo="Look at where the program takes it from: another resource's output that does not exist.",
        )
    checked = _checked(deployment, goal, sent, olds)
    if old is None or olds is None:
        return _Change("create", checked, Diff())
    diff = deployment.provider.diff(old.type, olds, plain(checked))
    forced = [path for path in goal.replace_on_changes if touched(path, olds, plain(checked))] if diff.changed else []
    replaces = dict.fromkeys([*diff.replaces, *(diff.changed if forced else ())])
    diff = replace(diff, replaces=tuple(replaces))
    if not diff.replaces:
        op = "update" if diff.changed or old.init_errors else "same"
        return _Change(op, checked, diff)
    if old.protect:
        raise RehearsalError(
            f"{goal.name} ({goal.type}) is protected and would be replaced, for its {', '.join(diff.replaces)}",
            why="A replacement deletes what is there, with everything in it.",
            todo="Leave these properties as they are, or take the protection away first, in an update of its own.",
        )
    first = diff.delete_first if goal.delete_before_replace is None else goal.delete_before_replace
    return _Change("replace", _checked(deployment, goal, sent, None), diff, first)


def _checked(deployment: Deployment, goal: Goal, sent: Props, olds: Props | None) -> Props:
    try:
        found, problems = deployment.provider.check(goal.type, goal.name, plain(sent), olds)
    except UnsupportedType as missing:
        raise RehearsalError(f"{goal.name}: {missing.what}", why=missing.why, todo=missing.todo) from missing
    if problems:
        raise RehearsalError(
            f"{goal.name} ({goal.type}) is wrong: {'; '.join(problems)}",
            why="The provider would refuse it.",
            todo="Correct the resource's arguments in the program.",
        )
    return marked_like(without_nulls(found), sent)


def _apply(deployment: Deployment, wanted: Resource, old: Resource | None, change: _Change) -> Resource:
    if change.op == "replace" and change.first:
        assert old is not None
        delete_first(deployment, old)
    step = Step(change.op, wanted.urn, wanted.type, change.diff.changed, _details(old, change))
    keeps = old is not None and change.op != "replace"
    goes = old if change.op == "replace" and not change.first else None
    if deployment.dry_run:
        before = old.outputs if keeps and old is not None else {}
        made = replace(wanted, id=old.id if keeps and old is not None else "", outputs=before | change.inputs)
        _record(deployment, made, goes, step)
        return made
    ready = deployment.assets.with_content(plain(change.inputs), change.inputs)
    try:
        if change.op == "same":
            assert old is not None
            id, outputs = old.id, plain(old.outputs)
        elif change.op == "update":
            assert old is not None
            id = old.id
            outputs = deployment.provider.update(wanted.type, id, plain(old.outputs), ready)
        else:
            id, outputs = deployment.provider.create(wanted.type, ready)
    except Unfinished as partly:
        _record_unfinished(deployment, wanted, old, change, partly)
        raise RehearsalError(
            f"{wanted.name} ({wanted.type}) is unfinished: {partly.reason}",
            why="It exists, and not all of it is as the program wants it.",
            todo="Remove the cause, and bring the stack up again: the rest is done then.",
        ) from partly
    except SeatrialError as refused:
        verb = "changed" if change.op == "update" else "created"
        raise RehearsalError(
            f"{wanted.name} ({wanted.type}) could not be {verb}: {refused.what}", why=refused.why, todo=refused.todo
        ) from refused
    made = replace(wanted, id=id, outputs=_outputs(wanted, plain(outputs)))
    _record(deployment, made, goes, step)
    return made


def _record(deployment: Deployment, made: Resource, replaced: Resource | None, step: Step | None) -> None:
    with deployment.lock:
        if replaced is not None:
            deployment.replace_later(replaced)
        deployment.record(made, step)


def _record_unfinished(
    deployment: Deployment, wanted: Resource, old: Resource | None, change: _Change, partly: Unfinished
) -> None:
    """Record it as the cloud has it, so that the next update sees what is missing."""
    there = without_nulls(deployment.provider.read(wanted.type, partly.id, partly.outputs))
    if there is None:
        return
    unseen = deployment.provider.unseen(wanted.type)
    inputs = {
        key: value if key in unseen else there[key]
        for key, value in plain(wanted.inputs).items()
        if key in unseen or key in there
    }
    made = replace(
        wanted,
        id=partly.id,
        inputs=marked_like(inputs, wanted.inputs),
        outputs=_outputs(wanted, {**partly.outputs, **there}),
        init_errors=(deployment.hide(partly.reason),),
    )
    _record(deployment, made, old if change.op == "replace" and not change.first else None, None)


def _outputs(wanted: Resource, outputs: Mapping[str, Any]) -> Props:
    return marked_like(without_nulls(dict(outputs)), wanted.inputs, frozenset(wanted.additional_secret_outputs))


def _differing(olds: Props, news: Props) -> tuple[str, ...]:
    return tuple(sorted(key for key in {*olds, *news} if olds.get(key) != news.get(key)))


def _details(old: Resource | None, change: _Change) -> tuple[str, ...]:
    if old is None:
        return ()
    return tuple(line for name in change.diff.changed for line in _detailed(name, old.inputs, change.inputs))


def _detailed(name: str, olds: Props, news: Props) -> Iterator[str]:
    if has_secret(olds.get(name)) or has_secret(news.get(name)):
        yield f"{name}: {HIDDEN} → {HIDDEN}"
        return
    for path, one, other in apart(name, plain(olds.get(name, NOTHING)), plain(news.get(name, NOTHING))):
        yield f"{path}: {_said(one)} → {_said(other)}"


def _said(value: Any) -> str:
    return "nothing" if value is NOTHING else shown(value)
