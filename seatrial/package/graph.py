"""ONNX graphs: give each the agreed shape, join features and estimator into one, and check the result.

The merged graph has fixed names, one pair of operator-set versions and nothing that differs between two builds of the
same thing: converters put random graph names, tool versions and doc strings into what they write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import onnx
from onnx import checker, compose, helper, version_converter

from seatrial.errors import PackageError

OPSET = 18
"""Version of the standard operators in a package; onnxruntime 1.14 (2023) and later run it."""
ML_OPSET = 3
"""Version of the ``ai.onnx.ml`` operators (tree ensembles, encoders)."""
IR_VERSION = 10

_FLOAT, _STRING = onnx.TensorProto.FLOAT, onnx.TensorProto.STRING

CONVERTER_ERRORS = (
    RuntimeError,
    NotImplementedError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    onnx.checker.ValidationError,
    onnx.shape_inference.InferenceError,
)
"""What converters and onnx raise for something that they cannot convert; they share no base class."""


def translated(what: str, convert: Callable[[], onnx.ModelProto]) -> onnx.ModelProto:
    """Run a converter and turn its own errors into one that says what to do."""
    try:
        return convert()
    except CONVERTER_ERRORS as exc:
        raise PackageError(
            f"{what} cannot be exported to ONNX: {type(exc).__name__}: {exc}",
            why="A package is one ONNX graph; what cannot be exported cannot be served.",
            todo="Use steps that skl2onnx or onnxmltools support (docs/package.md), or write your own to_onnx.",
        ) from exc


def feature_graph(model: onnx.ModelProto, *, numeric: int, text: int, features: int) -> onnx.ModelProto:
    """Agree on the shape of exported features: ``numeric`` [N, a], ``text`` [N, b] -> ``features`` [N, k]."""
    result = _aligned(model)
    _keep_output(result.graph, model.graph.output[0].name, "features")
    inputs = []
    if numeric:
        inputs.append(helper.make_tensor_value_info("numeric", _FLOAT, ["N", numeric]))
    if text:
        inputs.append(helper.make_tensor_value_info("text", _STRING, ["N", text]))
    _interface(result.graph, inputs, helper.make_tensor_value_info("features", _FLOAT, ["N", features]))
    return result


def probability_of(model: onnx.ModelProto, probabilities: str, positive: int) -> onnx.ModelProto:
    """Reduce a classifier's graph to ``probability`` [N]: one column of its ``probabilities`` [N, classes].

    The branches for labels and probability maps go; the one input is called ``features``.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    graph.initializer.append(helper.make_tensor("positive_class", onnx.TensorProto.INT64, [], [positive]))
    graph.node.append(helper.make_node("Gather", [probabilities, "positive_class"], ["probability"], axis=1))
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("probability", _FLOAT, ["N"]))
    return result


def merge(features: onnx.ModelProto, estimator: onnx.ModelProto) -> onnx.ModelProto:
    """Put an estimator behind the features: raw columns in, ``probability`` [N] out.

    Raises:
        PackageError: the estimator's graph is not ``features`` [N, k] -> ``probability`` [N], needs operators that are
            not standard, or the merged graph fails ONNX's full check.
    """
    width = _width(features.graph.output[0])
    _check_estimator(estimator, width)

    def build() -> onnx.ModelProto:
        behind = _aligned(estimator)
        _keep_output(behind.graph, "probability", "probability")
        probability = helper.make_tensor_value_info("probability", _FLOAT, ["N"])
        _interface(behind.graph, [helper.make_tensor_value_info("features", _FLOAT, ["N", width])], probability)
        checker.check_model(behind, full_check=True)  # alone too: behind the features its ranks are often unknown
        merged = compose.merge_models(
            _prefixed(features, "features/"), _prefixed(behind, "estimator/"), io_map=[("features", "features")]
        )
        _strip(merged)
        _interface(merged.graph, list(features.graph.input), probability)
        checker.check_model(merged, full_check=True)
        return merged

    return translated("the merged graph", build)


def to_bytes(model: onnx.ModelProto) -> bytes:
    """Serialise: the same model gives the same bytes."""
    return model.SerializeToString(deterministic=True)  # type: ignore[no-any-return]  # onnx is untyped here


