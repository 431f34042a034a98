"""Linear regression: ``x @ weights + bias`` with the least squared error, solved exactly or by walking downhill.

Both minimise the mean of ``(prediction - y)**2 / 2`` plus ``l2 / 2 * |weights|**2``; the bias is not penalised.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from seatrial.errors import DataError
from training.scratch.arrays import (
    Array,
    Float32,
    Float64,
    FloatType,
    Parameters,
    blocks,
    check_features,
    check_sample,
    check_settings,
)
from training.scratch.loss import half_squared_error, half_squared_error_gradient
from training.scratch.optimise import Progress

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True, eq=False)
class Linear:
    """A fitted linear regression."""

    weights: Array
    """Shape (k,)."""
    bias: float
    parameters: Parameters

    def predict(self, x: npt.NDArray[Any]) -> Float32:
        """Predicted numbers: x of shape (n, k) gives shape (n,).

        Raises:
            DataError: x has other columns, or holds NaN or infinity.
        """
        check_features(x, len(self.weights))
        weights = self.weights.astype(np.float32)
        return x.astype(np.float32, copy=False) @ weights + np.float32(self.bias)

    def to_onnx(self) -> onnx.ModelProto:
        """``features`` float32 [N, k] to ``prediction`` float32 [N]."""
        from training.scratch import export

        return export.linear(self.weights, self.bias)


def fit_linear(x: npt.NDArray[Any], y: npt.NDArray[Any], *, l2: float = 0.0) -> Linear:
    """Solve the least-squares problem exactly.

    The textbook's normal equations, ``x.T @ x @ w = x.T @ y``, square the condition number and lose half of the digits.
    A QR decomposition does not; taken block by block, with the triangle so far on top of the next rows, it needs the
    memory of one block. Columns that repeat each other (one-hot columns and the bias do) are no problem: of the
    equally good solutions, the one with the smallest norm (the bias included) is returned.

    Args:
        x: shape (n, k), finite. Scaling does not matter without ``l2``.
        y: shape (n,), finite.
        l2: how strongly large weights are penalised; 0 or more.

    Raises:
        DataError: x or y cannot be used; every problem is named.
        UsageError: ``l2`` is negative.

    Source: Golub & Van Loan (2013), Matrix Computations, 4th edition, sections 5.3 and 5.5; block by block: Demmel et
        al. (2012), SIAM J. Sci. Comput. 34(1), A206-A239.
    """
    check_settings(_l2_problem(l2))
    check_sample(("training", x, y), binary=False)
    n, k = x.shape
    penalty = np.zeros((k, k + 2))  # the rows sqrt(n l2) e_i: their squared residual is n l2 w_i**2
    penalty[:, :k] = math.sqrt(n * l2) * np.eye(k)
    triangle: Float64 = penalty
    for rows in blocks(n):
        block = np.column_stack((x[rows], np.ones(rows.stop - rows.start), y[rows])).astype(np.float64, copy=False)
        # numpy's type stubs describe the other modes only
        triangle = cast(Float64, np.linalg.qr(np.vstack((triangle, block)), mode="r"))
    precision = float(np.finfo(np.float64).eps) * max(n, k + 1)  # the rounding of n rows, not of the triangle's few
    solution = np.linalg.lstsq(triangle[:, :-1], triangle[:, -1], rcond=precision)[0]
    return Linear(
        weights=solution[:k].astype(np.float32),
        bias=float(np.float32(solution[k])),
        parameters={"kind": "linear, least squares", "l2": float(l2)},
    )


def linear_loss(theta: Array, x: Array, y: Array, *, l2: float) -> tuple[float, Array]:
    """The objective and its gradient.

    Args:
        theta: shape (k + 1,), the weights and then the bias.
        x: shape (n, k).
        y: shape (n,).
        l2: as in :func:`fit_linear`.

    Returns: the loss, and its derivative by theta, shape (k + 1,).
    """
    weights = theta[:-1]
    prediction = x @ weights + theta[-1]
    by_prediction = half_squared_error_gradient(prediction, y)
    gradient = np.append(x.T @ by_prediction + l2 * weights, by_prediction.sum())
    return half_squared_error(prediction, y) + 0.5 * l2 * float(weights @ weights), gradient


def fit_linear_by_descent(
    x: npt.NDArray[Any],
    y: npt.NDArray[Any],
    *,
    l2: float = 0.0,
    learning_rate: float | None = None,
    steps: int = 2000,
    tolerance: float = 1e-5,
    dtype: FloatType = np.float32,
    progress: Progress | None = None,
) -> Linear:
    """Approach the least-squares solution by gradient descent: the idea behind everything larger, where it is simplest.

    Args:
        x: shape (n, k), finite. Scale the columns: the number of steps grows with the ratio of the largest to the
            smallest variance of any mixture of columns.
        y: shape (n,), finite.
        l2: how strongly large weights are penalised; 0 or more.
        learning_rate: the step as a multiple of the gradient; by default 1 / (largest curvature), the largest that
            cannot overshoot (Nesterov 2004, Introductory Lectures on Convex Optimization, theorem 2.1.14).
        steps: at most this many.
        tolerance: stop when no entry of the gradient is larger.
        dtype: precision of the arithmetic.
        progress: told about every hundredth step.

    Raises:
        DataError: x or y cannot be used, or the descent diverged.
        UsageError: a setting is out of range; every one is named.
    """
    check_settings(
        _l2_problem(l2),
        f"learning_rate is {learning_rate}, but must be above 0"
        if learning_rate is not None and learning_rate <= 0
        else None,
        f"steps is {steps}, but must be at least 1" if steps < 1 else None,
    )
    check_sample(("training", x, y), binary=False)
    x, y = x.astype(dtype, copy=False), y.astype(dtype, copy=False)
    theta = np.zeros(x.shape[1] + 1, dtype=dtype)
    rate = learning_rate or 1 / (_largest_curvature(x) + l2)
    step = 0
    for step in range(1, steps + 1):
        with np.errstate(over="ignore", invalid="ignore"):  # divergence is reported by the check on the result
            loss, gradient = linear_loss(theta, x, y, l2=l2)
            theta -= rate * gradient
        if progress is not None and (step % 100 == 0 or step == steps):
            progress(step, steps, f"loss {loss:.6g}")
        if not np.isfinite(theta).all():
            raise DataError(
                f"gradient descent diverged after {step} steps",
                why="Each step overshot the minimum by more than the one before.",
                todo="Lower the learning rate, or leave it out.",
            )
        if np.abs(gradient).max() <= tolerance:
            break
    return Linear(
        weights=theta[:-1],
        bias=float(theta[-1]),
        parameters={"kind": "linear, gradient descent", "l2": float(l2), "learning_rate": float(rate), "steps": step},
    )


def _largest_curvature(x: Array) -> float:
    """Largest eigenvalue of ``[x 1].T @ [x 1] / n``, from 30 power iterations."""
    direction = np.random.default_rng(0).standard_normal(x.shape[1] + 1).astype(x.dtype)
    curvature = 0.0
    for _ in range(30):
        direction /= np.linalg.norm(direction)
        along = x @ direction[:-1] + direction[-1]
        direction = np.append(x.T @ along, along.sum()) / len(x)
        curvature = float(np.linalg.norm(direction))
    return curvature


def _l2_problem(l2: float) -> str | None:
    return f"l2 is {l2}, but must be 0 or more" if not (l2 >= 0 and math.isfinite(l2)) else None
