"""Logistic regression against scikit-learn, and its derivatives against differences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from training.scratch.arrays import Float32, Float64
from training.scratch.gradient_check import gradient_error, numerical_gradient
from training.scratch.logistic import fit_logistic, logistic_derivatives


def sample(n: int = 5000, k: int = 6, seed: int = 0) -> tuple[Float32, Float64]:
    """Numbers and two one-hot columns that add up to one."""
    generator = np.random.default_rng(seed)
    half = generator.integers(0, 2, n)
    x = np.column_stack((generator.standard_normal((n, k)), half, 1 - half))
    logit = x @ generator.standard_normal(k + 2) - 1
    return x.astype(np.float32), (generator.random(n) < 1 / (1 + np.exp(-logit))).astype(np.float64)


@pytest.mark.parametrize("l2", [1e-4, 1e-2])
def test_coefficients_are_scikit_learns(l2: float) -> None:
    """An independent implementation, by another method; another l2 gives other coefficients."""
    x, y = sample()
    model = fit_logistic(x, y, l2=l2)
    theirs = LogisticRegression(C=1 / (len(x) * l2), tol=1e-8, max_iter=2000).fit(x.astype(np.float64), y)
    np.testing.assert_allclose(model.weights, theirs.coef_[0], atol=1e-3)
    assert model.bias == pytest.approx(theirs.intercept_[0], abs=1e-3)
    np.testing.assert_allclose(model.probability(x), theirs.predict_proba(x)[:, 1], atol=1e-3)
    assert np.abs(fit_logistic(x, y, l2=2 * l2).weights - theirs.coef_[0]).max() > 1e-3
    assert model.parameters["converged"] == 1
    assert model.weights.dtype == np.float32


@settings(max_examples=20)
@given(n=st.integers(1, 8), k=st.integers(1, 5), seed=st.integers(0, 100))
def test_the_derivatives(n: int, k: int, seed: int) -> None:
    """First and second; a curvature without the penalty is seen."""
    generator = np.random.default_rng(seed)
    x, y = generator.standard_normal((n, k)), generator.integers(0, 2, n).astype(np.float64)
    theta = generator.standard_normal(k + 1)
    _, gradient, curvature = logistic_derivatives(theta, x, y, l2=0.3)
    assert gradient_error(lambda t: logistic_derivatives(t, x, y, l2=0.3)[0], gradient, theta) < 1e-6
    for row in range(k + 1):
        numeric = numerical_gradient(lambda t, row=row: float(logistic_derivatives(t, x, y, l2=0.3)[1][row]), theta)  # type: ignore[misc]  # mypy cannot type a default in a lambda
        np.testing.assert_allclose(curvature[row], numeric, atol=1e-6)
    _, unpenalised, _ = logistic_derivatives(theta, x, y, l2=0.0)
    assert gradient_error(lambda t: logistic_derivatives(t, x, y, l2=0.3)[0], unpenalised, theta) > 1e-4


def test_a_rare_category_counts_beside_a_column_of_large_numbers() -> None:
    """Its curvature is 1e-12 of the other's: a solver that judges by size alone would take it for rounding."""
    generator = np.random.default_rng(0)
    n = 20_000
    x = np.column_stack((1e5 * generator.standard_normal(n), np.arange(n) < 20)).astype(np.float64)
    y = (generator.random(n) < 0.3).astype(np.float64)
    y[:20] = np.arange(20) % 5 > 0  # 16 of 20
    model = fit_logistic(x, y, l2=0.0)
    assert model.probability(x[:20] * [0, 1]).mean() == pytest.approx(0.8, abs=0.01)


def test_without_a_penalty_repeated_columns_share_the_weight() -> None:
    """The matrix of second derivatives is singular then; the predictions are still unique."""
    x, y = sample(n=2000)
    alone, doubled = fit_logistic(x, y, l2=0.0), fit_logistic(np.hstack((x, x)), y, l2=0.0)
    np.testing.assert_allclose(doubled.probability(np.hstack((x, x))), alone.probability(x), atol=1e-5)
    assert np.abs(doubled.weights).max() < 10


def test_separable_classes_stay_finite_with_a_penalty() -> None:
    """Where one column tells the classes apart, only l2 holds its weight, and Newton's step must not run away."""
    x = np.linspace(-1, 1, 200)[:, None]
    model = fit_logistic(x, x[:, 0] > 0, l2=1e-6)
    assert model.parameters["converged"] == 1
    assert 10 < model.weights[0] < 1e4


def test_running_out_of_steps_is_recorded() -> None:
    """The lineage must say that a fit was cut short."""
    x, y = sample(n=500)
    heard: list[tuple[int, int]] = []
    model = fit_logistic(x, y, iterations=1, progress=lambda done, total, text: heard.append((done, total)))
    assert model.parameters["converged"] == 0
    assert heard == [(1, 1)]
