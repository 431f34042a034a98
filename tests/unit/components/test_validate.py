"""Bad data stops the run with everything wrong with it; leakage lets the gate speak."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.validate import validate
from seatrial.component import Artifact, Dataset
from seatrial.data.findings import Findings
from seatrial.errors import DataError


def test_good_data_has_no_errors(line: Any) -> None:
    found = Findings.from_json(line.findings().path.read_text())
    assert found.errors == ()
    assert line.results["validate"].blockers == 0


def test_errors_stop_the_run_and_are_written_down(line: Any, tmp_path: Path) -> None:
    table = pq.read_table(line.raw().path)
    hours = pa.array([99, *table.column("hour").to_pylist()[1:]], table.schema.field("hour").type)
    carriers = pa.array([None, *table.column("carrier").to_pylist()[1:]], pa.string())
    for name, column in (("hour", hours), ("carrier", carriers)):
        table = table.set_column(table.schema.get_field_index(name), name, column)
    pq.write_table(table, tmp_path / "raw")
    with pytest.raises(DataError) as caught:
        validate("parcels", Dataset(tmp_path / "raw"), Artifact(tmp_path / "findings"))
    assert "hour" in caught.value.what and "carrier" in caught.value.what
    assert len(Findings.from_json((tmp_path / "findings").read_text()).errors) == 2
