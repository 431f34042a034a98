"""A small, clean model to break: parcels that are late or not. Everything is made by the tests, from a fixed seed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from seatrial.project import Model

ROWS = 600
START = dt.datetime(2013, 1, 1)
STEP = dt.timedelta(hours=14)

SQL = """-- parcels with their depot
SELECT
    p.parcel_id, p.sent, p.late, p.weight, p.pieces, p.depot, d.wind, p.days_taken,
    CASE WHEN p.lost = 1 THEN 'lost' END AS left_out
FROM parcels AS p
LEFT JOIN depots AS d ON d.depot = p.depot
"""


class Parcels:
    """Settings, columns and files of the parcels model, under one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings: dict[str, Any] = {
            "name": "parcels",
            "folder": folder,
            "task": "binary",
            "label": "late",
            "key": ["parcel_id"],
            "time": "sent",
            "sources": {"parcels": "parcels.csv", "depots": "depots.csv"},
            "columns": {
                "weight": {"type": "float", "unit": "kg", "range": [0, 50]},
                "pieces": "int",
                "depot": "category",
                "wind": {"type": "float", "unit": "mph", "missing": "impute", "range": [0, 120]},
            },
            "unavailable_at_prediction": ["days_taken"],
            "split": {"validation_from": dt.date(2013, 8, 1), "holdout_from": dt.date(2013, 10, 1)},
        }
        random = np.random.default_rng(5)
        late = (random.random(ROWS) < 0.3).astype(int)
        self.columns: dict[str, list[Any]] = {
            "parcel_id": [f"P{number:04d}" for number in range(ROWS)],
            "sent": [START + STEP * number for number in range(ROWS)],
            "late": late.tolist(),
            "weight": (random.random(ROWS) * 30 + 5 * late).round(2).tolist(),
            "pieces": random.integers(1, 6, ROWS).tolist(),
            "depot": random.choice(["Ayr", "Bath", "Cork"], ROWS).tolist(),
            "wind": (random.random(ROWS) * 40).round(1).tolist(),
            "days_taken": (random.integers(1, 3, ROWS) + 4 * late).tolist(),
        }

    def model(self) -> Model:
        return Model.model_validate(self.settings)

    def table(self, **types: pa.DataType) -> Path:
        """The dataset table as ``ingest`` would write it; ``types`` replaces the type of some columns."""
        usual = {
            "sent": pa.timestamp("us"),
            "late": pa.int8(),
            "weight": pa.float64(),
            "pieces": pa.int64(),
            "wind": pa.float64(),
            "days_taken": pa.int64(),
        }
        arrays = {
            name: pa.array(values, type=types.get(name, usual.get(name, pa.string())))
            for name, values in self.columns.items()
        }
        path = self.folder / "table.parquet"
        pq.write_table(pa.table(arrays), path)
        return path

    def sources(self, lost: int = 7) -> dict[str, Path]:
        """The source files: the first ``lost`` parcels were lost, and wind comes from the depots; and the SQL."""
        names = [name for name in self.columns if name != "wind"]
        lines = [",".join([*names, "lost"])]
        for number, row in enumerate(zip(*(self.columns[name] for name in names), strict=True)):
            lines.append(",".join([*("NA" if v is None else str(v) for v in row), str(int(number < lost))]))
        (self.folder / "parcels.csv").write_text("\n".join(lines) + "\n")
        (self.folder / "depots.csv").write_text("depot,wind\nAyr,12.5\nBath,NA\nCork,30\n")
        (self.folder / "dataset.sql").write_text(SQL)
        return {"parcels": self.folder / "parcels.csv", "depots": self.folder / "depots.csv"}
