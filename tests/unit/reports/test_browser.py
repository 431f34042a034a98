"""The report in a real browser: nothing logged, nothing requested, no page that scrolls sideways on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from seatrial.reports.render import render, render_rehearsal
from tests.unit.reports.chromium import EXECUTABLE, Browser, browser
from tests.unit.reports.rehearsal_samples import SAMPLES as REHEARSALS
from tests.unit.reports.report_samples import SAMPLES, promoted
from tests.unit.reports.test_render import poisoned

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(EXECUTABLE is None, reason="no Chromium on this machine; .ci/run installs it"),
]

WIDTH = "document.documentElement.scrollWidth"


@pytest.fixture(scope="module")
def tab() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


def show(tab: Browser, folder: Path, html: str, *, width: int, dark: bool = False) -> None:
    file = folder / "report.html"
    file.write_text(html, encoding="utf-8")
    tab.open(file, width=width, dark=dark)
    assert tab.requested == [file.as_uri()]


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("width", [390, 1280])
def test_a_page_fits_its_window_and_logs_nothing(tab: Browser, tmp_path: Path, name: str, width: int) -> None:
    show(tab, tmp_path, render(SAMPLES[name]()), width=width)
    assert tab.evaluate(WIDTH) <= width
    assert tab.evaluate("innerWidth") == width
    assert tab.logged == []
    assert tab.evaluate("document.styleSheets.length") == 1


@pytest.mark.parametrize("name", REHEARSALS)
@pytest.mark.parametrize("width", [390, 1280])
def test_a_rehearsal_fits_its_window_and_logs_nothing(tab: Browser, tmp_path: Path, name: str, width: int) -> None:
    show(tab, tmp_path, render_rehearsal(poisoned(REHEARSALS[name]())), width=width)
    assert tab.evaluate(WIDTH) <= width
    assert tab.logged == []
    assert tab.evaluate("document.scripts.length + document.images.length") == 0


def test_hostile_text_does_not_run_and_does_not_widen_the_page(tab: Browser, tmp_path: Path) -> None:
    show(tab, tmp_path, render(poisoned(promoted())), width=390)
    assert tab.logged == []
    assert tab.evaluate("document.scripts.length + document.images.length") == 0
    assert tab.evaluate(WIDTH) <= 390


def test_dark_and_light_follow_the_reader(tab: Browser, tmp_path: Path) -> None:
    backgrounds = []
    for dark in (False, True):
        show(tab, tmp_path, render(promoted()), width=1280, dark=dark)
        backgrounds.append(tab.evaluate("getComputedStyle(document.body).backgroundColor"))
        curve = "getComputedStyle(document.querySelector('.curve.challenger')).stroke"
        backgrounds.append(tab.evaluate(curve))
    assert backgrounds == ["rgb(255, 255, 255)", "rgb(10, 88, 202)", "rgb(16, 21, 27)", "rgb(108, 176, 255)"]


def test_wide_tables_can_be_scrolled_by_keyboard(tab: Browser, tmp_path: Path) -> None:
    show(tab, tmp_path, render(promoted()), width=390)
    scrolled = (
        "(() => { const box = [...document.querySelectorAll('.scroll')].find(b => b.scrollWidth > b.clientWidth);"
    )
    scrolled += " box.focus(); return document.activeElement === box; })()"
    assert tab.evaluate(scrolled) is True


def test_a_page_that_is_too_wide_or_runs_a_script_would_be_noticed(tab: Browser, tmp_path: Path) -> None:
    """The checks above can fail, and the policy is enforced: the script is stopped, and the browser says so."""
    html = render(promoted()).replace(
        "<footer>", "<script>document.title = 'ran'</script><pre>" + "x" * 400 + "</pre><footer>"
    )
    show(tab, tmp_path, html, width=390)
    assert tab.evaluate(WIDTH) > 390
    assert any("Content Security Policy" in entry for entry in tab.logged)
    assert tab.evaluate("document.title") != "ran"
