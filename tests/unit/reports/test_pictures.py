"""Scales, ticks, curves and the small pictures in tables."""

from __future__ import annotations

import dataclasses
import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.reports import charts, comparison, shapes, strips, text
from seatrial.reports.report import CategoryColumn, Confusion, Line, NumberColumn, SliceDifference, Task
from seatrial.reports.svg import Scale, tag, ticks
from tests.unit.reports.report_samples import candidate, data, promoted, slices


def test_a_scale_maps_its_ends_and_cuts_what_is_outside() -> None:
    scale = Scale(-1.0, 1.0, 0.0, 200.0)
    assert [scale(v) for v in (-1.0, 0.0, 0.5, 1.0, 9.0, -9.0)] == [0.0, 100.0, 150.0, 200.0, 200.0, 0.0]
    assert Scale(2.0, 2.0, 0.0, 10.0)(2.0) == 5.0


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 10))
def test_ticks_are_round_evenly_spaced_and_inside(low: float, width: float, about: int) -> None:
    high = low + width
    marks = ticks(low, high, about)
    assert len(marks) <= 3 * about
    slack = 1e-6 * max(abs(low), abs(high), width)
    assert all(low - slack <= mark <= high + slack for mark in marks)
    steps = {f"{b - a:.6g}" for a, b in itertools.pairwise(marks)} if width > 1e-3 * abs(low) else set()
    assert len(steps) <= 1


def test_attributes_and_children_are_escaped() -> None:
    assert str(tag("text", '<b> & "', x=1.5, class_='a"b', aria_label=None)) == (
        '<text x="1.5" class="a&#34;b">&lt;b&gt; &amp; &#34;</text>'
    )


def points(picture: str, look: str) -> list[list[tuple[float, float]]]:
    found = re.findall(rf'<polyline points="([^"]*)" class="curve {look}"', picture)
    return [[(float(x), float(y)) for x, y in (pair.split(",") for pair in line.split())] for line in found]


def test_a_perfect_model_runs_along_the_corner() -> None:
    model = dataclasses.replace(candidate("m", "challenger", 0.9), roc=Line((0.0, 0.0, 1.0), (0.0, 1.0, 1.0)))
    (line,) = points(charts.roc(charts.series([model])), "challenger")
    left, right, top, bottom = charts.LEFT, charts.WIDTH - charts.RIGHT, charts.TOP, charts.HEIGHT - charts.BOTTOM
    assert line == [(left, bottom), (left, top), (right, top)]


def test_precision_is_drawn_as_steps() -> None:
    model = dataclasses.replace(
        candidate("m", "baseline", 0.7), precision_recall=Line((0.0, 0.5, 1.0), (1.0, 0.6, 0.2))
    )
    (line,) = points(charts.precision_recall(charts.series([model]), 0.2), "baseline")
    assert all(a[0] == b[0] or a[1] == b[1] for a, b in itertools.pairwise(line))
    assert len(line) == 5


def test_each_model_has_its_own_look_and_is_named_for_screen_readers() -> None:
    models = charts.series(promoted().candidates)
    assert len({item.look for item in models}) == 5
    picture = charts.roc(models)
    for item in models:
        assert len(points(picture, item.look)) == 1
    assert "lightgbm, challenger: area 0.6940" in picture
    assert picture.index("challenger") > 0
    *_, last = re.findall(
        r'class="curve ([\w-]+)"', charts.roc(charts.series([models[1].candidate, models[0].candidate]))
    )
    assert last == "challenger"  # the first one given is drawn on top


def test_calibration_shows_each_bin_with_its_rows() -> None:
    picture = charts.calibration(charts.series([candidate("m", "challenger", 0.7)]))
    assert len(re.findall(r'class="dot challenger"', picture)) == 14
    assert "3,641 rows, predicted 5.0 %" in picture


def test_models_without_curves_draw_axes_only() -> None:
    assert "polyline" not in charts.roc(())
    assert "No model has this curve." in charts.calibration(())


def test_slices_share_one_scale_with_zero_and_margin_in_sight() -> None:
    scale = strips.interval_scale(slices(), 0.01)
    assert scale is not None
    assert scale.low < -0.01
    assert scale.high > max(s.high for s in slices() if s.high is not None)
    picture = strips.interval(scale, 0.01, slices()[0])
    assert {"zero", "margin"} <= set(re.findall(r'class="([\w ]+)"', picture))
    assert strips.interval_scale([SliceDifference("a", "b", 1, 0, "too_small")], 0.01) is None
    assert strips.interval(scale, 0.01, SliceDifference("a", "b", 1, 0, "too_small")) == ""


def test_a_short_task_can_be_seen_and_stays_inside() -> None:
    (x, width), *_ = [
        (float(a), float(b)) for a, b in re.findall(r'<rect x="([\d.]+)" y="2" width="([\d.]+)"', strips.task_bar(
            Task("t", "done", start=99.999, seconds=0.001), 100.0))
    ]  # fmt: skip
    assert width >= 2
    assert x + width <= strips.TIME_WIDTH


