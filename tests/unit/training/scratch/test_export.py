"""Every exported graph, run by onnxruntime, answers as the model does."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import pytest

from training.scratch import export
from training.scratch.arrays import Array, Float32
from training.scratch.layers import ActivationName, Dense
from training.scratch.linear import fit_linear
from training.scratch.logistic import fit_logistic
from training.scratch.network import fit_network

GENERATOR = np.random.default_rng(0)
X = np.hstack((GENERATOR.standard_normal((1000, 20)), np.eye(8)[GENERATOR.integers(0, 8, 1000)])).astype(np.float32)
Y = (X[:, 0] * X[:, 1] + X[:, 20] > 0).astype(np.int8)
TOLERANCE = 1e-6


def run(model: onnx.ModelProto, x: Float32) -> npt.NDArray[Any]:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == ["features"]
    (answer,) = session.run(None, {"features": x})
    return np.asarray(answer)


@pytest.mark.parametrize("rows", [0, 1, 1000])
@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh"])
@pytest.mark.parametrize("hidden", [(), (16,), (64, 32)])
def test_the_networks_graph_answers_as_the_network(
    rows: int, activation: ActivationName, hidden: tuple[int, ...]
) -> None:
    """Parity is a condition of the gate; 0 rows and 1 row are where shapes go wrong."""
    model = fit_network(X, Y, X, Y, hidden=hidden, activation=activation, epochs=2, learning_rate=0.01)
    agree(model.to_onnx(), X[:rows], model.probability(X[:rows]), "probability")


@pytest.mark.parametrize("rows", [0, 1, 1000])
def test_the_logistic_graph_answers_as_the_model(rows: int) -> None:
    """The same, for the one whose weights are not trained in float32."""
    model = fit_logistic(X, Y)
    agree(model.to_onnx(), X[:rows], model.probability(X[:rows]), "probability")


@pytest.mark.parametrize("rows", [0, 1, 1000])
def test_the_linear_graph_answers_as_the_model(rows: int) -> None:
    """Its output is a prediction and not a probability, and is called so."""
    model = fit_linear(X, X[:, 3] - 2 * X[:, 21])
    agree(model.to_onnx(), X[:rows], model.predict(X[:rows]), "prediction")


def agree(model: onnx.ModelProto, x: Float32, expected: Float32, output: str) -> None:
    answer = run(model, x)
    assert [o.name for o in model.graph.output] == [output]
    assert answer.shape == (len(x),)
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer, expected, rtol=0, atol=TOLERANCE)


def test_parity_notices_a_wrong_graph() -> None:
    """The control: one weight, changed by a thousandth."""
    model = fit_logistic(X, Y)
    weights = model.weights.copy()
    weights[0] += 1e-3
    answer = run(export.logistic(weights, model.bias), X)
    assert np.abs(answer - model.probability(X)).max() > TOLERANCE


def test_extreme_features_give_a_probability() -> None:
    """exp overflows in the obvious sigmoid; a graph must answer 0 or 1 and not NaN."""
    model = fit_logistic(X, Y)
    np.testing.assert_allclose(run(model.to_onnx(), X * 1e6), model.probability(X * 1e6), atol=TOLERANCE)


def test_the_graph_is_within_what_a_package_merges() -> None:
    """Opset 17 to 21, IR version at most 10, a name that never changes, and a free number of rows."""
    for model in (fit_logistic(X, Y).to_onnx(), fit_network(X, Y, X, Y, epochs=1, activation="gelu").to_onnx()):
        assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)]
        assert model.ir_version <= 10
        assert model.graph.name in ("logistic", "network")
        dimensions = model.graph.input[0].type.tensor_type.shape.dim
        assert (dimensions[0].dim_param, dimensions[1].dim_value) == ("N", 28)
        for version in (18, 21):
            onnx.version_converter.convert_version(model, version)


def test_the_same_weights_give_the_same_bytes() -> None:
    """Digests of packages are compared; other weights are the control."""
    first, second = fit_logistic(X, Y), fit_logistic(X, Y)
    assert first.to_onnx().SerializeToString() == second.to_onnx().SerializeToString()
    assert first.to_onnx().SerializeToString() != fit_logistic(X, Y, l2=0.1).to_onnx().SerializeToString()


class Square:
    """A layer that nobody has written an export for."""

    def apply(self, x: Array) -> Array:
        return x * x

    def forward(self, x: Array, generator: np.random.Generator) -> tuple[Array, Array]:
        return x * x, 2 * x

    def input_gradient(self, memory: Array, gradient: Array) -> Array:
        return gradient * memory

    def weight_gradients(self, memory: Array, gradient: Array) -> tuple[Array, ...]:
        return ()


def test_a_layer_without_an_export_is_refused() -> None:
    """Left out in silence, it would be a graph that answers, wrongly."""
    dense = Dense(np.ones((2, 1)), np.ones(1))
    with pytest.raises(TypeError, match="no export is written for Square"):
        export.network([Square(), dense], columns=2)
