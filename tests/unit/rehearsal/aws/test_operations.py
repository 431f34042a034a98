"""The table of what an answer is worth is the code's, not somebody's memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from seatrial.rehearsal.aws.documentation import with_table
from seatrial.rehearsal.aws.operations import Worth, worth
from seatrial.rehearsal.aws.responses import SageMaker

PAGE = Path(__file__).resolve().parents[4] / "docs" / "rehearsal.md"


def test_the_page_holds_the_table_that_the_code_gives() -> None:
    """Run `python -m seatrial.rehearsal.aws.documentation docs/rehearsal.md` after a change."""
    page = PAGE.read_text()
    assert with_table(page) == page
    assert with_table(page.replace("CreateProcessingJob", "CreateProcessingJab")) == page


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("create_processing_job", Worth.EXECUTED),
        ("describe_model_package", Worth.STORED),
        ("create_endpoint_config", Worth.STORED),
        ("create_hyper_parameter_tuning_job", Worth.UNSUPPORTED),  # moto has it, and makes its result up
        ("create_inference_component", Worth.UNSUPPORTED),  # moto lacks it
        ("no_such_operation", Worth.UNSUPPORTED),
    ],
)
def test_the_worth_of_an_operation(action: str, expected: Worth) -> None:
    """One of each kind, and the two ways to be unsupported."""
    assert worth(SageMaker, action) is expected
