"""Merging: what an estimator's graph must look like, and what may not leak into a package."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from seatrial.errors import PackageError
from seatrial.package import graph
from seatrial.package.features import Features
from seatrial.package.session import Graph
from seatrial.package.signature import Signature
from tests.unit.package.example import features, model, table

SIGNATURE = Signature.of(model())
TRAIN = SIGNATURE.pack(table(200, 1))


@pytest.fixture(scope="module")
def behind() -> Features:
    return Features.fit(features(model()), SIGNATURE, TRAIN)


def estimator(width: int, **changes: Any) -> onnx.ModelProto:
    """Sigmoid of the mean of the features, as a project would write it by hand."""
    settings: dict[str, Any] = {"input": "features", "output": "probability", "shape": ["N"], "opset": 18, **changes}
    nodes = [
        helper.make_node("ReduceMean", [settings["input"]], ["mean"], axes=[1], keepdims=settings.get("keepdims", 0))
        if settings["opset"] < 18
        else helper.make_node(
            "ReduceMean", [settings["input"], "axis"], ["mean"], keepdims=settings.get("keepdims", 0)
        ),
        helper.make_node("Sigmoid", ["mean"], [settings["output"]], domain=settings.get("domain", "")),
    ]
    axis = [numpy_helper.from_array(np.array([1], np.int64), "axis")] if settings["opset"] >= 18 else []
    return helper.make_model(
        helper.make_graph(
            nodes,
            "/home/someone/secret.py",
            [helper.make_tensor_value_info(settings["input"], TensorProto.FLOAT, ["batch", width])],
            [helper.make_tensor_value_info(settings["output"], TensorProto.FLOAT, settings["shape"])],
            axis,
            doc_string="built on host seven",
        ),
        opset_imports=[helper.make_opsetid("", settings["opset"])],
        producer_name="tool 1.2.3",
        ir_version=8,
    )


@pytest.mark.parametrize("opset", [13, 18])
def test_an_estimator_written_by_hand_fits_behind_the_features(behind: Features, opset: int) -> None:
    """A project's own network comes with its own operator version; older ones are raised to the package's."""
    merged = graph.merge(behind.model, estimator(len(behind.names), opset=opset))
    answers = Graph(graph.to_bytes(merged)).run(TRAIN)
    expected = 1 / (1 + np.exp(-np.nanmean(behind.apply(TRAIN), axis=1, dtype=np.float64)))
    whole = ~np.isnan(TRAIN.numeric).any(axis=1)
    assert answers.shape == (200,)
    np.testing.assert_allclose(answers[whole], expected[whole], atol=1e-6)
    assert [(o.domain, o.version) for o in merged.opset_import] == [("", 18), ("ai.onnx.ml", 3)]


def test_nothing_about_the_builder_is_left_in_the_graph(behind: Features) -> None:
    content = graph.to_bytes(graph.merge(behind.model, estimator(len(behind.names))))
    for trace in (b"secret", b"host seven", b"tool 1.2.3", b"skl2onnx"):
        assert trace not in content


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input": "x"}, "its inputs are"),
        ({"output": "y"}, "its outputs are"),
        ({"shape": ["N", 1], "keepdims": 1}, "not one float32 'probability' of shape"),
        ({"opset": 21}, "built for operator sets"),
        ({"domain": "com.microsoft"}, "com.microsoft, which are not standard"),
        ({"keepdims": 1}, "cannot be exported"),
    ],
)
def test_an_estimator_that_breaks_the_contract_is_refused(
    behind: Features, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(PackageError, match=message):
        graph.merge(behind.model, estimator(len(behind.names), **changes))


def test_an_estimator_of_another_width_is_refused(behind: Features) -> None:
    with pytest.raises(PackageError, match="its features are 2 wide"):
        graph.merge(behind.model, estimator(2))


def test_weights_in_another_file_are_refused(behind: Features) -> None:
    outside = estimator(len(behind.names))
    tensor = outside.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    with pytest.raises(PackageError, match="weights in other files"):
        graph.merge(behind.model, outside)


def test_the_runtime_reads_no_weights_from_other_files(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package whose graph points outside must not read what happens to lie in the server's folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.bin").write_bytes(np.zeros(256, np.float32).tobytes())
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[256], data_location=TensorProto.EXTERNAL)
    weights.external_data.add(key="location", value="w.bin")
    outside = helper.make_model(
        helper.make_graph(
            [helper.make_node("Add", ["numeric", "w"], ["probability"])],
            "g",
            [helper.make_tensor_value_info("numeric", TensorProto.FLOAT, ["N", 256])],
            [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["N", 256])],
            [weights],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
    )
    with pytest.raises(PackageError, match="xternal data"):
        Graph(outside.SerializeToString())


def test_bytes_that_are_no_graph_are_refused() -> None:
    with pytest.raises(PackageError, match="onnxruntime refuses"):
        Graph(b"not a graph")
