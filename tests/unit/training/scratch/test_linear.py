"""Linear regression against numpy's solver, and gradient descent against both."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.errors import DataError
from training.scratch.arrays import Float64
from training.scratch.gradient_check import gradient_error
from training.scratch.linear import fit_linear, fit_linear_by_descent, linear_loss


def sample(n: int, k: int, seed: int = 0) -> tuple[Float64, Float64]:
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((n, k))
    return x, x @ generator.standard_normal(k) + 0.7 + 0.1 * generator.standard_normal(n)


def reference(x: Float64, y: Float64, l2: float = 0.0) -> Float64:
    """numpy's solution, with the penalty as further rows."""
    n, k = x.shape
    design = np.vstack((np.column_stack((x, np.ones(n))), np.column_stack((np.sqrt(n * l2) * np.eye(k), np.zeros(k)))))
    solution: Float64 = np.linalg.lstsq(design, np.concatenate((y, np.zeros(k))), rcond=None)[0]
    return solution


@settings(max_examples=25)
@given(n=st.integers(1, 30), k=st.integers(1, 8), l2=st.sampled_from([0.0, 0.1]), seed=st.integers(0, 100))
def test_least_squares_is_numpys(n: int, k: int, l2: float, seed: int) -> None:
    """Also with fewer rows than columns, where the smallest of many exact solutions is meant."""
    x, y = sample(n, k, seed)
    model = fit_linear(x, y, l2=l2)
    np.testing.assert_allclose([*model.weights, model.bias], reference(x, y, l2), rtol=1e-4, atol=1e-5)


def test_blocks_of_rows_change_nothing() -> None:
    """10,000 rows are three blocks."""
    x, y = sample(10_000, 5)
    model = fit_linear(x, y)
    np.testing.assert_allclose([*model.weights, model.bias], reference(x, y), rtol=1e-6)


def test_columns_that_repeat_each_other_are_no_problem() -> None:
    """Every one-hot column beside a bias is such a case; the normal equations return noise or fail."""
    generator = np.random.default_rng(0)
    x = np.eye(4)[generator.integers(0, 4, 9000)]
    y = x @ [1.0, 2.0, 3.0, 4.0]
    model = fit_linear(x, y)
    np.testing.assert_allclose([*model.weights, model.bias], reference(x, y), atol=1e-6)
    np.testing.assert_allclose(model.predict(x), y, atol=1e-5)


def test_large_offsets_do_not_cost_the_digits() -> None:
    """Years near 2013 square to a condition number near 1e13, which is what the normal equations would work with."""
    x, _ = sample(5000, 2)
    x[:, 0] += 1e6
    y = 2 * x[:, 0] - x[:, 1]
    np.testing.assert_allclose(fit_linear(x, y).weights, [2, -1], rtol=1e-6)


@settings(max_examples=20)
@given(n=st.integers(1, 8), k=st.integers(1, 6), seed=st.integers(0, 100))
def test_the_gradient(n: int, k: int, seed: int) -> None:
    """With the penalty, which must leave the bias alone; forgetting either is seen."""
    x, y = sample(n, k, seed)
    theta = np.random.default_rng(seed).standard_normal(k + 1)
    _, gradient = linear_loss(theta, x, y, l2=0.3)
    _, unpenalised = linear_loss(theta, x, y, l2=0.0)

    def loss(theta: Float64) -> float:
        return linear_loss(theta, x, y, l2=0.3)[0]

    assert gradient_error(loss, gradient.astype(np.float64), theta) < 1e-6
    assert gradient_error(loss, unpenalised.astype(np.float64), theta) > 1e-4
    assert gradient_error(loss, unpenalised.astype(np.float64) + 0.3 * theta, theta) > 1e-4


@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_descent_arrives_where_the_solver_does(l2: float) -> None:
    """Two ways to one minimum; at the rate that the curvature allows, without tuning."""
    x, y = sample(500, 6)
    x[:, 0] *= 5
    exact, walked = fit_linear(x, y, l2=l2), fit_linear_by_descent(x, y, l2=l2)
    np.testing.assert_allclose(walked.weights, exact.weights, atol=1e-4)
    assert walked.bias == pytest.approx(exact.bias, abs=1e-4)
    assert isinstance(walked.parameters["steps"], int)
    assert walked.parameters["steps"] < 2000
    assert walked.weights.dtype == np.float32


def test_descent_that_overshoots_says_so() -> None:
    """Three times the right rate makes each step worse than the one before."""
    x, y = sample(100, 3)
    with pytest.raises(DataError, match="diverged after"):
        fit_linear_by_descent(x, y, learning_rate=10.0)


def test_descent_reports_progress() -> None:
    """Every hundredth step and the last."""
    x, y = sample(50, 2)
    heard: list[int] = []
    fit_linear_by_descent(x, y, steps=250, tolerance=0.0, progress=lambda done, total, text: heard.append(done))
    assert heard == [100, 200, 250]