def _aligned(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy with this module's operator-set versions and without anything that varies between builds."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    versions = {o.domain or "": o.version for o in result.opset_import}
    foreign = sorted({n.domain for n in result.graph.node} - {"", "ai.onnx.ml"})
    if foreign:
        raise ValueError(f"it uses operators of {', '.join(foreign)}, which are not standard")
    if versions.get("", 0) > OPSET or versions.get("ai.onnx.ml", 0) > ML_OPSET:
        raise ValueError(f"it was built for operator sets {versions}; build it for {OPSET} and ai.onnx.ml {ML_OPSET}")
    del result.opset_import[:]
    result.opset_import.append(helper.make_opsetid("", versions.get("", OPSET)))
    result.opset_import.append(helper.make_opsetid("ai.onnx.ml", versions.get("ai.onnx.ml", ML_OPSET)))
    if versions.get("", OPSET) < OPSET:
        result = version_converter.convert_version(result, OPSET)
    _strip(result)
    return result


def _strip(model: onnx.ModelProto) -> None:
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version, model.domain, model.model_version = "seatrial", "", "", 0
    model.ClearField("doc_string")
    del model.metadata_props[:]
    del model.opset_import[:]
    model.opset_import.extend([helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)])
    model.graph.name = "seatrial"
    model.graph.ClearField("doc_string")
    for part in (*model.graph.node, *model.graph.initializer, *model.graph.input, *model.graph.output):
        part.ClearField("doc_string")
    attributes: list[Any]
    for node in model.graph.node:
        attributes = sorted(node.attribute, key=lambda a: a.name)
        del node.attribute[:]
        node.attribute.extend(attributes)
    initializers = sorted(model.graph.initializer, key=lambda i: i.name)
    del model.graph.initializer[:]
    model.graph.initializer.extend(initializers)


def _keep_output(graph: onnx.GraphProto, wanted: str, name: str) -> None:
    """Keep the nodes that lead to one output, and call that output ``name``."""
    needed = {wanted}
    kept = []
    for node in reversed(graph.node):
        if needed & set(node.output):
            kept.append(node)
            needed |= set(node.input)
    kept.reverse()
    if wanted != name:
        kept.append(helper.make_node("Identity", [wanted], [name], name=f"to_{name}"))
    del graph.node[:]
    graph.node.extend(kept)
    initializers = [i for i in graph.initializer if i.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(initializers)


def _interface(graph: onnx.GraphProto, inputs: Iterable[onnx.ValueInfoProto], output: onnx.ValueInfoProto) -> None:
    """Declare inputs and output; shapes in between are left to inference, which cannot be out of date."""
    inputs = list(inputs)
    del graph.input[:]
    del graph.output[:]
    del graph.value_info[:]
    graph.input.extend(inputs)
    graph.output.append(output)


def _prefixed(model: onnx.ModelProto, prefix: str) -> onnx.ModelProto:
    return compose.add_prefix(model, prefix, rename_inputs=False, rename_outputs=False)


def _width(value: onnx.ValueInfoProto) -> int:
    return int(value.type.tensor_type.shape.dim[1].dim_value)


def _check_estimator(model: onnx.ModelProto, width: int) -> None:
    given = [(i.name, i.type.tensor_type.elem_type, len(i.type.tensor_type.shape.dim)) for i in model.graph.input]
    given = [i for i in given if i[0] not in {t.name for t in model.graph.initializer}]
    answers = [(o.name, o.type.tensor_type.elem_type, len(o.type.tensor_type.shape.dim)) for o in model.graph.output]
    problems = []
    if given != [("features", _FLOAT, 2)]:
        problems.append(f"its inputs are {given}, not one float32 'features' of shape [N, {width}]")
    elif _width(model.graph.input[0]) not in (0, width):
        problems.append(f"its features are {_width(model.graph.input[0])} wide, and the feature graph gives {width}")
    if answers != [("probability", _FLOAT, 1)]:
        problems.append(f"its outputs are {answers}, not one float32 'probability' of shape [N]")
    if any(t.data_location == onnx.TensorProto.EXTERNAL for t in model.graph.initializer):
        problems.append("it keeps weights in other files")
    if problems:
        raise PackageError(
            "the estimator's graph does not fit behind the features: " + "; ".join(problems),
            why="Features and estimator are merged into one graph, so what meets in the middle must be the same.",
            todo="Correct to_onnx of the candidate; seatrial.package.candidate.Fitted states the contract.",
        )
