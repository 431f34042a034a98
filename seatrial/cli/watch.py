"""Shows a run as it goes: one line per task, the running ones moving at the bottom."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from seatrial.execute.journal import TaskRecord

Json = Any
_MARKS = {"SUCCEEDED": "[green]✔[/]", "FAILED": "[red]✘[/]", "SKIPPED": "[dim]–[/]", "NOT_TRIGGERED": "[dim]–[/]"}
_PLAIN_MARKS = {"SUCCEEDED": "✔", "FAILED": "✘", "SKIPPED": "–", "NOT_TRIGGERED": "–"}


class Watch:
    """An `Observer` that prints; use as a context manager. On a terminal the running tasks are shown live."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._running: dict[str, tuple[TaskRecord, float, str]] = {}
        self._live = Live(get_renderable=self._moving, console=console, refresh_per_second=8, transient=True)
        self.cached = 0
        self.ran = 0

    def __enter__(self) -> Watch:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def started(self, record: TaskRecord) -> None:
        """A task's process starts."""
        self._running[record.path] = (record, time.monotonic(), "")

    def event(self, record: TaskRecord, event: Mapping[str, Json]) -> None:
        """A running task said something or made progress."""
        if record.path not in self._running:
            return
        _, since, text = self._running[record.path]
        if "progress" in event:
            done, total = event["progress"]
            text = f"{done}/{total} {event.get('text', '')}".strip()
        elif "say" in event:
            text = str(event["say"])
        self._running[record.path] = (record, since, text)

    def ended(self, record: TaskRecord) -> None:
        """A task ended, was found in the cache, or will not run."""
        self._running.pop(record.path, None)
        if record.state in ("SKIPPED", "NOT_TRIGGERED"):
            note = "skipped" if record.state == "SKIPPED" else "not triggered: something before it failed"
            self._line(record, note, "", dim=True)
            return
        self.cached += record.cached
        self.ran += not record.cached
        took = "cached" if record.cached else f"{record.seconds:.1f} s"
        said = record.summary if record.error is None else record.error["what"].splitlines()[0]
        self._line(record, said, took)

    def _line(self, record: TaskRecord, said: str, took: str, *, dim: bool = False) -> None:
        first, *more = said.splitlines() or [""]
        if self._console.is_terminal:
            table = Table.grid(padding=(0, 1), expand=True)
            table.add_column(width=2, justify="right")
            table.add_column(width=11, no_wrap=True)
            table.add_column(ratio=1)
            table.add_column(justify="right", no_wrap=True)
            style = "dim" if dim else ""
            table.add_row(_MARKS[record.state], Text(record.name, style), Text(first, style), Text(took, "dim"))
            for line in more:
                table.add_row("", "", Text(line, "dim"), "")
            self._console.print(table)
            return
        self._console.print(escape(f" {_PLAIN_MARKS[record.state]} {record.name:<11} {first}  {took}".rstrip()))
        for line in more:
            self._console.print(escape(f"   {'':<11} {line}"))

    def _moving(self) -> RenderableType:
        frame = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"[int(time.monotonic() * 8) % 10]
        rows = []
        for record, since, text in list(self._running.values()):
            seconds = time.monotonic() - since
            rows.append(
                Text(f" {frame} {record.name:<11} {text}  {seconds:.0f} s", "cyan", no_wrap=True, overflow="ellipsis")
            )
        return Group(*rows)
