"""Parity: a converter's silence must not hide its mistakes."""

from __future__ import annotations

import numpy as np
import pytest

from seatrial.errors import PackageError
from seatrial.package.parity import Parity

HONEST = np.linspace(0, 1, 101, dtype=np.float32)


def test_equal_answers_differ_by_nothing() -> None:
    parity = Parity.measure(HONEST, HONEST.copy())
    assert (parity.rows, parity.max_abs, parity.noticeable_rows) == (101, 0, 0)


def test_the_worst_row_is_named_with_both_answers() -> None:
    wrong = HONEST.copy()
    wrong[40] += np.float32(0.026)
    parity = Parity.measure(HONEST, wrong)
    assert parity.max_abs == pytest.approx(0.026, abs=1e-6)
    assert (parity.worst_row, parity.noticeable_rows) == (40, 1)
    assert parity.framework == pytest.approx(0.4) and parity.package == pytest.approx(0.426)


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.1, 1.5])
@pytest.mark.parametrize("side", ["the package", "the training framework"])
def test_an_answer_that_is_no_probability_stops_the_build(value: float, side: str) -> None:
    """NaN compares as false with every limit, so a gate that only compared would wave it through."""
    wrong = HONEST.copy()
    wrong[3] = value
    pair = (HONEST, wrong) if side == "the package" else (wrong, HONEST)
    with pytest.raises(PackageError, match=f"{side} gave .* for row 3"):
        Parity.measure(*pair)


def test_a_matrix_is_not_a_vector() -> None:
    with pytest.raises(PackageError, match=r"the training framework gave shape \(101, 1\)"):
        Parity.measure(HONEST[:, None], HONEST)


def test_no_rows_have_no_worst() -> None:
    assert Parity.measure(HONEST[:0], HONEST[:0]).worst_row is None
