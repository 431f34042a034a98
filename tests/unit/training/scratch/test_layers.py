"""Each layer's backward pass against its forward pass, and what dropout promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.scratch.arrays import Array, Float64
from training.scratch.gradient_check import gradient_error, numerical_gradient
from training.scratch.layers import ActivationName, Dense, Dropout, Gelu, Layer, Relu, Tanh

RIGHT = 1e-6
"""A right gradient is off by about 1e-9."""
SEED = 5

sizes = st.integers(1, 6)
quick = settings(max_examples=25)


def weighted_output(layer: Layer, x: Float64, weights: Float64) -> float:
    """A number that depends on every output: its derivative by the output is ``weights``."""
    return float((layer.forward(x, np.random.default_rng(SEED))[0] * weights).sum())


def input_error(layer: Layer, x: Float64, weights: Float64) -> float:
    _, memory = layer.forward(x, np.random.default_rng(SEED))
    return gradient_error(
        lambda x: weighted_output(layer, x, weights), layer.input_gradient(memory, weights).astype(np.float64), x
    )


def dense(inputs: int, outputs: int, generator: np.random.Generator) -> Dense:
    return Dense(generator.standard_normal((inputs, outputs)), generator.standard_normal(outputs))


@quick
@given(n=sizes, inputs=sizes, outputs=sizes, seed=st.integers(0, 1000))
def test_dense_gradients(n: int, inputs: int, outputs: int, seed: int) -> None:
    """All three: by the input, by the weight and by the bias, for any shape, one row and one unit included."""
    generator = np.random.default_rng(seed)
    layer = dense(inputs, outputs, generator)
    x, weights = generator.standard_normal((n, inputs)), generator.standard_normal((n, outputs))
    assert input_error(layer, x, weights) < RIGHT

    by_weight, by_bias = layer.weight_gradients(x, weights)
    assert (
        gradient_error(lambda w: weighted_output(Dense(w, layer.bias), x, weights), as64(by_weight), as64(layer.weight))
        < RIGHT
    )
    assert (
        gradient_error(lambda b: weighted_output(Dense(layer.weight, b), x, weights), as64(by_bias), as64(layer.bias))
        < RIGHT
    )


@pytest.mark.parametrize("layer", [Relu(), Gelu(), Tanh(), Dropout(0.4)], ids=lambda layer: type(layer).__name__)
@quick
@given(n=sizes, units=sizes, seed=st.integers(0, 1000))
def test_elementwise_gradients(layer: Layer, n: int, units: int, seed: int) -> None:
    """A slope that is wrong only for large or negative inputs still counts: the inputs reach to about 6."""
    generator = np.random.default_rng(seed)
    x, weights = 2 * generator.standard_normal((n, units)), generator.standard_normal((n, units))
    assert input_error(layer, x, weights) < RIGHT


class ForgetfulTanh(Tanh):
    """Uses 1 - y where it should use 1 - y**2."""

    def forward(self, x: Array, generator: np.random.Generator) -> tuple[Array, Array]:
        y = self.apply(x)
        return y, 1 - y


class TransposedDense(Dense):
    """Sends the blame back through the weights the wrong way round."""

    def input_gradient(self, memory: Array, gradient: Array) -> Array:
        blame: Array = gradient @ self.weight
        return blame


def test_a_wrong_gradient_is_caught() -> None:
    """The check must be able to fail: two classical mistakes, and a factor of 1.01."""
    generator = np.random.default_rng(1)
    x, weights = generator.standard_normal((4, 3)), generator.standard_normal((4, 3))
    assert input_error(ForgetfulTanh(), x, weights) > 1e-2
    layer = dense(3, 3, generator)
    assert input_error(TransposedDense(layer.weight, layer.bias), x, weights) > 1e-2

    right = weights * (1 - np.tanh(x) ** 2)
    assert gradient_error(lambda x: weighted_output(Tanh(), x, weights), right, x) < RIGHT
    assert gradient_error(lambda x: weighted_output(Tanh(), x, weights), 1.01 * right, x) > 1e-3
    assert gradient_error(lambda x: weighted_output(Tanh(), x, weights), right[:, :2], x) == float("inf")


def test_the_numerical_gradient_of_a_known_function() -> None:
    """The judge is judged by a derivative from a table, and leaves the point alone."""
    point = np.array([[1.0, -2.0], [0.5, 3.0]])
    before = point.copy()
    np.testing.assert_allclose(numerical_gradient(lambda p: float((p**3).sum()), point), 3 * point**2, rtol=1e-8)
    np.testing.assert_array_equal(point, before)


def test_gelu_is_the_normal_distribution_times_its_input() -> None:
    """Values of x * Phi(x) from a table of the normal distribution; the tanh form is good to 5e-4."""
    x = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    table = x * np.array([0.0227501, 0.1586553, 0.5, 0.8413447, 0.9772499])
    np.testing.assert_allclose(Gelu().apply(x), table, atol=5e-4)


def test_dropout_does_nothing_in_prediction() -> None:
    """A prediction that depends on chance cannot be replayed."""
    x = np.ones((3, 4), dtype=np.float32)
    assert Dropout(0.5).apply(x) is x


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_dropout_keeps_the_expectation(rate: float) -> None:
    """The layers behind it are trained on the scale that they will meet in prediction."""
    x = np.full((1000, 200), 3.0, dtype=np.float32)
    y, slope = Dropout(rate).forward(x, np.random.default_rng(0))
    assert (y == 0).mean() == pytest.approx(rate, abs=0.005)
    assert y.mean() == pytest.approx(3.0, rel=0.015)
    assert set(np.unique(slope)) == {np.float32(0), np.float32(1 / (1 - rate))}
    assert y.dtype == np.float32


@pytest.mark.parametrize("feeds", ["relu", "gelu", "tanh", None])
def test_first_weights_keep_the_size_of_a_signal(feeds: ActivationName | None) -> None:
    """Ten layers must neither fade nor explode: He's and Glorot's variances, seen on the weights."""
    layer = Dense(np.empty((400, 100)), np.ones(100))
    layer.initialise(np.random.default_rng(0), feeds)
    expected = 2 / 400 if feeds in ("relu", "gelu") else 2 / 500
    assert layer.weight.var() == pytest.approx(expected, rel=0.03)
    assert not layer.bias.any()


def test_float32_stays_float32() -> None:
    """One float64 constant would silently double the memory and halve the speed of everything behind it."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal((5, 3)).astype(np.float32)
    layer = Dense(np.ones((3, 3), dtype=np.float32), np.ones(3, dtype=np.float32))
    for each in (layer, Relu(), Gelu(), Tanh(), Dropout(0.3)):
        y, memory = each.forward(x, generator)
        produced = (y, memory, each.apply(x), each.input_gradient(memory, y), *each.weight_gradients(memory, y))
        assert {array.dtype for array in produced} == {np.dtype(np.float32)}


def as64(array: Array) -> Float64:
    return array.astype(np.float64)
