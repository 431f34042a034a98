"""Scores travel between tasks as a file: what is read must be what was written, and nothing else must pass for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from seatrial.errors import EvaluationError
from seatrial.evaluation.scores import Scores, read_scores, write_scores

SCORES = Scores(
    outcome=np.array([0, 1, 1], dtype=np.int8),
    slices={"carrier": np.array(["UA", "", "AA"])},
    probabilities={"lightgbm": np.array([0.1, 0.9, 0.5], dtype=np.float32), "logistic": np.array([0.2, 0.8, 1 / 3])},
)


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    """To the last bit: rounding to float32 would make ties that the model did not make."""
    write_scores(SCORES, tmp_path / "scores.parquet")
    found = read_scores(tmp_path / "scores.parquet")
    assert np.array_equal(found.outcome, SCORES.outcome)
    assert found.slices["carrier"].tolist() == ["UA", "", "AA"]
    for name, p in SCORES.probabilities.items():
        assert found.probabilities[name].dtype == p.dtype
        assert np.array_equal(found.probabilities[name], p)
    assert parquet.read_schema(tmp_path / "scores.parquet").names == [
        *("label", "carrier", "probability:lightgbm", "probability:logistic")
    ]


def test_equal_scores_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_scores(SCORES, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_an_empty_table_survives(tmp_path: Path) -> None:
    empty = Scores(np.array([], dtype=np.int8), {"carrier": np.array([], dtype=str)}, {"m": np.array([])})
    write_scores(empty, tmp_path / "scores.parquet")
    found = read_scores(tmp_path / "scores.parquet")
    assert (found.outcome.size, found.slices["carrier"].size, found.probabilities["m"].size) == (0, 0, 0)


def test_a_null_slice_is_an_empty_text(tmp_path: Path) -> None:
    table = pa.table({"label": pa.array([0], pa.int8()), "carrier": pa.array([None], pa.string())})
    parquet.write_table(table, tmp_path / "scores.parquet")
    assert read_scores(tmp_path / "scores.parquet").slices["carrier"].tolist() == [""]


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"late": pa.array([0])}, "no column 'label'"),
        ({"label": pa.array([0]), "month": pa.array([1])}, "column 'month' is int64, a slice is text"),
        ({"label": pa.array([0]), "probability:m": pa.array([None], pa.float64())}, "'probability:m' has NULLs"),
        ({"label": pa.array([0]), "probability:m": pa.array([7.0])}, "outside"),
        ({"label": pa.array([5])}, "neither 0 nor 1"),
    ],
)
def test_another_table_is_refused(tmp_path: Path, columns: dict[str, object], problem: str) -> None:
    parquet.write_table(pa.table(columns), tmp_path / "other.parquet")
    with pytest.raises(EvaluationError, match=problem):
        read_scores(tmp_path / "other.parquet")


def test_no_file_and_no_parquet_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"absent\.parquet is not a scores table"):
        read_scores(tmp_path / "absent.parquet")
    (tmp_path / "text").write_text("label\n1\n")
    with pytest.raises(EvaluationError, match="not a scores table"):
        read_scores(tmp_path / "text")


def test_a_slice_named_like_another_column_is_refused() -> None:
    with pytest.raises(EvaluationError, match="'label' cannot name a slice"):
        Scores(np.array([0]), {"label": np.array(["x"])}, {})
