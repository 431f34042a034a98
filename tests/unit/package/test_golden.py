"""The golden sample must hold what breaks deployments, and notice when one is broken."""

from __future__ import annotations

import numpy as np
import pytest

from seatrial.package.build import Built
from seatrial.package.check import check_rows
from seatrial.package.golden import ROWS, TOLERANCE, Golden, select
from seatrial.package.signature import Packed, Signature
from tests.unit.package.example import model, table

SIGNATURE = Signature.of(model())
HOLDOUT = SIGNATURE.pack(table(5000, 3))
KNOWN = SIGNATURE.pack(table(600, 1))


def rows_of(packed: Packed) -> set[str]:
    return {repr(row) for row in SIGNATURE.unpack(packed)}


def test_the_choice_is_the_same_each_time() -> None:
    first, second = select(SIGNATURE, HOLDOUT, KNOWN), select(SIGNATURE, HOLDOUT, KNOWN)
    assert first.rows == ROWS
    assert first.numeric.tobytes() == second.numeric.tobytes() and first.text.tolist() == second.text.tolist()


def test_it_holds_missing_values_extremes_and_a_category_never_seen() -> None:
    chosen = select(SIGNATURE, HOLDOUT, KNOWN)
    assert np.isnan(chosen.numeric[:, 1]).any() and (chosen.text[:, 1] == "").any()
    for c in range(3):
        assert np.nanmin(chosen.numeric[:, c]) == np.nanmin(HOLDOUT.numeric[:, c])
        assert np.nanmax(chosen.numeric[:, c]) == np.nanmax(HOLDOUT.numeric[:, c])
    assert not set(chosen.text[-1]) & set(KNOWN.text.ravel())


def test_it_is_spread_over_the_whole_holdout() -> None:
    """Rows are in time order; a sample of the first week would not notice a wrong month."""
    chosen = rows_of(select(SIGNATURE, HOLDOUT, KNOWN))
    at = [i for i, row in enumerate(SIGNATURE.unpack(HOLDOUT)) if repr(row) in chosen]
    assert np.histogram(at, bins=10, range=(0, 5000))[0].min() > 10


def test_only_rows_that_a_caller_could_send_are_chosen() -> None:
    holdout = SIGNATURE.pack(table(500, 3))
    holdout.text[::2, 0] = ""
    holdout.numeric[1::4, 0] = np.nan
    chosen = select(SIGNATURE, holdout, KNOWN)
    assert check_rows(SIGNATURE, SIGNATURE.unpack(chosen)) == []
    assert chosen.rows > 100


def test_a_row_of_nulls_is_added_where_all_may_be_missing() -> None:
    lenient = Signature.of(
        model({"a": {"type": "float", "missing": "impute"}, "b": {"type": "category", "missing": "impute"}})
    )
    some = lenient.pack([{"a": 1.0, "b": "x"}])
    assert lenient.unpack(select(lenient, some, some))[-1] == {"a": None, "b": None}


def test_a_word_that_training_saw_is_not_called_never_seen() -> None:
    known = KNOWN.take(np.arange(2))
    known.text[:, 0] = ["never seen", "never seen~"]
    assert select(SIGNATURE, HOLDOUT, known).text[-1, 0] == "never seen~~"


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_tiny_holdout_still_gives_a_sample(rows: int) -> None:
    assert select(SIGNATURE, HOLDOUT.take(slice(0, rows)), KNOWN).rows >= rows


def test_a_wrong_answer_is_noticed(built: Built) -> None:
    golden = built.package.golden
    answers = np.array(golden.expected)
    answers[17] += 10 * TOLERANCE
    replay = golden.compare(answers)
    assert not replay.passed and (replay.equal, replay.worst_row) == (replay.rows - 1, 17)


@pytest.mark.parametrize("answers", [[], [0.5], [float("nan")] * 3, [[0.1], [0.2]]])
def test_too_few_answers_or_nan_never_pass(answers: list[float]) -> None:
    golden = Golden(rows=[{}, {}, {}], expected=[0.5, 0.5, 0.5])
    assert golden.compare(answers).equal == 0
