"""Numbers scaled, carriers one-hot."""

from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from seatrial.package.signature import Signature
from seatrial.project import Model


def features(model: Model) -> ColumnTransformer:
    """The transformer, not fitted."""
    signature = Signature.of(model)
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    texts = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return ColumnTransformer(
        [
            ("number", numbers, signature.positions(*signature.numeric)),
            ("text", texts, signature.positions(*signature.text)),
        ]
    )
