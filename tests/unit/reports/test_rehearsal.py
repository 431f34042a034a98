"""The rehearsal's page: every moment and figure is on it, failures stand out, hostile text stays text."""

from __future__ import annotations

import dataclasses

import pytest

from seatrial.reports.rehearsal import RehearsalReport
from seatrial.reports.render import render_rehearsal
from tests.unit.reports.rehearsal_samples import SAMPLES, broken_off, rehearsed
from tests.unit.reports.test_render import HOSTILE, Page, poisoned


def text_of(report: RehearsalReport) -> str:
    return " ".join(" ".join(Page(render_rehearsal(report)).texts).split())


def test_the_story_its_traffic_and_its_worth_are_told() -> None:
    text = text_of(rehearsed())
    assert "Rehearsed" in text
    assert "52.7 s" in text
    assert "2,700 0 lost, 0 wrong" in text
    assert "38.2 s sabotage ✔︎ v2 failed under traffic, alarm, rolled back 38 answers were 500 0 lost" in text
    assert "sabotage 700 660 2 38 0 0 3.1 ms 12.5 ms" in text
    assert "executed, 2,702 calls CreateEndpoint 2, InvokeEndpoint 2700" in text
    assert "Not proven here quotas" in text


def test_what_was_not_cleared_away_is_not_said_to_be() -> None:
    kept = dataclasses.replace(rehearsed(), moments=rehearsed().moments[:-1])
    assert "ran against the offline cloud, with nothing left behind." in text_of(rehearsed())
    assert "ran against the offline cloud." in text_of(kept)


def test_a_story_that_broke_off_says_where_and_why() -> None:
    html = render_rehearsal(broken_off())
    assert "train: job 'train' failed It ended with 3. See its log." in text_of(broken_off())
    assert 'class="failing"' in html
    assert "did not come to its end" in html
    assert "The whole life cycle" not in html
    assert 'class="failing"' not in render_rehearsal(rehearsed())


@pytest.mark.parametrize("name", SAMPLES)
def test_hostile_text_stays_text(name: str) -> None:
    page = Page(render_rehearsal(poisoned(SAMPLES[name]())))
    assert not {"script", "img"} & {tag for tag, _ in page.elements}
    assert HOSTILE in " ".join(page.texts)
