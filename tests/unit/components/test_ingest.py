"""Sources become one table; rows that are left out are counted where everybody sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from components.ingest import ingest
from seatrial.component import Dataset
from seatrial.errors import DataError


def test_it_writes_the_dataset_table_and_counts_what_it_left_out(line: Any) -> None:
    table = pq.read_table(line.raw().path)
    result = line.results["ingest"]
    assert result.rows == table.num_rows == 5938
    assert result.left_out == 62
    assert line.raw().metadata["left_out"] == {"lost": 62}


def test_a_trial_takes_fewer_rows(line: Any, tmp_path: Path) -> None:
    assert ingest("parcels", Dataset(tmp_path / "raw"), limit_rows=200).rows == 200


def test_a_missing_source_is_named(line: Any, tmp_path: Path) -> None:
    source = line.root / "data" / "parcels.csv"
    hidden = source.rename(tmp_path / "elsewhere")
    try:
        with pytest.raises(DataError, match=r"parcels\.csv"):
            ingest("parcels", Dataset(tmp_path / "raw"))
    finally:
        hidden.rename(source)
