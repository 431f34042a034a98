"""The properties of a type or of an object within one: which there are, and what becomes of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from seatrial.rehearsal.infra.provider.base import UNKNOWN
from seatrial.rehearsal.infra.provider.forms import Form, Map, Pairs


@dataclass(frozen=True)
class Field:
    """One property: what AWS calls it, and what becomes of it."""

    cloud: str = ""
    """AWS's name for it; empty: the property's own with a capital letter."""
    form: Form = field(default_factory=Form)
    replaces: bool = False
    """AWS cannot change it in place (in the provider's words: forces replacement)."""
    default: Any = None
    """What is meant where the program says nothing."""
    required: bool = False
    local: str = ""
    """Why AWS never learns of it, for a setting of the provider: `read` cannot give it."""
    output: bool = False
    """The cloud decides it; a program may read it, and not set it."""
    computed: bool = False
    """AWS decides it where the program says nothing: to leave it out changes nothing."""
    apart: bool = False
    """It is not part of the first request: the type's own code sends it."""

    def called(self, name: str) -> str:
        """AWS's name of the property ``name``."""
        return self.cloud or name[0].upper() + name[1:]


Fields = Mapping[str, Field]


def unhandled(fields: Fields, value: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """A refusal for every property that nothing here would send to the cloud."""
    for name in value:
        if name not in fields or fields[name].output:
            yield f"{path}{name}: is not applied by the rehearsal"


def required(fields: Fields, value: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """A refusal for every property that has to be there."""
    for name, each in fields.items():
        if each.required and value.get(name) is None:
            yield f"{path}{name}: is required"


@dataclass(frozen=True)
class Block(Form):
    """An object with known properties."""

    fields: Fields

    def to_cloud(self, value: Any) -> Any:
        """Under AWS's names."""
        if not isinstance(value, dict):
            return value
        return {
            each.called(name): each.form.to_cloud(value[name])
            for name, each in self.fields.items()
            if value.get(name) is not None
        }

    def to_program(self, value: Any) -> Any:
        """Under the program's names, without what is not set."""
        if not isinstance(value, dict):
            return value
        told = {name: each.form.to_program(value.get(each.called(name))) for name, each in self.fields.items()}
        return {name: each for name, each in told.items() if each is not None}

    def same(self, one: Any, other: Any) -> bool:
        """Compare property with property; what is not set is its default."""
        if not isinstance(one, dict) or not isinstance(other, dict):
            return (one or None) == (other or None)
        return all(agree(self.fields[name], one.get(name), other.get(name)) for name in self.fields)

    def problems(self, value: Any, path: str) -> Iterator[str]:
        """Properties that are not handled or missing, and those of each."""
        if value == UNKNOWN:
            return
        if not isinstance(value, dict):
            yield f"{path}: is not an object"
            return
        yield from unhandled(self.fields, value, f"{path}.")
        yield from required(self.fields, value, f"{path}.")
        for name, each in self.fields.items():
            if value.get(name) is not None:
                yield from each.form.problems(value[name], f"{path}.{name}")


def agree(each: Field, one: Any, other: Any) -> bool:
    """Whether two values of a property mean the same, defaults counted in. `UNKNOWN` equals nothing."""
    one = each.default if one is None else one
    other = each.default if other is None else other
    if holds_unknown(one) or holds_unknown(other):
        return False
    return each.form.same(one, other)


def holds_unknown(value: Any) -> bool:
    """Whether `UNKNOWN` is in it at any depth."""
    if isinstance(value, dict):
        return any(holds_unknown(each) for each in value.values())
    if isinstance(value, list):
        return any(holds_unknown(each) for each in value)
    return bool(value == UNKNOWN)


TAGS: Fields = {"tags": Field(form=Pairs()), "tagsAll": Field(output=True, form=Map())}
"""For a service that writes tags as pairs of Key and Value."""
