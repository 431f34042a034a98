"""The report's page: complete, inert, honest about what is missing, and readable without sight or colour."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import itertools
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

import pytest

from seatrial.reports.render import render
from seatrial.reports.report import RunReport
from tests.unit.reports.report_samples import SAMPLES, bare, promoted, rejected, stopped, too_little

HOSTILE = (
    "</script></style><script>alert(1)</script><img src=x onerror=alert(1)>\" onload='alert(1) {{ 7 * 7 }} &amp; ]]>"
)
VOID = {"meta", "link", "br", "img"}
every_sample = pytest.mark.parametrize("name", SAMPLES)


class Page(HTMLParser):
    """A page as elements with their attributes, and its text; refuses elements that are not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.parents: list[tuple[str, ...]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.parents.append(tuple(self.open))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page(report: RunReport) -> Page:
    return Page(render(report))


def words(text: str) -> str:
    return " ".join(text.split())


@every_sample
def test_the_same_report_gives_the_same_page(name: str) -> None:
    assert render(SAMPLES[name]()) == render(SAMPLES[name]())


@every_sample
def test_nothing_is_loaded_and_no_script_is_there(name: str) -> None:
    """A report is attached to a ticket and opened years later, on a machine without a network."""
    html = render(SAMPLES[name]())
    shown = page(SAMPLES[name]())
    assert not {"script", "img", "iframe", "object", "form", "base"} & {tag for tag, _ in shown.elements}
    references = [
        v for _, attributes in shown.elements for k, v in attributes.items() if k in ("src", "href", "srcset")
    ]
    assert all(r is not None and (r.startswith("#") or r == "data:,") for r in references)
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style
    assert not [k for _, attributes in shown.elements for k in attributes if k.startswith("on") or k == "style"]


@every_sample
def test_the_policy_forbids_all_but_the_pages_own_style(name: str) -> None:
    html = render(SAMPLES[name]())
    (policy,) = [
        m["content"] for m in page(SAMPLES[name]()).of("meta") if m.get("http-equiv") == "Content-Security-Policy"
    ]
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy is not None
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'")
    assert "unsafe" not in policy


CHOSEN = {"verdict", "role", "severity", "status", "metric"}


def poisoned(value: Any, field: str = "") -> Any:
    """Every text of a report replaced by one that wants to be code, keys included."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.replace(
            value, **{f.name: poisoned(getattr(value, f.name), f.name) for f in dataclasses.fields(value)}
        )
    if isinstance(value, str):
        return value if field in CHOSEN else HOSTILE
    if isinstance(value, tuple):
        return tuple(poisoned(item) for item in value)
    if isinstance(value, Mapping):
        numbers = all(isinstance(item, float | int | None) for item in value.values())
        known = {key: poisoned(item, "") for key, item in value.items()}
        return known | {HOSTILE: 1.0} if numbers else {f"{HOSTILE}{i}": item for i, item in enumerate(known.values())}
    return value


@every_sample
def test_hostile_text_stays_text(name: str) -> None:
    """Column names, categories and messages come from data that strangers wrote."""
    shown = page(poisoned(SAMPLES[name]()))
    assert not {"script", "img"} & {tag for tag, _ in shown.elements}
    assert not [k for _, attributes in shown.elements for k in attributes if k.startswith("on")]
    assert len(shown.of("style")) == 1
    assert words(HOSTILE) in shown.text
    assert "49" not in re.findall(r"\S+", shown.text)


def test_a_page_without_escapes_would_be_noticed() -> None:
    """The check above can fail."""
    html = render(dataclasses.replace(bare(), model="MODEL")).replace("MODEL", HOSTILE)
    parser = HTMLParser()
    found: list[str] = []
    parser.handle_starttag = lambda tag, attrs: found.append(tag)  # type: ignore[method-assign]
    parser.feed(html)
    assert {"script", "img"} & set(found)


@every_sample
def test_every_condition_is_on_the_page_with_its_reason(name: str) -> None:
    report = SAMPLES[name]()
    text = page(report).text
    for condition in report.gate.conditions if report.gate else ():
        assert words(condition.why) in text
    assert len(re.findall(r"✖︎ fails", text)) == sum(
        c.passed is False for c in (report.gate.conditions if report.gate else ())
    )


def test_conditions_carry_value_threshold_and_interval() -> None:
    text = page(promoted()).text
    assert "Beats the baseline ✔︎ holds 0.0421 0.01 [0.0382, 0.0459] +0.042 roc_auc over baseline" in text
    assert "Package equals framework ✔︎ holds 3.1e−07 1e−05 – difference to the framework" in text
    assert "Package size – not judged 1.06 – – package size 1.06 MB; no limit is set" in text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("promoted", "✔︎ Promote lightgbm: +0.042 roc_auc over baseline"),
        ("promoted", "flights v4 is champion, in place of v3."),
        ("promoted", "Served at http://127.0.0.1:8080"),
        ("first_promotion", "flights v1 is champion, the first."),
        ("rejected", "✖︎ Reject lightgbm: leakage in column 'dep_delay'"),
        ("rejected", "flights v3 stays champion."),
        ("too_little", "◌ Not enough data lightgbm: the holdout has 31 rows"),
        ("too_little", "There is no champion."),
        ("stopped", "■ Stopped validate: 2 errors in dataset 'flights' wind_gust 1048.36"),
        ("stopped", "Nothing was trained."),
        ("bare", "■ Stopped"),
    ],
)
def test_the_verdict_comes_first(name: str, said: str) -> None:
    """Before the first section: whoever reads one screen knows what was decided and what serves."""
    text = page(SAMPLES[name]()).text
    assert text.index(said) < text.index(
        "Conditions of the gate" if "Conditions of the gate" in text else "did not come"
    )


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (bare, "The run did not come to its gate"),
        (bare, "No candidate was scored."),
        (bare, "No model was scored."),
        (bare, "No slice was tested"),
        (bare, "The run ended before it had data."),
        (bare, "No task was recorded."),
        (bare, "Nothing was recorded."),
        (too_little, "No curve was measured"),
        (too_little, "none is large enough"),
        (too_little, "origin = EWR (31 rows, 0 late)"),
        (stopped, "Nothing was recorded."),
    ],
)
def test_what_is_missing_is_said(report: Any, said: str) -> None:
    """A section left out in silence reads as "nothing to see"."""
    assert said in page(report()).text


def test_data_that_nobody_validated_is_not_called_clean() -> None:
    report = promoted()
    assert report.data is not None
    unchecked = dataclasses.replace(report, data=dataclasses.replace(report.data, findings=None))
    clean = dataclasses.replace(report, data=dataclasses.replace(report.data, findings=()))
    assert "The data was not validated." in page(unchecked).text
    assert "Nothing found" not in page(unchecked).text
    assert "✔︎ Nothing found" in page(clean).text


def test_a_worse_slice_is_told_by_words_and_shape_too() -> None:
    html = render(rejected())
    assert "✖︎</span> worse" in html
    assert len(re.findall(r'<rect [^>]*class="mark worse"', html)) == 1
    assert "mark worse" not in render(promoted()).split("</style>")[1]


def test_rows_left_out_are_counted_with_reasons() -> None:
    text = page(promoted()).text
    assert "left out: cancelled −8,255 2.5 % left out: diverted −1,175 0.3 % kept 327,346 97.2 %" in text


@every_sample
def test_the_page_can_be_heard(name: str) -> None:
    """Headings in order, tables with captions and scopes, pictures described or hidden, targets for all links."""
    shown = page(SAMPLES[name]())
    levels = [int(tag[1]) for tag, _ in shown.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert len(shown.of("caption")) == len(shown.of("table"))
    assert all(cell.get("scope") for cell in shown.of("th"))
    for picture in shown.of("svg"):
        assert picture.get("aria-hidden") == "true" or (picture.get("role") == "img" and picture.get("aria-label"))
    ids = [attributes["id"] for _, attributes in shown.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [a["href"] for a in shown.of("a")] + [f"#{s['aria-labelledby']}" for s in shown.of("section")]
    assert {target for target in targets if target} <= {f"#{i}" for i in ids}
    scrolling = [d for d in shown.of("div") if d.get("class") == "scroll"]
    assert all(d.get("tabindex") == "0" and d.get("aria-label") for d in scrolling)


def test_wide_tables_scroll_in_their_own_box() -> None:
    shown = page(promoted())
    inside = [parents for (tag, _), parents in zip(shown.elements, shown.parents, strict=True) if tag == "table"]
    wide = sum("div" in parents[parents.index("section") :] for parents in inside)
    assert wide >= 7


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, contrast ratio."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_text_and_lines_stand_out_in_light_and_dark() -> None:
    """WCAG AA: 4.5 for text, 3 for what a picture is read by."""
    style = render(bare())
    schemes = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[:2]
    for scheme in schemes:
        colour = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", scheme))
        for text in ("text", "muted", "ok", "bad", "warn"):
            assert contrast(colour[text], colour["page"]) >= 4.5, text
            assert contrast(colour[text], colour["card"]) >= 4.5, text
        assert contrast(colour["bad"], colour["bad-back"]) >= 4.5
        assert contrast(colour["text"], colour["bad-back"]) >= 4.5
        assert contrast(colour["text"], colour["ok-back"]) >= 4.5
        for line in ("challenger", "champion", "baseline", "other-1", "other-2", "other-3", "other-4", "shape"):
            assert contrast(colour[line], colour["page"]) >= 3, line
