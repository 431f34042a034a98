"""The gate: may the challenger replace the champion?

Every condition is evaluated and listed, not only the first that fails, and each says why in a sentence. A condition
that the policy asks for and nobody measured fails: silence is not evidence. ``docs/gate.md`` explains the statistics.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from seatrial.errors import EvaluationError
from seatrial.evaluation.comparison import Difference, compare_all
from seatrial.evaluation.decision import SCHEMA, Condition, Decision, Holdout, JudgedModel, Verdict
from seatrial.evaluation.evidence import Evidence, Role
from seatrial.evaluation.performance import Performance, measure
from seatrial.evaluation.slices import SliceResult, compare_slices
from seatrial.project import Gate

DATA_CONDITIONS = ("holdout_rows", "class_rows")
"""When one of these fails, the verdict is ``not_enough_data``: the other conditions cannot be trusted either way."""

HEADLINE_CONDITIONS = ("beats_baseline", "champion", "slices")
"""What a promotion rests on; limits that merely hold are left to the table."""

BLOCKING_SEVERITIES = ("error", "blocker")


def decide(evidence: Evidence, policy: Gate, *, seed: int = 0, threads: int | None = None) -> Decision:
    """Decide on the evidence as the policy says.

    Args:
        evidence: one holdout, the models scored on it, the challenger's measurements.
        policy: the model's ``[gate]`` settings.
        seed: of the bootstrap; the same evidence, policy and seed give the same decision, byte for byte.
        threads: see ``bootstrap``.

    Raises:
        EvaluationError: a slice column that the policy names is not in the evidence.
    """
    absent = [column for column in policy.slices if column not in evidence.slices]
    if absent:
        raise EvaluationError(
            f"the evidence lacks slice column{'s' if len(absent) > 1 else ''} {', '.join(absent)}",
            why="The policy asks for these slices; leaving them out would pass them unseen.",
            todo="Carry the column through evaluation, or remove it from gate.slices in model.toml.",
        )
    models = {
        role: JudgedModel(m.name, m.version, m.digest, measure(m.probability, evidence.outcome, m.threshold))
        for role, m in evidence.models().items()
    }
    differences = _differences(evidence, policy, seed, threads)
    slice_reference: Role = "baseline" if evidence.champion is None else "champion"
    slices = _slices(evidence, policy, slice_reference, seed, threads)
    conditions = (
        _holdout_rows(evidence, policy),
        _class_rows(evidence, policy),
        _findings(evidence),
        _new_package(evidence),
        _beats_baseline(evidence, policy, differences.get("baseline")),
        _champion(evidence, policy, differences.get("champion")),
        _slices_hold(policy, slices, slice_reference),
        *_minimums(policy, models["challenger"].performance),
        _calibration(policy, models["challenger"].performance),
        _limit("parity", evidence.parity_difference, policy.max_parity_difference, "", "difference to the framework"),
        *_latencies(evidence, policy),
        _limit("size", evidence.size_mb, policy.max_size_mb, " MB", "package size"),
    )
    verdict = _verdict(conditions)
    reasons = tuple(c.why for c in conditions if c.passed is (verdict == "promote"))
    return Decision(
        schema=SCHEMA,
        verdict=verdict,
        headline=_headline(evidence, verdict, conditions),
        reasons=reasons,
        notes=tuple(_notes(evidence, slices)),
        conditions=conditions,
        metric=policy.metric,
        holdout=Holdout(evidence.holdout_digest, evidence.n, evidence.positives),
        models=models,
        differences=differences,
        slices=slices,
        slice_reference=slice_reference,
        findings=tuple(dict(finding) for finding in evidence.findings),
        policy=policy.model_dump(mode="json"),
    )


def _verdict(conditions: Iterable[Condition]) -> Verdict:
    failed = {c.name for c in conditions if c.passed is False}
    if failed & set(DATA_CONDITIONS):
        return "not_enough_data"
    return "reject" if failed else "promote"


def _headline(evidence: Evidence, verdict: Verdict, conditions: Iterable[Condition]) -> str:
    if verdict == "promote":
        why = [c.why for c in conditions if c.name in HEADLINE_CONDITIONS]
    else:
        why = [c.why for c in conditions if c.passed is False]
    return f"{verdict.replace('_', ' ').upper()} {evidence.challenger.title}: {'; '.join(why)}"


def _notes(evidence: Evidence, slices: tuple[SliceResult, ...]) -> Iterable[str]:
    if evidence.champion is not None and evidence.champion_saw_holdout:
        yield (
            f"champion {evidence.champion.title} was trained on rows of this holdout, which flatters it: "
            "a challenger that loses here may still be the better one"
        )
    too_small = [s for s in slices if s.status == "too_small"]
    if too_small:
        yield (
            f"{len(too_small)} slice{_s(too_small)} too small to test: "
            + ", ".join(f"{s.column}={s.value} ({s.n} rows, {s.positives} positive)" for s in too_small[:5])
            + (", …" if len(too_small) > 5 else "")
        )


def _both_classes(evidence: Evidence) -> bool:
    return 0 < evidence.positives < evidence.n


def _differences(evidence: Evidence, policy: Gate, seed: int, threads: int | None) -> dict[Role, Difference]:
    if not _both_classes(evidence):
        return {}
    others = {role: model for role, model in evidence.models().items() if role != "challenger"}
    found = compare_all(
        evidence.challenger.probability,
        {role: model.probability for role, model in others.items()},
        evidence.outcome,
        metric=policy.metric,
        confidence=policy.confidence,
        resamples=policy.resamples,
        seed=seed,
        threads=threads,
    )
    return {role: found[role] for role in others}


def _slices(
    evidence: Evidence, policy: Gate, reference: Role, seed: int, threads: int | None
) -> tuple[SliceResult, ...]:
    return compare_slices(
        evidence.challenger.probability,
        evidence.models()[reference].probability,
        evidence.outcome,
        {column: evidence.slices[column] for column in policy.slices},
        metric=policy.metric,
        margin=policy.slice_margin,
        confidence=policy.confidence,
        resamples=policy.resamples,
        min_rows=policy.min_slice_rows,
        seed=seed,
        threads=threads,
    )


def _holdout_rows(evidence: Evidence, policy: Gate) -> Condition:
    enough = evidence.n >= policy.min_rows
    why = f"the holdout has {evidence.n:,} rows" + ("" if enough else f", at least {policy.min_rows:,} are needed")
    return Condition("holdout_rows", enough, why, evidence.n, policy.min_rows)


def _class_rows(evidence: Evidence, policy: Gate) -> Condition:
    positives, negatives = evidence.positives, evidence.n - evidence.positives
    rarer, name = min((positives, "positive"), (negatives, "negative"))
    enough = rarer >= policy.min_class_rows
    why = f"the holdout has {rarer:,} {name} rows" + (
        "" if enough else f", at least {policy.min_class_rows:,} are needed"
    )
    return Condition("class_rows", enough, why, rarer, policy.min_class_rows)


def _findings(evidence: Evidence) -> Condition:
    blocking = [f for f in evidence.findings if f["severity"] in BLOCKING_SEVERITIES]
    said = "; ".join(
        f"{f.get('kind', f['severity'])}"
        + (f" in column '{f['column']}'" if f.get("column") else "")
        + f": {f.get('message', '')}"
        for f in blocking
    )
    return Condition("findings", not blocking, said or "no finding blocks", len(blocking), 0)


def _new_package(evidence: Evidence) -> Condition:
    challenger, champion = evidence.challenger, evidence.champion
    if champion is not None and challenger.digest == champion.digest:
        return Condition(
            "new_package", False, f"{challenger.title} is already the champion: the packages are identical"
        )
    return Condition("new_package", True, "the package is not the champion's")


def _beats_baseline(evidence: Evidence, policy: Gate, difference: Difference | None) -> Condition:
    name, margin = "beats_baseline", policy.beat_baseline_by
    if evidence.challenger.digest == evidence.baseline.digest:
        return Condition(name, False, f"{evidence.challenger.title} is the baseline itself", 0.0, margin)
    if difference is None:
        return _untold(name, "baseline", margin)
    passed = difference.low > margin
    why = difference.over("baseline")
    if not passed:
        why += f": not surely more than {margin:g}"
    return Condition(name, passed, why, difference.value, margin, difference.low, difference.high)


def _champion(evidence: Evidence, policy: Gate, difference: Difference | None) -> Condition:
    if evidence.champion is None:
        return Condition("champion", True, "no champion yet")
    margin = 0.0 if policy.champion == "better" else -policy.champion_margin
    if difference is None:
        return _untold("champion", "champion", margin)
    passed = difference.low > margin
    why = difference.over(f"champion {evidence.champion.title}")
    if not passed:
        why += ": not surely better" if policy.champion == "better" else f": it may lose more than {-margin:g}"
    return Condition("champion", passed, why, difference.value, margin, difference.low, difference.high)


def _untold(name: str, reference: str, threshold: float) -> Condition:
    return Condition(
        name, None, f"rows of one class cannot tell the challenger from the {reference}", threshold=threshold
    )


def _slices_hold(policy: Gate, slices: tuple[SliceResult, ...], reference: Role) -> Condition:
    name = "slices"
    if not policy.slices:
        return Condition(name, None, "no slices are declared")
    tested = [s for s in slices if s.status != "too_small"]
    worse = [s for s in tested if s.status == "worse"]
    if not tested:
        return Condition(name, None, f"none of {len(slices)} slice{_s(slices)} is large enough to test", threshold=0)
    if not worse:
        return Condition(name, True, f"{len(tested)} slice{_s(tested)} hold{'s' if len(tested) == 1 else ''}", 0, 0)
    said = ", ".join(
        f"{s.column}={s.value} ({s.difference.over(reference)}, adjusted p {s.p_adjusted:.2g})"
        for s in worse
        if s.difference is not None
    )
    why = f"{len(worse)} of {len(tested)} slices lose more than {policy.slice_margin:g}: {said}"
    return Condition(name, False, why, len(worse), 0)


def _minimums(policy: Gate, challenger: Performance) -> Iterable[Condition]:
    values = {"roc_auc": challenger.roc_auc, "pr_auc": challenger.pr_auc}
    for metric, minimum in policy.minimum.items():
        value = values[metric]
        if value is None:
            yield Condition(f"minimum_{metric}", None, f"rows of one class have no {metric}", threshold=minimum)
            continue
        passed = value >= minimum
        why = f"{metric} {value:.3f} is {'at least' if passed else 'below'} {minimum:g}"
        yield Condition(f"minimum_{metric}", passed, why, value, minimum)


def _calibration(policy: Gate, challenger: Performance) -> Condition:
    if challenger.calibration_error is None:
        return Condition(
            "calibration", None, "an empty holdout has no calibration", threshold=policy.max_calibration_error
        )
    return _limit("calibration", challenger.calibration_error, policy.max_calibration_error, "", "calibration error")


def _latencies(evidence: Evidence, policy: Gate) -> Iterable[Condition]:
    limits: dict[str, float] = {str(percentile): limit for percentile, limit in policy.max_latency_ms.items()}
    for percentile in sorted({*limits, *evidence.latency_ms}):
        measured = evidence.latency_ms.get(percentile)
        yield _limit(
            f"latency_{percentile}", measured, limits.get(percentile), " ms", f"{percentile} latency of one row"
        )


def _limit(name: str, value: float | None, limit: float | None, unit: str, what: str) -> Condition:
    """At most ``limit``; without a limit there is nothing to hold, without a value a limit is not met."""
    if value is None:
        if limit is None:
            return Condition(name, None, f"{what} was not measured; no limit is set")
        return Condition(name, False, f"{what} was not measured, the limit is {limit:g}{unit}", None, limit)
    if limit is None:
        return Condition(name, None, f"{what} {value:.3g}{unit}; no limit is set", value)
    passed = value <= limit
    return Condition(
        name, passed, f"{what} {value:.3g}{unit} is {'within' if passed else 'above'} {limit:g}{unit}", value, limit
    )


def _s(items: tuple[Any, ...] | list[Any]) -> str:
    return "" if len(items) == 1 else "s"
