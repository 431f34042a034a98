"""The parts of the data, their description, and what there is to train."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from components.candidates import candidates
from components.split import split
from seatrial.component import Dataset
from seatrial.errors import DataError, UsageError


def test_parts_are_in_order_of_time_and_complete(line: Any) -> None:
    times = [pq.read_table(part.path).column("accepted").to_pylist() for part in line.parts()]
    assert max(times[0]) < min(times[1]) and max(times[1]) < min(times[2])
    assert sum(map(len, times)) == pq.read_table(line.raw().path).num_rows
    assert line.parts()[2].metadata["holdout_digest"] == line.results["split"].holdout_digest


def test_another_holdout_than_the_frozen_one_is_refused(line: Any, tmp_path: Path) -> None:
    line.parts()
    settings = line.root / "recipes" / "parcels" / "model.toml"
    text = settings.read_text()
    frozen = line.results["split"].holdout_digest
    outputs = (Dataset(tmp_path / "a"), Dataset(tmp_path / "b"), Dataset(tmp_path / "c"))
    try:
        settings.write_text(text.replace("[split]", f'[split]\nholdout_digest = "{frozen}"'))
        assert split("parcels", line.raw(), *outputs).holdout_digest == frozen
        settings.write_text(text.replace("[split]", f'[split]\nholdout_digest = "{"0" * 64}"'))
        with pytest.raises(DataError, match="holdout"):
            split("parcels", line.raw(), *(Dataset(tmp_path / "d"), Dataset(tmp_path / "e"), Dataset(tmp_path / "f")))
    finally:
        settings.write_text(text)


def test_rows_of_later_days_can_be_left_out_of_training_alone(line: Any, tmp_path: Path) -> None:
    whole = line.parts()
    outputs = (Dataset(tmp_path / "a"), Dataset(tmp_path / "b"), Dataset(tmp_path / "c"))
    digest = split("parcels", line.raw(), *outputs, train_until="2024-03-31").holdout_digest
    assert digest == line.results["split"].holdout_digest
    assert outputs[0].metadata["last"] < "2024-04-01" <= whole[0].metadata["last"]
    assert 0 < outputs[0].metadata["rows"] < whole[0].metadata["rows"]
    assert [o.metadata["digest"] for o in outputs[1:]] == [w.metadata["digest"] for w in whole[1:]]
    with pytest.raises(DataError, match="no training row up to 1999-01-01"):
        split("parcels", line.raw(), *outputs, train_until="1999-01-01")
    with pytest.raises(UsageError, match="'March', which is no day"):
        split("parcels", line.raw(), *outputs, train_until="March")


def test_every_column_is_described(line: Any) -> None:
    profile = json.loads(line.profile().path.read_text())
    assert {"distance", "weight", "hour", "carrier"} <= set(json.dumps(profile).replace('"', " ").split())


def test_the_baseline_is_listed_first(line: Any) -> None:
    assert candidates("parcels", only=[]).names == ["logistic", "lightgbm"]


def test_only_some_are_listed_and_always_the_baseline(line: Any) -> None:
    assert candidates("parcels", only=["lightgbm"]).names == ["logistic", "lightgbm"]
    assert candidates("parcels", only=["logistic"]).names == ["logistic"]
    with pytest.raises(UsageError, match="no candidate called forrest, lightgmb"):
        candidates("parcels", only=["lightgmb", "logistic", "forrest"])
