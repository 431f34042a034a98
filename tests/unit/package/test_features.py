"""The feature graph: what training sees is what production computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from seatrial.errors import PackageError
from seatrial.package import session
from seatrial.package.features import Features
from seatrial.package.signature import Signature
from tests.unit.package.example import features, model, table

SIGNATURE = Signature.of(model())
TRAIN = SIGNATURE.pack(table(300, 1))


def test_the_graph_agrees_with_the_transformer_and_names_its_columns() -> None:
    """They agree to float32; training uses the graph, so even a larger difference would not reach a prediction."""
    transformer: Any = features(model())
    fitted = Features.fit(transformer, SIGNATURE, TRAIN)
    rows = SIGNATURE.pack(table(100, 9))
    by_graph = fitted.apply(rows)
    frame = np.concatenate([rows.numeric.astype(object), rows.text], axis=1)
    with pytest.warns(UserWarning, match="feature names"):
        by_sklearn = np.asarray(transformer.transform(frame), np.float64)
    assert by_graph.dtype == np.float32
    np.testing.assert_allclose(by_graph, by_sklearn, atol=1e-5)
    assert fitted.names[:3] == ("number__month", "number__wind_gust", "raw__seats")
    assert len(fitted.names) == by_graph.shape[1]


def test_blocks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = Features.fit(features(model()), SIGNATURE, TRAIN)
    whole = fitted.apply(TRAIN)
    monkeypatch.setattr(session, "BLOCK", 7)
    assert fitted.apply(TRAIN).tobytes() == whole.tobytes()


def test_no_rows_give_an_empty_matrix() -> None:
    fitted = Features.fit(features(model()), SIGNATURE, TRAIN)
    assert fitted.apply(TRAIN.take(slice(0, 0))).shape == (0, len(fitted.names))


def test_a_category_never_seen_is_no_category() -> None:
    fitted = Features.fit(features(model()), SIGNATURE, TRAIN)
    row = {"month": 1, "carrier": "??", "wind_gust": 1.0, "origin": "??", "seats": 1}
    assert (fitted.apply(SIGNATURE.pack([row]))[0, 3:] == 0).all()


def test_a_transformer_need_not_be_a_column_transformer() -> None:
    numbers = Signature.of(model({"month": "int", "wind_gust": {"type": "float", "missing": "impute"}}))
    fitted = Features.fit(StandardScaler(), numbers, numbers.pack(table(50, 1)))
    assert fitted.names == ("month", "wind_gust")


@pytest.mark.parametrize(
    ("transformer", "message"),
    [
        (ColumnTransformer([("n", StandardScaler(), [0, 3])]), "cannot be fitted"),
        (ColumnTransformer([("n", FunctionTransformer(np.log1p), [0])]), "cannot be exported"),
        (ColumnTransformer([("n", StandardScaler(), [99])]), "cannot be fitted"),
        (
            ColumnTransformer([("n", OneHotEncoder(), [3]), ("m", "passthrough", [4])]),
            "the exported transformer|cannot be",
        ),
    ],
)
def test_what_cannot_be_exported_is_an_answerable_error(transformer: Any, message: str) -> None:
    with pytest.raises(PackageError, match=message) as caught:
        Features.fit(transformer, SIGNATURE, TRAIN)
    assert "features.py" in caught.value.what
