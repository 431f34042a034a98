"""What training makes small: log loss for a binary label, half the squared error for a number.

Both are means over rows, so that a learning rate or an ``l2`` keeps its meaning when the number of rows changes, and
both have the same gradient, ``(prediction - y) / n``: for the log loss that is what the derivative of the sigmoid
cancels to, and the reason why the two belong together.
"""

from __future__ import annotations

import numpy as np

from training.scratch.arrays import Array


def sigmoid(logit: Array) -> Array:
    """Probability of the positive class, 1 / (1 + exp(-logit)), without overflow at either end.

    Args:
        logit: any shape; the log odds.

    Returns: the same shape and precision, in [0, 1].
    """
    small: Array = np.exp(-np.abs(logit))  # in (0, 1]: exp never sees a positive number
    return np.where(logit >= 0, 1, small) / (1 + small)


def log_loss(logit: Array, y: Array) -> float:
    """Mean negative log likelihood of 0/1 labels, computed from logits.

    ``-y log p - (1 - y) log(1 - p)`` with ``p = sigmoid(z)`` is ``max(z, 0) - y z + log(1 + exp(-|z|))``: the same
    number, but finite where p rounds to 0 or 1.

    Args:
        logit: shape (n,).
        y: shape (n,), 0 or 1.

    Returns: nats per row, at least 0.
    """
    each = np.maximum(logit, 0) - y * logit + np.log1p(np.exp(-np.abs(logit)))
    return float(each.mean(dtype=np.float64))


def log_loss_gradient(logit: Array, y: Array) -> Array:
    """Derivative of :func:`log_loss` by each logit: ``(sigmoid(logit) - y) / n``, shape (n,)."""
    return (sigmoid(logit) - y) / len(y)


def half_squared_error(prediction: Array, y: Array) -> float:
    """Mean of ``(prediction - y)**2 / 2``; both shape (n,)."""
    return float(np.square(prediction - y).mean(dtype=np.float64) / 2)


def half_squared_error_gradient(prediction: Array, y: Array) -> Array:
    """Derivative of :func:`half_squared_error` by each prediction: ``(prediction - y) / n``, shape (n,)."""
    return (prediction - y) / len(y)
