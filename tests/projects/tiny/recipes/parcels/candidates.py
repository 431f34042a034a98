"""A logistic regression and a small booster."""

from collections.abc import Iterable

from seatrial.package.candidate import Candidate, Fitted, TrainingData
from seatrial.package.convert import LightGbm, SklearnClassifier


def baseline() -> Candidate:
    """What a sensible person would try first."""
    return Candidate("logistic", _logistic)


def candidates() -> Iterable[Candidate]:
    """What should beat it."""
    yield Candidate("lightgbm", _lightgbm)


def _logistic(data: TrainingData) -> Fitted:
    from sklearn.linear_model import LogisticRegression

    return SklearnClassifier(LogisticRegression(max_iter=500).fit(data.x, data.y))


def _lightgbm(data: TrainingData) -> Fitted:
    from lightgbm import LGBMClassifier

    model = LGBMClassifier(
        n_estimators=40,
        num_leaves=15,
        n_jobs=1,
        random_state=data.seed,
        verbose=-1,
        deterministic=True,
        force_row_wise=True,
    )
    data.progress(1, 1, "fit")
    return LightGbm(model.fit(data.x, data.y))
