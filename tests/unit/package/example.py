"""A small model with every kind of column, for the tests of this folder. Run as a script it builds three packages.

``python example.py FOLDER`` is how the determinism test builds the same packages in separate processes.
"""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from seatrial.package.build import Built, Labelled, build
from seatrial.package.candidate import Candidate, Fitted, TrainingData, Transformer
from seatrial.package.convert import LightGbm, SklearnClassifier
from seatrial.package.lineage import DataDigests, Lineage
from seatrial.package.signature import Signature
from seatrial.project import Model

COLUMNS: dict[str, Any] = {
    "month": "int",
    "carrier": {"type": "category", "missing": "refuse"},
    "wind_gust": {"type": "float", "unit": "mph", "missing": "impute", "range": [0, 120]},
    "origin": {"type": "category", "missing": "impute"},
    "seats": {"type": "int", "missing": "impute"},
}


def model(columns: dict[str, Any] | None = None) -> Model:
    return Model.model_validate(
        {
            "name": "tides",
            "folder": Path("training/tides"),
            "task": "binary",
            "label": "late",
            "key": ("id",),
            "time": "at",
            "sources": {"tides": "tides.csv"},
            "columns": columns or COLUMNS,
            "split": {"validation_from": "2020-02-01", "holdout_from": "2020-03-01"},
        }
    )


def table(rows: int, seed: int) -> pa.Table:
    """A dataset table: late in bad wind, mostly."""
    rng = np.random.default_rng(seed)
    month = rng.integers(1, 13, rows)
    gust = rng.normal(30, 15, rows)
    seats = rng.integers(20, 400, rows)
    carrier = rng.choice(["UA", "AA", "DL", "ØZ"], rows)
    late = (gust + 10 * (carrier == "UA") + rng.normal(0, 20, rows) > 45).astype(np.int8)
    return pa.table(
        {
            "id": pa.array([f"{seed}-{i}" for i in range(rows)]),
            "late": pa.array(late),
            "month": pa.array(month),
            "carrier": pa.array(carrier),
            "wind_gust": pa.array(gust, mask=rng.random(rows) < 0.2),
            "origin": pa.array(rng.choice(["JFK", "LGA"], rows), mask=rng.random(rows) < 0.1),
            "seats": pa.array(seats, mask=rng.random(rows) < 0.3),
        }
    )


def features(of: Model) -> Transformer:
    """Numbers imputed and scaled, categories one-hot, by name."""
    at = Signature.of(of).positions
    return ColumnTransformer(  # type: ignore[no-any-return]  # scikit-learn is untyped here
        [
            ("number", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), at("month", "wind_gust")),
            ("raw", "passthrough", at("seats")),
            ("text", OneHotEncoder(handle_unknown="ignore"), at("carrier", "origin")),
        ]
    )


def imputed(of: Model) -> Transformer:
    """Features without missing values, for estimators that cannot take them."""
    signature = Signature.of(of)
    return ColumnTransformer(  # type: ignore[no-any-return]  # scikit-learn is untyped here
        [
            ("number", make_pipeline(SimpleImputer(), StandardScaler()), signature.positions(*signature.numeric)),
            ("text", OneHotEncoder(handle_unknown="ignore"), signature.positions(*signature.text)),
        ]
    )


def logistic(data: TrainingData) -> Fitted:
    return SklearnClassifier(LogisticRegression(max_iter=200).fit(data.x, data.y))


def forest(data: TrainingData) -> Fitted:
    estimator = RandomForestClassifier(20, min_samples_leaf=5, random_state=data.seed, n_jobs=data.threads)
    return SklearnClassifier(estimator.fit(data.x, data.y))


def boosting(data: TrainingData) -> Fitted:
    import lightgbm

    parameters = {"objective": "binary", "verbose": -1, "num_threads": data.threads, "deterministic": True}
    booster = lightgbm.train(
        {**parameters, "force_row_wise": True, "seed": data.seed}, lightgbm.Dataset(data.x, data.y), 20
    )
    return LightGbm(booster)


CANDIDATES = {
    "logistic": Candidate("logistic", logistic, features=imputed),
    "forest": Candidate("forest", forest),
    "boosting": Candidate("boosting", boosting),
}


def lineage() -> Lineage:
    digest = "ab" * 32
    return Lineage(
        data=DataDigests(train=digest, validation=digest, holdout=digest), holdout_from=dt.date(2020, 3, 1), seed=7
    )


def build_example(out: Path, candidate: Candidate, of: Model | None = None, **changes: Any) -> Built:
    """Build a package from the example's tables; ``changes`` replace arguments of ``build``."""
    settings = of or model()
    arguments: dict[str, Any] = {
        "model": settings,
        "transformer": features(settings) if settings.columns.keys() == COLUMNS.keys() else imputed(settings),
        "train": Labelled.of(table(600, 1), settings),
        "validation": Labelled.of(table(200, 2), settings),
        "holdout": Signature.of(settings).pack(table(400, 3)),
        "out": out,
        "profile": b"{}\n",
        "lineage": lineage(),
        "score": lambda y, p: {"accuracy": float(np.mean((p > 0.5) == y))},
        **changes,
    }
    return build(candidate, **arguments)


if __name__ == "__main__":
    for candidate_name, each in CANDIDATES.items():
        build_example(Path(sys.argv[1]) / candidate_name, each)
