"""What is tried for ``flights``: a baseline that anybody would try first, and three that have to earn their place.

All of them get the same float32 features. Each is a pure function of its data and seed, on one core: BLAS is held to
one thread, since more of them add up in another order and two machines would then build different packages.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from seatrial.package.candidate import Candidate, Fitted, TrainingData

if TYPE_CHECKING:
    import lightgbm
    import optuna

TRIALS = 8
"""Of twelve the seventh was the best with the default seed; with another the ninth, by 0.0003."""
SEARCH_ROWS = 60_000
"""Rows that a trial learns from: a quarter of the flights, and a quarter of the time."""
SEARCH_TREES = 100
TREES = 400
"""At most; the validation rows decide. One row through 400 trees takes about 0.1 ms."""
RATE = 0.06
PATIENCE = 40
_BINNING = {"max_bin": 63, "feature_pre_filter": False, "verbosity": -1}
"""Of the data sets, which trials with another ``min_data_in_leaf`` share."""


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
    """A hundred trees on a seventh of the rows each. Deeper ones gain 0.001 on validation rows at thrice the size."""
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
            data.x,
            data.y,
            data.x_validation,
            data.y_validation,
            seed=data.seed,
            progress=data.progress,
        )


def _lightgbm(data: TrainingData) -> Fitted:
    """Search settings on a sample of the rows, then fit the best on all of them."""
    from seatrial.package.convert import LightGbm

    settings, best = _search(data)
    data.progress(TRIALS, TRIALS + 1, "fitting the best settings on all rows")
    booster = _boost(data, settings)
    data.progress(TRIALS + 1, TRIALS + 1, f"{booster.best_iteration} trees")
    return LightGbm(booster, {**settings, "learning_rate": RATE, "trials": TRIALS, "search_roc_auc": round(best, 6)})


def _search(data: TrainingData) -> tuple[dict[str, Any], float]:
    """The settings with the highest ROC AUC on the validation rows, and that value."""
    import lightgbm
    import optuna
    from sklearn.metrics import roc_auc_score

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    chosen = np.random.default_rng(data.seed).permutation(len(data.y))[:SEARCH_ROWS]
    chosen.sort()
    train = lightgbm.Dataset(data.x[chosen], data.y[chosen], params=_BINNING, free_raw_data=False)

    def objective(trial: optuna.Trial) -> float:
        settings = {
            "num_leaves": trial.suggest_int("num_leaves", 15, 127, log=True),
            "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 20, 500, log=True),
            "feature_fraction": trial.suggest_float("feature_fraction", 0.2, 0.9),
            "lambda_l2": trial.suggest_float("lambda_l2", 1e-2, 100.0, log=True),
        }
        booster = lightgbm.train(_parameters(data, settings, rate=0.1), train, SEARCH_TREES)
        return float(roc_auc_score(data.y_validation, booster.predict(data.x_validation)))

    def report(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        done = trial.number + 1
        text = f"trial {done} of {TRIALS}: ROC AUC {trial.value:.4f}, best {study.best_value:.4f}"
        data.progress(done, TRIALS + 1, text)

    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=data.seed, n_startup_trials=5)
    )
    study.optimize(objective, n_trials=TRIALS, callbacks=[report])
    return dict(study.best_params), float(study.best_value)


def _boost(data: TrainingData, settings: dict[str, Any]) -> lightgbm.Booster:
    """Boost on all rows until every third validation row has not gained for ``PATIENCE`` trees (ROC AUC is a sort, and
    on all of them would take longer than the tree)."""
    import lightgbm

    train = lightgbm.Dataset(data.x, data.y, params=_BINNING)
    validation = lightgbm.Dataset(data.x_validation[::3], data.y_validation[::3], reference=train)
    stop = lightgbm.early_stopping(PATIENCE, verbose=False)
    parameters = _parameters(data, settings, rate=RATE)
    return lightgbm.train(parameters, train, TREES, valid_sets=[validation], callbacks=[stop])


def _parameters(data: TrainingData, settings: dict[str, Any], *, rate: float) -> dict[str, Any]:
    return {
        "objective": "binary",
        "metric": "auc",
        "learning_rate": rate,
        "seed": data.seed,
        "deterministic": True,
        "force_row_wise": True,  # the same sums as by column in the same order, in four fifths of the time
        "num_threads": data.threads,
        **_BINNING,
        **settings,
    }
