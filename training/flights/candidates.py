"""What is tried for ``flights``: a baseline that anybody would try first, and three that have to earn their place.

All of them get the same float32 features. Each is a pure function of its data and seed, on one core: BLAS is held to one
thread, since more of them add up in another order and two machines would then build different packages.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from seatrial.package.candidate import Candidate, Fitted, TrainingData

if TYPE_CHECKING:
    import lightgbm
    import optuna

TRIALS = 12
SEARCH_ROWS = 60_000
"""Rows that a trial learns from: a quarter of the flights ranks settings like all of them, in a quarter of the time."""
SEARCH_TREES = 120
TREES = 400
"""At most; the validation rows decide. One row through 400 trees takes about 0.1 ms."""
PATIENCE = 40


def baseline() -> Candidate:
    """A logistic regression: what a more elaborate model must beat to be worth its keep."""
    return Candidate("logistic", _logistic)


def candidates() -> Iterable[Candidate]:
    """The challengers, in the order in which the report shows them."""
    return (Candidate("lightgbm", _lightgbm), Candidate("forest", _forest), Candidate("network", _network))


def _logistic(data: TrainingData) -> Fitted:
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    from seatrial.package.convert import SklearnClassifier

    data.progress(0, 1, "logistic regression")
    with threadpool_limits(1):
        fitted = LogisticRegression(max_iter=1000).fit(data.x, data.y)
    data.progress(1, 1, f"logistic regression, {int(fitted.n_iter_[0])} iterations")
    return SklearnClassifier(fitted)


def _forest(data: TrainingData) -> Fitted:
    """A hundred trees on a seventh of the rows each: deeper or fuller trees gain nothing on later months, and are larger."""
    from sklearn.ensemble import RandomForestClassifier

    from seatrial.package.convert import SklearnClassifier

    data.progress(0, 1, "random forest")
    forest = RandomForestClassifier(
        n_estimators=100,
        max_depth=12,
        min_samples_leaf=20,
        max_samples=0.15,
        random_state=data.seed,
        n_jobs=data.threads,
    ).fit(data.x, data.y)
    data.progress(1, 1, f"random forest, {sum(tree.tree_.node_count for tree in forest.estimators_):,} nodes")
    return SklearnClassifier(forest)


def _network(data: TrainingData) -> Fitted:
    """The network of ``training/scratch``, which is NumPy and nothing else."""
    from threadpoolctl import threadpool_limits

    from training.scratch.network import fit_network

    with threadpool_limits(1):
        return fit_network(
            data.x, data.y, data.x_validation, data.y_validation, seed=data.seed, progress=data.progress
        )


def _lightgbm(data: TrainingData) -> Fitted:
    """Search settings on a sample of the rows, then fit the best on all of them."""
    from seatrial.package.convert import LightGbm

    settings, best = _search(data)
    data.progress(TRIALS, TRIALS + 1, "fitting the best settings on all rows")
    booster = _boost(data, data.x, data.y, {**settings, "learning_rate": 0.05}, TREES)
    data.progress(TRIALS + 1, TRIALS + 1, f"{booster.best_iteration} trees")
    return LightGbm(booster, {**settings, "learning_rate": 0.05, "trials": TRIALS, "search_roc_auc": round(best, 6)})


def _search(data: TrainingData) -> tuple[dict[str, Any], float]:
    """The settings with the highest ROC AUC on the validation rows, and that value."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    chosen = np.random.default_rng(data.seed).permutation(len(data.y))[:SEARCH_ROWS]
    chosen.sort()
    x, y = data.x[chosen], data.y[chosen]

    def objective(trial: optuna.Trial) -> float:
        settings = {
            "num_leaves": trial.suggest_int("num_leaves", 15, 127, log=True),
            "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 20, 500, log=True),
            "feature_fraction": trial.suggest_float("feature_fraction", 0.2, 0.9),
            "lambda_l2": trial.suggest_float("lambda_l2", 1e-2, 100.0, log=True),
        }
        score = _boost(data, x, y, {**settings, "learning_rate": 0.1}, SEARCH_TREES).best_score["validation"]["auc"]
        return float(score)

    def report(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        data.progress(trial.number + 1, TRIALS + 1, f"trial {trial.number + 1} of {TRIALS}, best ROC AUC {study.best_value:.4f}")

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=data.seed, n_startup_trials=5))
    study.optimize(objective, n_trials=TRIALS, callbacks=[report])
    return dict(study.best_params), float(study.best_value)


def _boost(data: TrainingData, x: Any, y: Any, settings: dict[str, Any], trees: int) -> lightgbm.Booster:
    """Boost until the validation rows have not gained for ``PATIENCE`` trees."""
    import lightgbm

    parameters = {
        "objective": "binary",
        "metric": "auc",
        "max_bin": 63,
        "seed": data.seed,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": data.threads,
        "verbosity": -1,
        **settings,
    }
    train = lightgbm.Dataset(x, y, params={"max_bin": 63, "verbosity": -1})
    validation = lightgbm.Dataset(data.x_validation, data.y_validation, reference=train)
    stop = lightgbm.early_stopping(PATIENCE, verbose=False)
    return lightgbm.train(
        parameters, train, trees, valid_sets=[validation], valid_names=["validation"], callbacks=[stop]
    )
