"""Property values: as gRPC carries them, as the engine keeps them, and as providers and people see them.

The engine keeps what a program sends as plain JSON in which Pulumi's marked objects stay marked (``SIGNATURE``): a
secret wraps its value, a reference names a resource, a file or an archive has a hash. `plain` removes the marks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from seatrial.rehearsal.infra.provider.base import SIGNATURE, UNKNOWN, Props, is_blob

if TYPE_CHECKING:
    from google.protobuf.struct_pb2 import Struct, Value

SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 Pulumi's mark of a secret, not one
REFERENCE = "5cf8f73096256a8f31e491e813e4eb8e"
HIDDEN = "[secret]"
NOTHING = object()


def decode(struct: Struct) -> Props:
    """From the wire. Whole numbers become ints, nulls are left out, as Pulumi's engine does."""
    return _members(struct)


def _members(struct: Struct) -> Props:
    found = {key: _value(value) for key, value in struct.fields.items()}
    return {key: value for key, value in found.items() if value is not None}


def _value(value: Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _members(value.struct_value)
    if kind == "list_value":
        return [_value(each) for each in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind in ("string_value", "bool_value"):
        return getattr(value, kind)
    return None


def encode(properties: Mapping[str, Any]) -> Struct:
    """To the wire."""
    from google.protobuf.struct_pb2 import Struct

    struct = Struct()
    struct.update({key: value for key, value in properties.items() if value is not None})
    return struct


def secret(value: Any) -> Any:
    """``value`` as a secret, once."""
    return value if is_secret(value) else {SIGNATURE: SECRET, "value": value}


def is_secret(value: Any) -> bool:
    """Whether the value itself is one."""
    return isinstance(value, dict) and value.get(SIGNATURE) == SECRET


def without_nulls(value: Any) -> Any:
    """``value`` without members that are null: a provider's way to say that there is nothing."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


def has_secret(value: Any) -> bool:
    """Whether there is one at any depth."""
    return is_secret(value) or any(has_secret(each) for each in _inside(value))


def has_unknown(value: Any) -> bool:
    """Whether something in it is not known before the update."""
    return bool(value == UNKNOWN) or any(has_unknown(each) for each in _inside(value))


def _inside(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def plain(value: Any) -> Any:
    """Without marks: a secret is its value, a reference the id of its resource, a file its digest."""
    if isinstance(value, dict):
        mark = value.get(SIGNATURE)
        if mark == SECRET:
            return plain(value["value"])
        if mark == REFERENCE:
            return value.get("id") or value["urn"]
        if is_blob(value):
            return {SIGNATURE: mark, "hash": value.get("hash")}
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


def marked_like(properties: Props, inputs: Props, secret_names: frozenset[str] = frozenset()) -> Props:
    """What a provider answered, with the marks of the program's inputs of the same names, and further secrets.

    Args:
        properties: plain.
        inputs: as the program sent them.
        secret_names: properties that are secret besides.
    """
    found = {}
    for name, value in properties.items():
        same = name in inputs and plain(inputs[name]) == plain(value)
        marked = inputs[name] if same else secret(value) if has_secret(inputs.get(name)) else value
        found[name] = secret(marked) if name in secret_names else marked
    return found


def secrets_in(value: Any) -> set[str]:
    """The texts of all secrets at any depth, as they must not be printed."""
    if is_secret(value):
        return set(_texts(plain(value)))
    return {text for each in _inside(value) for text in secrets_in(each)}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for each in _inside(value):
        yield from _texts(each)


def apart(path: str, one: Any, other: Any) -> Iterator[tuple[str, Any, Any]]:
    """The innermost places where two plain values differ; `NOTHING` is where one of them has none."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in dict.fromkeys([*one, *other]):
            yield from apart(f"{path}.{key}", one.get(key, NOTHING), other.get(key, NOTHING))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (each, there) in enumerate(zip(one, other, strict=True)):
            yield from apart(f"{path}[{number}]", each, there)
    elif type(one) is not type(other) or one != other:
        yield path, one, other


def shown(value: Any) -> str:
    """One line for a person, without secrets and without the middle of what is long."""
    import json

    text = json.dumps(_hidden(value), sort_keys=True, default=str)
    return text if len(text) <= 160 else f"{text[:100]} … {text[-50:]}"


def _hidden(value: Any) -> Any:
    if is_secret(value):
        return HIDDEN
    if is_blob(value):
        return f"sha256:{value.get('hash')}"
    if isinstance(value, dict):
        return {key: _hidden(each) for key, each in value.items()}
    if value == UNKNOWN:
        return "[known after up]"
    return [_hidden(each) for each in value] if isinstance(value, list) else value
