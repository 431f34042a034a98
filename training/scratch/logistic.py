"""Logistic regression: the probability is the sigmoid of ``x @ weights + bias``, fitted by Newton's method.

It minimises the mean log loss plus ``l2 / 2 * |weights|**2``; the bias is not penalised. (scikit-learn's ``C`` is
``1 / (rows * l2)``.) The objective is convex, so there is one best answer, and with at most some hundreds of columns
its second derivative is affordable: five or so exact steps instead of thousands of small ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from training.scratch.arrays import (
    Array,
    Float32,
    Float64,
    Parameters,
    blocks,
    check_features,
    check_sample,
    check_settings,
)
from training.scratch.loss import log_loss, sigmoid
from training.scratch.optimise import Progress

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True, eq=False)
class Logistic:
    """A fitted logistic regression."""

    weights: Float32
    """Shape (k,): how much one unit of each column adds to the log odds."""
    bias: float
    """The log odds where every column is 0."""
    parameters: Parameters

    def probability(self, x: npt.NDArray[Any]) -> Float32:
        """Probability of the positive class: x of shape (n, k) gives shape (n,).

        Raises:
            DataError: x has other columns, or holds NaN or infinity.
        """
        check_features(x, len(self.weights))
        logit: Float32 = x.astype(np.float32, copy=False) @ self.weights + np.float32(self.bias)
        return sigmoid(logit).astype(np.float32, copy=False)

    def to_onnx(self) -> onnx.ModelProto:
        """``features`` float32 [N, k] to ``probability`` float32 [N]."""
        from training.scratch import export

        return export.logistic(self.weights, self.bias)


def fit_logistic(
    x: npt.NDArray[Any],
    y: npt.NDArray[Any],
    *,
    l2: float = 1e-5,
    iterations: int = 50,
    tolerance: float = 1e-10,
    progress: Progress | None = None,
) -> Logistic:
    """Fit by Newton's method, which here is iteratively reweighted least squares.

    The sums over rows are taken in float64, whatever the precision of x: the fit costs little, and badly scaled
    columns then do no harm. The weights are kept in float32, as they are exported.

    Args:
        x: shape (n, k), finite. One-hot columns and standardised numbers are what ``l2`` is meant for; it presses on
            the weights of columns with small values hardest.
        y: shape (n,), 0 or 1, both present.
        l2: how strongly large weights are penalised; above 0 if a column might separate the classes exactly, since
            its weight would otherwise grow without end.
        iterations: at most this many Newton steps.
        tolerance: stop when the step promises to lower the loss by less than this (nats per row).
        progress: told after each step.

    Raises:
        DataError: x or y cannot be used; every problem is named.
        UsageError: a setting is out of range.

    Sources: Hastie, Tibshirani & Friedman (2009), The Elements of Statistical Learning, section 4.4.1; step halving
        and the stopping rule: Boyd & Vandenberghe (2004), Convex Optimization, section 9.5.
    """
    check_settings(
        f"l2 is {l2}, but must be 0 or more" if not (l2 >= 0 and math.isfinite(l2)) else None,
        f"iterations is {iterations}, but must be at least 1" if iterations < 1 else None,
        f"tolerance is {tolerance}, but must be above 0" if not tolerance > 0 else None,
    )
    check_sample(("training", x, y), binary=True)
    share = float(y.mean(dtype=np.float64))
    theta = np.zeros(x.shape[1] + 1)
    theta[-1] = math.log(share / (1 - share))
    loss, gradient, curvature = logistic_derivatives(theta, x, y, l2=l2)
    gain, iteration = math.inf, 0
    while gain > tolerance and iteration < iterations:
        iteration += 1
        step = _newton_step(gradient, curvature, rows=len(x))
        gain = float(gradient @ step) / 2
        size = 1.0
        ahead = logistic_derivatives(theta - step, x, y, l2=l2)
        while ahead[0] > loss + tolerance and size > 1e-6:
            size /= 2
            ahead = logistic_derivatives(theta - size * step, x, y, l2=l2)
        theta -= size * step
        loss, gradient, curvature = ahead
        if progress is not None:
            progress(iteration, iterations, f"training loss {loss:.6f}")
    return Logistic(
        weights=theta[:-1].astype(np.float32),
        bias=float(np.float32(theta[-1])),
        parameters={
            "kind": "logistic, newton",
            "l2": float(l2),
            "iterations": iteration,
            "converged": int(gain <= tolerance),
            "training_loss": float(loss),
        },
    )


def _newton_step(gradient: Float64, curvature: Float64, rows: int) -> Float64:
    """Solve ``curvature @ step = gradient``, with zero step where the rows say nothing.

    One-hot columns and the bias repeat each other: without l2 the matrix is singular, and ``solve`` would return noise.
    Dividing by the diagonal first keeps a rare category from passing for rounding beside a column of large numbers.
    """
    scale = np.sqrt(np.diag(curvature))
    scale[scale == 0] = 1
    precision = float(np.finfo(np.float64).eps) * rows
    step: Float64 = np.linalg.lstsq(curvature / np.outer(scale, scale), gradient / scale, rcond=precision)[0] / scale
    return step


def logistic_derivatives(
    theta: Float64, x: npt.NDArray[Any], y: npt.NDArray[Any], *, l2: float
) -> tuple[float, Float64, Float64]:
    """The objective, its gradient and its matrix of second derivatives.

    With p = sigmoid(x @ weights + bias) and the bias as one more column of ones::

        gradient  = x.T @ (p - y) / n                  + l2 * weights
        curvature = x.T @ diag(p * (1 - p)) @ x / n    + l2 * identity

    Args:
        theta: shape (k + 1,), the weights and then the bias.
        x: shape (n, k).
        y: shape (n,).
        l2: as in :func:`fit_logistic`.

    Returns: the loss, shape (k + 1,) and shape (k + 1, k + 1).
    """
    n, k = x.shape
    loss, gradient, curvature = 0.0, np.zeros(k + 1), np.zeros((k + 1, k + 1))
    for rows in blocks(n):
        count = rows.stop - rows.start
        block = np.ones((count, k + 1))
        block[:, :k] = x[rows]
        label: Array = y[rows].astype(np.float64)
        logit = block @ theta
        p = sigmoid(logit)
        loss += log_loss(logit, label) * count / n
        gradient += block.T @ (p - label) / n
        block *= np.sqrt(p * (1 - p))[:, None]
        curvature += block.T @ block / n
    weights = theta[:-1]
    gradient[:-1] += l2 * weights
    curvature[np.arange(k), np.arange(k)] += l2
    return loss + 0.5 * l2 * float(weights @ weights), gradient, curvature
