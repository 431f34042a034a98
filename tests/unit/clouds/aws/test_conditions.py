"""A choice in SageMaker takes the branch that the executor would have taken, or the pipeline does not compile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.clouds.aws.check import check
from seatrial.clouds.aws.conditions import conditions_of
from seatrial.document.expression import Both, Compare, Expression, Literal, Not, Reference, evaluate, parse
from seatrial.document.jobs import Choice, Operand, PipelineParameter
from seatrial.document.model import ParameterType
from seatrial.errors import DocumentError
from tests.unit.clouds.aws.service import Service

Json = Any
TYPES: dict[str, ParameterType] = {
    "count": "NUMBER_INTEGER",
    "rate": "NUMBER_DOUBLE",
    "mode": "STRING",
    "dry": "BOOLEAN",
    "names": "LIST",
}
DECLARED = {"count": "Integer", "rate": "Float", "mode": "String", "dry": "Boolean"}


def choice(condition: Expression) -> Choice:
    operands = {name: Operand(PipelineParameter(name), kind) for name, kind in TYPES.items()}
    return Choice("promoted", condition, operands, ())


def translated(condition: Expression) -> list[Json]:
    def value(operand: Operand) -> Json:
        assert isinstance(operand.source, PipelineParameter)
        return {"Get": f"Parameters.{operand.source.name}"}

    return conditions_of(choice(condition), value)


def definition(conditions: list[Json]) -> Json:
    step = {
        "Name": "Choice",
        "Type": "Condition",
        "Arguments": {"Conditions": conditions, "IfSteps": [], "ElseSteps": []},
    }
    parameters = [{"Name": name, "Type": kind} for name, kind in DECLARED.items()]
    return {"Version": "2020-12-01", "Metadata": {}, "Parameters": parameters, "Steps": [step]}


numbers = st.one_of(st.integers(-3, 3), st.sampled_from([-0.5, 0.0, 0.5, 2.5]))
number = st.one_of(st.builds(Reference, st.sampled_from(["count", "rate"])), st.builds(Literal, numbers))
text = st.one_of(st.builds(Reference, st.just("mode")), st.builds(Literal, st.sampled_from(["full", "it's", ""])))
boolean = st.one_of(st.builds(Reference, st.just("dry")), st.builds(Literal, st.booleans()))
equality = st.sampled_from(["==", "!="])
comparison = st.one_of(
    st.builds(Compare, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), number, number),
    st.builds(Compare, equality, text, text),
    st.builds(Compare, equality, boolean, boolean),
    st.builds(Reference, st.just("dry")),
)
expressions = st.recursive(
    comparison,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(Both, st.sampled_from(["&&", "||"]), st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)


@given(
    expressions, st.integers(-3, 3), st.sampled_from([-0.5, 0.5, 2.0]), st.sampled_from(["full", "it's"]), st.booleans()
)
def test_branch_is_the_one_that_the_executor_takes(
    condition: Expression, count: int, rate: float, mode: str, dry: bool
) -> None:
    """Negations are pushed down and conjunctions rewritten: whatever comes out has to mean the same."""
    values = {"count": count, "rate": rate, "mode": mode, "dry": dry}
    found = definition(translated(condition))
    assert check(found).problems == ()
    service = Service(found, values, Path("unused"), Path("unused"))
    service.run()
    assert service.taken["Choice"] is evaluate(condition, values)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("inputs.parameter_values['mode'] < 'm'", "orders text"),
        ("inputs.parameter_values['mode'] == 3", "compares text with integer"),
        ("inputs.parameter_values['dry'] == 'true'", "compares boolean with text"),
        ("inputs.parameter_values['mode'] == null", "compares with null"),
        ("int(inputs.parameter_values['mode']) > 3", "casts text with int"),
        ("int(inputs.parameter_values['rate']) > 3", "casts number with int"),
        ("inputs.parameter_values['names'] == 'a'", "reads a LIST"),
        ("inputs.parameter_values['count']", "is integer, not true or false"),
    ],
)
def test_what_sagemaker_cannot_decide_is_refused(text: str, told: str) -> None:
    """A condition that means something else in the cloud is worse than none."""
    with pytest.raises(DocumentError, match="choice 'promoted'") as caught:
        translated(parse(text))
    assert told in caught.value.what


def test_needless_casts_of_the_compiler_fall_away() -> None:
    found = translated(
        parse("int(inputs.parameter_values['count']) > 3 && double(inputs.parameter_values['rate']) < 1")
    )
    assert [c["Type"] for c in found] == ["GreaterThan", "LessThan"]
