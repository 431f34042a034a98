"""A pipeline as a picture: Mermaid text, or an SVG of its own with groups, tooltips, and light and dark colours.

Both show the same boxes and arrows: tasks, what passes from one to the next, loops, conditions and nested pipelines
around theirs and, where a plan is given, which tasks share a job. Layers go from left to right: a box stands behind
everything that it waits for, and close before what waits for it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from seatrial.document.jobs import Plan
from seatrial.document.model import Component, Constant, Container, Document, FromInput, FromTask, Graph, Importer, Task
from seatrial.document.needs import in_order

Json = Any

_BOX_HEIGHT = 40
_GAP_X, _GAP_Y = 46, 16
_PAD, _HEAD = 14, 24
_CHAR = 7.4
"""Width of a character of the font, in pixels: the widest of the fonts that the style names."""
_LONGEST = 34


@dataclass
class Way:
    """Where an arrow passes a column of boxes that it does not stop at."""

    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 4.0


@dataclass
class Box:
    """A task, or a group of tasks with a graph inside."""

    path: str
    title: str
    kind: str
    """``task``, ``importer``, ``loop``, ``condition`` or ``group``."""
    note: str = ""
    """What a reader wants to know at once: a condition, what is looped over."""
    details: list[str] = field(default_factory=list)
    """What is told when the pointer rests on it."""
    inside: list[Box] = field(default_factory=list)
    always: bool = False
    """It runs however what is before it ends."""
    before: dict[str, list[str]] = field(default_factory=dict)
    """Boxes of the same graph that it waits for -> what passes from there."""
    ways: dict[str, list[Way]] = field(default_factory=dict)
    """The same, for the arrows that are drawn -> where they pass."""
    job: str = ""
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0

    def walk(self) -> Iterator[Box]:
        """This box and everything in it."""
        yield self
        for box in self.inside:
            yield from box.walk()


def scene(document: Document, plan: Plan | None = None) -> list[Box]:
    """The boxes of a document's root graph.

    Args:
        document: what to draw.
        plan: with it, each task names its job.
    """
    jobs: dict[str, str] = {}
    if plan is not None:
        for job in plan.jobs():
            jobs.update({re.sub(r"\[\d+\]", "", task): job.name for task in job.tasks})
    return _boxes(document, document.root, "", jobs)


def _boxes(document: Document, owner: Component, prefix: str, jobs: Mapping[str, str]) -> list[Box]:
    graph = owner.implementation
    assert isinstance(graph, Graph)
    found = []
    for task in in_order(graph):
        component = document.components[task.component]
        box = Box(
            path=f"{prefix}{task.name}",
            title=task.display_name,
            kind=_kind(task, component),
            note=_note(task),
            details=_details(task, component),
            always=task.always,
            before={name: [] for name in sorted(task.after)},
            job=jobs.get(f"{prefix}{task.name}", ""),
        )
        for source in (*(p.origin for p in task.parameters.values()), *task.artifacts.values()):
            if isinstance(source, FromTask):
                passed = box.before[source.task]
                key = source.key.removeprefix("pipelinechannel--")
                passed += [key] if key not in passed else []
        if box.job:
            box.note = "; ".join(part for part in (box.note, f"job {box.job}") if part)
        if isinstance(component.implementation, Graph):
            box.inside = _boxes(document, component, f"{box.path}.", jobs)
            inner = {b.job for b in box.inside}
            box.job = next(iter(inner)) if len(inner) == 1 else ""
        found.append(box)
    return found


def _kind(task: Task, component: Component) -> str:
    if task.loop is not None:
        return "loop"
    if task.condition is not None:
        return "condition"
    if isinstance(component.implementation, Graph):
        return "group"
    return "importer" if isinstance(component.implementation, Importer) else "task"


def _note(task: Task) -> str:
    parts = []
    if task.condition is not None:
        text = re.sub(r"inputs\.parameter_values\['(?:pipelinechannel--)?([^']+)'\]", r"\1", task.condition)
        parts.append(f"if {text}")
    if task.loop is not None:
        source = (task.loop.source or "").removeprefix("pipelinechannel--")
        count = f"each of {len(task.loop.raw)}" if task.loop.raw is not None else f"each of {source}"
        parts.append(count + (f", {task.loop.limit} at a time" if task.loop.limit else ""))
    if task.always:
        parts.append("however the others end")
    return "; ".join(parts)


def _details(task: Task, component: Component) -> list[str]:
    lines = [f"component {component.name.removeprefix('comp-')}"]
    if isinstance(component.implementation, Container):
        container = component.implementation
        lines.append(f"image {container.image}")
        resources = container.resources
        asked = [resources.cpu_limit and f"{resources.cpu_limit} cpu", resources.memory_limit, resources.accelerator]
        if any(asked):
            lines.append(", ".join(part for part in asked if part))
    for name, source in task.parameters.items():
        origin = source.origin
        if isinstance(origin, Constant):
            told = repr(origin.value)
        elif isinstance(origin, FromInput):
            told = origin.name.removeprefix("pipelinechannel--")
        else:
            told = f"{origin.task}.{getattr(origin, 'key', 'status')}"
        lines.append(f"{name.removeprefix('pipelinechannel--')} = {told[:60]}")
    if task.retry.count:
        lines.append(f"tried {task.retry.count + 1} times")
    return lines


# Mermaid


def mermaid(document: Document, plan: Plan | None = None) -> str:
    """A document as a Mermaid flowchart; with its plan, each task has the colour and name of its job."""
    boxes = scene(document, plan)
    ids = {box.path: f"n{number}" for number, box in enumerate(b for top in boxes for b in top.walk())}
    lines = ["flowchart LR"]

    def write(several: Sequence[Box], depth: int) -> None:
        for box in several:
            text = _mermaid_text(box.title + (f": {box.note}" if box.note else ""))
            pad = "  " * depth
            if box.inside:
                lines.append(f'{pad}subgraph {ids[box.path]}["{text}"]')
                lines.append(f"{pad}  direction LR")
                write(box.inside, depth + 1)
                lines.append(f"{pad}end")
            else:
                shape = ('[("', '")]') if box.kind == "importer" else ('["', '"]')
                lines.append(f"{pad}{ids[box.path]}{shape[0]}{text}{shape[1]}")

    write(boxes, 1)

    def arrows(several: Sequence[Box], prefix: str) -> None:
        for box in several:
            for name in box.before:
                arrow = "-.->" if box.always else "-->"
                lines.append(f"  {ids[prefix + name]} {arrow} {ids[box.path]}")
            arrows(box.inside, f"{box.path}.")

    arrows(boxes, "")
    for number, name in enumerate(_job_names(boxes)):
        members = [ids[b.path] for top in boxes for b in top.walk() if b.job == name and not b.inside]
        lines.append(f"  classDef job{number} stroke:{_COLOURS[number % len(_COLOURS)][0]},stroke-width:3px")
        lines.append(f"  class {','.join(members)} job{number}")
    return "\n".join(lines) + "\n"


def _mermaid_text(text: str) -> str:
    return text.replace("&", "#38;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")


def _job_names(boxes: Sequence[Box]) -> list[str]:
    return list(dict.fromkeys(b.job for top in boxes for b in top.walk() if b.job and not b.inside))


# SVG

_COLOURS = (  # outline in light and in dark, each at least 3:1 against its background
    ("#2563c9", "#6ea8ff"),
    ("#b45309", "#f0a540"),
    ("#15803d", "#5fd08a"),
    ("#a21caf", "#e58bf0"),
    ("#0f766e", "#4fd1c5"),
    ("#be123c", "#ff8fa3"),
)

_STYLE = """
.page{background:#fff} .page text{font:13px ui-sans-serif,system-ui,"Segoe UI",Helvetica,Arial,sans-serif;fill:#1b1f24}
.paper{fill:#fff} .box{fill:#f6f8fa;stroke:#57606a;stroke-width:1.2} .page .note{font-size:11.5px;fill:#57606a}
.frame{fill:#57606a;fill-opacity:.05;stroke:#8c959f;stroke-width:1.2} .condition>.frame{stroke-dasharray:6 4}
.behind{fill:none;stroke:#8c959f;stroke-width:1.2}
.importer>.box{stroke-dasharray:2 3} .edge{fill:none;stroke:#57606a;stroke-width:1.3}
.tip{fill:#57606a} .page .title{font-size:15px;font-weight:600} g.item:hover>.box{stroke-width:2.4}
.edge:hover{stroke-width:3} .always{stroke-dasharray:5 4}
@media (prefers-color-scheme:dark){.page{background:#0d1117} .page text{fill:#e6edf3} .paper{fill:#0d1117}
.box{fill:#161b22;stroke:#9aa4af} .page .note{fill:#a6b0bb} .frame{fill:#9aa4af;fill-opacity:.07;stroke:#7d8792}
.behind{stroke:#7d8792}
.edge{stroke:#9aa4af} .tip{fill:#9aa4af}}
"""


def svg(document: Document, plan: Plan | None = None) -> str:
    """A document as a self-contained SVG; with its plan, each task is outlined in the colour of its job."""
    boxes, title = scene(document, plan), document.display_name or document.name
    return picture(boxes, title)


def picture(boxes: Sequence[Box], title: str) -> str:
    """The SVG of some boxes; sets their positions."""
    wide, high = _place(list(boxes))
    _shift(boxes, _PAD, _PAD + 34)
    width, height = _PAD + wide, _PAD + 34 + high
    names = _job_names(boxes)
    legend = _legend(names, _PAD, height + 16)
    longest = max([width, _wide(title) * 1.25 + 2 * _PAD, *(x for _, x in legend)])
    total = (longest + _PAD, height + (44 if names else _PAD))
    colour = {name: f"j{number % len(_COLOURS)}" for number, name in enumerate(names)}
    drawn = [part for box in boxes for part in _drawn(box, colour)]
    arrows = _arrows(boxes)
    style = _STYLE + "".join(
        f".j{n}>.box,.k{n}{{stroke:{light};stroke-width:2.6}}" for n, (light, _) in enumerate(_COLOURS)
    )
    style += "@media (prefers-color-scheme:dark){" + "".join(
        f".j{n}>.box,.k{n}{{stroke:{dark}}}" for n, (_, dark) in enumerate(_COLOURS)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="page" viewBox="0 0 {total[0]:.0f} {total[1]:.0f}"'
        f' width="{total[0]:.0f}" height="{total[1]:.0f}" role="img" aria-labelledby="t">\n'
        f'<title id="t">{escape(title)}</title>\n<style>{style}}}</style>\n'
        '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path class="tip" d="M0 0 8 4 0 8z"/></marker></defs>\n'
        '<rect class="paper" width="100%" height="100%"/>\n'
        f'<text class="title" x="{_PAD}" y="{_PAD + 14}">{escape(title)}</text>\n'
        + "\n".join([*drawn, *arrows, *(text for text, _ in legend)])
        + "\n</svg>\n"
    )


def _wide(text: str) -> float:
    return len(text) * _CHAR


def _short(text: str, longest: int = _LONGEST) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _place(boxes: list[Box]) -> tuple[float, float]:
    """Set sizes, and positions from the upper left corner of the surrounding group; gives the whole size."""
    at = {_name(box): box for box in boxes}
    layer = _layers(boxes)
    for box in boxes:
        _size(box)
    columns: list[list[Box | Way]] = [[] for _ in range(max(layer.values(), default=-1) + 1)]
    left_of: dict[int, list[Box | Way]] = {}
    for box in boxes:
        columns[layer[_name(box)]].append(box)
        for before in _shown(box, at):
            ways = [Way() for _ in range(layer[before] + 1, layer[_name(box)])]
            box.ways[before] = ways
            chain: list[Box | Way] = [at[before], *ways, box]
            for number, way in enumerate(ways, layer[before] + 1):
                columns[number].append(way)
            for one, other in itertools.pairwise(chain):
                left_of.setdefault(id(other), []).append(one)
    left = 0.0
    for column in columns:
        wished = {id(item): _mean([_centre(one) for one in left_of.get(id(item), [])]) for item in column}
        column.sort(key=lambda item: wished[id(item)])  # stable: equal wishes keep the document's order
        wide = max(item.width for item in column)
        top = -1e9
        for item in column:
            item.x = left
            item.y = max(wished[id(item)] - item.height / 2, top)
            item.width = item.width or wide
            top = item.y + item.height + _GAP_Y
        shift = _mean([wished[id(item)] - _centre(item) for item in column])
        for item in column:
            item.y += shift
        left += wide + _GAP_X
    items = [item for column in columns for item in column]
    high = min((item.y for item in items), default=0.0)
    for item in items:
        item.y -= high
    return max(0.0, left - _GAP_X), max((item.y + item.height for item in items), default=0.0)


def _layers(boxes: Sequence[Box]) -> dict[str, int]:
    """Box -> column: behind all that it waits for, and as close before what waits for it as it can be."""
    layer: dict[str, int] = {}
    behind: dict[str, list[str]] = {}
    for box in boxes:
        layer[_name(box)] = max((layer[before] + 1 for before in box.before), default=0)
        for before in box.before:
            behind.setdefault(before, []).append(_name(box))
    for box in reversed(boxes):
        layer[_name(box)] = min((layer[name] - 1 for name in behind.get(_name(box), [])), default=layer[_name(box)])
    return layer


def _size(box: Box) -> None:
    if not box.inside:
        box.width = max(90.0, max(_wide(_short(box.title)), _wide(_short(box.note)) * 0.9) + 26)
        box.height = _BOX_HEIGHT + (14 if box.note else 0)
        return
    right, low = _place(box.inside)
    box.width = max(right, _wide(_short(box.title)), _wide(_short(box.note, 48)) * 0.9) + 2 * _PAD
    box.height = low + _PAD + _head(box)


def _head(box: Box) -> float:
    return _HEAD + (18 if box.note else 0)


def _shift(boxes: Sequence[Box], x: float, y: float) -> None:
    """Positions in the picture, from those in the surrounding group."""
    for box in boxes:
        passing: list[Box | Way] = [way for ways in box.ways.values() for way in ways]
        for item in (box, *passing):
            item.x += x
            item.y += y
        _shift(box.inside, box.x + _PAD, box.y + _head(box))


def _shown(box: Box, at: Mapping[str, Box]) -> list[str]:
    """What an arrow comes from: order alone needs none where other arrows say it already."""
    implied = {before: _behind(at[before], at) for before in box.before}
    return [
        before
        for before, passed in box.before.items()
        if passed or not any(before in implied[other] for other in box.before)
    ]


def _behind(box: Box, at: Mapping[str, Box]) -> set[str]:
    found: set[str] = set()
    stack = list(box.before)
    while stack:
        name = stack.pop()
        if name not in found:
            found.add(name)
            stack += at[name].before
    return found


def _name(box: Box) -> str:
    return box.path.rpartition(".")[2]


def _centre(item: Box | Way) -> float:
    return item.y + item.height / 2


def _mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers) if numbers else 0.0


def _drawn(box: Box, colour: Mapping[str, str]) -> list[str]:
    tip = "\n".join(
        [
            box.title + (f" ({box.path})" if box.path != box.title else ""),
            *([f"job {box.job}"] if box.job else []),
            *box.details,
        ]
    )
    kind = f"item {box.kind}" + (f" {colour[box.job]}" if box.job in colour and not box.inside else "")
    lines = [f'<g class="{kind}"><title>{escape(tip)}</title>']
    place = f'x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}"'
    if box.inside:
        if box.kind == "loop":  # one behind the other: it happens several times
            behind = f'x="{box.x + 4:.1f}" y="{box.y + 4:.1f}" width="{box.width:.1f}" height="{box.height:.1f}"'
            lines.append(f'<rect class="behind" rx="8" {behind}/>')
        lines.append(f'<rect class="frame" rx="8" {place}/>')
        lines.append(f'<text x="{box.x + _PAD:.1f}" y="{box.y + 17:.1f}">{escape(_short(box.title))}</text>')
        if box.note:
            note = escape(_short(box.note, 48))
            lines.append(f'<text class="note" x="{box.x + _PAD:.1f}" y="{box.y + 33:.1f}">{note}</text>')
    else:
        lines.append(f'<rect class="box" rx="6" {place}/>')
        middle = box.x + box.width / 2
        text = box.y + _BOX_HEIGHT / 2 + 4.5
        lines.append(f'<text x="{middle:.1f}" y="{text:.1f}" text-anchor="middle">{escape(_short(box.title))}</text>')
        if box.note:
            note = escape(_short(box.note))
            lines.append(f'<text class="note" x="{middle:.1f}" y="{text + 16:.1f}" text-anchor="middle">{note}</text>')
    for inner in box.inside:
        lines += _drawn(inner, colour)
    lines.append("</g>")
    return lines


def _arrows(boxes: Sequence[Box]) -> list[str]:
    at = {_name(box): box for box in boxes}
    lines = []
    for box in boxes:
        for name, ways in box.ways.items():
            source = at[name]
            x, y = source.x + source.width + (4 if source.kind == "loop" else 0), _centre(source)
            shape = [f"M{x:.1f} {y:.1f}"]
            for way in ways:
                shape.append(f"{_curve(x, y, way.x, _centre(way))}H{way.x + way.width:.1f}")
                x, y = way.x + way.width, _centre(way)
            shape.append(_curve(x, y, box.x - 1, _centre(box)))
            told = ", ".join(box.before[name]) or "order only"
            lines.append(
                f'<path class="edge{" always" if box.always else ""}" marker-end="url(#a)" d="{"".join(shape)}">'
                f"<title>{escape(source.title)} → {escape(box.title)}: {escape(told)}</title></path>"
            )
        lines += _arrows(box.inside)
    return lines


def _curve(x: float, y: float, to_x: float, to_y: float) -> str:
    half = (to_x - x) / 2
    return f"C{x + half:.1f} {y:.1f} {to_x - half:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}"


def _legend(names: Sequence[str], x: float, y: float) -> list[tuple[str, float]]:
    """Each job's colour and name; with the right end of each."""
    found = []
    for number, name in enumerate(names):
        mark = f'<rect class="box k{number % len(_COLOURS)}" x="{x:.0f}" y="{y:.0f}" width="14" height="14" rx="3"/>'
        text = f'<text x="{x + 20:.0f}" y="{y + 12:.0f}">job {escape(name)}</text>'
        x += 20 + _wide(f"job {name}") + 18
        found.append((mark + text, x))
    return found
