"""Local tracking: one MLflow run per Seatrial run, written whole in one transaction.

Candidates become prefixes (``lightgbm/roc_auc``), which MLflow's pages group. The MLflow id of a run is derived from
Seatrial's, so logging a run twice meets the same row, and a version can name its run before that run was logged.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import posixpath
import re
import sqlite3
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from seatrial.clouds.base import RunRecord
from seatrial.clouds.local.mlflow_database import WORKSPACE, MlflowDatabase, now_ms
from seatrial.clouds.local.registry_state import RUN_TAG, database_path
from seatrial.errors import RegistryError

T = TypeVar("T")

_STATUS = {"running": "RUNNING", "finished": "FINISHED", "failed": "FAILED"}

# mlflow/utils/validation.py: MAX_ENTITY_KEY_LENGTH, MAX_PARAM_VAL_LENGTH, MAX_TAG_VAL_LENGTH
_KEY_LENGTH = 250
_PARAMETER_LENGTH = 6000
_TAG_LENGTH = 8000


def mlflow_run_id(run: str) -> str:
    """Return MLflow's id for a Seatrial run: 32 hexadecimal digits."""
    return hashlib.sha256(f"seatrial run {run}".encode()).hexdigest()[:32]


class LocalTracking:
    """The tracking contract of ``seatrial.clouds.base``, under ``<state>/registry``."""

    def __init__(self, state: Path, *, patience_s: float = 20.0) -> None:
        path = database_path(state)
        self._artifacts = path.parent / "artifacts"
        self._database = MlflowDatabase(path, patience_s=patience_s)

    def log_run(self, record: RunRecord) -> str:
        """Keep the record, replacing what was kept of the same run, and return MLflow's id of it."""
        run_id = mlflow_run_id(record.run)
        parameters = _prefixed(record.parameters, {n: c.parameters for n, c in record.candidates.items()})
        metrics = _prefixed(record.metrics, {n: c.metrics for n, c in record.candidates.items()})
        tags = {**record.tags, RUN_TAG: record.run, "mlflow.runName": record.run}
        _refuse_bad_names(parameters, metrics, tags)
        with self._database.write() as connection:
            experiment = self._experiment(connection, record.model)
            for table in ("metrics", "latest_metrics", "params", "tags"):
                connection.execute(f"DELETE FROM {table} WHERE run_uuid = ?", (run_id,))  # noqa: S608 - four constants
            self._put_run(connection, record, run_id, experiment)
            connection.executemany(
                "INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)",
                [(key, _cut(str(value), _PARAMETER_LENGTH), run_id) for key, value in parameters.items()],
            )
            connection.executemany(
                "INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)",
                [(key, _cut(value, _TAG_LENGTH), run_id) for key, value in tags.items()],
            )
            rows = [(key, *_storable(value), _ms(record.started), 0, run_id) for key, value in metrics.items()]
            for table in ("metrics", "latest_metrics"):
                connection.executemany(
                    f"INSERT INTO {table} (key, value, is_nan, timestamp, step, run_uuid) "  # noqa: S608 - two constants
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    rows,
                )
        return run_id

    def _experiment(self, connection: sqlite3.Connection, model: str) -> int:
        """Return the model's experiment, made when missing, and restored when somebody deleted it in MLflow."""
        now = now_ms()
        connection.execute(
            "INSERT INTO experiments (workspace, name, lifecycle_stage, creation_time, last_update_time) "
            "VALUES (?, ?, 'active', ?, ?) ON CONFLICT (workspace, name) DO UPDATE SET lifecycle_stage = 'active'",
            (WORKSPACE, model, now, now),
        )
        (number,) = connection.execute(
            "SELECT experiment_id FROM experiments WHERE workspace = ? AND name = ?", (WORKSPACE, model)
        ).fetchone()
        connection.execute(
            "UPDATE experiments SET artifact_location = coalesce(artifact_location, ?) WHERE experiment_id = ?",
            ((self._artifacts / str(number)).absolute().as_uri(), number),
        )
        return int(number)

    def _put_run(self, connection: sqlite3.Connection, record: RunRecord, run_id: str, experiment: int) -> None:
        folder = record.folder or self._artifacts / str(experiment) / run_id / "artifacts"
        connection.execute(
            "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, "
            "start_time, end_time, source_version, lifecycle_stage, artifact_uri, experiment_id) "
            "VALUES (?, ?, 'LOCAL', 'seatrial', '', '', ?, ?, ?, '', 'active', ?, ?) "
            "ON CONFLICT (run_uuid) DO UPDATE SET status = excluded.status, start_time = excluded.start_time, "
            "end_time = excluded.end_time, artifact_uri = excluded.artifact_uri, lifecycle_stage = 'active', "
            "deleted_time = NULL",
            (
                run_id,
                record.run,
                _STATUS[record.status],
                _ms(record.started),
                None if record.ended is None else _ms(record.ended),
                folder.absolute().as_uri(),
                experiment,
            ),
        )


def _prefixed(own: Mapping[str, T], candidates: Mapping[str, Mapping[str, T]]) -> dict[str, T]:
    flat = {f"{name}/{key}": value for name, values in candidates.items() for key, value in values.items()}
    return {**own, **flat}


def _refuse_bad_names(*groups: Mapping[str, object]) -> None:
    """MLflow's rule for names: they become paths on its pages."""
    bad = sorted(
        repr(key)
        for group in groups
        for key in group
        if len(key) > _KEY_LENGTH
        or not re.fullmatch(r"[\w.\- :/]+", key)
        or posixpath.normpath(key) != key
        or key.startswith(("/", ".."))
        or key == "."
    )
    if bad:
        raise RegistryError(
            f"{len(bad)} name{'s' if len(bad) > 1 else ''} cannot be tracked: {', '.join(bad)}",
            why=f"MLflow takes letters, digits, '_', '-', '.', ':', space and '/' as in a path, at most {_KEY_LENGTH}.",
            todo="Rename them.",
        )


def _storable(value: float) -> tuple[float, bool]:
    """Return (value, is_nan) as MLflow stores it: NaN as 0 with a mark, infinity as the largest number."""
    if math.isnan(value):
        return 0.0, True
    return max(-sys.float_info.max, min(sys.float_info.max, float(value))), False


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _ms(moment: dt.datetime) -> int:
    return round(moment.timestamp() * 1000)
