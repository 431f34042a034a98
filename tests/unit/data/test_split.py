"""Time-ordered parts, and a holdout that cannot change unnoticed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seatrial.data.split import Parts, split
from seatrial.errors import DataError
from tests.unit.data.parcels import ROWS, Parcels


def run(parcels: Parcels, *, trial: bool = False, **types: pa.DataType) -> Parts:
    train, validation, holdout = outputs(parcels.folder).values()
    table = parcels.table(**types)
    return split(parcels.model(), table, train=train, validation=validation, holdout=holdout, trial=trial)


def outputs(folder: Path) -> dict[str, Path]:
    return {name: folder / f"{name}.parquet" for name in ("train", "validation", "holdout")}


def freeze(parcels: Parcels, digest: str) -> None:
    parcels.settings["split"] = {**parcels.settings["split"], "holdout_digest": digest}


def test_every_row_is_in_one_part_and_parts_follow_each_other(parcels: Parcels) -> None:
    parts = run(parcels)
    times = {name: pq.read_table(path).column("sent").to_pylist() for name, path in outputs(parcels.folder).items()}
    assert sum(map(len, times.values())) == ROWS
    assert max(times["train"]) < dt.datetime(2013, 8, 1) <= min(times["validation"])
    assert max(times["validation"]) < dt.datetime(2013, 10, 1) <= min(times["holdout"])
    assert {name: part.rows for name, part in parts.named().items()} == {name: len(t) for name, t in times.items()}
    assert parts.train.first == "2013-01-01T00:00:00"
    labels = pq.read_table(parcels.folder / "train.parquet").column("late").to_pylist()
    assert parts.train.positive_rate == pytest.approx(sum(labels) / len(labels))


def test_midnight_of_a_boundary_belongs_to_the_later_part_whatever_ties(parcels: Parcels) -> None:
    midnight = dt.datetime(2013, 8, 1)
    before = run(parcels)
    first = next(row for row, sent in enumerate(parcels.columns["sent"]) if sent >= midnight)
    for row in range(first - 3, first + 2):
        parcels.columns["sent"][row] = midnight
    parcels.columns["sent"][first - 4] = midnight - dt.timedelta(microseconds=1)
    after = run(parcels)
    assert (after.train.rows, after.validation.rows) == (before.train.rows - 3, before.validation.rows + 3)
    assert after.train.last == "2013-07-31T23:59:59.999999"
    assert after.validation.first == "2013-08-01T00:00:00"


def test_ties_in_time_are_ordered_by_the_key(parcels: Parcels) -> None:
    parcels.columns["sent"][:50] = [dt.datetime(2013, 1, 1)] * 50
    for values in parcels.columns.values():
        values[:50] = reversed(values[:50])
    run(parcels)
    keys = pq.read_table(parcels.folder / "train.parquet").column("parcel_id").to_pylist()[:50]
    assert keys == sorted(keys)


def test_holdout_digest_is_of_rows_and_labels_and_not_of_features(parcels: Parcels) -> None:
    """A new version may bring another column; another label is another examination."""
    before = run(parcels).holdout_digest
    parcels.columns["wind"][-1] = 3.0
    parcels.columns["late"][0] = 1 - parcels.columns["late"][0]
    assert run(parcels).holdout_digest == before
    parcels.columns["late"][-1] = 1 - parcels.columns["late"][-1]
    assert run(parcels).holdout_digest != before


def test_holdout_digest_does_not_depend_on_the_order_of_the_table(parcels: Parcels) -> None:
    before = run(parcels)
    for values in parcels.columns.values():
        values.reverse()
    after = run(parcels)
    assert after == before


def test_integer_keys_have_one_digest_in_any_width(parcels: Parcels) -> None:
    parcels.columns["parcel_id"] = list(range(ROWS))
    assert len({run(parcels, parcel_id=kind).holdout_digest for kind in (pa.int32(), pa.int64())}) == 1


def test_frozen_holdout_is_accepted_and_another_is_refused(parcels: Parcels) -> None:
    digest = run(parcels).holdout_digest
    freeze(parcels, digest)
    assert run(parcels).frozen
    for path in outputs(parcels.folder).values():
        path.unlink()
    parcels.columns["late"][-1] = 1 - parcels.columns["late"][-1]
    with pytest.raises(DataError, match="not the frozen one") as caught:
        run(parcels)
    assert digest[:12] in caught.value.what
    assert "132 rows" in caught.value.what
    assert 'set holdout_digest = "' in caught.value.todo
    assert not [path for path in outputs(parcels.folder).values() if path.exists()]


def test_trial_is_not_held_to_the_frozen_holdout(parcels: Parcels) -> None:
    """A sample of the rows has another holdout by design, and says that it is not the frozen one."""
    freeze(parcels, "0" * 64)
    assert not run(parcels, trial=True).frozen


def test_everything_that_prevents_a_split_is_named_at_once(parcels: Parcels) -> None:
    parcels.columns["sent"][4] = None
    parcels.columns["late"][5] = None
    parcels.columns["late"][6] = None
    parcels.columns["parcel_id"][7] = "P0008"
    parcels.settings["split"] = {"validation_from": dt.date(2012, 1, 1), "holdout_from": dt.date(2020, 1, 1)}
    with pytest.raises(DataError, match="cannot be split") as caught:
        run(parcels)
    assert caught.value.what.splitlines()[1:] == [
        "  sent: missing in 1 rows",
        "  late: missing in 2 rows",
        "  parcel_id: not unique, 1 rows too many",
        "  train: no rows",
        "  holdout: no rows",
    ]


def test_absent_and_mistyped_columns_are_named(parcels: Parcels) -> None:
    del parcels.columns["late"]
    parcels.columns["sent"] = ["soon"] * ROWS
    with pytest.raises(DataError) as caught:
        run(parcels, sent=pa.string())
    assert caught.value.what.splitlines()[1:] == [
        "  sent: has a wrong type, VARCHAR",
        "  late: is not in the table",
    ]


def test_summary_is_one_line(parcels: Parcels) -> None:
    summary = run(parcels).summary()
    assert summary.startswith(
        "train 364 (2013-01-01 – 2013-07-31) · validation 104 (2013-08-01 – 2013-09-30) · holdout"
    )
