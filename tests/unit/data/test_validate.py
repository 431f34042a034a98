"""Each mistake is seeded alone and must be found alone: a finding that also fires on clean data is worth nothing."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from seatrial.data.drift import psi, psi_limit
from seatrial.data.findings import Finding, Findings
from seatrial.data.leakage import auc
from seatrial.data.validate import validate
from seatrial.errors import DataError
from tests.unit.data.parcels import ROWS, Parcels


def found(parcels: Parcels, **types: pa.DataType) -> tuple[Finding, ...]:
    return validate(parcels.model(), parcels.table(**types)).found


def only(parcels: Parcels, **types: pa.DataType) -> Finding:
    findings = found(parcels, **types)
    assert len(findings) == 1, findings
    return findings[0]


def test_clean_table_gives_no_finding(parcels: Parcels) -> None:
    """The control of all other tests here."""
    assert found(parcels) == ()


def test_number_outside_its_range_names_value_place_limit_and_count(parcels: Parcels) -> None:
    parcels.columns["wind"][71] = 1048.36058
    finding = only(parcels)
    assert (finding.severity, finding.kind, finding.column, finding.count) == ("error", "range", "wind", 1)
    assert finding.message == "1048.36 at 2013-02-11 10:00 is outside [0, 120] mph (1 row)"
    assert finding.examples == ("1048.36 at 2013-02-11 10:00 (parcel_id P0071)",)
    assert finding.limit == "[0, 120] mph"


@pytest.mark.parametrize(("value", "refused"), [(0.0, False), (120.0, False), (-0.001, True), (120.001, True)])
def test_ends_of_a_range_belong_to_it(parcels: Parcels, value: float, refused: bool) -> None:
    parcels.columns["wind"][9] = value
    assert bool(found(parcels)) is refused


def test_range_may_be_open_on_one_side(parcels: Parcels) -> None:
    parcels.settings["columns"]["wind"]["range"] = [0, math.inf]
    assert found(parcels) == ()
    parcels.columns["wind"][9] = -1.0
    assert only(parcels).limit == "[0, inf] mph"


def test_label_may_be_boolean_and_numbers_of_any_width(parcels: Parcels) -> None:
    """A table need not come from ``ingest``."""
    parcels.columns["late"] = [bool(value) for value in parcels.columns["late"]]
    assert found(parcels, late=pa.bool_(), weight=pa.float32(), pieces=pa.int16()) == ()


def test_many_offending_rows_show_the_first_three(parcels: Parcels) -> None:
    for row in (5, 400, 80, 90):
        parcels.columns["wind"][row] = -float(row)
    finding = only(parcels)
    assert finding.count == 4
    assert finding.message.startswith("-5 at 2013-01-03 22:00, -80 at")
    assert finding.message.endswith("… are outside [0, 120] mph (4 rows)")


def test_missing_value_is_an_error_where_it_is_refused(parcels: Parcels) -> None:
    for row in range(14):
        parcels.columns["depot"][row] = None
    finding = only(parcels)
    assert (finding.severity, finding.kind, finding.count) == ("error", "missing", 14)
    assert finding.message == 'missing in 14 rows, and model.toml says missing = "refuse"'


@pytest.mark.parametrize("missing", [None, math.nan])
def test_missing_value_is_a_warning_where_it_is_imputed_and_frequent(parcels: Parcels, missing: float | None) -> None:
    """NULL and NaN mean the same: other tools write either."""
    for row in range(0, ROWS, 10):
        parcels.columns["wind"][row] = missing
    finding = only(parcels)
    assert (finding.severity, finding.kind) == ("warning", "missing")
    assert finding.message == "missing in 10.0 % of rows (60), to be imputed"


def test_rare_missing_value_that_is_imputed_is_no_finding(parcels: Parcels) -> None:
    parcels.columns["wind"][3] = None
    assert found(parcels) == ()


@pytest.mark.parametrize("column", ["wind", "depot"])
def test_column_without_a_value_is_an_error(parcels: Parcels, column: str) -> None:
    """Nothing can be imputed from nothing."""
    parcels.columns[column] = [None] * ROWS
    finding = only(parcels)
    assert (finding.severity, finding.kind, finding.column) == ("error", "all_missing", column)


def test_infinite_value_is_an_error(parcels: Parcels) -> None:
    parcels.columns["weight"][8] = math.inf
    finding = only(parcels)
    assert (finding.severity, finding.kind) == ("error", "infinite")
    assert "inf at 2013-01-05 16:00 is infinite (1 row)" in finding.message


def test_constant_column_is_a_warning(parcels: Parcels) -> None:
    parcels.columns["pieces"] = [2] * ROWS
    finding = only(parcels)
    assert (finding.severity, finding.kind) == ("warning", "constant")
    assert "is 2 in every row" in finding.message


def test_duplicate_keys_are_counted_and_shown(parcels: Parcels) -> None:
    parcels.columns["parcel_id"][10] = "P0003"
    parcels.columns["parcel_id"][11] = "P0003"
    finding = only(parcels)
    assert (finding.severity, finding.kind, finding.count) == ("error", "duplicate", 2)
    assert finding.examples == ("P0003 (3 times)",)


def test_missing_key_is_an_error(parcels: Parcels) -> None:
    parcels.columns["parcel_id"][10] = None
    parcels.columns["parcel_id"][11] = None
    finding = only(parcels)
    assert (finding.severity, finding.kind, finding.column, finding.count) == ("error", "missing", "parcel_id", 2)


def test_rows_loaded_twice_under_new_keys_are_a_warning(parcels: Parcels) -> None:
    for name, values in parcels.columns.items():
        again = [f"Q{number:04d}" for number in range(100)] if name == "parcel_id" else values[:100]
        values += again
    assert [(f.severity, f.kind, f.count) for f in found(parcels)] == [("warning", "duplicate_rows", 100)]


def test_missing_label_is_an_error(parcels: Parcels) -> None:
    parcels.columns["late"][0] = None
    assert [(f.kind, f.column, f.count) for f in found(parcels)] == [("missing", "late", 1)]


def test_label_that_is_neither_0_nor_1_is_an_error(parcels: Parcels) -> None:
    parcels.columns["late"][4] = 2
    finding = only(parcels)
    assert finding.message == "2 at 2013-01-03 08:00 is neither 0 nor 1 (1 row)"


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_only_is_an_error(parcels: Parcels, label: int) -> None:
    parcels.columns["late"] = [label] * ROWS
    finding = only(parcels)
    assert (finding.severity, finding.kind) == ("error", "label")
    assert finding.message.startswith(f"is {label} in every row")


def test_one_class_in_one_part_is_reported_there(parcels: Parcels) -> None:
    for row, sent in enumerate(parcels.columns["sent"]):
        if sent >= dt.datetime(2013, 10, 1):
            parcels.columns["late"][row] = 0
    finding = only(parcels)
    assert (finding.severity, finding.column) == ("warning", "late")
    assert "0 in every row of holdout" in finding.message


def test_missing_time_is_an_error(parcels: Parcels) -> None:
    parcels.columns["sent"][2] = None
    finding = only(parcels)
    assert (finding.severity, finding.kind, finding.column, finding.count) == ("error", "missing", "sent", 1)


def test_empty_part_is_an_error(parcels: Parcels) -> None:
    parcels.settings["split"] = {"validation_from": dt.date(2013, 8, 1), "holdout_from": dt.date(2020, 1, 1)}
    finding = only(parcels)
    assert (finding.severity, finding.kind, finding.column) == ("error", "split", "sent")
    assert "no row for holdout (from 2020-01-01 on): the table holds 2013-01-01 00:00:00 to" in finding.message


def test_missing_column_is_an_error(parcels: Parcels) -> None:
    del parcels.columns["depot"]
    finding = only(parcels)
    assert (finding.severity, finding.kind, finding.column) == ("error", "absent", "depot")


def test_wrong_type_is_an_error(parcels: Parcels) -> None:
    parcels.columns["pieces"] = [str(value) for value in parcels.columns["pieces"]]
    finding = only(parcels, pieces=pa.string())
    assert (finding.severity, finding.kind, finding.message) == ("error", "type", "is VARCHAR, expected an integer")


def test_slice_that_is_not_in_the_table_is_an_error(parcels: Parcels) -> None:
    """The gate needs it, and should not be the first to say so."""
    parcels.settings["gate"] = {"slices": ["region"]}
    assert [(f.kind, f.column) for f in found(parcels)] == [("absent", "region")]


def test_empty_table_is_one_error(parcels: Parcels) -> None:
    parcels.columns = {name: [] for name in parcels.columns}
    finding = only(parcels)
    assert (finding.severity, finding.kind, finding.message) == ("error", "empty", "the table has no rows")


def test_category_never_seen_in_training_is_a_warning_with_counts(parcels: Parcels) -> None:
    parcels.columns["depot"][-1] = "Dover"
    parcels.columns["depot"][-2] = "Dover"
    parcels.columns["depot"][-200] = "Ely"
    finding = only(parcels)
    assert (finding.severity, finding.kind, finding.count) == ("warning", "unseen", 3)
    assert finding.message == "Dover (2), Ely (1) never seen in training (3 rows of validation and holdout)"


def test_category_seen_only_in_training_is_no_finding(parcels: Parcels) -> None:
    parcels.columns["depot"][0] = "Dover"
    assert found(parcels) == ()


def test_drift_between_parts_names_the_parts_and_the_means(parcels: Parcels) -> None:
    for row, sent in enumerate(parcels.columns["sent"]):
        if sent >= dt.datetime(2013, 10, 1):
            parcels.columns["wind"][row] += 40
    finding = only(parcels)
    assert (finding.severity, finding.kind, finding.column) == ("warning", "drift", "wind")
    assert "training to holdout (PSI" in finding.message
    assert "validation" not in finding.message
    assert "mph" in finding.message


def test_drift_of_a_category_is_found(parcels: Parcels) -> None:
    for row, sent in enumerate(parcels.columns["sent"]):
        if sent >= dt.datetime(2013, 8, 1) and row % 4:
            parcels.columns["depot"][row] = "Ayr"
    finding = only(parcels)
    assert (finding.kind, finding.column) == ("drift", "depot")


def test_drift_limit_holds_its_promise_on_identical_distributions() -> None:
    """PSI above 0.1 alarms in 37 % of identical samples of 200; the limit must not, and must not be deaf either."""
    random = np.random.default_rng(3)
    share = np.full(10, 0.1)
    alarms = 0
    for _ in range(2000):
        a, b = (random.multinomial(200, share).astype(float) for _ in range(2))
        alarms += psi(a, b) > psi_limit(a, b, comparisons=1)
    assert alarms <= 40
    moved = random.multinomial(200, np.r_[np.full(5, 0.17), np.full(5, 0.03)]).astype(float)
    assert psi(np.full(10, 20.0), moved) > psi_limit(np.full(10, 20.0), moved, comparisons=1)


def test_column_declared_unavailable_blocks(parcels: Parcels) -> None:
    parcels.settings["unavailable_at_prediction"] = ["days_taken", "wind"]
    finding = only(parcels)
    assert (finding.severity, finding.kind, finding.column) == ("blocker", "leakage", "wind")
    assert "unavailable_at_prediction" in finding.message


def leak(parcels: Parcels, **changes: Any) -> None:
    parcels.settings["columns"] = {**parcels.settings["columns"], **changes}
    parcels.settings["unavailable_at_prediction"] = []


def test_column_that_knows_the_answer_blocks_without_being_declared(parcels: Parcels) -> None:
    """Whoever adds such a column has usually also taken it off the list."""
    leak(parcels, days_taken="int")
    finding = only(parcels)
    assert (finding.severity, finding.kind, finding.column) == ("blocker", "leakage", "days_taken")
    assert "ROC AUC 1.000" in finding.message


def test_leakage_is_found_in_either_direction(parcels: Parcels) -> None:
    leak(parcels, days_taken="int")
    parcels.columns["days_taken"] = [-value for value in parcels.columns["days_taken"]]
    assert only(parcels).column == "days_taken"


def test_leakage_by_category_is_found(parcels: Parcels) -> None:
    leak(parcels, days_taken="category")
    parcels.columns["days_taken"] = ["late" if late else "fine" for late in parcels.columns["late"]]
    assert only(parcels, days_taken=pa.string()).kind == "leakage"


def test_leakage_by_being_missing_is_found(parcels: Parcels) -> None:
    """A value that is only written once the outcome is known tells it by being there."""
    leak(parcels, days_taken={"type": "int", "missing": "impute"})
    parcels.columns["days_taken"] = [1 + row % 3 if late else None for row, late in enumerate(parcels.columns["late"])]
    assert ("blocker", "leakage", "days_taken") in [(f.severity, f.kind, f.column) for f in found(parcels)]


def test_column_far_above_the_others_blocks_below_the_absolute_limit(parcels: Parcels) -> None:
    """dep_delay alone gives 0.899: an absolute limit of 0.90 lets it pass."""
    leak(parcels, days_taken="float")
    noise = np.random.default_rng(1).normal(size=ROWS)
    parcels.columns["days_taken"] = [1.9 * late + n for late, n in zip(parcels.columns["late"], noise, strict=True)]
    finding = only(parcels, days_taken=pa.float64())
    assert finding.kind == "leakage"
    assert "ROC AUC 0.9" in finding.message or "ROC AUC 0.8" in finding.message


def test_good_honest_column_does_not_block(parcels: Parcels) -> None:
    leak(parcels, days_taken="float")
    noise = np.random.default_rng(1).normal(size=ROWS)
    parcels.columns["days_taken"] = [1.0 * late + n for late, n in zip(parcels.columns["late"], noise, strict=True)]
    assert found(parcels, days_taken=pa.float64()) == ()


def test_text_that_is_unique_to_each_row_does_not_predict_itself(parcels: Parcels) -> None:
    """Target rates on the same rows would give a unique text an AUC of 1."""
    leak(parcels, days_taken="category")
    parcels.columns["days_taken"] = [f"note {row}" for row in range(ROWS)]
    assert "leakage" not in {f.kind for f in found(parcels, days_taken=pa.string())}


def test_key_that_lists_one_class_first_is_a_warning(parcels: Parcels) -> None:
    order = sorted(range(ROWS), key=lambda row: parcels.columns["late"][row])
    for number, row in enumerate(order):
        parcels.columns["parcel_id"][row] = f"P{number:04d}"
    finding = only(parcels)
    assert (finding.severity, finding.kind, finding.column) == ("warning", "order", "parcel_id")


def test_grouped_auc_equals_the_definition() -> None:
    random = np.random.default_rng(0)
    score, label = random.integers(0, 20, 300).astype(float), random.integers(0, 2, 300)
    pairs = [(a > b) + 0.5 * (a == b) for a in score[label == 1] for b in score[label == 0]]
    assert auc(score, label, np.ones_like(label)) == pytest.approx(sum(pairs) / len(pairs))


def test_everything_wrong_is_reported_at_once_and_in_order(parcels: Parcels) -> None:
    parcels.columns["wind"][40] = 900.0
    parcels.columns["depot"][7] = None
    parcels.columns["depot"][-1] = "Dover"
    parcels.columns["parcel_id"][10] = "P0003"
    parcels.columns["late"][4] = 2
    parcels.columns["sent"][2] = None
    parcels.columns["weight"][8] = math.inf
    parcels.columns["pieces"] = ["1"] * ROWS
    parcels.settings["unavailable_at_prediction"] = ["weight", "nowhere"]
    findings = validate(parcels.model(), parcels.table(pieces=pa.string()))
    assert [(f.severity, f.kind, f.column) for f in findings.found] == [
        ("error", "duplicate", "parcel_id"),
        ("error", "missing", "sent"),
        ("error", "label", "late"),
        ("error", "infinite", "weight"),
        ("error", "type", "pieces"),
        ("error", "missing", "depot"),
        ("error", "range", "wind"),
        ("error", "absent", "nowhere"),
        ("blocker", "leakage", "weight"),
        ("warning", "unseen", "depot"),
    ]
    with pytest.raises(DataError, match="validate: 8 errors in dataset 'parcels'") as caught:
        findings.require_usable()
    assert caught.value.why == "Nothing was trained."


def test_text_lines_up_and_json_returns_the_same(parcels: Parcels) -> None:
    parcels.columns["wind"][71] = 1048.36058
    for row in range(14):
        parcels.columns["depot"][row] = None
    findings = validate(parcels.model(), parcels.table())
    assert findings.text().splitlines() == [
        "validate: 2 errors in dataset 'parcels'",
        '  depot  missing in 14 rows, and model.toml says missing = "refuse"',
        "  wind   1048.36 at 2013-02-11 10:00 is outside [0, 120] mph (1 row)",
    ]
    assert Findings.from_json(findings.to_json()) == findings
    assert findings.summary() == "2 errors, 0 warnings (depot missing, wind range)"


def test_usable_table_stops_nothing(parcels: Parcels) -> None:
    validate(parcels.model(), parcels.table()).require_usable()


def test_file_that_is_not_parquet_is_refused(parcels: Parcels, tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    path.write_text("not a table")
    with pytest.raises(DataError, match=r"cannot read the table table\.parquet"):
        validate(parcels.model(), path)
