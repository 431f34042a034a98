"""Models whose true quality is known: binormal scores, turned into calibrated probabilities.

A row's score is N(0, 1) in the negative class and N(mu, 1) in the positive one, so that the true ROC AUC is
Phi(mu / sqrt 2) and the posterior probability is logistic in the score. Models share part of the noise, as models
trained on the same data do.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from seatrial.evaluation.evidence import Evidence, ScoredModel
from seatrial.evaluation.sample import Probability

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int8]


def binormal(
    n: int, aucs: list[float], *, rng: np.random.Generator, prevalence: float = 0.3, correlation: float = 0.7
) -> tuple[Labels, list[Floats]]:
    """Outcomes, and the calibrated probabilities of one model per true ROC AUC."""
    outcome = (rng.random(n) < prevalence).astype(np.int8)
    shared = rng.normal(size=n)
    probabilities = []
    for auc in aucs:
        mu = np.sqrt(2) * NormalDist().inv_cdf(auc)
        score = mu * outcome + np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * rng.normal(size=n)
        logit = mu * score - mu**2 / 2 + np.log(prevalence / (1 - prevalence))
        probabilities.append(1 / (1 + np.exp(-logit)))
    return outcome, probabilities


def model(name: str, probability: Probability, *, version: str | None = None, threshold: float = 0.5) -> ScoredModel:
    """A scored package whose digest follows from its name."""
    return ScoredModel(name, version, f"digest-of-{name}", probability, threshold)


def evidence(
    outcome: Labels, challenger: Floats, baseline: Floats, champion: Floats | None = None, **changes: Any
) -> Evidence:
    """Evidence with every measurement made and within the default limits; ``changes`` replace any of it."""
    fields: dict[str, Any] = {
        "outcome": outcome,
        "challenger": model("lightgbm", challenger),
        "baseline": model("logistic", baseline),
        "champion": None if champion is None else model("flights", champion, version="3"),
        "holdout_digest": "9b1e",
        "parity_difference": 3e-7,
        "latency_ms": {"p50": 0.05, "p95": 0.06, "p99": 0.08},
        "size_mb": 0.4,
    }
    return Evidence(**{**fields, **changes})
