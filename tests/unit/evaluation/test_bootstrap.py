"""The gate rests on the bootstrap's distribution: held against scikit-learn, DeLong's variance and a naive loop."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from sklearn import metrics as sk

from seatrial.errors import EvaluationError
from seatrial.evaluation import bootstrap as module
from seatrial.evaluation.bootstrap import bootstrap
from seatrial.evaluation.metrics import METRICS, PROBABILITY_FLOOR, Metric
from tests.unit.evaluation.samples import Floats, Labels, binormal

ALL: list[Metric] = list(METRICS)


def drawn_counts(n: int, resamples: int, seed: int) -> npt.NDArray[np.int64]:
    """The rows that ``bootstrap`` draws, in the order of the sample that it sorts by class."""
    per_block = max(1, module.BLOCK_ROWS // n)
    blocks = []
    for block, start in enumerate(range(0, resamples, per_block)):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(block,)))
        size = min(per_block, resamples - start)
        rows = rng.integers(0, n, size=(size, n))
        blocks.append(np.array([np.bincount(r, minlength=n) for r in rows]))
    return np.concatenate(blocks)


def sklearn_metric(metric: Metric, outcome: Labels, p: Floats) -> float:
    match metric:
        case "roc_auc":
            return float(sk.roc_auc_score(outcome, p))
        case "pr_auc":
            return float(sk.average_precision_score(outcome, p))
        case "log_loss":
            return float(sk.log_loss(outcome, p.clip(PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR), labels=[0, 1]))
        case "brier":
            return float(sk.brier_score_loss(outcome, p))


@pytest.mark.parametrize("metric", ALL)
@pytest.mark.parametrize("prevalence", [0.25, 0.8])
@pytest.mark.parametrize("decimals", [1, 12])
def test_each_resample_is_exactly_the_metric_of_the_repeated_rows(
    metric: Metric, prevalence: float, decimals: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ties (one decimal), either class in the majority, and blocks that the resamples do not fill."""
    monkeypatch.setattr(module, "BLOCK_ROWS", 1_000)
    outcome, scored = binormal(150, [0.7, 0.8], rng=np.random.default_rng(0), prevalence=prevalence)
    probabilities = [p.round(decimals) for p in scored]
    found = bootstrap(metric, probabilities, outcome, resamples=20, seed=5)
    by_class = np.argsort(outcome, kind="stable")
    for i, counts in enumerate(drawn_counts(150, 20, 5)):
        rows = np.repeat(by_class, counts)
        for j, p in enumerate(probabilities):
            assert found[j, i] == pytest.approx(sklearn_metric(metric, outcome[rows], p[rows]), rel=1e-10)


@pytest.mark.parametrize("metric", ALL)
def test_the_result_depends_on_the_seed_and_not_on_threads(metric: Metric, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decision must not change with the machine's number of cores."""
    monkeypatch.setattr(module, "BLOCK_ROWS", 2_000)
    outcome, p = binormal(300, [0.7, 0.72], rng=np.random.default_rng(1))
    one, many = (bootstrap(metric, p, outcome, resamples=201, seed=3, threads=t) for t in (1, 5))
    assert np.array_equal(one, many)
    assert not np.array_equal(one, bootstrap(metric, p, outcome, resamples=201, seed=4))


def delong_covariance(outcome: Labels, probabilities: list[Floats]) -> Floats:
    """Covariance of ROC AUCs on the same rows: DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44(3), 837-845."""
    placements = []
    for p in probabilities:
        x, y = p[outcome == 1], p[outcome == 0]
        wins = (x[:, None] > y) + (x[:, None] == y) / 2
        placements.append((wins.mean(axis=1), wins.mean(axis=0)))
    v10, v01 = (np.array(v) for v in zip(*placements, strict=True))
    return np.asarray(np.cov(v10) / v10.shape[1] + np.cov(v01) / v01.shape[1])


@pytest.mark.parametrize("decimals", [1, 12])
def test_the_spread_agrees_with_delong(decimals: int) -> None:
    """Two theories, one number. 4,000 resamples know a standard deviation to about 1 %."""
    outcome, scored = binormal(1_500, [0.72, 0.75], rng=np.random.default_rng(2))
    probabilities = [p.round(decimals) for p in scored]
    draws = bootstrap("roc_auc", probabilities, outcome, resamples=4_000, seed=0)
    covariance = delong_covariance(outcome, probabilities)
    assert np.cov(draws) == pytest.approx(covariance, rel=0.1)
    contrast = np.array([1, -1])
    assert np.std(draws[0] - draws[1]) == pytest.approx(np.sqrt(contrast @ covariance @ contrast), rel=0.05)
    assert np.std(draws[0] - draws[1]) < 0.7 * np.std(draws[0] - np.random.default_rng(0).permutation(draws[1]))


def test_the_quantiles_agree_with_a_naive_bootstrap() -> None:
    """Rows drawn by index, one metric call at a time: what everyone writes, slowly."""
    outcome, (p,) = binormal(400, [0.7], rng=np.random.default_rng(3))
    rng = np.random.default_rng(4)
    naive = [METRICS["roc_auc"](p[rows], outcome[rows]) for rows in rng.integers(0, 400, size=(3_000, 400))]
    ours = bootstrap("roc_auc", [p], outcome, resamples=3_000, seed=0)[0]
    tenths = np.arange(0.1, 1, 0.1)
    assert np.quantile(ours, tenths) == pytest.approx(np.quantile(naive, tenths), abs=0.15 * float(np.std(naive)))


@pytest.mark.parametrize("metric", ["roc_auc", "pr_auc"])
def test_a_resample_of_one_class_has_no_value(metric: Metric) -> None:
    """With one positive row in ten, a third of the resamples lack it; 0 or 0.5 would pull the interval."""
    outcome = np.array([1] + [0] * 9)
    draws = bootstrap(metric, [np.linspace(0.9, 0.1, 10)], outcome, resamples=2_000, seed=0)[0]
    assert np.isnan(draws).mean() == pytest.approx(0.9**10, abs=0.04)
    assert set(draws[~np.isnan(draws)]) == {1.0}


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(EvaluationError, match="all 3 rows are positive"):
        bootstrap("roc_auc", [np.full(3, 0.5)], np.ones(3), resamples=10, seed=0)
