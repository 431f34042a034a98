"""How the columns of a flight become numbers: one transformer, fitted on the training rows and exported to ONNX.

Every step is one that skl2onnx converts exactly. Scikit-learn's own missing-value indicators (dropped in
silence) and its grouping of rare categories (refused) are not among them, so an indicator is an imputer and a threshold
here, and the destinations that count are listed. A category that is not listed, or that training never saw, gives zeros
in all of its columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seatrial.package.signature import Signature

if TYPE_CHECKING:
    from sklearn.compose import ColumnTransformer

    from seatrial.project import Model

TELLING = ("plane_age", "wind_gust", "pressure")
"""Columns whose absence says something: a plane not in the register, air too calm to gust, a station that is down."""
# fmt: off
BUSIEST = [
    "ATL", "BNA", "BOS", "BUF", "CLE", "CLT", "CVG", "DCA", "DEN", "DFW",
    "DTW", "FLL", "IAD", "IAH", "LAS", "LAX", "MCO", "MDW", "MIA", "MSP",
    "ORD", "PBI", "PHX", "RDU", "RSW", "SEA", "SFO", "SJU", "STL", "TPA",
]
"""The 30 destinations with the most flights before September 2013, 78 % of them; listing all 105 gains nothing."""
# fmt: on
_ABSENT = -1e6
"""Stands for a missing value until the threshold; far below any value, and exact in float32."""


def features(model: Model) -> ColumnTransformer:
    """Numbers imputed by the median and standardised, with indicators where a gap tells; texts one-hot."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import Binarizer, OneHotEncoder, StandardScaler

    at = Signature.of(model).positions
    known = make_pipeline(SimpleImputer(strategy="constant", fill_value=_ABSENT), Binarizer(threshold=_ABSENT / 2))
    return ColumnTransformer(
        [
            ("number", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), at(*model.numeric)),
            ("known", known, at(*TELLING)),
            (
                "text",
                OneHotEncoder(handle_unknown="ignore"),
                at(*(name for name in model.categories if name != "dest")),
            ),
            ("dest", OneHotEncoder(categories=[BUSIEST], handle_unknown="ignore"), at("dest")),
        ],
        sparse_threshold=0,
    )
