"""What ``training/<model>/candidates.py`` and ``features.py`` hand over: the contract between a project and the engine.

A model's folder has two modules::

    # features.py
    def features(model: Model) -> Transformer:
        at = Signature.of(model).positions
        return ColumnTransformer([
            ("number", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), at("month", "wind_gust")),
            ("text", OneHotEncoder(handle_unknown="ignore"), at("carrier", "origin")),
        ])

    # candidates.py
    def baseline() -> Candidate: ...
    def candidates() -> Iterable[Candidate]: ...

A transformer selects columns *by position* in the two packed matrices side by side: number columns first, then text
columns, each in the order of ``model.toml`` (``Signature.positions`` finds them by name). One step of a
ColumnTransformer takes numbers or texts, not both: they arrive as two typed inputs. Missing is NaN or "".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from seatrial.errors import PackageError
from seatrial.package.signature import FloatMatrix
from seatrial.project import Model

if TYPE_CHECKING:
    import onnx

Scalar = bool | int | float | str | None
FloatVector = npt.NDArray[np.float32]
LabelVector = npt.NDArray[np.int8]
Progress = Callable[[int, int, str], None]
"""Called with (done, total, what it is doing): rounds of boosting, epochs, trials."""


def silent(_done: int, _total: int, _text: str) -> None:
    """The ``Progress`` that shows nothing."""


class Transformer(Protocol):
    """A scikit-learn transformer that skl2onnx can export."""

    def fit(self, X: Any, y: Any = None) -> Any:  # noqa: N803  (scikit-learn's name)
        """Learn from the training columns."""


class Fitted(Protocol):
    """A trained estimator. ``convert`` has ready ones for scikit-learn and LightGBM."""

    @property
    def parameters(self) -> Mapping[str, Scalar]:
        """What was chosen, for the lineage. Nothing that differs between machines: no thread counts, no paths."""

    def probability(self, x: FloatMatrix) -> FloatVector:
        """Probability of the positive class by the training framework itself, shape (n,), for x of shape (n, k).

        Parity compares the package with this, so it must not run the exported graph.
        """

    def to_onnx(self) -> onnx.ModelProto:
        """Graph of input ``features`` float32 [N, k] and output ``probability`` float32 [N]; standard operators only.

        Build it for ``graph.OPSET``, ``graph.ML_OPSET`` or older ones.
        """


@dataclass(frozen=True)
class TrainingData:
    """What a candidate learns from. The holdout is not in here, nor anything else that it must not see."""

    x: FloatMatrix
    """Shape (n, k), float32: already through the exported feature graph."""
    y: LabelVector
    """Shape (n,), 0 or 1."""
    x_validation: FloatMatrix
    y_validation: LabelVector
    feature_names: tuple[str, ...]
    """Length k."""
    seed: int
    """The only source of randomness: the same seed must give the same model."""
    threads: int
    progress: Progress = silent


@dataclass(frozen=True)
class Candidate:
    """A way to fit the model."""

    name: str
    """Lower case letters, digits and ``_``: it names files and registry entries."""
    fit: Callable[[TrainingData], Fitted]
    features: Callable[[Model], Transformer] | None = None
    """Only when this candidate needs other features than the model's ``features.py`` gives."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", self.name):
            raise PackageError(
                f"a candidate cannot be called {self.name!r}",
                why="The name becomes part of file names and registry entries.",
                todo="Use up to 63 lower case letters, digits and underscores, starting with a letter.",
            )
