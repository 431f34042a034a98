"""The losses: right where they are easy, finite where they are not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.scratch.arrays import Array, FloatType
from training.scratch.gradient_check import gradient_error
from training.scratch.loss import (
    half_squared_error,
    half_squared_error_gradient,
    log_loss,
    log_loss_gradient,
    sigmoid,
)


def test_log_loss_is_the_mean_negative_log_likelihood() -> None:
    """Against the definition, on numbers that need no care: log 4 is the price of giving 1/4 to what happened."""
    p = np.array([0.25, 0.5, 0.9])
    y = np.array([1.0, 0.0, 1.0])
    expected = -(np.log(0.25) + np.log(0.5) + np.log(0.9)) / 3
    assert log_loss(np.log(p / (1 - p)), y) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_logits_stay_finite(dtype: FloatType) -> None:
    """exp(1000) is infinite and log(0) too; warnings are errors here, so neither may even be tried."""
    logit: Array = np.array([-1000.0, -100.0, 0.0, 100.0, 1000.0]).astype(dtype)
    np.testing.assert_allclose(sigmoid(logit), [0, 0, 0.5, 1, 1], atol=1e-40)
    assert log_loss(logit, np.zeros(5, dtype=dtype)) == pytest.approx((0 + 0 + np.log(2) + 100 + 1000) / 5, rel=1e-6)
    assert sigmoid(logit).dtype == dtype


def test_the_obvious_formula_fails_there() -> None:
    """Why the stable form exists: the control of the test above."""
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        p = 1 / (1 + np.exp(-np.array([100.0])))
        assert not np.isfinite(-np.log(1 - p)).all()


@settings(max_examples=25)
@given(n=st.integers(1, 8), seed=st.integers(0, 1000))
def test_loss_gradients(n: int, seed: int) -> None:
    """Means, not sums: the gradient carries 1/n."""
    generator = np.random.default_rng(seed)
    z, y = 3 * generator.standard_normal(n), generator.integers(0, 2, n).astype(np.float64)
    assert gradient_error(lambda z: log_loss(z, y), log_loss_gradient(z, y).astype(np.float64), z) < 1e-6
    assert (
        gradient_error(lambda z: half_squared_error(z, y), half_squared_error_gradient(z, y).astype(np.float64), z)
        < 1e-6
    )


def test_a_wrong_gradient_is_caught() -> None:
    """The control of the test above, at losses that do depend on the sign."""
    z, y = np.array([-2.0, 0.5, 3.0]), np.array([0.0, 1.0, 1.0])
    assert gradient_error(lambda z: log_loss(z, y), sigmoid(-z).astype(np.float64) + y, z) > 1e-3
