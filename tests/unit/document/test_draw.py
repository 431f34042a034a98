"""A picture shows every task once, below everything that it waits for, and runs nothing."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from seatrial.document import draw, read_text
from seatrial.document.compile import compile_pipeline
from seatrial.document.model import Document

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def training(repository: Path) -> Document:
    return read_text(compile_pipeline(repository / "pipelines" / "train.py", root=repository, image="i"))


def test_every_task_is_drawn_once(training: Document) -> None:
    root = ET.fromstring(draw.svg(training))
    nodes = [g.findtext(f"{SVG}text") for g in root.iter(f"{SVG}g") if g.get("class") == "node"]
    tasks = "candidates deploy evaluate gate ingest profile register split train validate verify"
    assert sorted(n for n in nodes if n) == tasks.split()
    groups = [g.findtext(f"{SVG}text") for g in root.iter(f"{SVG}g") if g.get("class") == "group"]
    assert sorted(g for g in groups if g) == ["for each: for-loop-1", "if: gate-decision == 'promote'"]


def test_a_task_stands_below_what_it_waits_for_and_no_two_overlap(training: Document) -> None:
    root = ET.fromstring(draw.svg(training))
    boxes = {}
    for g in root.iter(f"{SVG}g"):
        rect = g.find(f"{SVG}rect")
        if g.get("class") == "node" and rect is not None:
            boxes[g.findtext(f"{SVG}text")] = [float(rect.get(k, "0")) for k in ("x", "y", "width", "height")]
    order = ["ingest", "validate", "split", "profile", "train", "evaluate", "gate", "register", "deploy", "verify"]
    heights = [boxes[name][1] for name in order]
    assert heights == sorted(heights) and len(set(heights)) == len(heights)
    assert boxes["candidates"][1] == boxes["profile"][1]  # beside what is needed at the same time
    places = list(boxes.values())
    for i, (x, y, w, h) in enumerate(places):
        for u, v, p, q in places[i + 1 :]:
            assert x + w <= u or u + p <= x or y + h <= v or v + q <= y


def test_mermaid_names_tasks_and_arrows(training: Document) -> None:
    text = draw.mermaid(training)
    assert text.startswith("flowchart TD\n")
    assert "t_ingest --> t_validate" in text
    assert text.count("subgraph") == text.count("end\n") == 2
    assert set(re.findall(r"-->\s*(\w+)", text)) <= set(re.findall(r"\bt_\w+", text))


def test_hostile_names_stay_text(training: Document) -> None:
    spec = {**training.source, "pipelineInfo": {"name": '"><script>alert(1)</script>'}}
    import json

    drawn = draw.svg(read_text(json.dumps(spec)))
    assert "<script" not in drawn
    ET.fromstring(drawn)
