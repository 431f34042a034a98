"""Stochastic training: mini-batches, Adam, a learning rate that falls, averaged weights, and early stopping.

Nothing here knows what is trained. A model offers its weights as one flat vector, the gradient on some rows, and its
loss on the validation rows; training writes into the vector in place.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from seatrial.errors import DataError
from training.scratch.arrays import Array

Progress: TypeAlias = Callable[[int, int, str], None]
"""Called with (steps done, steps at most, what happened)."""


class Adam:
    """Step sizes per weight, from running means of its gradient and of its squared gradient.

    With gradient g at step t, elementwise::

        m = beta1 m + (1 - beta1) g              where the gradient has pointed lately
        v = beta2 v + (1 - beta2) g**2           how large it has been lately
        theta -= rate * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + epsilon)

    m and v start at 0 and would be too small at first: the divisions by 1 - beta**t correct that.

    Source: Kingma & Ba (2015), ICLR, arXiv:1412.6980, algorithm 1, with the defaults given there.
    """

    def __init__(self, theta: Array, *, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> None:
        """``theta``: shape (p,), the weights to be trained; written into by :meth:`step`."""
        self.theta = theta
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.steps = 0
        self.mean = np.zeros_like(theta)
        self.square = np.zeros_like(theta)

    def step(self, gradient: Array, rate: float) -> None:
        """Move ``theta`` against ``gradient``: shape (p,), by about ``rate`` in each entry."""
        self.steps += 1
        self.mean += (1 - self.beta1) * (gradient - self.mean)
        self.square += (1 - self.beta2) * (gradient * gradient - self.square)
        mean = self.mean / (1 - self.beta1**self.steps)
        square = self.square / (1 - self.beta2**self.steps)
        self.theta -= rate * mean / (np.sqrt(square) + self.epsilon)


def cosine(rate: float, done: float) -> float:
    """Learning rate after the share ``done`` (0 to 1) of the steps: half a cosine from ``rate`` to 0.

    Large steps find the valley, small ones its floor. Source: Loshchilov & Hutter (2017), ICLR, arXiv:1608.03983,
    equation 5, without restarts.
    """
    return rate * 0.5 * (1 + math.cos(math.pi * done))


def averaging(step: int) -> float:
    """How far the averaged weights move towards the present ones after ``step`` (from 1): 9 / (step + 8).

    The average reaches back over about the last tenth of the steps, whatever their number. One set of weights rattles
    about in the valley, and early stopping catches it anywhere; the average lies near the middle.

    Source: Shamir & Zhang (2013), ICML, arXiv:1212.1824, polynomial-decay averaging with eta = 8.
    """
    return 9 / (step + 8)


@dataclass(frozen=True)
class Training:
    """How a training went."""

    epochs: int
    """Epochs that ran."""
    best_epoch: int
    """The epoch, from 1, whose weights were kept."""
    validation_loss: float
    """The loss on the validation rows with those weights."""


def minimise(
    theta: Array,
    gradient: Callable[[npt.NDArray[np.int64]], Array],
    validation_loss: Callable[[], float],
    *,
    rows: int,
    learning_rate: float,
    batch: int,
    epochs: int,
    patience: int,
    generator: np.random.Generator,
    progress: Progress | None = None,
) -> Training:
    """Train ``theta`` in place; when it returns, it holds the averaged weights with the lowest validation loss.

    Args:
        theta: shape (p,), the weights.
        gradient: from row numbers, shape (batch,), to the gradient at the present ``theta``, shape (p,).
        validation_loss: the loss at the present ``theta`` on rows that are not trained on.
        rows: how many rows there are to train on.
        learning_rate: of the first step; it falls to 0 over ``epochs``.
        batch: rows per step; the last step of an epoch may have fewer.
        epochs: passes over the rows, at most.
        patience: stop after this many epochs without a new lowest validation loss.
        generator: shuffles the rows, anew in each epoch.
        progress: told after each epoch.

    Raises:
        DataError: the validation loss is not finite: the training diverged.

    Source of early stopping: Prechelt (1998), Early stopping - but when?, in Neural Networks: Tricks of the Trade.
    """
    adam = Adam(theta)
    steps = epochs * math.ceil(rows / batch)
    average = theta.copy()
    best_loss, best_epoch, best_average, epoch = math.inf, 0, average, 0
    for epoch in range(1, epochs + 1):
        order = generator.permutation(rows)
        with np.errstate(over="ignore", invalid="ignore"):  # divergence is reported below, once
            for start in range(0, rows, batch):
                rate = cosine(learning_rate, adam.steps / steps)
                adam.step(gradient(order[start : start + batch]), rate)
                average += averaging(adam.steps) * (theta - average)
            walking = theta.copy()
            theta[:] = average
            loss = validation_loss()
            theta[:] = walking
        if not math.isfinite(loss):
            raise DataError(
                f"training diverged in epoch {epoch}: the validation loss is {loss}",
                why="Steps were too large for the size of the inputs, and the weights left the range of the numbers.",
                todo="Scale the columns to about unit variance, or lower the learning rate.",
            )
        if loss < best_loss:
            best_loss, best_epoch, best_average = loss, epoch, average.copy()
        if progress is not None:
            progress(epoch, epochs, f"validation loss {loss:.5f}, lowest {best_loss:.5f} in epoch {best_epoch}")
        if epoch - best_epoch >= patience:
            break
    theta[:] = best_average
    return Training(epochs=epoch, best_epoch=best_epoch, validation_loss=best_loss)
