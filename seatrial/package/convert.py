"""Ready ``Fitted`` implementations for scikit-learn classifiers and LightGBM, with their converters' faults mended.

Two things are wrong in silence with skl2onnx 1.20 and onnxmltools 1.16, and both are mended here at the root:

- scikit-learn's trees send a missing value left or right as training found best; the converter writes "right" for
  every node. A forest trained on NaN was off by 0.4. The directions are copied into the graph.
- LightGBM's thresholds are float64, ONNX's are float32, and the converter rounds them to the *nearest* one. Between two
  neighbouring float32 values it may round up to the upper one, which then falls on the wrong side (seen: off by 0.86).
  Thresholds are rounded *down*: for every float32 x, x <= t holds exactly when x <= down(t).

``parity`` measures what is left, on the holdout, each time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from seatrial.errors import PackageError
from seatrial.package import graph
from seatrial.package.candidate import FloatVector, Scalar
from seatrial.package.signature import FloatMatrix

if TYPE_CHECKING:
    import lightgbm
    import onnx

_NOT_LINEAGE = {"n_jobs", "num_threads", "nthread", "verbose", "verbosity", "warm_start", "device", "device_type"}
"""Parameters about the machine or the log. In the lineage they would change a package's digest and not its content."""


class SklearnClassifier:
    """A fitted binary classifier of scikit-learn that skl2onnx can export."""

    def __init__(self, estimator: Any, parameters: Mapping[str, Scalar] | None = None) -> None:
        """Wrap a classifier that was fitted on labels 0 and 1.

        Args:
            estimator: has ``predict_proba`` and ``classes_``. Its ``n_jobs`` is set to 1: several threads add up a
                forest in a different order each time, and the measured parity would differ between equal builds.
            parameters: for the lineage; by default ``get_params`` of the estimator.
        """
        _require_two_classes(estimator.classes_)
        if "n_jobs" in estimator.get_params(deep=False):
            estimator.set_params(n_jobs=1)
        self._estimator = estimator
        self._parameters = parameters

    @property
    def parameters(self) -> Mapping[str, Scalar]:
        """The estimator's own parameters that are plain values."""
        given = self._estimator.get_params(deep=False) if self._parameters is None else self._parameters
        return _scalars(given)

    def probability(self, x: FloatMatrix) -> FloatVector:
        """``predict_proba`` of class 1, shape (n,)."""
        return np.asarray(self._estimator.predict_proba(x)[:, 1], np.float32)

    def to_onnx(self) -> onnx.ModelProto:
        """The graph by skl2onnx, with the directions of missing values mended."""
        return graph.translated(type(self._estimator).__name__, self._convert)

    def _convert(self) -> onnx.ModelProto:
        from skl2onnx import convert_sklearn
        from skl2onnx.common.data_types import FloatTensorType

        model = convert_sklearn(
            self._estimator,
            initial_types=[("features", FloatTensorType([None, self._estimator.n_features_in_]))],
            options={id(self._estimator): {"zipmap": False}},
            target_opset={"": graph.OPSET, "ai.onnx.ml": graph.ML_OPSET},
        )
        _copy_missing_directions(model, self._estimator)
        return graph.probability_of(model, model.graph.output[1].name, positive=1)


