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
    outputs = [Dataset(tmp_path / name) for name in ("a", "b", "c")]
    try:
        settings.write_text(text.replace("[split]", f'[split]\nholdout_digest = "{frozen}"'))
        assert split("parcels", line.raw(), *outputs).holdout_digest == frozen
        settings.write_text(text.replace("[split]", f'[split]\nholdout_digest = "{"0" * 64}"'))
        with pytest.raises(DataError, match="holdout"):
            split("parcels", line.raw(), *[Dataset(tmp_path / name) for name in ("d", "e", "f")])
    finally:
        settings.write_text(text)


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
