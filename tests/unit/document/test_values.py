"""KFP turns integers into floating-point numbers in several places; a pipeline must not notice."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.document.model import ParameterType
from seatrial.document.values import as_text, cast, select, without_float_integers


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (3.0, "NUMBER_INTEGER", 3),
        ("3", "NUMBER_INTEGER", 3),
        (3, "NUMBER_DOUBLE", 3.0),
        ("1e-3", "NUMBER_DOUBLE", 0.001),
        ("True", "BOOLEAN", True),
        (False, "BOOLEAN", False),
        (2.0, "STRING", "2"),
        (True, "STRING", "true"),
        ({"a": 1}, "STRING", '{"a": 1}'),
        ("[1, 2]", "LIST", [1, 2]),
        ('{"a": [1]}', "STRUCT", {"a": [1]}),
    ],
)
def test_values_take_the_declared_type(value: Any, kind: ParameterType, expected: Any) -> None:
    found = cast(value, kind)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (3.5, "NUMBER_INTEGER"),
        (True, "NUMBER_INTEGER"),
        ("x", "NUMBER_DOUBLE"),
        (1, "BOOLEAN"),
        ("[1", "LIST"),
        ({"a": 1}, "LIST"),
        ([1], "STRUCT"),
        (None, "NUMBER_INTEGER"),
    ],
)
def test_a_value_of_another_type_is_refused(value: Any, kind: ParameterType) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        cast(value, kind)


def test_integers_stay_integers_at_any_depth() -> None:
    assert without_float_integers({"a": [1.0, 2.5, {"b": 3.0}]}) == {"a": [1, 2.5, {"b": 3}]}
    assert isinstance(without_float_integers([1.0])[0], int)


@given(st.recursive(st.integers() | st.text() | st.booleans() | st.none(), lambda inner: st.lists(inner)))
def test_values_without_floats_are_left_alone(value: Any) -> None:
    assert without_float_integers(value) == value


def test_parts_of_values() -> None:
    assert select('{"A_a": {"b": [10, 20]}}', ("A_a", "b", 1)) == 20
    assert select('["x"]', ()) == ["x"]
    with pytest.raises(ValueError, match="no part 'missing'"):
        select({"a": 1}, ("missing",))


def test_text_keeps_large_floats_and_integers_apart() -> None:
    assert as_text(2.0) == "2"
    assert as_text(0.1) == "0.1"
    assert as_text("{{$}}") == "{{$}}"
