"""The network as a whole: backpropagation, what it can learn, and that a seed decides everything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.datasets import make_moons
from sklearn.metrics import roc_auc_score

from seatrial.errors import DataError
from training.scratch.arrays import Array, Float32, Float64
from training.scratch.gradient_check import gradient_error
from training.scratch.layers import ActivationName, Relu
from training.scratch.logistic import fit_logistic
from training.scratch.network import Network, fit_network, new_network


def check(network: Network, x: Float64, y: Float64, spoil: Array | float = 0.0) -> float:
    """The gradient's error at random weights: zero biases would put ReLU's inputs on its corner."""
    start = np.random.default_rng(3).standard_normal(network.theta.shape)

    def at(theta: Float64) -> tuple[float, Array]:
        network.theta[:] = theta
        return network.loss_and_gradient(x, y, l2=0.1, generator=np.random.default_rng(4))

    gradient = at(start)[1].astype(np.float64) + spoil
    return gradient_error(lambda theta: at(theta)[0], gradient, start)


@settings(max_examples=30)
@given(
    n=st.integers(1, 6),
    columns=st.integers(1, 5),
    hidden=st.lists(st.integers(1, 5), max_size=3),
    activation=st.sampled_from(["relu", "gelu", "tanh"]),
    dropout=st.sampled_from([0.0, 0.4]),
    seed=st.integers(0, 1000),
)
def test_backpropagation_is_the_derivative_of_the_loss(
    n: int, columns: int, hidden: list[int], activation: ActivationName, dropout: float, seed: int
) -> None:
    """Every weight and bias of every shape, with dropout and the penalty, through the code that trains."""
    generator = np.random.default_rng(seed)
    network = new_network(
        columns, hidden=hidden, activation=activation, dropout=dropout, generator=generator, dtype=np.float64
    )
    x, y = generator.standard_normal((n, columns)), generator.integers(0, 2, n).astype(np.float64)
    error = check(network, x, y)
    assume(not on_a_corner(network, x))  # ReLU has no derivative there
    assert error < 1e-6


def on_a_corner(network: Network, x: Float64) -> bool:
    """Whether a ReLU's input is so near to 0 that a step of the check could take it to the other side."""
    generator, near = np.random.default_rng(4), False
    for layer in network.layers:
        near = near or (isinstance(layer, Relu) and float(abs(x).min()) < 1e-3)
        x = layer.forward(x, generator)[0].astype(np.float64)
    return near


def test_a_penalty_on_the_biases_is_caught() -> None:
    """The control: the check sees a gradient that is wrong in the biases only."""
    generator = np.random.default_rng(0)
    network = new_network(3, hidden=(4,), generator=generator, dtype=np.float64)
    x, y = generator.standard_normal((5, 3)), np.array([0.0, 1, 0, 1, 1])
    assert check(network, x, y) < 1e-6
    assert check(network, x, y, spoil=0.1 * (1 - network.penalised)) > 1e-3


def test_layers_see_what_the_optimiser_writes() -> None:
    """The layers hold views of theta: training a copy would change nothing."""
    network = new_network(2, hidden=(3,), generator=np.random.default_rng(0))
    x = np.ones((1, 2), dtype=np.float32)
    before = network.logit(x)
    network.theta[:] = 0
    assert before[0] != 0
    assert network.logit(x)[0] == 0


def moons(n: int, seed: int) -> tuple[Float32, Float64]:
    x, y = make_moons(n, noise=0.2, random_state=seed)
    return x.astype(np.float32), y.astype(np.float64)


@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh"])
def test_two_moons_are_learned(activation: ActivationName) -> None:
    """A line cannot separate them; the same network without a hidden layer is the control."""
    x, y = moons(2000, 0)
    validation, test = moons(500, 1), moons(2000, 2)
    network = fit_network(
        x, y, *validation, activation=activation, dropout=0, l2=1e-5, batch=64, learning_rate=0.03, epochs=30
    )
    line = fit_network(x, y, *validation, hidden=(), batch=64, learning_rate=0.03, epochs=30, patience=30)
    assert roc_auc_score(test[1], network.probability(test[0])) > 0.985
    assert roc_auc_score(test[1], line.probability(test[0])) < 0.97


