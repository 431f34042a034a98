"""Reports of runs as they come: a promotion over a champion, a rejection, too little data, a stop at the data."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace

from seatrial.reports.report import (
    CalibrationPoint,
    Candidate,
    CategoryColumn,
    Condition,
    Confusion,
    Data,
    Failure,
    Finding,
    Gate,
    Line,
    NextStep,
    NumberColumn,
    Part,
    Role,
    RunReport,
    SliceDifference,
    Task,
)

STARTED = dt.datetime(2026, 11, 20, 14, 5, tzinfo=dt.UTC)
CARRIERS = ("9E", "AA", "AS", "B6", "DL", "EV", "F9", "FL", "HA", "MQ", "OO", "UA", "US", "VX", "WN", "YV")


def curve(strength: float) -> Line:
    """An ROC-like curve; 0 is guessing."""
    x = tuple(i / 100 for i in range(101))
    return Line(x, tuple(v ** (1 / (1 + strength)) for v in x))


def precision(strength: float, rate: float) -> Line:
    x = tuple(i / 100 for i in range(101))
    return Line(x, tuple(rate + (1 - rate) * 0.8 * strength * (1 - v) ** 2 for v in x))


def calibrated(bias: float) -> tuple[CalibrationPoint, ...]:
    return tuple(
        CalibrationPoint(3641, 0.05 + 0.045 * i, max(0.0, 0.05 + 0.045 * i + bias * math.sin(i / 2))) for i in range(14)
    )


def candidate(name: str, role: Role, auc: float, *, version: int | None = None) -> Candidate:
    strength = (auc - 0.5) * 4
    return Candidate(
        name=name,
        role=role,
        version=version,
        digest=(name.encode().hex() * 12)[:64],
        validation={"roc_auc": auc + 0.011, "pr_auc": auc - 0.27, "log_loss": 0.53, "brier": 0.171},
        holdout={
            "roc_auc": auc,
            "pr_auc": auc - 0.28,
            "log_loss": 1.19 - auc,
            "brier": 0.39 - auc / 3,
            "calibration_error": 0.72 - auc,
        },
        parity=3.1e-7 if role != "champion" else None,
        size_mb=0.37 + auc,
        latency_ms={"p50": 0.071, "p99": 0.164},
        fit_seconds=None if role == "champion" else 60 * (auc - 0.6),
        parameters={"learning_rate": 0.05, "trees": 212, "l2": 0.1, "class_weight": "none"}
        if name == "lightgbm"
        else {"l2": 0.001 * auc},
        roc=curve(strength),
        precision_recall=precision(strength, 0.21),
        calibration=calibrated(0.72 - auc),
        confusion=Confusion(0.31, 6120, 8044, 35104, 5346),
    )


def slices() -> tuple[SliceDifference, ...]:
    made = []
    for i, carrier in enumerate(CARRIERS):
        if carrier in {"HA", "OO", "YV"}:
            made.append(SliceDifference("carrier", carrier, 40 + i, 7, "too_small"))
            continue
        difference = 0.042 + 0.03 * math.sin(i * 1.7)
        width = 0.006 + 0.05 / (i + 2)
        made.append(
            SliceDifference(
                "carrier",
                carrier,
                9000 // (i + 1),
                1900 // (i + 1),
                "holds",
                0.69,
                0.69 - difference,
                difference,
                difference - width,
                difference + width,
                0.9,
            )
        )
    for origin, difference in (("EWR", 0.051), ("JFK", 0.038), ("LGA", 0.036)):
        made.append(
            SliceDifference("origin", origin, 17800, 4100, "holds", 0.7, 0.7 - difference, difference,
                            difference - 0.006, difference + 0.006, 1.0)
        )  # fmt: skip
    return tuple(made)


def number_column(name: str, unit: str, low: float, high: float, missing: int) -> NumberColumn:
    step = (high - low) / 20
    counts = tuple(round(9000 * math.exp(-((i - 7) ** 2) / 18)) + 40 for i in range(20))
    return NumberColumn(
        name=name,
        rows=218_633,
        missing=missing,
        unit=unit,
        minimum=low,
        maximum=high,
        mean=low + 0.4 * (high - low),
        quantiles={"0.01": low, "0.05": low + step, "0.5": low + 7 * step, "0.95": low + 15 * step, "0.99": high},
        edges=tuple(low + step * (i + 1) for i in range(19)),
        counts=counts,
    )


def data() -> Data:
    return Data(
        sources={"flights": 336_776, "weather": 26_115, "planes": 3_322},
        joined=336_776,
        left_out={"cancelled": 8_255, "diverted": 1_175},
        rows=327_346,
        parts=(
            Part("train", 218_633, "2013-01-01T05:15:00", "2013-08-31T23:59:00", 0.2491),
            Part("validation", 54_104, "2013-09-01T00:00:00", "2013-10-31T23:59:00", 0.1734),
            Part("holdout", 54_614, "2013-11-01T00:00:00", "2013-12-31T23:59:00", 0.21),
        ),
        frozen=True,
        findings=(
            Finding("warning", "missing", "wind_gust", "missing in 76.2 % of rows; imputed", 249_437),
            Finding("warning", "drift", "temp", "holdout differs from train: PSI 0.84, more than 0.25", 54_614),
        ),
        columns=(
            NumberColumn("month", 218_633, 0, "", 1, 8, 4.6, {"0.05": 1, "0.5": 5, "0.95": 8}, (1, 2, 3, 4, 5, 6, 7),
                         (26398, 23611, 27902, 27564, 28128, 27075, 28293, 28841)),
            number_column("wind_gust", "mph", 0.0, 66.75, 166_000),
            number_column("temp", "°F", 10.9, 100.04, 1_204),
            number_column("distance", "mi", 80, 4983, 0),
            NumberColumn("nothing", 218_633, 218_633),
            CategoryColumn("carrier", 218_633, 0, 16, {c: 60_000 // (i + 1) for i, c in enumerate(CARRIERS)}),
            CategoryColumn("origin", 218_633, 0, 3, {"EWR": 80_000, "JFK": 70_000, "LGA": 68_633}),
            CategoryColumn("tailnum", 218_633, 1_204, 4_000, {f"N{i}MQ": 400 - i for i in range(50)}, 190_000),
        ),
    )  # fmt: skip


def tasks() -> tuple[Task, ...]:
    return (
        Task("ingest", "cached", 0.01, 0.004, None, None, "336,776 flights ⋈ weather ⋈ planes → 327,346 rows"),
        Task("validate", "cached", 0.02, 0.004, None, None, "0 errors, 2 warnings"),
        Task("split", "done", 0.03, 0.81, 1.4, 402, "train 218,633 · validation 54,104 · holdout 54,614"),
        Task("profile", "done", 0.85, 0.7, 0.9, 377),
        Task("train baseline", "done", 0.86, 5.2, 4.9, 911, "roc_auc 0.652"),
        Task("train lightgbm", "done", 0.9, 31.4, 58.2, 1_340, "12 trials, roc_auc 0.694"),
        Task("train forest", "done", 6.1, 24.9, 41.0, 2_210),
        Task("train mlp", "done", 31.0, 33.3, 32.1, 640),
        Task("evaluate", "done", 64.4, 3.1, 5.9, 512),
        Task("gate", "done", 67.6, 1.9, 3.6, 430),
        Task("register", "done", 69.6, 0.05, 0.04, 31),
        Task("deploy", "done", 69.7, 1.4, 0.3, 88),
        Task("notify", "skipped", detail="no channel is configured"),
    )


def conditions() -> tuple[Condition, ...]:
    return (
        Condition("holdout_rows", True, "the holdout has 54,614 rows", 54_614, 1_000),
        Condition("class_rows", True, "the holdout has 11,466 positive rows", 11_466, 100),
        Condition("findings", True, "no finding blocks", 0, 0),
        Condition("new_package", True, "the package is not the champion's"),
        Condition("beats_baseline", True, "+0.042 roc_auc over baseline [0.038, 0.046]", 0.0421, 0.01, 0.0382, 0.0459),
        Condition(
            "champion", True, "+0.006 roc_auc over champion flights v3 [0.003, 0.009]", 0.0061, 0.0, 0.0031, 0.0092
        ),
        Condition("slices", True, "16 slices hold", 0, 0),
        Condition("calibration", True, "calibration error 0.0261 is within 0.03", 0.0261, 0.03),
        Condition("parity", True, "difference to the framework 3.1e-07 is within 1e-05", 3.1e-7, 1e-5),
        Condition("latency_p50", None, "p50 latency of one row 0.071 ms; no limit is set", 0.071),
        Condition("latency_p99", True, "p99 latency of one row 0.164 ms is within 5 ms", 0.164, 5.0),
        Condition("size", None, "package size 1.06 MB; no limit is set", 1.06),
    )


def promoted() -> RunReport:
    """The whole thing: a champion was replaced."""
    return RunReport(
        run="7f3c2a",
        model="flights",
        started=STARTED,
        verdict="promote",
        headline="PROMOTE lightgbm: +0.042 roc_auc over baseline [0.038, 0.046]; "
        "+0.006 roc_auc over champion flights v3 [0.003, 0.009]; 16 slices hold",
        reasons=tuple(c.why for c in conditions() if c.passed),
        positive="late",
        version=4,
        replaced=3,
        url="http://127.0.0.1:8080",
        next_steps=(
            NextStep("seatrial predict flights --input training/flights/example.json", "Ask the endpoint"),
            NextStep("seatrial endpoint rollback flights", "Go back to v3"),
        ),
        gate=Gate(
            "roc_auc", conditions(), 0.95, 54_614, 11_466, "9b1e" * 16, slices(), "champion flights v3", 0.01,
            ("3 slices too small to test: carrier=HA (48 rows, 7 positive), carrier=OO, carrier=YV",),
        ),
        candidates=(
            candidate("baseline", "baseline", 0.652),
            candidate("lightgbm", "challenger", 0.694),
            candidate("forest", "candidate", 0.681),
            candidate("mlp", "candidate", 0.676),
            candidate("flights", "champion", 0.688, version=3),
        ),
        data=data(),
        tasks=tasks(),
        lineage={
            "git commit": "30e1f80c2a95d3f4417be7c8f0d1c7a1d20b9e55",
            "data": "5f0c" * 16,
            "pipeline": "pipelines/train.py",
            "seed": "0",
            "python": "3.11.7",
            "lightgbm": "4.6.0",
            "onnxruntime": "1.23.2",
        },
    )  # fmt: skip


def first_promotion() -> RunReport:
    """There was no champion."""
    report = promoted()
    assert report.gate is not None
    return replace(
        report,
        version=1,
        replaced=None,
        headline="PROMOTE lightgbm: +0.042 roc_auc over baseline [0.038, 0.046]; no champion yet",
        candidates=tuple(c for c in report.candidates if c.role != "champion"),
        gate=replace(
            report.gate,
            slice_reference="baseline",
            conditions=tuple(
                Condition("champion", True, "no champion yet") if c.name == "champion" else c
                for c in report.gate.conditions
            ),
        ),
    )


def rejected() -> RunReport:
    """Leakage, a slice that loses, and a calibration that is off."""
    report = promoted()
    assert report.gate is not None
    failing = {
        "findings": Condition(
            "findings", False, "leakage in column 'dep_delay': its ROC AUC alone is 0.93, and it is not known before "
            "departure", 1, 0,
        ),
        "slices": Condition(
            "slices", False, "1 of 16 slices lose more than 0.01: carrier=B6 (−0.045 roc_auc over champion "
            "[−0.060, −0.030], adjusted p 0.0004)", 1, 0,
        ),
        "calibration": Condition("calibration", False, "calibration error 0.0612 is above 0.03", 0.0612, 0.03),
    }  # fmt: skip
    worse = tuple(
        replace(s, status="worse", difference=-0.045, low=-0.06, high=-0.03, p_adjusted=0.0004)
        if s.value == "B6"
        else s
        for s in report.gate.slices
    )
    assert report.data is not None
    assert report.data.findings is not None
    leakage = Finding("blocker", "leakage", "dep_delay", failing["findings"].why, 327_346)
    return replace(
        report,
        verdict="reject",
        headline="REJECT lightgbm: " + "; ".join(c.why for c in failing.values()),
        reasons=tuple(c.why for c in failing.values()),
        version=None,
        replaced=None,
        url="",
        next_steps=(NextStep("seatrial run flights", "After removing the column from model.toml"),),
        gate=replace(
            report.gate, conditions=tuple(failing.get(c.name, c) for c in report.gate.conditions), slices=worse
        ),
        data=replace(report.data, findings=(leakage, *report.data.findings), frozen=False),
    )


def too_little() -> RunReport:
    """200 rows: nothing that needs both classes could be measured."""
    report = promoted()
    assert report.gate is not None
    thin = tuple(
        replace(
            c, holdout=dict.fromkeys(c.holdout), roc=None, precision_recall=None, calibration=(), confusion=None,
            latency_ms={}, parity=None,
        )
        for c in report.candidates
        if c.role in ("challenger", "baseline")
    )  # fmt: skip
    return replace(
        report,
        verdict="not_enough_data",
        headline="NOT ENOUGH DATA lightgbm: the holdout has 31 rows, at least 1,000 are needed",
        reasons=("the holdout has 31 rows, at least 1,000 are needed",),
        version=None,
        replaced=None,
        url="",
        next_steps=(),
        candidates=thin,
        gate=replace(
            report.gate,
            rows=31,
            positives=0,
            slices=(SliceDifference("origin", "EWR", 31, 0, "too_small"),),
            conditions=(
                Condition("holdout_rows", False, "the holdout has 31 rows, at least 1,000 are needed", 31, 1000),
                Condition("class_rows", False, "the holdout has 0 positive rows, at least 100 are needed", 0, 100),
                Condition("beats_baseline", None, "rows of one class cannot tell the challenger from the baseline"),
            ),
        ),
    )


def stopped() -> RunReport:
    """The data could not be used; there is nothing but that."""
    problem = "wind_gust  1048.36 at 2013-02-12 03:00 is outside [0, 120] mph (1 row)"
    return RunReport(
        run="81aa00",
        model="flights",
        started=STARTED,
        failure=Failure(
            "validate",
            f"2 errors in dataset 'flights'\n{problem}",
            "Nothing was trained.",
            "Fix the source, or widen the range in training/flights/model.toml.",
        ),
        data=replace(data(), parts=(), columns=(), findings=(Finding("error", "range", "wind_gust", problem, 1),)),
        tasks=(
            Task("ingest", "done", 0.0, 1.9, 2.2, 512),
            Task("validate", "failed", 1.9, 0.8, 0.9, 300, problem),
            Task("split", "skipped", detail="validate failed"),
        ),
    )


def bare() -> RunReport:
    """Killed before anything was known."""
    return RunReport(run="000000", model="flights", started=STARTED)


SAMPLES = {
    "promoted": promoted,
    "first_promotion": first_promotion,
    "rejected": rejected,
    "too_little": too_little,
    "stopped": stopped,
    "bare": bare,
}
