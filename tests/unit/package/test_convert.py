"""The converters' known mistakes, each seeded and seen, and their repair."""

from __future__ import annotations

import math

import lightgbm
import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from seatrial.errors import PackageError
from seatrial.package import convert, graph
from seatrial.package.candidate import Fitted, FloatVector, LabelVector
from seatrial.package.convert import LightGbm, SklearnClassifier, down
from seatrial.package.signature import FloatMatrix


def evaluate(model: onnx.ModelProto, x: FloatMatrix) -> FloatVector:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(graph.to_bytes(model), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["probability"], {"features": x})[0], np.float32)


def difference(fitted: Fitted, x: FloatMatrix) -> float:
    return float(np.abs(evaluate(fitted.to_onnx(), x) - fitted.probability(x)).max())


@pytest.fixture(scope="module")
def data() -> tuple[FloatMatrix, LabelVector]:
    """Missing values that matter, and a column of three neighbouring float32 values."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 4)).astype(np.float32)
    x[::5, 1] = np.nan
    one = np.float32(1)
    two = np.nextafter(one, np.float32(2))
    x[:, 2] = np.array([one, two, np.nextafter(two, np.float32(2))])[rng.integers(0, 3, 2000)]
    y = (x[:, 0] + 2 * (x[:, 2] > 1) + np.isnan(x[:, 1]) + rng.normal(size=2000) > 1.5).astype(np.int8)
    return x, y


@pytest.mark.parametrize("kind", [RandomForestClassifier, ExtraTreesClassifier, DecisionTreeClassifier])
def test_trees_send_missing_values_where_training_did(
    kind: type, data: tuple[FloatMatrix, LabelVector], monkeypatch: pytest.MonkeyPatch
) -> None:
    """skl2onnx sends every missing value right. Without the repair this forest is off by more than 0.1."""
    x, y = data
    trees = {} if kind is DecisionTreeClassifier else {"n_estimators": 10}
    fitted = SklearnClassifier(kind(min_samples_leaf=5, random_state=0, **trees).fit(x, y))
    never_missing_in_training = x.copy()
    never_missing_in_training[:, 0] = np.nan
    assert difference(fitted, x) < 1e-6
    assert difference(fitted, never_missing_in_training) < 1e-6
    monkeypatch.setattr(convert, "_copy_missing_directions", lambda model, estimator: None)
    assert difference(fitted, x) > 0.1


def boosted(data: tuple[FloatMatrix, LabelVector], **parameters: object) -> lightgbm.Booster:
    settings = {"objective": "binary", "verbose": -1, "num_threads": 1, "min_data_in_bin": 1, "max_bin": 3000}
    return lightgbm.train({**settings, **parameters}, lightgbm.Dataset(*data), 20)


def test_thresholds_between_neighbouring_floats_keep_their_side(
    data: tuple[FloatMatrix, LabelVector], monkeypatch: pytest.MonkeyPatch
) -> None:
    """onnxmltools rounds a threshold to the nearest float32. Without the repair this model is off by more than 0.1."""
    fitted = LightGbm(boosted(data))
    assert difference(fitted, data[0]) < 1e-6
    monkeypatch.setattr(convert, "down", lambda threshold: threshold)
    assert difference(fitted, data[0]) > 0.1


def test_missing_values_that_lightgbm_never_saw(data: tuple[FloatMatrix, LabelVector]) -> None:
    x = data[0].copy()
    x[:, 0] = np.nan
    assert difference(LightGbm(boosted(data)), x) < 1e-6


def test_early_stopping_exports_the_best_round(data: tuple[FloatMatrix, LabelVector]) -> None:
    """The booster predicts with its best round; a graph of all rounds would answer something else."""
    x, y = data
    noise = np.random.default_rng(1).integers(0, 2, len(y)).astype(np.int8)
    booster = lightgbm.train(
        {"objective": "binary", "verbose": -1, "num_threads": 1},
        lightgbm.Dataset(x, y),
        20,
        valid_sets=[lightgbm.Dataset(x, noise)],
        callbacks=[lightgbm.early_stopping(3, verbose=False)],
        keep_training_booster=True,
    )
    fitted = LightGbm(booster)
    assert booster.best_iteration < booster.num_trees()
    assert fitted.parameters["trees"] == booster.best_iteration
    assert difference(fitted, x) < 1e-6


def test_another_objective_is_refused(data: tuple[FloatMatrix, LabelVector]) -> None:
    with pytest.raises(PackageError, match="not trained with the objective 'binary'"):
        LightGbm(boosted(data, objective="regression"))


def test_a_classifier_that_saw_one_class_is_refused(data: tuple[FloatMatrix, LabelVector]) -> None:
    """Column 1 of its probabilities does not exist, or means something else."""
    with pytest.raises(PackageError, match="not 0 and 1"):
        SklearnClassifier(DummyClassifier().fit(data[0], np.ones(2000, np.int8)))


def test_an_estimator_without_converter_is_an_answerable_error(data: tuple[FloatMatrix, LabelVector]) -> None:
    with pytest.raises(PackageError, match="DummyClassifier cannot be exported to ONNX") as caught:
        SklearnClassifier(DummyClassifier().fit(*data)).to_onnx()
    assert "to_onnx" in caught.value.todo


def test_parameters_leave_out_what_differs_between_machines(data: tuple[FloatMatrix, LabelVector]) -> None:
    forest = RandomForestClassifier(5, n_jobs=2, random_state=3).fit(*data)
    given = SklearnClassifier(forest).parameters
    assert "n_jobs" not in given and given["random_state"] == 3
    assert "num_threads" not in LightGbm(boosted(data)).parameters


@given(st.floats(allow_nan=False), st.floats(width=32, allow_nan=False))
def test_down_decides_every_float32_as_the_double_did(threshold: float, x: float) -> None:
    """The reason why rounding down loses nothing."""
    assert (x <= threshold) == (x <= down(threshold))
    assert down(threshold) == float(np.float32(down(threshold))) or math.isinf(down(threshold))
