"""A command line with a hole in it runs something that nobody wrote."""

from __future__ import annotations

import json

import pytest

from seatrial.document.placeholders import artifact_lookup, fill, fill_value, names, words
from seatrial.errors import DocumentError

_VALUES = {"inputs.parameters['n']": 3.0, "inputs.parameters['text']": "a {{$.inputs.parameters['n']}}", "job": "j1"}


def lookup(placeholder: str) -> object:
    return _VALUES[placeholder]


def test_placeholders_become_text() -> None:
    assert fill("--n={{$.inputs.parameters['n']}} {{$.job}}", lookup) == "--n=3 j1"


def test_a_value_that_looks_like_a_placeholder_is_not_filled_again() -> None:
    """Data must not be able to reach into the command."""
    assert fill("{{$.inputs.parameters['text']}}", lookup) == "a {{$.inputs.parameters['n']}}"
    executor_input = json.dumps({"x": "{{$.job}}"})
    assert fill("{{$}}", lookup, executor_input) == executor_input


def test_a_lone_placeholder_keeps_its_type() -> None:
    assert fill_value({"a": ["{{$.inputs.parameters['n']}}", "n={{$.inputs.parameters['n']}}"]}, lookup) == {
        "a": [3.0, "n=3"]
    }


def test_a_placeholder_without_a_value_is_an_error() -> None:
    with pytest.raises(DocumentError, match=r"inputs\.parameters\['other'\]"):
        fill("{{$.inputs.parameters['other']}}", lookup)


def test_if_present_and_concat() -> None:
    word = json.dumps({"IfPresent": {"InputName": "a", "Then": ["--a", {"Concat": ["x", "y"]}], "Else": ["--none"]}})
    assert words(word, {"a"}.__contains__) == ["--a", "xy"]
    assert words(word, set().__contains__) == ["--none"]
    assert words("plain", set().__contains__) == ["plain"]


def test_an_unknown_structure_is_refused() -> None:
    with pytest.raises(DocumentError, match="not supported"):
        words('{"Concat": [{"Reverse": []}]}', set().__contains__)
    with pytest.raises(DocumentError, match="not valid JSON"):
        words('{"Concat": [', set().__contains__)


def test_artifact_fields() -> None:
    artifacts = {"inputs": {"d": [{"name": "d", "uri": "file:///x/d", "metadata": {"rows": 3}}]}, "outputs": {}}
    assert artifact_lookup("inputs.artifacts['d'].path", artifacts) == "/x/d"
    assert artifact_lookup("inputs.artifacts['d'].metadata['rows']", artifacts) == 3
    with pytest.raises(KeyError):
        artifact_lookup("inputs.artifacts['other'].uri", artifacts)


def test_names_are_found_at_any_depth() -> None:
    assert names({"{{$.a}}": ["x{{$.b}}", 1]}) == {"a", "b"}
