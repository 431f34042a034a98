"""Draws a pipeline document: Mermaid text for a README, or one SVG file for a browser.

Both show the same thing: tasks, what waits for what, and loops, conditions and nested pipelines as boxes around their
tasks. The layout is layered from top to bottom: a task stands below everything that it waits for.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

from seatrial.document.model import Component, Container, Document, Graph, Importer, Task

_CHARACTER, _NODE_HEIGHT, _PADDING = 7.4, 34.0, 14.0
_GAP_X, _GAP_Y, _TITLE = 26.0, 44.0, 22.0

_STYLE = """
:root { --page:#fff; --ink:#17202a; --muted:#55606e; --line:#7d8896; --node:#eef3fa; --edge:#9db4d6; --group:#f7f8fa; }
@media (prefers-color-scheme: dark) {
  :root { --page:#10151b; --ink:#e5eaf0; --muted:#9fabb8; --node:#1d2a3a; --edge:#49678f; --group:#161d25; }
}
svg { background: var(--page); font: 13px system-ui, sans-serif; }
.node rect { fill: var(--node); stroke: var(--edge); } .node text { fill: var(--ink); text-anchor: middle; }
.group rect { fill: var(--group); stroke: var(--line); stroke-dasharray: 5 4; }
.group > text { fill: var(--muted); font-size: 12px; }
.edge { fill: none; stroke: var(--line); stroke-width: 1.3; marker-end: url(#arrow); }
.edge.always { stroke-dasharray: 3 3; }
marker path { fill: var(--line); }
"""


def mermaid(document: Document) -> str:
    """The document as a Mermaid flow chart."""
    lines = ["flowchart TD"]
    edges: list[str] = []

    def add(graph: Graph, prefix: str, indent: str) -> None:
        for task in graph.tasks.values():
            name = _identifier(prefix + task.name)
            inner = document.components[task.component].implementation
            if isinstance(inner, Graph):
                lines.append(f'{indent}subgraph {name}["{_quoted(_title(task))}"]')
                add(inner, f"{prefix}{task.name}.", indent + "  ")
                lines.append(f"{indent}end")
            else:
                shape = ("[(", ")]") if isinstance(inner, Importer) else ("[", "]")
                lines.append(f'{indent}{name}{shape[0]}"{_quoted(_title(task))}"{shape[1]}')
            arrow = "-.->" if task.always else "-->"
            edges.extend(f"  {_identifier(prefix + before)} {arrow} {name}" for before in sorted(task.after))

    add(_root(document), "", "  ")
    return "\n".join([*lines, *edges]) + "\n"


def svg(document: Document) -> str:
    """The document as one SVG file: no script, no outside reference, light and dark."""
    layout = _Layout(document)
    root = layout.graph(_root(document), "")
    width, height = root.width + 2 * _PADDING, root.height + 2 * _PADDING
    root.move(_PADDING, _PADDING)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img" aria-label={quoteattr("pipeline " + document.name)}>\n'
        f"<style>{_STYLE}</style>\n"
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z"/></marker></defs>\n' + "\n".join(root.drawn()) + "\n</svg>\n"
    )


@dataclass
class _Box:
    """A task, or a group with what is inside."""

    title: str
    tip: str
    width: float
    height: float
    x: float = 0.0
    y: float = 0.0
    inside: dict[str, _Box] = field(default_factory=dict)
    edges: list[tuple[str, str, bool]] = field(default_factory=list)
    """(from, to, dashed) between boxes inside."""
    group: bool = False

    def move(self, x: float, y: float) -> None:
        """Shift it with everything inside."""
        self.x, self.y = self.x + x, self.y + y
        for box in self.inside.values():
            box.move(x, y)

    def drawn(self) -> Iterable[str]:
        """SVG elements, the outer ones first."""
        place = f'x="{self.x:.1f}" y="{self.y:.1f}" width="{self.width:.1f}" height="{self.height:.1f}" rx="6"'
        tip = f"<title>{escape(self.tip)}</title>"
        if not self.group:
            middle = f'x="{self.x + self.width / 2:.1f}" y="{self.y + self.height / 2 + 4.5:.1f}"'
            yield f'<g class="node">{tip}<rect {place}/><text {middle}>{escape(self.title)}</text></g>'
            return
        if self.title:
            text = f'<text x="{self.x + 8:.1f}" y="{self.y + 15:.1f}">{escape(self.title)}</text>'
            yield f'<g class="group">{tip}<rect {place}/>{text}</g>'
        for start, end, dashed in self.edges:
            a, b = self.inside[start], self.inside[end]
            x1, y1, x2, y2 = a.x + a.width / 2, a.y + a.height, b.x + b.width / 2, b.y
            bend = (y2 - y1) / 2
            path = f"M{x1:.1f} {y1:.1f}C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {y2 - bend:.1f} {x2:.1f} {y2 - 1:.1f}"
            yield f'<path class="edge{" always" if dashed else ""}" d="{path}"/>'
        for box in self.inside.values():
            yield from box.drawn()


class _Layout:
    def __init__(self, document: Document) -> None:
        self.document = document

    def graph(self, graph: Graph, title: str, tip: str = "") -> _Box:
        boxes = {name: self.task(task) for name, task in graph.tasks.items()}
        layers = _layers(graph)
        rows = [
            [name for name in boxes if layers[name] == layer] for layer in range(max(layers.values(), default=-1) + 1)
        ]
        for above, row in itertools.pairwise(rows):
            place = {name: i for i, name in enumerate(above)}
            row.sort(key=lambda name, place=place: _barycentre(graph.tasks[name], place))  # type: ignore[misc]
        widths = [sum(boxes[n].width for n in row) + _GAP_X * (len(row) - 1) for row in rows]
        whole = max([*widths, _CHARACTER * len(title) + 16], default=40.0)
        top = _TITLE if title else 0.0
        y = top + (_PADDING if title else 0.0)
        margin = _PADDING if title else 0.0
        for row, width in zip(rows, widths, strict=True):
            x = margin + (whole - width) / 2
            for name in row:
                boxes[name].move(x, y)
                x += boxes[name].width + _GAP_X
            y += max(boxes[n].height for n in row) + _GAP_Y
        edges = [(before, t.name, t.always) for t in graph.tasks.values() for before in sorted(_nearest(graph, t))]
        height = y - _GAP_Y + margin if rows else top + _NODE_HEIGHT
        return _Box(title, tip, whole + 2 * margin, height, inside=boxes, edges=edges, group=True)

    def task(self, task: Task) -> _Box:
        component = self.document.components[task.component]
        if isinstance(component.implementation, Graph):
            return self.graph(component.implementation, _title(task), _tip(task, component))
        title = _title(task)
        return _Box(title, _tip(task, component), max(70.0, _CHARACTER * len(title) + 26), _NODE_HEIGHT)


def _root(document: Document) -> Graph:
    assert isinstance(document.root.implementation, Graph)
    return document.root.implementation


def _layers(graph: Graph) -> dict[str, int]:
    """Task -> row: below all that it waits for, and as close above what waits for it as it can be."""
    found: dict[str, int] = {}
    waiting = dict(graph.tasks)
    while waiting:
        for name, task in list(waiting.items()):
            if task.after <= found.keys():
                found[name] = max((found[b] + 1 for b in task.after), default=0)
                del waiting[name]
    for name in sorted(found, key=lambda n: -found[n]):
        below = [found[t.name] for t in graph.tasks.values() if name in t.after]
        found[name] = min(below) - 1 if below else found[name]
    return found


def _nearest(graph: Graph, task: Task) -> frozenset[str]:
    """What a task waits for, without what it waits for by way of another."""
    reached: set[str] = set()
    todo = [b for name in task.after for b in graph.tasks[name].after]
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            todo += graph.tasks[name].after
    return frozenset(task.after - reached)


def _barycentre(task: Task, above: Mapping[str, int]) -> float:
    places = [above[name] for name in task.after if name in above]
    return sum(places) / len(places) if places else float(len(above))


def _title(task: Task) -> str:
    if task.loop is not None:
        items = "" if task.loop.raw is None else f" {len(task.loop.raw)} items"
        return f"for each: {task.display_name}{items}"
    return f"if: {_condition(task.condition)}" if task.condition is not None else task.display_name


def _condition(text: str) -> str:
    short = re.sub(r"inputs\.parameter_values\['(?:pipelinechannel--)?([^']+)'\]", r"\1", text)
    return short if len(short) <= 60 else short[:59] + "…"


def _tip(task: Task, component: Component) -> str:
    lines = [task.name, *(f"{name}: {spec.type}" for name, spec in component.input_parameters.items())]
    lines += [f"{name}: {spec.schema}" for name, spec in component.input_artifacts.items()]
    if isinstance(component.implementation, Container):
        lines.append(component.implementation.image)
    return "\n".join(lines)


def _identifier(path: str) -> str:
    return "t_" + re.sub(r"[^A-Za-z0-9]", lambda m: f"_{ord(m[0]):x}_", path)


def _quoted(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
