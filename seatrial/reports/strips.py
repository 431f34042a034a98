"""Small pictures that stand in table rows: an interval, a bar in time.

They repeat what the row says in numbers, so they are hidden from screen readers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from seatrial.reports.report import SliceDifference, Task
from seatrial.reports.svg import Scale, tag, ticks

INTERVAL_WIDTH, INTERVAL_HEIGHT = 260, 22
TIME_WIDTH, TIME_HEIGHT = 300, 16


def interval_scale(slices: Sequence[SliceDifference], margin: float) -> Scale | None:
    """One scale for all slices, with 0 and the margin in sight; None when no slice has an interval."""
    ends = [end for s in slices for end in (s.low, s.high) if end is not None and math.isfinite(end)]
    if not ends:
        return None
    low, high = min(*ends, -margin, 0.0), max(*ends, 0.0)
    space = 0.06 * (high - low) or 0.01
    return Scale(low - space, high + space, 1, INTERVAL_WIDTH - 1)


def interval_axis(scale: Scale, margin: float) -> Markup:
    """The scale's numbers, for the head of the column."""
    marks = [
        tag(
            "text",
            f"{value:+.3g}".replace("-", "−") if abs(value) > 1e-12 else "0",
            x=scale(value),
            y=11,
            class_="tick",
            text_anchor="middle",
        )
        for value in ticks(scale.low, scale.high, 4)
        if 14 < scale(value) < INTERVAL_WIDTH - 14
    ]
    return strip(INTERVAL_WIDTH, 14, [*marks, *_guides(scale, margin, 12, 14)])


def interval(scale: Scale, margin: float, item: SliceDifference) -> Markup:
    """The difference as a dot on its interval, against 0 and the margin."""
    if item.difference is None or item.low is None or item.high is None:
        return Markup("")
    middle = INTERVAL_HEIGHT / 2
    x, low, high = scale(item.difference), scale(item.low), scale(item.high)
    mark = (
        tag("rect", x=x - 4, y=middle - 4, width=8, height=8, class_="mark worse")
        if item.status == "worse"
        else tag("circle", cx=x, cy=middle, r=4, class_="mark holds")
    )
    body = [
        *_guides(scale, margin, 0, INTERVAL_HEIGHT),
        tag("line", x1=low, y1=middle, x2=high, y2=middle, class_=f"whisker {item.status}"),
        mark,
    ]
    return strip(INTERVAL_WIDTH, INTERVAL_HEIGHT, body)


def _guides(scale: Scale, margin: float, top: float, bottom: float) -> list[Markup]:
    guides = [tag("line", x1=scale(0.0), y1=top, x2=scale(0.0), y2=bottom, class_="zero")]
    if margin:
        x = scale(-margin)
        guides.append(tag("line", x1=x, y1=top, x2=x, y2=bottom, class_="margin"))
    return guides


def task_bar(task: Task, end: float) -> Markup:
    """When the task ran, out of ``end`` seconds."""
    scale = Scale(0.0, end or 1.0, 0, TIME_WIDTH)
    start = scale(task.start)
    width = max(2.0, scale(task.start + task.seconds) - start)
    start = min(start, TIME_WIDTH - width)
    track = tag("line", x1=0, y1=TIME_HEIGHT / 2, x2=TIME_WIDTH, y2=TIME_HEIGHT / 2, class_="grid")
    bar = tag("rect", x=start, y=2, width=width, height=TIME_HEIGHT - 4, rx=2, class_=f"bar {task.status}")
    return strip(TIME_WIDTH, TIME_HEIGHT, [track, bar])


def strip(width: float, height: float, body: Sequence[Markup]) -> Markup:
    """Put a picture of this size together."""
    return tag(
        "svg", *body, viewBox=f"0 0 {width} {height}", width=width, height=height, class_="strip", aria_hidden="true"
    )
