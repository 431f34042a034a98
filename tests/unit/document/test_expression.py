"""Conditions decide which branch of a pipeline runs, so they are evaluated strictly or refused."""

from __future__ import annotations

import contextlib
import operator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.document.expression import evaluate, parse, references
from seatrial.errors import DocumentError


def decide(text: str, **inputs: Any) -> bool:
    return evaluate(parse(text), inputs)


def ref(name: str) -> str:
    return f"inputs.parameter_values['{name}']"


@pytest.mark.parametrize(
    ("text", "inputs", "expected"),
    [
        (f"{ref('a')} == 'heads'", {"a": "heads"}, True),
        (f"{ref('a')} != 'heads'", {"a": "heads"}, False),
        (f"int({ref('a')}) > 5", {"a": "6"}, True),
        (f"double({ref('a')}) <= 0.5", {"a": 0.25}, True),
        (f"{ref('a')} == true", {"a": True}, True),
        (f"!({ref('a')} == 'x') && int({ref('b')}) >= 2", {"a": "y", "b": 2.0}, True),
        (f"!({ref('a')} == 1) && !({ref('a')} == 2) || {ref('a')} == 2", {"a": 2}, True),
        (f"{ref('a')} == 'it\\'s'", {"a": "it's"}, True),
        (f'{ref("a")} == "it\'s"', {"a": "it's"}, True),
        (f"{ref('a')} == null", {"a": None}, True),
        (f"string({ref('a')}) == '3'", {"a": 3.0}, True),
        (f"{ref('pipelinechannel--flip-Output')} == 'b'", {"pipelinechannel--flip-Output": "b"}, True),
    ],
)
def test_conditions_that_kfp_writes(text: str, inputs: dict[str, Any], expected: bool) -> None:
    assert evaluate(parse(text), inputs) is expected


@pytest.mark.parametrize(
    "text",
    [
        f"{ref('a')} == 'it's'",  # what kfp compiles from a string with a quote
        f"{ref('a')} ==",
        f"{ref('a')} == 1 == 2",
        "system('rm')",
        f"({ref('a')} == 1",
        "",
        f"{ref('a')} = 1",
        f"{ref('a')} == 1 extra",
    ],
)
def test_what_is_not_understood_is_refused(text: str) -> None:
    """A guess would take a branch that nobody wrote."""
    with pytest.raises(DocumentError, match="not understood"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "inputs", "problem"),
    [
        (f"{ref('a')} == 1", {"a": "1"}, "compares '1' with 1"),
        (f"{ref('a')} == 1", {}, "no value"),
        (ref("a"), {"a": "true"}, "gives 'true'"),
        (f"{ref('a')} < 1", {"a": None}, "orders"),
        (f"int({ref('a')}) == 1", {"a": "one"}, "as int"),
        (f"{ref('a')} == 'x' && {ref('b')}", {"a": "x", "b": 1}, "gives 1"),
    ],
)
def test_values_that_do_not_compare_are_an_error(text: str, inputs: dict[str, Any], problem: str) -> None:
    with pytest.raises(DocumentError, match=problem):
        evaluate(parse(text), inputs)


_COMPARE = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_numbers = st.one_of(st.integers(-(10**9), 10**9), st.floats(-1e9, 1e9, allow_nan=False).map(lambda x: round(x, 6)))


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return repr(value)


@st.composite
def _conditions(draw: st.DrawFn, depth: int = 3) -> tuple[str, dict[str, Any], bool]:
    """(text, inputs, what Python says it means)."""
    if depth == 0 or draw(st.booleans()):
        name = f"p{draw(st.integers(0, 10**6))}"
        symbol = draw(st.sampled_from(sorted(_COMPARE)))
        kind = draw(
            st.sampled_from([_numbers, st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]))])
        )
        left, right = draw(kind), draw(kind)
        return f"{ref(name)} {symbol} {_literal(right)}", {name: left}, _COMPARE[symbol](left, right)
    choice = draw(st.sampled_from(["&&", "||", "!"]))
    text, inputs, value = draw(_conditions(depth=depth - 1))
    if choice == "!":
        return f"!({text})", inputs, not value
    other, more, second = draw(_conditions(depth=depth - 1))
    if set(inputs) & set(more):
        return text, inputs, value
    return f"({text}) {choice} ({other})", inputs | more, (value and second) if choice == "&&" else (value or second)


@given(_conditions())
def test_agrees_with_python_on_generated_conditions(case: tuple[str, dict[str, Any], bool]) -> None:
    text, inputs, expected = case
    expression = parse(text)
    assert evaluate(expression, inputs) is expected
    assert references(expression) == set(inputs)


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused_never_a_crash(text: str) -> None:
    with contextlib.suppress(DocumentError):
        parse(text)
