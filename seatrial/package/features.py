"""The feature graph: a scikit-learn transformer is fitted, exported, and from then on only the export is run.

A converter that is slightly off, or float64 inside scikit-learn against float32 outside, then no longer matters: the
estimator is trained on what the graph really gives, and production runs the same graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from seatrial.errors import MissingExtra, PackageError
from seatrial.package import graph
from seatrial.package.candidate import Transformer
from seatrial.package.session import Graph
from seatrial.package.signature import FloatMatrix, Packed, Signature

if TYPE_CHECKING:
    import onnx
    import pandas as pd


@dataclass(frozen=True)
class Features:
    """Exported features: packed columns in, a float32 matrix out."""

    model: onnx.ModelProto
    names: tuple[str, ...]
    """Length k."""
    _graph: Graph

    @classmethod
    def fit(cls, transformer: Transformer, signature: Signature, train: Packed) -> Features:
        """Fit a transformer on the training columns and export it.

        Args:
            transformer: selects columns by position, numbers first (``Signature.positions``).
            signature: names and types of the columns.
            train: the training rows, and no others: a transformer that sees the holdout leaks it.

        Raises:
            PackageError: it cannot be fitted or exported, or gives anything but one float32 matrix.
        """
        try:
            transformer.fit(_frame(signature, train))
        except (ValueError, TypeError, LookupError) as exc:
            raise PackageError(
                f"features.py: the transformer cannot be fitted: {exc}",
                why="It is fitted on the training columns: numbers first, then texts, missing as NaN or an empty text.",
                todo="Correct features.py; Signature.positions finds columns by name, one step takes numbers or texts.",
            ) from exc
        exported = graph.translated("features.py: the transformer", lambda: _export(transformer, signature))
        width = _width(exported, train)
        model = graph.translated(
            "features.py: the transformer",
            lambda: graph.feature_graph(
                exported, numeric=len(signature.numeric), text=len(signature.text), features=width
            ),
        )
        return cls(model, _names(transformer, width), Graph(graph.to_bytes(model)))

    def apply(self, packed: Packed) -> FloatMatrix:
        """The features of these rows, shape (n, k), computed by the graph in float32, block by block."""
        return self._graph.run(packed)


def _frame(signature: Signature, packed: Packed) -> pd.DataFrame:
    """The training columns with their names and types, as scikit-learn likes them."""
    try:
        import pandas as pd
    except ImportError as exc:
        raise MissingExtra("fitting features", "pandas", "train") from exc
    numbers = pd.DataFrame(packed.numeric, columns=list(signature.numeric), copy=False)
    texts = pd.DataFrame(packed.text, columns=list(signature.text), dtype=object, copy=False)
    return pd.concat([numbers, texts], axis=1)


def _export(transformer: Transformer, signature: Signature) -> onnx.ModelProto:
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    types = []
    if signature.numeric:
        types.append(("numeric", FloatTensorType([None, len(signature.numeric)])))
    if signature.text:
        types.append(("text", StringTensorType([None, len(signature.text)])))
    versions = {"": graph.OPSET, "ai.onnx.ml": graph.ML_OPSET}
    return convert_sklearn(transformer, initial_types=types, target_opset=versions)


def _width(exported: onnx.ModelProto, train: Packed) -> int:
    """How many features come out: asked of the graph itself, since the declared shape is often left open."""
    if len(exported.graph.output) != 1:
        outputs = [o.name for o in exported.graph.output]
        raise _not_a_matrix(f"gives {len(outputs)} outputs ({', '.join(outputs)})")
    first = Graph(graph.to_bytes(exported)).run(train.take(slice(0, 1)))
    if first.ndim != 2 or first.dtype != "float32":
        raise _not_a_matrix(f"gives {first.dtype} of {first.ndim} dimensions")
    return int(first.shape[1])


def _not_a_matrix(what: str) -> PackageError:
    return PackageError(
        f"features.py: the exported transformer {what}",
        why="An estimator takes one float32 matrix with a column for each feature.",
        todo="Join the parts in one ColumnTransformer or FeatureUnion, and encode texts into numbers.",
    )


def _names(transformer: Transformer, width: int) -> tuple[str, ...]:
    """The transformer's own names where it knows them; they are for people, nothing is looked up by them."""
    try:
        names = tuple(str(n) for n in transformer.get_feature_names_out())  # type: ignore[attr-defined]  # optional
    except (AttributeError, ValueError, TypeError):
        names = ()
    return names if len(names) == width else tuple(f"feature_{i}" for i in range(width))
