"""The shape of a column, as small as a word: density of numbers, frequency of categories."""

from __future__ import annotations

from markupsafe import Markup

from seatrial.reports.report import CategoryColumn, NumberColumn
from seatrial.reports.strips import strip
from seatrial.reports.svg import Scale, tag

WIDTH, HEIGHT = 132, 30
MOST_BARS = 20
"""Categories drawn one by one; the rest is one bar."""

SPIKE = 4
"""Bars higher than this many times the usual height are cut: one value that many rows share would flatten the rest."""


def shape(column: NumberColumn | CategoryColumn) -> Markup:
    """Draw a column; nothing for one without values."""
    return _density(column) if isinstance(column, NumberColumn) else _frequencies(column)


def _density(column: NumberColumn) -> Markup:
    """Bins differ in width, so height is rows per unit and area is rows. What lies outside 1 % and 99 % is cut off."""
    if not column.counts or column.minimum is None or column.maximum is None:
        return Markup("")
    left = column.quantiles.get("0.01", column.minimum)
    right = column.quantiles.get("0.99", column.maximum)
    if not right > left:
        left, right = column.minimum, column.maximum
    bins = _bins(column, narrowest=(right - left) / 60 or 1.0)
    usual = sorted(height for *_, height in bins)
    x = Scale(bins[0][0] if left == column.minimum else left, right, 0.0, WIDTH)
    y = Scale(0.0, min(usual[-1], SPIKE * usual[len(usual) // 2]) or 1.0, 0.0, HEIGHT - 1.0)
    return strip(WIDTH, HEIGHT, [_bar(x(low), x(high), y(n)) for low, high, n in bins if high > left and low < right])


def _bins(column: NumberColumn, *, narrowest: float) -> list[tuple[float, float, float]]:
    """Each bin's ends and its rows per unit. A bin of one value has no width of its own and is given some."""
    assert column.minimum is not None and column.maximum is not None
    edges = [column.minimum, *column.edges, column.maximum]
    if len(edges) > 2 and edges[0] == edges[1]:
        edges[0] -= edges[2] - edges[1]
    bins = []
    for low, high, rows in zip(edges[:-1], edges[1:], column.counts, strict=True):
        width = max(high - low, narrowest)
        bins.append((high - width, high, rows / width))
    return bins


def _frequencies(column: CategoryColumn) -> Markup:
    counts = list(column.counts.values())
    shown, rest = counts[:MOST_BARS], sum(counts[MOST_BARS:]) + column.other
    if not shown:
        return Markup("")
    y = Scale(0.0, max(*shown, rest, 1), 0.0, HEIGHT - 1.0)
    step = min(11.0, WIDTH / (len(shown) + bool(rest)))
    bars = [_bar(i * step, (i + 1) * step - 1.5, y(rows)) for i, rows in enumerate(shown)]
    if rest:
        bars.append(_bar(len(shown) * step + 0.5, (len(shown) + 1) * step - 0.5, y(rest), "shape rest"))
    return strip(WIDTH, HEIGHT, bars)


def _bar(left: float, right: float, height: float, look: str = "shape") -> Markup:
    return tag("rect", x=left, y=HEIGHT - height, width=max(0.6, right - left), height=height, class_=look)
