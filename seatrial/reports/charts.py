"""The three curves of the report: ROC, precision-recall and calibration, one line per model, the first one on top.

Written as SVG by hand, not through Vega-Lite: three kinds of line are less code here than as specifications; they
follow the page's colours in light, dark and print; they need no script, so the page can forbid all of it; and a page is
100 kB and takes 0.1 s, where vl-convert is 84 MB to install and 1.2 s for Vega's 900 kB in each report.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from seatrial.reports import text
from seatrial.reports.report import CalibrationPoint, Candidate, Line
from seatrial.reports.svg import Scale, polyline, tag, ticks

WIDTH, HEIGHT = 360, 320
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 10, 44


OTHERS = 4
"""Looks for candidates that are neither challenger, champion nor baseline; the fifth looks like the first."""


@dataclass(frozen=True)
class Series:
    """A model and the class that gives its lines their colour and dashes on the whole page."""

    candidate: Candidate
    look: str


def series(candidates: Sequence[Candidate]) -> tuple[Series, ...]:
    """Give each model its look: one each for challenger, champion and baseline, the others in turn."""
    looks = []
    others = 0
    for candidate in candidates:
        if candidate.role == "candidate":
            looks.append(Series(candidate, f"other-{others % OTHERS + 1}"))
            others += 1
        else:
            looks.append(Series(candidate, candidate.role))
    return tuple(looks)


def swatch(item: Series) -> Markup:
    """The model's line, for the legend."""
    return tag(
        "svg",
        tag("line", x1=1, y1=6, x2=33, y2=6, class_=f"curve {item.look}"),
        viewBox="0 0 34 12",
        width=34,
        height=12,
        aria_hidden="true",
    )


def roc(models: Sequence[Series]) -> Markup:
    """Share of positives found against share of negatives disturbed; the diagonal is guessing."""
    drawn = [(item, item.candidate.roc) for item in models if item.candidate.roc]
    axes = _Axes("false positive rate", "true positive rate", 1.0)
    body = [axes.diagonal(), *(axes.line(item, line) for item, line in reversed(drawn))]
    return axes.drawn("ROC curves on the holdout", _said([item for item, _ in drawn], "roc_auc", "area"), body)


def precision_recall(models: Sequence[Series], positive_rate: float | None) -> Markup:
    """Precision at each recall, as steps; the horizontal line is what guessing gives."""
    drawn = [(item, item.candidate.precision_recall) for item in models if item.candidate.precision_recall]
    axes = _Axes("recall", "precision", 1.0)
    body = [axes.level(positive_rate)] if positive_rate is not None else []
    body += [axes.line(item, _stepped(line)) for item, line in reversed(drawn)]
    said = _said([item for item, _ in drawn], "pr_auc", "average precision")
    return axes.drawn("Precision-recall curves on the holdout", said, body)


def calibration(models: Sequence[Series]) -> Markup:
    """Share of positives among rows of similar probability; on the diagonal a probability means what it says."""
    drawn = [item for item in models if item.candidate.calibration]
    top = max((max(p.predicted, p.observed) for item in drawn for p in item.candidate.calibration), default=1.0)
    axes = _Axes("mean predicted probability", "share of positives", min(1.0, _rounded_up(top)))
    body = [axes.diagonal()]
    for item in reversed(drawn):
        points = item.candidate.calibration
        body.append(axes.line(item, Line(tuple(p.predicted for p in points), tuple(p.observed for p in points))))
        body += [axes.dot(item, point) for point in points]
    return axes.drawn("Calibration on the holdout", _said(drawn, "calibration_error", "calibration error"), body)


def _said(drawn: Sequence[Series], metric: str, name: str) -> str:
    """What a screen reader reads in place of the lines."""
    models = [item.candidate for item in drawn]
    parts = [f"{model.title}, {model.role}: {name} {text.score(model.holdout.get(metric))}" for model in models]
    return "; ".join(parts) or "No model has this curve."


def _rounded_up(value: float) -> float:
    return max(1, math.ceil(value * 10 - 1e-9)) / 10


def _stepped(line: Line) -> Line:
    """Precision cannot be interpolated between two recalls (Davis and Goadrich 2006): hold it, then jump."""
    x, y = [line.x[0]], [line.y[0]]
    for left, right in zip(line.x[1:], line.y[1:], strict=True):
        x += [left, left]
        y += [y[-1], right]
    return Line(tuple(x), tuple(y))


class _Axes:
    """Two axes from 0 to ``top`` and what is drawn between them."""

    def __init__(self, x_name: str, y_name: str, top: float) -> None:
        self._names = (x_name, y_name)
        self._top = top
        self._x = Scale(0.0, top, LEFT, WIDTH - RIGHT)
        self._y = Scale(0.0, top, HEIGHT - BOTTOM, TOP)

    def line(self, item: Series, line: Line) -> Markup:
        points = [(self._x(x), self._y(y)) for x, y in zip(line.x, line.y, strict=True)]
        return tag("g", tag("title", item.candidate.title), polyline(points, f"curve {item.look}"))

    def dot(self, item: Series, point: CalibrationPoint) -> Markup:
        said = (
            f"{item.candidate.title}: {point.rows:,} rows, predicted {text.share(point.predicted)}, "
            f"turned out {text.share(point.observed)}"
        )
        place = {"cx": self._x(point.predicted), "cy": self._y(point.observed)}
        return tag("circle", tag("title", said), r=3, class_=f"dot {item.look}", **place)

    def diagonal(self) -> Markup:
        return self._reference(0.0, 0.0, self._top)

    def level(self, y: float) -> Markup:
        return self._reference(0.0, y, y)

    def _reference(self, x: float, left: float, right: float) -> Markup:
        ends = {"x1": self._x(x), "y1": self._y(left), "x2": self._x(self._top), "y2": self._y(right)}
        return tag("line", class_="reference", **ends)

    def drawn(self, title: str, said: str, body: Sequence[Markup]) -> Markup:
        """Draw the whole picture; ``said`` is what a screen reader reads in its place."""
        return tag(
            "svg",
            tag("title", title),
            tag("desc", said),
            *self._grid(),
            *body,
            viewBox=f"0 0 {WIDTH} {HEIGHT}",
            class_="chart",
            role="img",
            aria_label=f"{title}. {said}",
        )

    def _grid(self) -> list[Markup]:
        x_name, y_name = self._names
        bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
        grid: list[Markup] = []
        for value in ticks(0.0, self._top):
            x, y = self._x(value), self._y(value)
            grid += [
                tag("line", x1=x, y1=TOP, x2=x, y2=bottom, class_="grid"),
                tag("line", x1=LEFT, y1=y, x2=right, y2=y, class_="grid"),
                tag("text", f"{value:.1f}", x=x, y=bottom + 15, class_="tick", text_anchor="middle"),
                tag("text", f"{value:.1f}", x=LEFT - 6, y=y + 4, class_="tick", text_anchor="end"),
            ]
        middle_x, middle_y = (LEFT + right) / 2, (TOP + bottom) / 2
        grid += [
            tag("text", x_name, x=middle_x, y=HEIGHT - 8, class_="axis", text_anchor="middle"),
            tag(
                "text",
                y_name,
                x=12,
                y=middle_y,
                class_="axis",
                text_anchor="middle",
                transform=f"rotate(-90 12 {middle_y:.0f})",
            ),
        ]
        return grid
