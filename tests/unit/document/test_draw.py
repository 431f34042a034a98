"""Pictures of pipelines: everything is there, nothing lies on anything else, and the text is safe in its format."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from seatrial.document import Document, read_text
from seatrial.document.compile import compile_pipeline
from seatrial.document.draw import Box, mermaid, picture, scene, svg
from seatrial.document.plan import plan

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def train(repository: Path) -> Document:
    text = compile_pipeline(repository / "pipelines" / "train.py", root=repository, image="i")
    return read_text(text)


def test_mermaid_names_every_task_group_and_arrow(train: Document) -> None:
    text = mermaid(train)
    assert text.startswith("flowchart LR\n")
    ids = dict(re.findall(r'(n\d+)\["([^":]+)', text))
    assert set(ids.values()) >= {"ingest", "validate", "train", "gate", "promoted", "verify"}
    arrows = {(ids[a], ids[b]) for a, b in re.findall(r"(n\d+) --> (n\d+)", text)}
    assert ("evaluate", "gate") in arrows
    assert ("register", "released") in arrows
    assert ("deploy", "verify") in arrows
    assert "subgraph n9[\"promoted: if gate-decision == 'promote'\"]" in text
    assert text.count("subgraph") == len(re.findall(r"^ *end$", text, re.MULTILINE)) == 3


def test_mermaid_with_jobs_marks_each_task(train: Document) -> None:
    text = mermaid(train, plan(train))
    assert '["gate: job decide"]' in text
    assert len(re.findall(r"classDef job\d", text)) == 3


def test_the_svg_is_whole_and_says_on_request_what_each_task_is(train: Document) -> None:
    root = ET.fromstring(svg(train, plan(train)))
    tips = [t.text or "" for t in root.iter(f"{SVG}title")]
    assert any("job train" in tip and "component ingest" in tip and "limit_rows = limit_rows" in tip for tip in tips)
    assert any(tip == "evaluate → gate: evaluation, scores" for tip in tips)
    shown = {t.text for t in root.iter(f"{SVG}text")}
    assert {"train", "job decide", "verify", "each of candidates-names"} <= shown
    assert "prefers-color-scheme:dark" in "".join(t.text or "" for t in root.iter(f"{SVG}style"))


def test_a_task_stands_behind_what_it_waits_for_and_close_before_what_waits_for_it(train: Document) -> None:
    boxes = scene(train)
    picture(boxes, "train")
    at = {box.path: box for box in boxes}
    for box in boxes:
        assert all(at[name].x + at[name].width < box.x for name in box.before)
    assert at["candidates"].x == at["profile"].x > at["ingest"].x


def overlaps(boxes: list[Box]) -> list[tuple[str, str]]:
    return [
        (a.path, b.path)
        for a, b in itertools.combinations(boxes, 2)
        if a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height
    ]


def test_no_box_lies_on_another_and_groups_hold_what_is_in_them(train: Document) -> None:
    boxes = scene(train)
    picture(boxes, "train")
    for level in (boxes, *(box.inside for top in boxes for box in top.walk())):
        assert overlaps(level) == []
        for box in level:
            for inner in box.inside:
                assert box.x <= inner.x <= inner.x + inner.width <= box.x + box.width
                assert box.y <= inner.y <= inner.y + inner.height <= box.y + box.height
    boxes[0].y = boxes[1].y
    boxes[0].x = boxes[1].x
    assert overlaps(boxes)  # the control


def test_no_arrow_runs_through_a_box(train: Document) -> None:
    boxes = scene(train)
    picture(boxes, "train")
    ways = [way for box in boxes for several in box.ways.values() for way in several]
    assert ways
    for way in ways:
        middle = way.y + way.height / 2
        assert not [
            b.path for b in boxes if b.x < way.x + way.width and way.x < b.x + b.width and b.y < middle < b.y + b.height
        ]


def test_names_that_mean_something_to_a_format_are_only_text() -> None:
    name = '"]; <script>alert(1)</script> & -->'
    document = read_text(
        json.dumps(
            {
                "pipelineInfo": {"name": name},
                "schemaVersion": "2.1.0",
                "deploymentSpec": {"executors": {"e": {"container": {"image": "i", "command": ["c"]}}}},
                "components": {"comp-a": {"executorLabel": "e"}},
                "root": {"dag": {"tasks": {"a": {"componentRef": {"name": "comp-a"}, "taskInfo": {"name": name}}}}},
            }
        )
    )
    picture = svg(document)
    assert "<script" not in picture
    assert ET.fromstring(picture).find(f"{SVG}title").text == name  # type: ignore[union-attr]  # it has one
    lines = mermaid(document).splitlines()
    assert lines[1].strip() == 'n0["#quot;]; #lt;script#gt;alert(1)#lt;/script#gt; #38; --#gt;"]'


def test_the_command_draws_a_compiled_pipeline_and_a_python_file(repository: Path, tmp_path: Path) -> None:
    def seatrial(*words: str) -> Any:
        return subprocess.run(
            [sys.executable, "-m", "seatrial.cli.main", "graph", *words],
            cwd=repository,
            capture_output=True,
            text=True,
            env={"PATH": "", "PYTHONPATH": str(repository), "HOME": str(tmp_path)},
        )

    drawn = seatrial("pipelines/train.py", "--jobs", "-o", str(tmp_path / "train.svg"))
    assert drawn.returncode == 0, drawn.stderr
    assert ET.parse(tmp_path / "train.svg").getroot().tag == f"{SVG}svg"
    text = compile_pipeline(repository / "pipelines" / "train.py", root=repository, image="i")
    (tmp_path / "train.yaml").write_text(text)
    assert seatrial(str(tmp_path / "train.yaml")).stdout.startswith("flowchart LR\n")
    wrong = seatrial(str(tmp_path / "train.yaml"), "--format", "gif")
    assert wrong.returncode == 2
    assert "gif" in wrong.stderr
