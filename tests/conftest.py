"""Shared fixtures. Nothing here reaches beyond this machine: only loopback addresses can be opened."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from seatrial.document import read_text
from seatrial.document.compile import compile_pipeline
from seatrial.execute.journal import TaskRecord
from seatrial.execute.run import Machine, Ran, execute

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass
class Heard:
    """An observer that remembers."""

    events: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    ends: dict[str, TaskRecord] = field(default_factory=dict)

    def started(self, record: TaskRecord) -> None:
        self.events.append((record.path, {"started": True}))

    def event(self, record: TaskRecord, event: Mapping[str, Any]) -> None:
        self.events.append((record.path, event))

    def ended(self, record: TaskRecord) -> None:
        self.ends[record.path] = record


@dataclass
class Bench:
    """A small project in a folder of its own: write components and a pipeline, run it."""

    root: Path
    heard: Heard = field(default_factory=Heard)

    @property
    def state(self) -> Path:
        return self.root / ".seatrial"

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def compile(self, pipeline: str = "pipe.py") -> str:
        """The pipeline document; the project's own modules are imported anew."""
        for name, module in list(sys.modules.items()):
            if (getattr(module, "__file__", None) or "").startswith(str(self.root)):
                del sys.modules[name]
        return compile_pipeline(self.root / pipeline, root=self.root, image="bench")

    def run(self, arguments: dict[str, Any] | None = None, *, pipeline: str = "pipe.py", **options: Any) -> Ran:
        self.heard = Heard()
        machine = Machine(root=self.root, state=self.state, **options)
        return execute(read_text(self.compile(pipeline)), arguments or {}, machine, self.heard)

    def states(self) -> dict[str, str]:
        return {path: "cached" if r.cached else r.state for path, r in self.heard.ends.items()}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """An empty project."""
    return Bench(tmp_path)


@pytest.fixture(scope="session")
def repository() -> Path:
    """This checkout."""
    return REPOSITORY


@pytest.fixture
def copied(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Copies folders of this checkout into the test's own, to be changed there."""

    def copy(name: str) -> Path:
        target = tmp_path / name
        shutil.copytree(REPOSITORY / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        return target

    yield copy
