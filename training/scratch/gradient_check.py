"""Whether a gradient written by hand is the derivative of its loss, by asking the loss itself.

A wrong backward pass rarely fails: it trains, only worse. Central differences need nothing but the forward pass, so
they cannot share the mistake. The check is for tests and for development, in float64: it costs two evaluations for
each weight, and in float32 rounding would hide an error of a percent.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.scratch.arrays import Float64

STEP = 1e-5
"""Near the cube root of float64's precision, where truncation (step**2) and rounding (precision / step) balance."""


def numerical_gradient(function: Callable[[Float64], float], point: Float64, *, step: float = STEP) -> Float64:
    """Derivative of ``function`` by each entry of ``point``: (f(p + step) - f(p - step)) / (2 step).

    Args:
        function: from an array of the point's shape to a number; the same number each time that it is asked.
        point: any shape; not changed.
        step: how far to go to each side.

    Returns: the point's shape.

    Source: Nocedal & Wright (2006), Numerical Optimization, section 8.1.
    """
    gradient = np.empty(point.shape)
    for index in np.ndindex(point.shape):
        beside = point.astype(np.float64)
        beside[index] = point[index] + step
        above = function(beside)
        beside[index] = point[index] - step
        gradient[index] = (above - function(beside)) / (2 * step)
    return gradient


def gradient_error(
    function: Callable[[Float64], float], gradient: Float64, point: Float64, *, step: float = STEP
) -> float:
    """How far ``gradient`` is from the numerical gradient of ``function`` at ``point``, relative to its size.

    Args:
        function: as in :func:`numerical_gradient`.
        gradient: the derivative to be checked, in the point's shape.
        point: where it was computed; away from a ReLU's corner by more than ``step`` times the input's size.
        step: how far to go to each side.

    Returns: the largest difference over the largest entry of either gradient (at least 1e-3, so that a gradient of 0 is
        not judged by rounding alone). About 1e-9 when right; a forgotten factor or term gives more than 1e-3.
    """
    numeric = numerical_gradient(function, point, step=step)
    if gradient.shape != numeric.shape:
        return float("inf")
    size = max(float(np.abs(numeric).max(initial=0)), float(np.abs(gradient).max(initial=0)), 1e-3)
    return float(np.abs(gradient - numeric).max(initial=0)) / size
