"""Renders the report of a run or of a rehearsal: one HTML file that asks the network for nothing and runs no script.

The page states a Content-Security-Policy that forbids everything but its own style sheet, by its hash. So what a column
name or a category may contain stays text, even if an escape were forgotten.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from typing import TYPE_CHECKING, Any

from seatrial.errors import MissingExtra

if TYPE_CHECKING:
    from jinja2 import Environment, Template

    from seatrial.reports.rehearsal import RehearsalReport
    from seatrial.reports.report import RunReport

VERDICTS = {
    "promote": ("✔︎", "Promote"),
    "reject": ("✖︎", "Reject"),
    "not_enough_data": ("◌", "Not enough data"),
    None: ("■", "Stopped"),
}

CONDITIONS = {
    "holdout_rows": "Enough rows in the holdout",
    "class_rows": "Enough rows of each class",
    "findings": "No finding that blocks",
    "new_package": "Another package than the champion's",
    "beats_baseline": "Beats the baseline",
    "champion": "Holds against the champion",
    "slices": "No slice is worse",
    "minimum_roc_auc": "Minimum ROC AUC",
    "minimum_pr_auc": "Minimum PR AUC",
    "calibration": "Calibration error",
    "parity": "Package equals framework",
    "size": "Package size",
    "latency_p50": "Latency, p50",
    "latency_p95": "Latency, p95",
    "latency_p99": "Latency, p99",
}


def render(report: RunReport) -> str:
    """Return the page. The same report gives the same text.

    Raises:
        MissingExtra: Jinja2 is not installed.
    """
    from seatrial.reports import charts, comparison, strips

    gate = report.gate
    candidates = _ordered(report)
    models = charts.series(candidates)
    scale = strips.interval_scale(gate.slices, gate.slice_margin) if gate else None
    challenger = report.of_role("challenger")
    return _template("page").render(
        report=report,
        verdict=VERDICTS[report.verdict],
        headline=_without_verdict(report),
        models=models,
        groups=comparison.groups(candidates),
        settings=comparison.settings(candidates),
        challenger=challenger,
        champion=report.of_role("champion"),
        confusion=challenger.confusion if challenger else None,
        with_curves=[item for item in models if _has_curves(item.candidate)],
        positive_rate=gate.positives / gate.rows if gate and gate.rows else None,
        scale=scale,
        end=max((task.start + task.seconds for task in report.tasks), default=0.0),
        differences=_differences(report),
    )


def render_rehearsal(report: RehearsalReport) -> str:
    """Return the page of a rehearsal.

    Raises:
        MissingExtra: Jinja2 is not installed.
    """
    versions = sorted({version for phase in report.phases for version in phase.by_version})
    return _template("rehearsal").render(report=report, versions=versions)


def _ordered(report: RunReport) -> list[Any]:
    order = ("challenger", "champion", "baseline", "candidate")
    return sorted(report.candidates, key=lambda candidate: order.index(candidate.role))


def _has_curves(candidate: Any) -> bool:
    return bool(candidate.roc or candidate.precision_recall or candidate.calibration)


def _without_verdict(report: RunReport) -> str:
    """The headline begins with the verdict, which the page already shows large."""
    prefix = "" if report.verdict is None else report.verdict.replace("_", " ").upper() + " "
    return report.headline.removeprefix(prefix)


def _differences(report: RunReport) -> list[Any]:
    """Conditions that compare two models: the numbers that a decision turns on."""
    if report.gate is None:
        return []
    names = ("beats_baseline", "champion")
    return [c for c in report.gate.conditions if c.name in names and c.value is not None and c.low is not None]


def _template(name: str) -> Template:
    found: Template = _environment().get_template(f"{name}.html.j2")
    return found


@functools.cache
def _environment() -> Environment:
    try:
        import jinja2
    except ImportError as exc:
        raise MissingExtra("The report", "jinja2", "local") from exc
    from markupsafe import Markup

    from seatrial.reports import charts, comparison, report, shapes, strips, text

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("seatrial.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in (
        "whole",
        "score",
        "signed",
        "share",
        "number",
        "seconds",
        "megabytes",
        "milliseconds",
        "moment",
        "day",
        "plural",
    ):
        environment.filters[name] = getattr(text, name)
    environment.filters["metric_name"] = comparison.metric_name
    environment.filters["condition_name"] = lambda name: CONDITIONS.get(name, name.replace("_", " ").capitalize())
    environment.tests["number_column"] = lambda column: isinstance(column, report.NumberColumn)
    loader = environment.loader
    assert loader is not None
    style = loader.get_source(environment, "style.css")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment.globals.update(charts=charts, shapes=shapes, strips=strips, style=Markup(style), style_digest=digest)  # noqa: S704
    return environment
