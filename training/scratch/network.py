"""A multilayer perceptron: dense layers with an activation between them, and a probability at the end.

It minimises the mean log loss plus ``l2 / 2 * |weights|**2`` (biases are not penalised) by mini-batches and Adam, and
stops when the validation loss does. All weights lie in one flat vector, ``theta``, of which each layer holds views:
the optimiser, the gradient check and early stopping then each handle one array.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import numpy.typing as npt

from training.scratch.arrays import (
    Array,
    Float32,
    FloatType,
    Parameters,
    blocks,
    check_features,
    check_sample,
    check_settings,
)
from training.scratch.layers import ACTIVATIONS, ActivationName, Dense, Dropout, Layer
from training.scratch.loss import log_loss, log_loss_gradient, sigmoid
from training.scratch.optimise import Progress, minimise

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True, eq=False)
class Network:
    """A network, fitted once :func:`fit_network` returns it."""

    layers: tuple[Layer, ...]
    """From the features, shape (n, k), to one logit per row, shape (n, 1)."""
    theta: Array
    """Shape (p,): every weight and bias, in the order of the layers, which hold views of it."""
    penalised: Array
    """Shape (p,): 1 where theta holds a weight, 0 where it holds a bias."""
    columns: int
    """How many features the network takes: k."""
    parameters: Parameters = field(default_factory=dict)

    def logit(self, x: Array) -> Array:
        """Log odds of the positive class: x of shape (n, k) gives shape (n,)."""
        for layer in self.layers:
            x = layer.apply(x)
        return x[:, 0]

    def probability(self, x: npt.NDArray[Any]) -> Float32:
        """Probability of the positive class: x of shape (n, k) gives shape (n,).

        Raises:
            DataError: x has other columns, or holds NaN or infinity.
        """
        check_features(x, self.columns)
        result = np.empty(len(x), dtype=np.float32)
        for rows in blocks(len(x)):
            result[rows] = sigmoid(self.logit(x[rows].astype(self.theta.dtype, copy=False)))
        return result

    def loss_and_gradient(
        self, x: Array, y: Array, *, l2: float, generator: np.random.Generator
    ) -> tuple[float, Array]:
        """The objective on some rows, and backpropagation: its derivative by every entry of ``theta``.

        Args:
            x: shape (n, k), in theta's precision.
            y: shape (n,), 0 or 1, in theta's precision.
            l2: how strongly large weights are penalised.
            generator: decides what dropout drops.

        Returns: the loss, and shape (p,).

        Source: Rumelhart, Hinton & Williams (1986), Nature 323, 533-536.
        """
        memories: list[Array] = []
        for layer in self.layers:
            x, memory = layer.forward(x, generator)
            memories.append(memory)
        logit = x[:, 0]
        penalty = self.theta * self.penalised
        loss = log_loss(logit, y) + 0.5 * l2 * float(penalty @ penalty)

        gradient = log_loss_gradient(logit, y)[:, None]
        pieces: list[Array] = []
        for layer, memory in zip(self.layers[::-1], memories[::-1], strict=True):
            pieces[:0] = [piece.ravel() for piece in layer.weight_gradients(memory, gradient)]
            if layer is not self.layers[0]:  # nobody asks for the gradient of the data, and it costs a third of a step
                gradient = layer.input_gradient(memory, gradient)
        return loss, np.concatenate(pieces) + l2 * penalty

    def to_onnx(self) -> onnx.ModelProto:
        """``features`` float32 [N, k] to ``probability`` float32 [N]."""
        from training.scratch import export

        return export.network(self.layers, self.columns)


def new_network(
    columns: int,
    *,
    hidden: Sequence[int],
    activation: ActivationName = "relu",
    dropout: float = 0.0,
    share: float = 0.5,
    generator: np.random.Generator,
    dtype: FloatType = np.float32,
) -> Network:
    """An untrained network.

    Args:
        columns: number of features.
        hidden: units of each hidden layer; none makes it a logistic regression.
        activation: behind each hidden layer.
        dropout: the chance that a hidden unit is switched off in a training step.
        share: share of positive rows; the last bias starts at its log odds, so that the first steps need not learn it.
        generator: draws the first weights.
        dtype: precision of the weights, and so of all arithmetic.
    """
    sizes = (columns, *hidden, 1)
    theta = np.zeros(sum((inputs + 1) * outputs for inputs, outputs in pairwise(sizes)), dtype=dtype)
    penalised = np.zeros_like(theta)
    layers: list[Layer] = []
    start = 0
    for position, (inputs, outputs) in enumerate(pairwise(sizes)):
        middle, end = start + inputs * outputs, start + (inputs + 1) * outputs
        dense = Dense(theta[start:middle].reshape(inputs, outputs), theta[middle:end])
        last = position == len(hidden)
        dense.initialise(generator, feeds=None if last else activation)
        penalised[start:middle] = 1
        layers.append(dense)
        if not last:
            layers.append(ACTIVATIONS[activation]())
            if dropout > 0:
                layers.append(Dropout(dropout))
        start = end
    theta[-1] = math.log(share / (1 - share))
    return Network(layers=tuple(layers), theta=theta, penalised=penalised, columns=columns)


def fit_network(
    x: npt.NDArray[Any],
    y: npt.NDArray[Any],
    x_validation: npt.NDArray[Any],
    y_validation: npt.NDArray[Any],
    *,
    hidden: Sequence[int] = (64, 32),
    activation: ActivationName = "relu",
    dropout: float = 0.3,
    l2: float = 3e-3,
    learning_rate: float = 3e-3,
    batch: int = 2048,
    epochs: int = 8,
    patience: int = 3,
    seed: int = 0,
    dtype: FloatType = np.float32,
    progress: Progress | None = None,
) -> Network:
    """Fit by mini-batches of Adam; keep the averaged weights with the lowest log loss on the validation rows.

    The defaults suit some 100,000 rows of a noisy label. A few thousand rows want a smaller ``batch`` and more
    ``epochs``, and a label that the features determine wants less ``dropout`` and ``l2``.

    Args:
        x: shape (n, k), finite; numbers standardised, one-hot columns as 0 and 1. Float32 is used without a copy.
        y: shape (n,), 0 or 1, both present.
        x_validation: shape (m, k), not among the training rows, and later than them where time matters.
        y_validation: shape (m,), 0 or 1.
        hidden: units of each hidden layer; none makes it a logistic regression.
        activation: ``relu``, ``gelu`` or ``tanh``, behind each hidden layer.
        dropout: the chance that a hidden unit is switched off in a training step; in [0, 1).
        l2: how strongly large weights are penalised. It is part of the loss, so that Adam rescales it with the rest;
            decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101) is another thing.
        learning_rate: of the first step; it falls to 0 over ``epochs`` along a cosine.
        batch: rows per step.
        epochs: passes over the training rows, at most.
        patience: stop after this many epochs without a new lowest validation loss.
        seed: decides the first weights, the order of the rows and what is dropped. The same seed, data and machine
            give the same bytes; another processor, or number of BLAS threads, may round sums differently.
        dtype: precision of the weights and of all arithmetic.
        progress: told after each epoch.

    Raises:
        DataError: x or y cannot be used (every problem is named), or the training diverged.
        UsageError: a setting is out of range; every one is named.
    """
    check_settings(
        f"hidden is {tuple(hidden)}, but every layer needs at least 1 unit" if any(h < 1 for h in hidden) else None,
        f"activation is {activation!r}, but must be one of {', '.join(get_args(ActivationName))}"
        if activation not in ACTIVATIONS
        else None,
        f"dropout is {dropout}, but must be in [0, 1)" if not 0 <= dropout < 1 else None,
        f"l2 is {l2}, but must be 0 or more" if not (l2 >= 0 and math.isfinite(l2)) else None,
        f"learning_rate is {learning_rate}, but must be above 0"
        if not (learning_rate > 0 and math.isfinite(learning_rate))
        else None,
        *(
            f"{name} is {value}, but must be at least 1"
            for name, value in (("batch", batch), ("epochs", epochs), ("patience", patience))
            if value < 1
        ),
    )
    check_sample(("training", x, y), ("validation", x_validation, y_validation), binary=True)
    x, y = x.astype(dtype, copy=False), y.astype(dtype)
    x_validation, y_validation = x_validation.astype(dtype, copy=False), y_validation.astype(dtype)
    generator = np.random.default_rng(seed)
    network = new_network(
        x.shape[1],
        hidden=hidden,
        activation=activation,
        dropout=dropout,
        share=float(y.mean(dtype=np.float64)),
        generator=generator,
        dtype=dtype,
    )

    def gradient(rows: npt.NDArray[np.int64]) -> Array:
        return network.loss_and_gradient(x[rows], y[rows], l2=float(l2), generator=generator)[1]

    def validation_loss() -> float:
        total = 0.0
        for rows in blocks(len(x_validation)):
            total += log_loss(network.logit(x_validation[rows]), y_validation[rows]) * (rows.stop - rows.start)
        return total / len(x_validation)

    training = minimise(
        network.theta,
        gradient,
        validation_loss,
        rows=len(x),
        learning_rate=float(learning_rate),
        batch=batch,
        epochs=epochs,
        patience=patience,
        generator=generator,
        progress=progress,
    )
    return replace(
        network,
        parameters={
            "kind": "network, adam",
            "hidden": "x".join(map(str, hidden)),
            "activation": activation,
            "dropout": float(dropout),
            "l2": float(l2),
            "learning_rate": float(learning_rate),
            "batch": batch,
            "epochs": epochs,
            "patience": patience,
            "seed": seed,
            "epochs_run": training.epochs,
            "best_epoch": training.best_epoch,
            "validation_log_loss": training.validation_loss,
        },
    )
