"""Rehearsals to draw: one that came to its end, one that did not."""

from __future__ import annotations

import datetime as dt

from seatrial.reports.rehearsal import Moment, Operations, Phase, RehearsalReport
from seatrial.reports.report import Failure, NextStep

STARTED = dt.datetime(2026, 11, 21, 15, 0, tzinfo=dt.UTC)


def rehearsed() -> RehearsalReport:
    """A whole story."""
    return RehearsalReport(
        model="flights",
        cloud="aws",
        started=STARTED,
        seconds=52.7,
        isolation="namespaces",
        moments=(
            Moment(0.4, "account", "bucket and 3 roles made"),
            Moment(18.9, "train", "PROMOTE network: +0.003 roc_auc", ("3 jobs", "package 0d2a58bd")),
            Moment(38.2, "sabotage", "v2 failed under traffic, alarm, rolled back", ("38 answers were 500", "0 lost")),
            Moment(52.6, "destroy", "0 left"),
        ),
        phases=(
            Phase("canary of v1", 2000, {"v1": 2000}, p50_ms=3.2, p99_ms=11.0),
            Phase("sabotage", 700, {"v1": 660, "v2": 2}, errors=38, p50_ms=3.1, p99_ms=12.5),
        ),
        operations=Operations({"CreateEndpoint": 2, "InvokeEndpoint": 2700}, {"CreateModel": 2}, {}),
        proven=("the compiled pipeline runs",),
        not_proven=("quotas",),
        next_steps=(NextStep("seatrial launch flights --cloud aws", "The same against the real service:"),),
    )


def broken_off() -> RehearsalReport:
    """A story that ended early."""
    return RehearsalReport(
        model="flights",
        cloud="aws",
        started=STARTED,
        seconds=3.0,
        isolation="podman",
        moments=(Moment(2.9, "train", "job 'train' failed", ("exit code 3",), holds=False),),
        failure=Failure("train", "job 'train' failed", "It ended with 3.", "See its log."),
    )


SAMPLES = {"rehearsed": rehearsed, "broken_off": broken_off}
