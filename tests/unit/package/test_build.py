"""The whole build: what is in a package, what is not, and what is left when it fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pytest

from seatrial.errors import DataError, PackageError, ResourceError
from seatrial.package.build import Built, Labelled
from seatrial.package.candidate import Candidate, Fitted, FloatVector, Scalar, TrainingData
from seatrial.package.read import Package
from seatrial.package.signature import FloatMatrix, Signature
from tests.unit.package.example import CANDIDATES, build_example, logistic, model, table

FILES = {"model.onnx", "signature.json", "profile.json", "golden.json", "metrics.json", "lineage.json", "manifest.json"}
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", list(CANDIDATES))
def test_each_kind_of_candidate_agrees_with_its_framework(name: str, tmp_path: Path) -> None:
    """Missing values and all: what was trained is what is served."""
    result = build_example(tmp_path / "out", CANDIDATES[name])
    assert result.parity.rows == 400
    assert result.parity.max_abs < 1e-6
    assert {p.name for p in (tmp_path / "out").iterdir()} == FILES
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_the_package_records_what_it_was_made_of(built: Built) -> None:
    package = built.package
    assert package.metrics.rows.model_dump() == {"train": 600, "validation": 200, "holdout": 400}
    assert package.metrics.parity == built.parity
    assert isinstance(package.metrics.validation["accuracy"], float)
    assert package.lineage.candidate == "forest" and package.lineage.parameters["min_samples_leaf"] == 5
    assert {"python", "onnx", "scikit-learn"} <= package.lineage.versions.keys()
    assert package.signature == Signature.of(model())


@pytest.mark.parametrize(
    "columns",
    [
        {"month": "int", "wind_gust": {"type": "float", "missing": "impute"}},
        {"carrier": "category", "origin": {"type": "category", "missing": "impute"}},
    ],
)
def test_a_model_of_numbers_only_or_categories_only(columns: dict[str, Any], tmp_path: Path) -> None:
    result = build_example(tmp_path / "out", Candidate("logistic", logistic), model(columns))
    assert result.parity.max_abs < 1e-6
    assert result.package.replay_golden().passed
    names = {i.name for i in onnx.load(tmp_path / "out" / "model.onnx").graph.input}
    assert len(names) == 1 and names < {"numeric", "text"}


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    """Digests identify packages across machines, so nothing may depend on the process, its hash seed or the clock."""
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.unit.package.example", str(tmp_path / "there")]
    with subprocess.Popen(command, cwd=ROOT, env=environment) as elsewhere:
        for name, candidate in CANDIDATES.items():
            build_example(tmp_path / "here" / name, candidate)
        assert elsewhere.wait(timeout=120) == 0
    for name in CANDIDATES:
        for file in sorted(FILES):
            here, there = ((tmp_path / side / name / file).read_bytes() for side in ("here", "there"))
            assert here == there, f"{name}: {file}"


def test_another_seed_gives_another_digest(built: Built, tmp_path: Path) -> None:
    """The control of the test above: a digest that never changed would pass it too."""
    from tests.unit.package.example import lineage

    other = build_example(tmp_path / "out", CANDIDATES["forest"], lineage=lineage().model_copy(update={"seed": 8}))
    assert other.package.digest != built.package.digest


class Off:
    """A fitted estimator whose export is wrong by 0.026 where the framework says more than one half."""

    def __init__(self, right: Fitted) -> None:
        self.right = right

    @property
    def parameters(self) -> Mapping[str, Scalar]:
        return self.right.parameters

    def to_onnx(self) -> onnx.ModelProto:
        return self.right.to_onnx()

    def probability(self, x: FloatMatrix) -> FloatVector:
        p = self.right.probability(x)
        return np.where(p > 0.5, p - np.float32(0.026), p)


def test_a_converter_that_is_wrong_is_recorded_for_the_gate(tmp_path: Path) -> None:
    """The build does not decide and does not hide: the package says how wrong it is, where, and how often."""
    candidate = Candidate("off", lambda data: Off(logistic(data)), features=CANDIDATES["logistic"].features)
    parity = build_example(tmp_path / "out", candidate).package.metrics.parity
    assert parity.max_abs == pytest.approx(0.026, abs=1e-6)
    assert 0 < parity.noticeable_rows < parity.rows
    assert parity.package is not None and parity.package > 0.5


def test_a_candidate_learns_from_the_graphs_output_and_never_from_the_holdout(tmp_path: Path) -> None:
    seen: list[TrainingData] = []

    def fit(data: TrainingData) -> Fitted:
        seen.append(data)
        data.progress(1, 2, "half")
        return logistic(data)

    told: list[tuple[int, int, str]] = []
    candidate = Candidate("spy", fit, features=CANDIDATES["logistic"].features)
    build_example(tmp_path / "out", candidate, progress=lambda *step: told.append(step))
    (data,) = seen
    assert data.x.dtype == np.float32 and data.x.shape == (600, len(data.feature_names))
    assert data.x_validation.shape[0] == len(data.y_validation) == 200
    assert data.seed == 7 and told == [(1, 2, "half")]


def test_linear_algebra_runs_on_one_thread_while_fitting(tmp_path: Path) -> None:
    """Two threads add up in another order than one: the same inputs then gave another digest on another machine."""
    from threadpoolctl import threadpool_info

    threads: set[int] = set()

    def fit(data: TrainingData) -> Fitted:
        threads.update(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return logistic(data)

    build_example(tmp_path / "out", Candidate("spy", fit, features=CANDIDATES["logistic"].features), threads=2)
    assert threads == {1}


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_an_interrupted_build_leaves_nothing(error: type[BaseException], tmp_path: Path) -> None:
    def fit(data: TrainingData) -> Fitted:
        raise error

    with pytest.raises(error):
        build_example(tmp_path / "runs" / "out", Candidate("stopped", fit))
    assert not (tmp_path / "runs").exists()


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a full disk: half a package is worse than none."""

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResourceError, match="No space left on device"):
        build_example(tmp_path / "runs" / "out", CANDIDATES["logistic"])
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_package_is_never_overwritten_but_an_empty_folder_is_filled(tmp_path: Path) -> None:
    """A pipeline runner makes output folders beforehand."""
    out = tmp_path / "out"
    out.mkdir()
    build_example(out, CANDIDATES["logistic"])
    before = (out / "manifest.json").read_bytes()
    with pytest.raises(PackageError, match="already exists"):
        build_example(out, CANDIDATES["logistic"])
    assert (out / "manifest.json").read_bytes() == before


