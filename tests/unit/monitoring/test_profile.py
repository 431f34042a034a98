"""A profile must be right on the columns that nobody thinks of: empty, constant, infinite, all missing."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seatrial.errors import DataError
from seatrial.monitoring.profile import BINS, Profile, category_profile, number_profile, profile
from seatrial.project import Model


def model(folder: Path) -> Model:
    return Model.model_validate(
        {
            "name": "parcels",
            "folder": folder,
            "task": "binary",
            "label": "late",
            "key": ["parcel_id"],
            "time": "sent",
            "sources": {"parcels": "parcels.csv"},
            "columns": {"wind": {"type": "float", "missing": "impute"}, "depot": "category", "pieces": "int"},
            "split": {"validation_from": dt.date(2013, 8, 1), "holdout_from": dt.date(2013, 10, 1)},
        }
    )


def write(folder: Path, rows: int, *, empty: bool = False) -> Path:
    random = np.random.default_rng(2)
    table = pa.table(
        {
            "sent": pa.array(
                [dt.datetime(2013, 1, 1) + dt.timedelta(hours=n) for n in range(rows)], pa.timestamp("us")
            ),
            "late": pa.array([n % 4 == 0 for n in range(rows)]).cast("int8"),
            "wind": pa.array([None if empty else float(v) for v in random.normal(20, 5, rows)], pa.float64()),
            "depot": pa.array([None if empty else f"D{n % 60:02d}" for n in range(rows)], pa.string()),
            "pieces": pa.array([n % 3 for n in range(rows)], pa.int64()),
        }
    )
    pq.write_table(table, folder / "table.parquet")
    return folder / "table.parquet"


def test_profile_of_a_table_and_back_from_json(tmp_path: Path) -> None:
    found = profile(model(tmp_path), write(tmp_path, 1000))
    assert (found.rows, found.label_rate, found.first) == (1000, 0.25, "2013-01-01T00:00:00")
    assert [*found.numbers] == ["wind", "pieces"]
    assert found.numbers["pieces"].edges == (0.0, 1.0)
    assert found.numbers["pieces"].counts == (334, 333, 333)
    assert found.categories["depot"].distinct == 60
    assert len(found.categories["depot"].counts) == 50
    assert found.categories["depot"].other == 1000 - sum(found.categories["depot"].counts.values())
    assert Profile.from_json(found.to_json()) == found
    assert [*Profile.from_json(found.to_json()).numbers] == ["wind", "pieces"]
    assert profile(model(tmp_path), tmp_path / "table.parquet").to_json() == found.to_json()


def test_empty_table_and_columns_without_values_have_a_profile(tmp_path: Path) -> None:
    nothing = profile(model(tmp_path), write(tmp_path, 0))
    assert (nothing.rows, nothing.label_rate, nothing.first, nothing.last) == (0, None, None, None)
    assert Profile.from_json(nothing.to_json()) == nothing
    blank = profile(model(tmp_path), write(tmp_path, 10, empty=True))
    assert (blank.numbers["wind"].missing, blank.numbers["wind"].mean, blank.numbers["wind"].counts) == (10, None, ())
    assert (blank.categories["depot"].missing, blank.categories["depot"].distinct) == (10, 0)


def test_numbers_are_described_right() -> None:
    values = np.random.default_rng(0).normal(3, 2, 5000)
    found = number_profile(values)
    assert found.mean == pytest.approx(values.mean())
    assert found.std == pytest.approx(values.std())
    assert found.quantiles["0.5"] == np.sort(values)[2499]
    assert found.quantiles["0.95"] == np.quantile(values, 0.95, method="inverted_cdf")
    assert found.counts == (250,) * BINS
    assert len(found.edges) == BINS - 1


def test_values_on_an_edge_count_below_it() -> None:
    found = number_profile(np.array([1.0, 1.0, 2.0, 3.0]))
    assert (found.edges, found.counts) == ((1.0, 2.0), (2, 1, 1))


def test_missing_infinite_and_constant_numbers() -> None:
    found = number_profile(np.array([np.nan, np.inf, -np.inf, 4.0, 4.0]))
    assert (found.rows, found.missing, found.infinite, found.distinct) == (5, 1, 2, 1)
    assert (found.minimum, found.maximum, found.mean, found.std) == (4.0, 4.0, 4.0, 0.0)
    assert (found.edges, found.counts) == ((), (2,))


def test_skewed_numbers_have_rising_edges_and_every_value_is_counted() -> None:
    """Rain is zero nine times in ten: quantiles coincide."""
    values = np.r_[np.zeros(900), np.arange(1, 101) / 100]
    found = number_profile(values)
    assert list(found.edges) == sorted(set(found.edges))
    assert sum(found.counts) == 1000
    assert len(found.counts) == len(found.edges) + 1


def test_order_of_the_rows_does_not_matter() -> None:
    values = np.random.default_rng(0).normal(size=1000) * 1e6
    assert number_profile(values) == number_profile(values[::-1])


def test_text_counts_ties_in_alphabetical_order_and_empty_as_missing() -> None:
    found = category_profile(pa.chunked_array([["b", "a", "", None, "c", "c"]]))
    assert [*found.counts.items()] == [("c", 2), ("a", 1), ("b", 1)]
    assert (found.missing, found.distinct, found.other) == (2, 3, 0)


def test_absent_columns_are_named_at_once(tmp_path: Path) -> None:
    pq.write_table(pa.table({"wind": [1.0]}), tmp_path / "table.parquet")
    with pytest.raises(DataError, match=r"lacks depot, pieces, late, sent"):
        profile(model(tmp_path), tmp_path / "table.parquet")


def test_file_that_is_not_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "table.parquet").write_text("nothing")
    with pytest.raises(DataError, match=r"cannot read the table table\.parquet"):
        profile(model(tmp_path), tmp_path / "table.parquet")