def test_exclusive_or_is_learned() -> None:
    """The four points that ended the perceptron (Minsky & Papert 1969) and that hidden units solve."""
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=np.float32)
    y = np.array([0, 1, 1, 0])
    network = fit_network(
        x, y, x, y, hidden=(16,), dropout=0.0, l2=0.0, learning_rate=0.05, batch=4, epochs=300, patience=300
    )
    p = network.probability(x)
    assert ((p > 0.9) == (y == 1)).all()
    assert ((p < 0.1) == (y == 0)).all()


def test_without_hidden_layers_it_is_logistic_regression() -> None:
    """Adam in mini-batches and Newton's exact steps, written apart, meet in one minimum."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal((4000, 3)).astype(np.float32)
    y = generator.random(4000) < 1 / (1 + np.exp(-(x @ [1.0, -2.0, 0.5] - 1)))
    exact = fit_logistic(x, y, l2=1e-6)
    walked = fit_network(x, y, x, y, hidden=(), l2=1e-6, learning_rate=0.05, batch=200, epochs=20, patience=20)
    np.testing.assert_allclose(walked.probability(x), exact.probability(x), atol=5e-3)


def test_a_seed_decides_everything() -> None:
    """The digest of a package is compared between runs; another seed is the control."""
    x, y = moons(600, 0)

    def bytes_of(seed: int) -> bytes:
        model = fit_network(x, y, x, y, epochs=3, seed=seed, dropout=0.3)
        serialised: bytes = model.to_onnx().SerializeToString()
        return serialised

    assert bytes_of(7) == bytes_of(7)
    assert bytes_of(7) != bytes_of(8)


def test_it_trains_in_float32() -> None:
    """Weights and answers; the arithmetic between them is the layers' test."""
    x, y = moons(200, 0)
    model = fit_network(x, y, x, y, epochs=2)
    assert model.theta.dtype == np.float32
    assert (
        model.loss_and_gradient(x, y.astype(np.float32), l2=0.1, generator=np.random.default_rng(0))[1].dtype
        == np.float32
    )
    assert model.probability(x).dtype == np.float32


def test_what_early_stopping_found_is_recorded() -> None:
    """The lineage of a package says with which settings it was trained, and when it stopped."""
    x, y = moons(300, 0)
    heard: list[int] = []
    model = fit_network(
        x, y, *moons(100, 1), epochs=5, patience=5, progress=lambda done, total, text: heard.append(done)
    )
    found = model.parameters
    assert found["hidden"] == "64x32"
    assert found["epochs_run"] == 5 == len(heard)
    assert isinstance(found["best_epoch"], int)
    assert isinstance(found["validation_log_loss"], float)
    assert {type(value) for value in found.values()} <= {int, float, str}


def test_the_restored_weights_have_the_recorded_loss() -> None:
    """What is returned is the best epoch's network and not the last one's: here the training labels are noise."""
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((200, 10)), generator.integers(0, 2, 200)
    x_validation, y_validation = generator.standard_normal((200, 10)), generator.integers(0, 2, 200)
    model = fit_network(x, y, x_validation, y_validation, dropout=0, learning_rate=0.01, batch=20, epochs=10)
    p = model.probability(x_validation).astype(np.float64)
    loss = -np.log(np.where(y_validation == 1, p, 1 - p)).mean()
    assert model.parameters["best_epoch"] != model.parameters["epochs_run"]
    assert loss == pytest.approx(model.parameters["validation_log_loss"], rel=1e-5)


def test_training_that_diverges_is_an_error() -> None:
    """Weights that left the range of float32 answer NaN: that must not look like a fitted network."""
    x, y = moons(100, 0)
    with pytest.raises(DataError, match="diverged in epoch 1"):
        fit_network(x, y, x, y, learning_rate=1e30)
