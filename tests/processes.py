"""The processes that a process has started, while they come and go."""

from __future__ import annotations

from pathlib import Path


def children(pid: int) -> set[int]:
    """Those that ``pid`` started itself, from whichever thread, and has not yet collected."""
    return _by_parent().get(pid, set())


def below(pid: int) -> set[int]:
    """Those that ``pid`` started, directly or not."""
    by_parent = _by_parent()
    found, todo = set[int](), [pid]
    while todo:
        started = by_parent.get(todo.pop(), set())
        found |= started
        todo.extend(started)
    return found


def _by_parent() -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            continue
        found.setdefault(parent, set()).add(int(stat.parent.name))
    return found
