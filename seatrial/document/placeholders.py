"""Fills ``{{$...}}`` in commands, constants and importer settings, and the ``IfPresent``/``Concat`` forms.

Placeholders name input parameters, artifacts and facts of the run. One that cannot be filled is an error: a command
line with a hole in it runs something that nobody wrote.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from seatrial.document.model import Component
from seatrial.document.values import as_text
from seatrial.errors import DocumentError

Json = Any
Lookup = Callable[[str], Json]
"""Placeholder text without ``{{$.`` and ``}}`` -> its value. Raises KeyError when there is none."""

_PLACEHOLDER = re.compile(r"\{\{\$\.([^{}]+?)\}\}")
_ANY = re.compile(r"\{\{\$(?:\.([^{}]+?))?\}\}")
_INPUT = re.compile(
    r"""^(inputs|outputs)\.(parameters|artifacts)\[(['"]+)([^'"]+)\3\](?:\.(\w+)(?:\[(['"]+)([^'"]+)\6\])?)?$"""
)


def fill(text: str, lookup: Lookup, executor_input: str | None = None) -> str:
    """Replace every placeholder in ``text`` by its value as text.

    Raises:
        DocumentError: a placeholder has no value.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] is not None:
            return as_text(_found(match[1], lookup))
        return match[0] if executor_input is None else executor_input

    return _ANY.sub(value, text)  # one pass: a value that looks like a placeholder stays what it is


def fill_value(value: Json, lookup: Lookup) -> Json:
    """Replace placeholders at any depth; a string that is just one placeholder becomes that value with its type."""
    if isinstance(value, str):
        whole = _PLACEHOLDER.fullmatch(value)
        return _found(whole[1], lookup) if whole else fill(value, lookup)
    if isinstance(value, list):
        return [fill_value(item, lookup) for item in value]
    if isinstance(value, dict):
        return {fill(key, lookup): fill_value(item, lookup) for key, item in value.items()}
    return value


def names(value: Json) -> frozenset[str]:
    """The placeholders in a value, as in ``inputs.parameters['x']``."""
    if isinstance(value, str):
        return frozenset(_PLACEHOLDER.findall(value))
    if isinstance(value, list | tuple):
        return frozenset().union(*(names(item) for item in value))
    if isinstance(value, Mapping):
        return frozenset().union(*(names(item) for pair in value.items() for item in pair))
    return frozenset()


def input_name(placeholder: str) -> tuple[str, str] | None:
    """``inputs.parameters['x']`` -> ``("parameters", "x")``; ``None`` for anything else."""
    match = _INPUT.match(placeholder)
    return (match[2], match[4]) if match and match[1] == "inputs" else None


def is_input_or_output(placeholder: str) -> bool:
    """Whether a placeholder has the form of a task's own input or output."""
    return _INPUT.match(placeholder) is not None


def exists(placeholder: str, component: Component) -> bool:
    """Whether a component has the input or output that a placeholder names."""
    found = _INPUT.match(placeholder)
    return found is not None and found[4] in getattr(component, f"{found[1][:-1]}_{found[2]}")


def words(word: str, present: Callable[[str], bool]) -> list[str]:
    """One element of a command, with ``IfPresent`` and ``Concat`` resolved to zero or more words.

    Args:
        word: as the document writes it.
        present: whether an input was given a value.
    """
    if not word.startswith(('{"IfPresent"', '{"Concat"')):
        return [word]
    try:
        return _structure(json.loads(word), present)
    except json.JSONDecodeError as exc:
        raise DocumentError(
            f"a command word is not valid JSON: {word[:80]}",
            why="IfPresent and Concat placeholders are JSON in a command.",
            todo="Compile the pipeline again.",
        ) from exc


def _structure(node: Json, present: Callable[[str], bool]) -> list[str]:
    if isinstance(node, str):
        return words(node, present)
    if isinstance(node, list):
        return [word for item in node for word in _structure(item, present)]
    if isinstance(node, dict) and set(node) == {"Concat"}:
        return ["".join(_structure(node["Concat"], present))]
    if isinstance(node, dict) and set(node) == {"IfPresent"}:
        branch = node["IfPresent"]
        chosen = branch.get("Then", []) if present(branch["InputName"]) else branch.get("Else", [])
        return _structure(chosen, present)
    raise DocumentError(
        f"a command holds {json.dumps(node)[:80]}, which is not supported",
        why="Only text, IfPresent and Concat have a meaning in a command.",
        todo="Rewrite the component's command.",
    )


def artifact_lookup(match: str, artifacts: Mapping[str, Mapping[str, list[dict[str, Json]]]]) -> Json:
    """``inputs.artifacts['x'].uri`` and its like, from ``{"inputs": {...}, "outputs": {...}}`` of runtime artifacts.

    Raises:
        KeyError: it is not an artifact placeholder, or there is no such artifact.
    """
    found = _INPUT.match(match)
    if found is None or found[2] != "artifacts":
        raise KeyError(match)
    direction, _, _, name, field, _, key = found.groups()
    several = artifacts[direction][name]
    if field is None:
        return [{k: a[k] for k in ("name", "uri", "metadata") if k in a} for a in several]
    first = several[0]
    if field == "path":
        return first["uri"].removeprefix("file://")
    if field == "metadata":
        return first.get("metadata", {})[key] if key else first.get("metadata", {})
    return first[field]


def output_file(placeholder: str) -> str | None:
    """``outputs.parameters['x'].output_file`` -> ``x``; ``None`` for anything else."""
    match = _INPUT.match(placeholder)
    return match[4] if match and match[1] == "outputs" and match[2] == "parameters" else None


def _found(placeholder: str, lookup: Lookup) -> Json:
    try:
        return lookup(placeholder)
    except (KeyError, IndexError) as exc:
        raise DocumentError(
            f"placeholder {{{{$.{placeholder}}}}} has no value here",
            why="A command or value with a hole in it would run something that nobody wrote.",
            todo="Pass that input to the task, or remove the placeholder.",
        ) from exc
