"""Every type, from creation to nothing left, against the offline AWS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from seatrial.rehearsal.infra.provider.aws import TYPES
from seatrial.rehearsal.infra.provider.base import Props
from seatrial.rehearsal.infra.provider.fields import Block, Fields
from seatrial.rehearsal.infra.provider.forms import Form, Many, Only
from tests.rehearsal.infra.provider.conftest import Cloud
from tests.rehearsal.infra.provider.example import Example
from tests.rehearsal.infra.provider.examples import EXAMPLES


def differing(cloud: Cloud, token: str, inputs: Props, found: Props) -> tuple[str, ...]:
    """The inputs that the cloud does not say; what it cannot know is left out."""
    known = {key: value for key, value in inputs.items() if not TYPES[token].fields[key].local}
    missing = tuple(sorted(set(known) - set(found)))
    return missing + cloud.provider.diff(token, known, {key: found[key] for key in known if key in found}).changed


ONE_VALUE = {"aws:s3/bucketVersioning:BucketVersioning": {"versioningConfiguration"}}
"""What could change in place, and has no second value that is applied here."""


def next_values(cloud: Cloud, example: Example) -> Props:
    return {key: value(cloud) if callable(value) else value for key, value in example.changes.items()}


@pytest.mark.parametrize(
    "example", EXAMPLES, ids=[f"{n}-{each.token.rpartition(':')[2]}" for n, each in enumerate(EXAMPLES)]
)
def test_what_is_put_comes_back_and_goes(cloud: Cloud, example: Example) -> None:
    provider, token = cloud.provider, example.token
    given = example.inputs(cloud)
    changes = next_values(cloud, example)
    before = {(token, outputs["id"]) for token, outputs in cloud.standing}

    inputs, problems = provider.check(token, "trial", given, None)
    assert problems == []
    id, outputs = provider.create(token, inputs)
    cloud.standing.append((token, {**outputs, "id": id}))
    assert provider.inventory() - before == {(token, id)}
    found = provider.read(token, id, outputs)
    assert found is not None
    assert differing(cloud, token, inputs, found) == ()
    assert set(found) == {key for key, each in TYPES[token].fields.items() if not each.local}
    assert {key for key, value in found.items() if value is not None} - set(inputs) <= set(outputs)

    for name, value in changes.items():
        news = {key: each for key, each in (inputs | {name: value}).items() if each is not None}
        news, problems = provider.check(token, "trial", news, inputs)
        assert problems == []
        planned = provider.diff(token, inputs, news)
        assert planned.changed == (name,)
        assert planned.replaces == ()
        assert name in differing(cloud, token, news | {name: value}, found)
        outputs = provider.update(token, id, outputs, news)
        found = provider.read(token, id, outputs)
        assert found is not None
        assert differing(cloud, token, news | {name: value}, found) == ()
        inputs = news

    provider.delete(token, id, outputs)
    assert provider.read(token, id, outputs) is None
    assert provider.inventory() == before


def paths(fields: Fields, path: str = "") -> Iterator[str]:
    """Every property that a program may set, nested ones too."""
    for name, each in fields.items():
        if not each.output:
            yield path + name
            yield from nested(each.form, f"{path}{name}.")


def nested(form: Form, path: str) -> Iterator[str]:
    if isinstance(form, Block):
        yield from paths(form.fields, path)
    elif isinstance(form, Many | Only):
        yield from nested(form.form, path)


def used(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield path + name
            yield from used(each, f"{path}{name}.")
    elif isinstance(value, list):
        for each in value:
            yield from used(each, path)


@pytest.mark.parametrize("token", sorted(TYPES))
def test_an_example_sets_every_property_and_changes_every_one_that_can_change(cloud: Cloud, token: str) -> None:
    examples = [each for each in EXAMPLES if each.token == token]
    assert examples
    written = [each for example in examples for each in (example.inputs(cloud), next_values(cloud, example))]
    seen = {path for each in written for path in used(each)}
    assert set(paths(TYPES[token].fields)) - seen == set()
    fields = TYPES[token].fields
    changeable = {key for key, each in fields.items() if not (each.replaces or each.local or each.output)}
    assert changeable - {key for example in examples for key in example.changes} == ONE_VALUE.get(token, set())
