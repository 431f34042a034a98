"""The provider's schema, rebuilt from the annotations of its Python package.

Pulumi's Python SDK sends nested dictionaries as they are: a wrong key or a wrong type is noticed by the provider, in
the account. The package holds no schema, but every resource has a class of arguments whose annotations say the same.
What the annotations do not say (enumerations, patterns) is `constraints`' business.
"""

from __future__ import annotations

import collections.abc
import functools
import importlib
import inspect
import json
import re
import threading
import types
import typing
import warnings
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from seatrial.errors import MissingExtra
from seatrial.rehearsal.infra.proof.finding import Finding, nearest
from seatrial.rehearsal.infra.provider.base import UNKNOWN, is_blob
from seatrial.rehearsal.infra.registered import Registration

_PACKAGE = "pulumi_aws"
_IMPORTING = threading.Lock()
"""pulumi_aws's packages load lazily: another thread would see one half-way."""
_TABLE = re.compile(r'resource_modules="""\s*(\[.*?\])\s*"""', re.DOTALL)


def check(registration: Registration) -> Iterator[Finding]:
    """Names, types and requiredness of all properties, at any depth. Components and Pulumi's own types have no schema.

    Raises:
        MissingExtra: pulumi-aws is not installed.
    """
    if not registration.type.startswith("aws:"):
        return
    arguments = _arguments(registration.type)
    if arguments is None:
        known = nearest(registration.type, _classes())
        yield Finding(registration.urn, "", "schema", f"there is no resource type '{registration.type}'{known}")
        return
    for path, problem in _structure(registration.inputs, arguments, ""):
        yield Finding(registration.urn, path, "schema", problem)


@functools.cache
def _classes() -> dict[str, tuple[str, str]]:
    """Resource type -> (module, class), as the package registers them."""
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise MissingExtra("Checking the program against the provider's schema", "pulumi-aws", "infra")
    table = _TABLE.search(Path(spec.origin).read_text())
    assert table is not None, "pulumi_aws registers its resources otherwise than this version did"
    return {
        token: (module["fqn"], name)
        for module in json.loads(table.group(1))
        for token, name in module["classes"].items()
    }


@functools.cache
def _arguments(token: str) -> type | None:
    """The class of a resource's arguments: ``BucketArgs``, or ``…InitArgs`` where a nested type has the plain name."""
    if token not in _classes():
        return None
    module, name = _classes()[token]
    with _IMPORTING, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of other resources of the same module
        defined_in = inspect.getmodule(getattr(importlib.import_module(module), name))
    for candidate in (f"{name}InitArgs", f"{name}Args"):
        found = getattr(defined_in, candidate, None)
        if isinstance(found, type):
            return found
    return None


@functools.cache
def _fields(arguments: type) -> tuple[dict[str, Any], frozenset[str]]:
    """Types by the names that are sent, and which of them are required."""
    from pulumi import _types  # the only place that knows both names of a property; pulumi is pinned exactly

    names = _types.input_type_py_to_pulumi_names(arguments)
    parameters = list(inspect.signature(arguments).parameters.items())
    required = {names.get(name, name) for name, each in parameters if each.default is inspect.Parameter.empty}
    return dict(_types.input_type_types(arguments)), frozenset(required)


def _structure(value: Mapping[str, Any], arguments: type, path: str) -> Iterator[tuple[str, str]]:
    fields, required = _fields(arguments)
    label = arguments.__name__.removesuffix("Args").removesuffix("Init")
    for name, each in value.items():
        if name.startswith("__"):
            continue  # Pulumi's own notes
        if name not in fields:
            yield _below(path, name), f"{label} has no such property{nearest(name, fields)}"
        else:
            yield from _value(each, fields[name], _below(path, name))
    for name in sorted(required):
        if value.get(name) is None:
            yield _below(path, name), f"missing, and {label} requires it"


def _value(value: Any, annotation: Any, path: str) -> Iterator[tuple[str, str]]:
    if value is None or value == UNKNOWN:
        return
    alternatives = list(_alternatives(annotation))
    fitting = [each for each in alternatives if _fits(value, each)]
    if not fitting:
        wanted = " or ".join(dict.fromkeys(_named(each) for each in alternatives))
        yield path, f"expected {wanted}, found {_kind(value)}"
        return
    # several structures may fit: the one with the fewest problems is the one that was meant
    yield from min((list(_inside(value, each, path)) for each in fitting), key=len)


def _fits(value: Any, alternative: Any) -> bool:
    """Whether the outermost shape is right."""
    origin = typing.get_origin(alternative)
    if alternative in (Any, object):
        return True
    if is_blob(value):
        return isinstance(alternative, type) and alternative.__name__ in ("Asset", "Archive")
    if origin in (list, collections.abc.Sequence):
        return isinstance(value, list)
    if origin in (dict, collections.abc.Mapping) or _is_structure(alternative):
        return isinstance(value, Mapping)
    if alternative is bool:
        return isinstance(value, bool)
    if alternative is int:
        return isinstance(value, int | float) and not isinstance(value, bool) and float(value).is_integer()
    if alternative is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(alternative, type) and issubclass(alternative, str) and isinstance(value, str)


def _inside(value: Any, alternative: Any, path: str) -> Iterator[tuple[str, str]]:
    """What is wrong below a value whose outermost shape is right."""
    origin, arguments = typing.get_origin(alternative), typing.get_args(alternative)
    if origin in (list, collections.abc.Sequence):
        for index, each in enumerate(value):
            yield from _value(each, arguments[0], f"{path}[{index}]")
    elif origin in (dict, collections.abc.Mapping):
        for name, each in value.items():
            yield from _value(each, arguments[1], _below(path, name))
    elif _is_structure(alternative):
        yield from _structure(value, alternative, path)


def _alternatives(annotation: Any) -> Iterator[Any]:
    """What ``Input[Optional[X | Y]]`` lets one write, without awaitables and outputs."""
    from pulumi import Output

    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        for each in typing.get_args(annotation):
            yield from _alternatives(each)
    elif origin in (collections.abc.Awaitable, Output):
        yield from _alternatives(typing.get_args(annotation)[0])
    elif annotation is not type(None) and not typing.is_typeddict(annotation):
        yield annotation


def _is_structure(alternative: Any) -> bool:
    from pulumi import _types

    return isinstance(alternative, type) and _types.is_input_type(alternative)


def _named(alternative: Any) -> str:
    origin = typing.get_origin(alternative)
    if origin in (list, collections.abc.Sequence):
        return "a list"
    if origin in (dict, collections.abc.Mapping) or _is_structure(alternative):
        return "an object"
    names = {str: "text", bool: "true or false", int: "an integer", float: "a number"}
    return names.get(alternative, "text" if issubclass(alternative, str) else f"a file ({alternative.__name__})")


def _kind(value: Any) -> str:
    if is_blob(value):
        return "a file"
    names = {
        bool: "true or false",
        int: "an integer",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), type(value).__name__)


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
