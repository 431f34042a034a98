"""The layers of a network, each with its forward and its backward pass written out.

A layer knows its own derivative and nothing about its neighbours; the chain rule that joins them is one loop in
``network.py`` (Rumelhart, Hinton & Williams 1986, Nature 323, 533-536). Shapes: ``x`` is (n, inputs), the output and
its gradient are (n, outputs), the gradient of the input is (n, inputs).

A forward pass in training also returns its *memory*, the one array that the backward pass needs: a dense layer
remembers its input, every elementwise layer its slope. No layer changes when it is used, so a fitted network may
answer from several threads.
"""

from __future__ import annotations

import math
from typing import Literal, Protocol

import numpy as np

from training.scratch.arrays import Array

ActivationName = Literal["relu", "gelu", "tanh"]


class Layer(Protocol):
    """One step from inputs to outputs."""

    def apply(self, x: Array) -> Array:
        """The output for prediction. Must not change ``x``."""

    def forward(self, x: Array, generator: np.random.Generator) -> tuple[Array, Array]:
        """The output for training, and the memory. Randomness comes from ``generator`` alone."""

    def input_gradient(self, memory: Array, gradient: Array) -> Array:
        """From the loss's derivative by the output to its derivative by the input."""

    def weight_gradients(self, memory: Array, gradient: Array) -> tuple[Array, ...]:
        """From the loss's derivative by the output to its derivatives by what the layer learns."""


class Dense:
    """``x @ weight + bias``; weight: shape (inputs, outputs), bias: shape (outputs,)."""

    def __init__(self, weight: Array, bias: Array) -> None:
        """Both arrays are kept, not copied: whoever trains the layer writes into them."""
        self.weight = weight
        self.bias = bias

    def apply(self, x: Array) -> Array:
        """Shape (n, outputs)."""
        y: Array = x @ self.weight
        y += self.bias
        return y

    def forward(self, x: Array, generator: np.random.Generator) -> tuple[Array, Array]:  # noqa: ARG002 - Layer's shape
        """The memory is the input."""
        return self.apply(x), x

    def input_gradient(self, memory: Array, gradient: Array) -> Array:  # noqa: ARG002 - Layer's shape
        """Input i reaches output j through weight[i, j], so its blame is the weighted sum of the outputs' blame."""
        blame: Array = gradient @ self.weight.T
        return blame

    def weight_gradients(self, memory: Array, gradient: Array) -> tuple[Array, Array]:
        """weight[i, j] moves output j by input i in every row: a product summed over the rows."""
        return memory.T @ gradient, gradient.sum(axis=0)

    def initialise(self, generator: np.random.Generator, feeds: ActivationName | None) -> None:
        """Draw the weights so that signals neither fade nor explode from layer to layer, and zero the biases.

        Args:
            generator: the source of randomness.
            feeds: the activation behind this layer, or None for the last one.

        Sources: He et al. (2015), ICCV, equation 10 (variance 2 / inputs, for units of which half are off: ReLU, and
            GELU by custom); Glorot & Bengio (2010), AISTATS, equation 12 (variance 2 / (inputs + outputs)).
        """
        inputs, outputs = self.weight.shape
        variance = 2 / inputs if feeds in ("relu", "gelu") else 2 / (inputs + outputs)
        self.weight[:] = generator.standard_normal(self.weight.shape) * math.sqrt(variance)
        self.bias[:] = 0


class _Elementwise:
    """A layer that handles each number by itself: its memory is its slope there, and it learns nothing."""

    def input_gradient(self, memory: Array, gradient: Array) -> Array:
        """Chain rule for one variable: outer derivative times slope."""
        return gradient * memory

    def weight_gradients(self, memory: Array, gradient: Array) -> tuple[Array, ...]:  # noqa: ARG002 - Layer's shape
        """There is nothing to learn."""
        return ()


class Relu(_Elementwise):
    """``max(x, 0)``: cheap, and its slope does not shrink for large x. The slope at 0 is taken as 0."""

    def apply(self, x: Array) -> Array:
        """The same shape."""
        return np.maximum(x, 0)

    def forward(self, x: Array, generator: np.random.Generator) -> tuple[Array, Array]:  # noqa: ARG002 - Layer's shape
        """The slope is 1 where x is positive, else 0."""
        return self.apply(x), (x > 0).astype(x.dtype)


class Gelu(_Elementwise):
    """x times the chance that a standard normal is below x: a ReLU without the corner.

    Source: Hendrycks & Gimpel (2016), arXiv:1606.08415, the tanh form of section 2, which needs no error function.
    """

    SCALE = math.sqrt(2 / math.pi)
    CUBE = 0.044715

    def apply(self, x: Array) -> Array:
        """The same shape."""
        return 0.5 * x * (1 + self._tanh(x))

    def forward(self, x: Array, generator: np.random.Generator) -> tuple[Array, Array]:  # noqa: ARG002 - Layer's shape
        """The slope follows from the product rule."""
        t = self._tanh(x)
        inner_slope = self.SCALE * (1 + 3 * self.CUBE * x * x)
        return 0.5 * x * (1 + t), 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner_slope

    def _tanh(self, x: Array) -> Array:
        return np.tanh(self.SCALE * (x + self.CUBE * x * x * x))


class Tanh(_Elementwise):
    """``tanh(x)``: smooth, between -1 and 1."""

    def apply(self, x: Array) -> Array:
        """The same shape."""
        return np.tanh(x)

    def forward(self, x: Array, generator: np.random.Generator) -> tuple[Array, Array]:  # noqa: ARG002 - Layer's shape
        """The slope is 1 - tanh(x)**2."""
        y = self.apply(x)
        return y, 1 - y * y


class Dropout(_Elementwise):
    """Switch each number off with probability ``rate`` in training, so that no unit can rely on one other.

    *Inverted*: what stays is divided by the share that stays. The expected output is then the input, and prediction
    needs no dropout layer at all, here or in the exported graph.

    Source: Srivastava et al. (2014), JMLR 15, 1929-1958; the scaling in training is its section 10.
    """

    def __init__(self, rate: float) -> None:
        """``rate`` in [0, 1)."""
        self.rate = rate

    def apply(self, x: Array) -> Array:
        """``x`` itself: nothing is dropped in prediction."""
        return x

    def forward(self, x: Array, generator: np.random.Generator) -> tuple[Array, Array]:
        """The slope is 0 where a number was dropped, else 1 / (1 - rate)."""
        kept = generator.random(x.shape, dtype=np.float32) >= self.rate
        slope = kept * x.dtype.type(1 / (1 - self.rate))
        return x * slope, slope


ACTIVATIONS: dict[ActivationName, type[Relu] | type[Gelu] | type[Tanh]] = {"relu": Relu, "gelu": Gelu, "tanh": Tanh}