@pytest.mark.parametrize(
    "column",
    [
        *data().columns,
        NumberColumn("constant", 10, 0, minimum=3.0, maximum=3.0, edges=(3.0,), counts=(10, 0)),
        NumberColumn("one bin", 10, 0, minimum=1.0, maximum=2.0, edges=(), counts=(10,)),
        NumberColumn("zeros", 10, 0, minimum=0.0, maximum=1.0, edges=(0.0, 0.5), counts=(0, 0, 0)),
        NumberColumn("spike", 99, 0, minimum=0.0, maximum=9.0, edges=(0.0, 0.01, 5.0), counts=(90, 3, 3, 3)),
        CategoryColumn("empty", 10, 10, 0),
        CategoryColumn("one", 10, 0, 1, {"a": 10}),
    ],
    ids=lambda column: column.name,
)
def test_any_column_has_a_shape_inside_its_box(column: NumberColumn | CategoryColumn) -> None:
    picture = shapes.shape(column)
    for x, y, width, height in re.findall(r'<rect x="([^"]+)" y="([^"]+)" width="([^"]+)" height="([^"]+)"', picture):
        assert -0.01 <= float(x) <= float(x) + float(width) <= shapes.WIDTH + 0.7
        assert -0.01 <= float(y) <= float(y) + float(height) <= shapes.HEIGHT + 0.01


def test_equal_counts_in_unequal_bins_are_not_drawn_equal() -> None:
    """Bins hold similar counts; drawn by count, every column would look flat."""
    column = NumberColumn("c", 30, 0, minimum=0.0, maximum=13.0, edges=(1.0, 3.0), counts=(10, 10, 10))
    heights = [float(h) for h in re.findall(r'height="([\d.]+)" class="shape"', shapes.shape(column))]
    assert heights[0] == pytest.approx(2 * heights[1], rel=0.01)
    assert heights[1] == pytest.approx(5 * heights[2], rel=0.01)


def test_the_best_of_a_row_is_the_highest_or_the_lowest() -> None:
    groups = {g.name: {row.name: row for row in g.rows} for g in comparison.groups(promoted().candidates)}
    auc, loss = groups["Holdout"]["ROC AUC"], groups["Holdout"]["Log loss"]
    assert [cell.best for cell in auc.cells] == [False, True, False, False, False]
    assert [cell.best for cell in loss.cells] == [False, True, False, False, False]
    assert not any(cell.best for cell in groups["Validation"]["Brier score"].cells)  # all equal
    told = {title: dict(pairs) for title, pairs in comparison.settings(promoted().candidates)}
    assert [title for title, pairs in told.items() if "trees" in pairs] == [promoted().candidates[1].title]
    assert told[promoted().candidates[1].title]["trees"] == "212"
    assert "Validation" not in {
        g.name for g in comparison.groups([dataclasses.replace(promoted().candidates[0], validation={})])
    }


def test_ratios_of_a_confusion_matrix_without_positives_are_absent() -> None:
    nothing = Confusion(0.5, 0, 0, 10, 0)
    assert (nothing.precision, nothing.recall, nothing.f1) == (None, None, None)
    some = Confusion(0.5, true_positive=6, false_positive=2, true_negative=10, false_negative=4)
    assert (some.precision, some.recall, some.rows) == (0.75, 0.6, 22)
    assert some.f1 == pytest.approx(2 * 0.75 * 0.6 / 1.35)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (text.number(1048.36), "1,048"),
        (text.number(-0.00181), "−0.00181"),
        (text.number(3.1e-7), "3.1e−07"),
        (text.number(0), "0"),
        (text.number(9.25), "9.25"),
        (text.number(float("nan")), "–"),
        (text.number(None), "–"),
        (text.whole(327346), "327,346"),
        (text.share(0.23744), "23.7 %"),
        (text.share(0.0001), "< 0.1 %"),
        (text.share(0.0), "0.0 %"),
        (text.signed(-0.042), "−0.0420"),
        (text.signed(0.042), "+0.0420"),
        (text.seconds(0.02), "0.02 s"),
        (text.seconds(59.97), "1 min 0 s"),
        (text.seconds(200), "3 min 20 s"),
        (text.seconds(7322), "2 h 2 min"),
        (text.megabytes(0.37), "0.37 MB"),
        (text.megabytes(512.2), "512 MB"),
        (text.megabytes(2210), "2.2 GB"),
        (text.milliseconds(0.0731), "0.0731 ms"),
        (text.plural(1, "slice"), "1 slice"),
        (text.plural(2, "slice"), "2 slices"),
    ],
)
def test_numbers_read_as_people_write_them(shown: str, expected: str) -> None:
    assert shown == expected
