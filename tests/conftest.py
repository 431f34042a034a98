"""Shared fixtures. Nothing here reaches beyond this machine: only loopback addresses can be opened."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers

from seatrial.document import read_text
from seatrial.document.compile import compile_pipeline
from seatrial.execute.journal import TaskRecord
from seatrial.execute.run import Machine, Ran, execute

REPOSITORY = Path(__file__).resolve().parents[1]

# The same examples for everybody, as fast as the machine is; `--hypothesis-profile=default` looks for others.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")
# Some would still be made of constants in whatever modules of ours, and of other tests, have been imported before.
assert callable(providers._get_local_constants)
providers._get_local_constants = lambda: providers.Constants()  # type: ignore[attr-defined]


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
        """The pipeline document."""
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


@pytest.fixture(scope="session")
def write_parcels() -> Callable[..., None]:
    """Writes the small project's source table."""
    return _write_parcels


def _write_parcels(path: Path, rows: int = 6000, *, shuffled_labels: bool = False, seed: int = 0) -> None:
    """Parcels of one year; the delay depends on distance and hour together, which no straight line can tell."""
    import numpy as np

    rng = np.random.default_rng(seed)
    distance = rng.uniform(1, 1000, rows)
    weight = rng.gamma(2.0, 3.0, rows)
    hour = rng.integers(0, 24, rows)
    carrier = rng.choice(["north", "south", "east"], rows)
    strain = np.sin(distance / 120) * np.cos(hour / 3.5) * 5 + (carrier == "south") * 1.5
    delay = np.maximum(0, strain + rng.normal(0, 2.0, rows) + 3)
    if shuffled_labels:
        rng.shuffle(delay)
    minutes = np.sort(rng.integers(0, 366 * 1440, rows))
    accepted = np.datetime64("2024-01-01T00:00") + minutes.astype("timedelta64[m]")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        file.write("parcel_id,accepted,delay_hours,distance,weight,hour,carrier\n")
        for i in range(rows):
            lost = "" if i % 97 == 5 else f"{delay[i]:.2f}"
            mass = "" if i % 11 == 3 else f"{weight[i]:.2f}"
            file.write(f"p{i:06d},{accepted[i]},{lost},{distance[i]:.1f},{mass},{hour[i]},{carrier[i]}\n")


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A small project in a folder of its own, with this repository's components, pipelines and infrastructure."""
    root = tmp_path / "project"
    shutil.copytree(REPOSITORY / "tests" / "projects" / "tiny", root)
    for name in ("components", "pipelines", "infra"):
        shutil.copytree(REPOSITORY / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    _write_parcels(root / "data" / "parcels.csv")
    return root
