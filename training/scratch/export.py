"""Each model as an ONNX graph, written node by node.

No converter is involved, so there is none to be wrong in silence. Every graph takes ``features`` float32 [N, k] and
gives one number per row, and the same weights always give the same bytes. Only operators that have not changed since
opset 13 are used: a graph behind which these are merged may have any opset from 17 to 21.

The graphs do not check their input, as the models' own methods do: features must be finite.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from training.scratch.arrays import Array
from training.scratch.layers import Dense, Dropout, Gelu, Layer, Relu, Tanh

OPSET = 17
IR_VERSION = 8
"""The one that came with opset 17."""


def linear(weights: Array, bias: float) -> onnx.ModelProto:
    """``prediction = features @ weights + bias``; weights: shape (k,)."""
    graph = _Graph()
    graph.single("features", weights[:, None], np.array([bias]), "prediction")
    return graph.model("linear", len(weights), "prediction")


def logistic(weights: Array, bias: float) -> onnx.ModelProto:
    """``probability = sigmoid(features @ weights + bias)``; weights: shape (k,)."""
    graph = _Graph()
    graph.single("features", weights[:, None], np.array([bias]), "logit")
    graph.node("Sigmoid", ["logit"], "probability")
    return graph.model("logistic", len(weights), "probability")


def network(layers: Sequence[Layer], columns: int) -> onnx.ModelProto:
    """The layers in order, then the sigmoid; they take ``columns`` features, and the last is dense with one output."""
    graph = _Graph()
    value = "features"
    for position, layer in enumerate(layers):
        match layer:
            case Dense() if position == len(layers) - 1:
                graph.single(value, layer.weight, layer.bias, "logit")
            case Dense():
                value = graph.dense(value, layer.weight, layer.bias, f"dense_{position}")
            case Relu():
                value = graph.node("Relu", [value], f"relu_{position}")
            case Tanh():
                value = graph.node("Tanh", [value], f"tanh_{position}")
            case Gelu():
                value = graph.gelu(value, f"gelu_{position}")
            case Dropout():
                pass  # inverted dropout leaves nothing to do in prediction
            case _:
                raise TypeError(f"no export is written for {type(layer).__name__}")
    graph.node("Sigmoid", ["logit"], "probability")
    return graph.model("network", columns, "probability")


class _Graph:
    """Nodes and constants as they are added; the name of a value is the name of the node that makes it."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: Array | float) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value, dtype=np.float32), name))
        return name

    def node(self, operator: str, inputs: list[str], output: str) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output))
        return output

    def dense(self, value: str, weight: Array, bias: Array, output: str) -> str:
        weight_name, bias_name = self.constant(f"{output}_weight", weight), self.constant(f"{output}_bias", bias)
        return self.node("Gemm", [value, weight_name, bias_name], output)

    def single(self, value: str, weight: Array, bias: Array, output: str) -> str:
        """A dense layer with one unit, without its axis of length 1: shape [N].

        MatMul by a vector of shape [k] would give that at once, but onnxruntime 1.31 refuses it for 0 rows.
        """
        column = self.dense(value, weight, bias, f"{output}_column")
        self.constants.append(numpy_helper.from_array(np.array([1], dtype=np.int64), f"{output}_axes"))
        return self.node("Squeeze", [column, f"{output}_axes"], output)

    def gelu(self, x: str, output: str) -> str:
        """x * (0.5 + 0.5 tanh(SCALE (x + CUBE x**3))), in operators older than ONNX's own Gelu (opset 20)."""
        half = self.constant(f"{output}_half", 0.5)
        square = self.node("Mul", [x, x], f"{output}_square")
        cube = self.node("Mul", [square, x], f"{output}_cube")
        bent = self.node("Mul", [cube, self.constant(f"{output}_cube_factor", Gelu.CUBE)], f"{output}_bent")
        total = self.node("Add", [x, bent], f"{output}_sum")
        inner = self.node("Mul", [total, self.constant(f"{output}_scale", Gelu.SCALE)], f"{output}_inner")
        bend = self.node("Tanh", [inner], f"{output}_tanh")
        halved = self.node("Mul", [bend, half], f"{output}_halved")
        chance = self.node("Add", [halved, half], f"{output}_chance")
        return self.node("Mul", [x, chance], output)

    def model(self, name: str, columns: int, output: str) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", columns])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N"])],
            initializer=self.constants,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="seatrial"
        )
        onnx.checker.check_model(model, full_check=True)
        return model