class LightGbm:
    """A LightGBM model with a binary objective: a ``Booster`` or an ``LGBMClassifier``."""

    def __init__(
        self, model: lightgbm.Booster | lightgbm.LGBMClassifier, parameters: Mapping[str, Scalar] | None = None
    ) -> None:
        """Wrap a model trained on labels 0 and 1; early stopping's best round is the one that is exported."""
        self._booster: Any = getattr(model, "booster_", model)
        self._parameters = parameters
        header = self._booster.model_to_string(num_iteration=1).split("\nTree=", 1)[0]
        if "\nobjective=binary" not in header:
            raise PackageError(
                "this LightGBM model was not trained with the objective 'binary'",
                why="The package's output is the probability of the positive class.",
                todo="Train with objective='binary', or write to_onnx for yours.",
            )

    @property
    def parameters(self) -> Mapping[str, Scalar]:
        """The booster's parameters, and how many trees it came to."""
        given = self._booster.params if self._parameters is None else self._parameters
        return {**_scalars(given), "trees": self._rounds()}

    def probability(self, x: FloatMatrix) -> FloatVector:
        """The booster's own prediction, shape (n,)."""
        return np.asarray(self._booster.predict(x), np.float32)

    def to_onnx(self) -> onnx.ModelProto:
        """The graph by onnxmltools, of a copy of the booster whose thresholds are float32 values."""
        return graph.translated("LightGBM", self._convert)

    def _rounds(self) -> int:
        return int(self._booster.best_iteration if self._booster.best_iteration > 0 else self._booster.num_trees())

    def _convert(self) -> onnx.ModelProto:
        import lightgbm
        from onnxmltools import convert_lightgbm
        from onnxmltools.convert.common.data_types import FloatTensorType

        model = convert_lightgbm(
            lightgbm.Booster(model_str=_with_float32_thresholds(self._booster.model_to_string())),
            initial_types=[("features", FloatTensorType([None, self._booster.num_feature()]))],
            zipmap=False,
            target_opset=15,
        )
        return graph.probability_of(model, model.graph.output[1].name, positive=1)


def down(threshold: float) -> float:
    """The largest float32 that is not above ``threshold``; -inf when there is none."""
    with np.errstate(over="ignore"):
        nearest = np.float32(threshold)
    return float(nearest) if float(nearest) <= threshold else float(np.nextafter(nearest, np.float32(-math.inf)))


def _with_float32_thresholds(text: str) -> str:
    """Rewrite the thresholds in LightGBM's model text. For a categorical split they are small indices: unchanged."""
    lines = []
    for line in text.split("\n"):
        if line.startswith("tree_sizes="):  # byte counts of the trees: optional, and no longer right
            continue
        name, is_setting, values = line.partition("=")
        if is_setting and name == "threshold":
            lines.append("threshold=" + " ".join(repr(down(float(t))) for t in values.split()))
        else:
            lines.append(line)
    return "\n".join(lines)


def _copy_missing_directions(model: onnx.ModelProto, estimator: Any) -> None:
    """Write each tree node's ``missing_go_to_left`` into the ensemble; skl2onnx keeps scikit-learn's node numbers."""
    from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
    from sklearn.tree import DecisionTreeClassifier

    if isinstance(estimator, DecisionTreeClassifier):
        trees = [estimator.tree_]
    elif isinstance(estimator, RandomForestClassifier | ExtraTreesClassifier):
        trees = [member.tree_ for member in estimator.estimators_]
    else:
        return
    for node in model.graph.node:
        if node.op_type == "TreeEnsembleClassifier":
            attributes = {a.name: a for a in node.attribute}
            where = zip(attributes["nodes_treeids"].ints, attributes["nodes_nodeids"].ints, strict=True)
            left = [tree.missing_go_to_left for tree in trees]
            attributes["nodes_missing_value_tracks_true"].ints[:] = [int(left[tree][index]) for tree, index in where]


def _require_two_classes(classes: Any) -> None:
    if [int(c) for c in classes] != [0, 1]:
        raise PackageError(
            f"the classifier knows the classes {list(classes)}, not 0 and 1",
            why="A binary model answers the probability of label 1.",
            todo="Fit it on TrainingData.y, and see that the training table has both labels.",
        )


def _scalars(parameters: Mapping[str, Any]) -> dict[str, Scalar]:
    kept: dict[str, Scalar] = {}
    for name, value in sorted(parameters.items()):
        plain = value.item() if isinstance(value, np.generic) else value
        if name not in _NOT_LINEAGE and isinstance(plain, bool | int | float | str | None):
            kept[name] = plain if not isinstance(plain, float) or math.isfinite(plain) else str(plain)
    return kept