def test_empty_parts_and_a_single_label_are_named_together(tmp_path: Path) -> None:
    train = Labelled.of(table(50, 1), model())
    with pytest.raises(DataError) as caught:
        build_example(
            tmp_path / "out",
            CANDIDATES["logistic"],
            train=Labelled(train.packed, np.zeros(50, np.int8)),
            validation=Labelled.of(table(0, 1), model()),
            holdout=train.packed.take(slice(0, 0)),
        )
    assert "'validation' has no rows; 'holdout' has no rows; every training label is 0" in caught.value.what


@pytest.mark.parametrize("labels", [[0, 2, 1], [0, None, 1]])
def test_a_label_that_is_neither_0_nor_1_is_refused(labels: list[int | None]) -> None:
    data = table(3, 1).drop_columns(["late"]).append_column("late", pa.array(labels))
    with pytest.raises(DataError, match=r"label 'late' is (2|None) in row 1"):
        Labelled.of(data, model())


def test_a_table_without_label_is_refused() -> None:
    with pytest.raises(DataError, match="label 'late'"):
        Labelled.of(table(3, 1).drop_columns(["late"]), model())


def test_a_profile_that_is_no_object_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="profile is not a JSON object"):
        build_example(tmp_path / "out", CANDIDATES["logistic"], profile=b"[1]")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.zeros(2), np.float32(1)])
def test_a_metric_that_json_cannot_hold_is_an_answerable_error(value: Any, tmp_path: Path) -> None:
    """A metric without an answer is often NaN, and the build would end in a traceback about JSON."""
    with pytest.raises(PackageError, match="the score function reported a value that JSON cannot hold"):
        build_example(tmp_path / "out", CANDIDATES["logistic"], score=lambda y, p: {"roc_auc": value})
    assert list(tmp_path.iterdir()) == []


def test_a_parameter_that_json_cannot_hold_is_an_answerable_error(tmp_path: Path) -> None:
    class Odd(Off):
        parameters = {"rate": float("nan")}  # noqa: RUF012  (a read-only stand-in)

    candidate = Candidate("odd", lambda data: Odd(logistic(data)), features=CANDIDATES["logistic"].features)
    with pytest.raises(PackageError, match="odd reported a value"):
        build_example(tmp_path / "out", candidate)


def test_nan_answers_stop_the_build(tmp_path: Path) -> None:
    """A linear model on features with missing values answers NaN; better to hear of it now."""

    class Blind(Off):
        def probability(self, x: FloatMatrix) -> FloatVector:
            return np.full(len(x), np.nan, np.float32)

    candidate = Candidate("blind", lambda data: Blind(logistic(data)), features=CANDIDATES["logistic"].features)
    with pytest.raises(PackageError, match="gave nan for row 0"):
        build_example(tmp_path / "out", candidate)


def test_a_holdout_that_no_caller_could_send_is_refused(tmp_path: Path) -> None:
    holdout = Signature.of(model()).pack(table(20, 3))
    holdout.text[:, 0] = ""
    with pytest.raises(DataError, match="could be sent by a caller"):
        build_example(tmp_path / "out", CANDIDATES["logistic"], holdout=holdout)


def test_candidate_names_become_file_names() -> None:
    with pytest.raises(PackageError, match=r"\.\./evil"):
        Candidate("../evil", logistic)


def test_files_are_json_that_any_program_reads(built: Built) -> None:
    for name in FILES - {"model.onnx"}:
        json.loads((built.package.path / name).read_bytes())
    assert Package.open(built.package.path, digest=built.package.digest).digest == built.package.digest
