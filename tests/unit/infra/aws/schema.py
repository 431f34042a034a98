"""Which properties a resource type takes, from the installed SDK."""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import re
from typing import Any

import pulumi_aws
from pulumi import _types


@functools.cache
def _classes() -> dict[str, tuple[str, str]]:
    source = inspect.getsource(pulumi_aws)
    found = re.search(r'resource_modules="""\s*(\[.*?\])\s*"""', source, re.DOTALL)
    assert found is not None
    return {
        token: (module["fqn"], name) for module in json.loads(found[1]) for token, name in module["classes"].items()
    }


@functools.cache
def properties(token: str) -> frozenset[str]:
    """The inputs of a type, as Pulumi names them."""
    module, name = _classes()[token]
    resource = getattr(importlib.import_module(module), name)
    arguments: Any = inspect.getmodule(resource)
    # where a nested type has the name already, the resource's own are called InitArgs
    kind = getattr(arguments, f"{name}InitArgs", None) or getattr(arguments, f"{name}Args")
    return frozenset(_types.input_type_types(kind))
