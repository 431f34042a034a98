"""How a property is written in a program, how AWS writes it, and when two of them say the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from seatrial.rehearsal.infra.provider.base import UNKNOWN


class Form:
    """A value that is written alike on both sides. Others say what is different."""

    def to_cloud(self, value: Any) -> Any:
        """As a request to AWS writes it."""
        return value

    def to_program(self, value: Any) -> Any:
        """As a program writes what AWS answered; None for what AWS writes and a program leaves out."""
        return value

    def same(self, one: Any, other: Any) -> bool:
        """Whether two values of a program mean the same. What is not set is None."""
        return bool(one == other)

    def problems(self, value: Any, path: str) -> Iterator[str]:  # noqa: ARG002 for those that need it
        """What is wrong with a program's value, each as ``path: what``."""
        yield from ()


class Document(Form):
    """JSON in a text. Blanks and the order of keys mean nothing."""

    def to_program(self, value: Any) -> Any:
        """The text; a document that AWS gives as an object becomes one."""
        return value if value is None or isinstance(value, str) else json.dumps(value)

    def same(self, one: Any, other: Any) -> bool:
        """Compare what the texts say."""
        try:
            return bool(_settled(json.loads(one)) == _settled(json.loads(other)))
        except (TypeError, ValueError):
            return bool(one == other)

    def problems(self, value: Any, path: str) -> Iterator[str]:
        """Text that is no JSON."""
        if value == UNKNOWN:
            return
        try:
            json.loads(value)
        except (TypeError, ValueError) as unreadable:
            yield f"{path}: is not a JSON document ({unreadable})"


def _settled(value: Any) -> Any:
    """A list of one and its only member mean the same in policies and patterns."""
    if isinstance(value, dict):
        return {key: _settled(each) for key, each in value.items()}
    if isinstance(value, list):
        settled = [_settled(each) for each in value]
        return settled[0] if len(settled) == 1 and not isinstance(settled[0], dict) else settled
    return value


class Amount(Form):
    """A number in a text: '100' and '100.0' are the same."""

    def same(self, one: Any, other: Any) -> bool:
        """Compare the numbers."""
        try:
            return float(one) == float(other)
        except (TypeError, ValueError):
            return bool(one == other)


@dataclass(frozen=True)
class Many(Form):
    """A list of values of one form. Order means nothing unless ``ordered``."""

    form: Form = field(default_factory=Form)
    ordered: bool = False

    def to_cloud(self, value: Any) -> Any:
        """Each as AWS writes it."""
        return [self.form.to_cloud(each) for each in value] if isinstance(value, list) else value

    def to_program(self, value: Any) -> Any:
        """Each as the program writes it; an empty list is one that is not set."""
        return [self.form.to_program(each) for each in value] if value else None

    def same(self, one: Any, other: Any) -> bool:
        """Compare member with member, in any order where order means nothing."""
        ones, others = list(one or ()), list(other or ())
        if len(ones) != len(others):
            return False
        if self.ordered:
            return all(self.form.same(a, b) for a, b in zip(ones, others, strict=True))
        for each in ones:
            found = next((i for i, other in enumerate(others) if self.form.same(each, other)), None)
            if found is None:
                return False
            del others[found]
        return True

    def problems(self, value: Any, path: str) -> Iterator[str]:
        """Those of each member."""
        if value == UNKNOWN:
            return
        if not isinstance(value, list):
            yield f"{path}: is not a list"
            return
        for index, each in enumerate(value):
            yield from self.form.problems(each, f"{path}[{index}]")


@dataclass(frozen=True)
class Only(Form):
    """One value in the program that AWS writes as a list of one; ``program_list`` for the other way round."""

    form: Form
    program_list: bool = False

    def to_cloud(self, value: Any) -> Any:
        """Wrapped, or unwrapped."""
        if value == UNKNOWN:
            return value
        if self.program_list:
            return self.form.to_cloud(value[0]) if isinstance(value, list) and value else None
        return [self.form.to_cloud(value)]

    def to_program(self, value: Any) -> Any:
        """Unwrapped, or wrapped."""
        if not value:
            return None
        return [self.form.to_program(value)] if self.program_list else self.form.to_program(value[0])

    def same(self, one: Any, other: Any) -> bool:
        """Compare the values inside."""
        if self.program_list:
            return Many(self.form, ordered=True).same(one, other)
        return self.form.same(one, other)

    def problems(self, value: Any, path: str) -> Iterator[str]:
        """More than one where one is meant, and those of the value."""
        if not self.program_list:
            yield from self.form.problems(value, path)
        elif value != UNKNOWN:
            if not isinstance(value, list) or len(value) != 1:
                yield f"{path}: has to be a list of one"
                return
            yield from self.form.problems(value[0], f"{path}[0]")


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


@dataclass(frozen=True)
class Pairs(Form):
    """A map that AWS writes as a list of pairs, such as tags and dimensions."""

    key: str = "Key"
    value: str = "Value"

    def to_cloud(self, value: Any) -> Any:
        """Pairs in the order of the keys."""
        if not isinstance(value, dict):
            return value
        return [{self.key: key, self.value: each} for key, each in sorted(value.items())]

    def to_program(self, value: Any) -> Any:
        """A map; AWS's own tags are not the program's."""
        told = {each[self.key]: each[self.value] for each in value or () if not each[self.key].startswith("aws:")}
        return told or None

    def same(self, one: Any, other: Any) -> bool:
        """An empty map is one that is not set."""
        return (one or {}) == (other or {})


class Map(Form):
    """A map on both sides; an empty one is one that is not set."""

    def to_program(self, value: Any) -> Any:
        """The map without AWS's own tags."""
        return {key: each for key, each in (value or {}).items() if not key.startswith("aws:")} or None

    def same(self, one: Any, other: Any) -> bool:
        """Compare them."""
        return (one or {}) == (other or {})


DOCUMENT = Document()
SET = Many()


class Reference(Form):
    """A thing that may be named by its ARN or by its id, which ends the ARN."""

    def same(self, one: Any, other: Any) -> bool:
        """Compare the ids."""
        return str(one).rpartition("/")[2] == str(other).rpartition("/")[2]


TAGS: Fields = {"tags": Field(form=Pairs()), "tagsAll": Field(output=True, form=Map())}
"""For a service that writes tags as pairs of Key and Value."""
