"""Stacks of the programs beside, on a cloud in memory."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pulumi", reason="the extra 'infra' is not installed")

from seatrial.rehearsal.infra.lifecycle import Applied, DeploymentFailed, Infra
from tests.rehearsal.infra.memory import Memory

PROGRAMS = Path(__file__).parent / "programs"


@dataclass
class Stage:
    """A cloud, a copy of the programs that a test may change, and a place for states."""

    cloud: Memory
    programs: Path
    state: Path

    def stack(self, case: str, stack: str = "dev", **config: Any) -> Infra:
        """A stack of the program ``features`` that runs this case; the same state for the same name of the stack."""
        own = self.programs / "features" / f"Pulumi.{stack}.yaml"
        if not own.exists():
            own.write_text("config: {}\n")
        settings = {"case": case, **config}
        return Infra(self.programs / "features", stack, self.cloud, self.state, config=settings, passphrase="pass")


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(Memory(), Path(shutil.copytree(PROGRAMS, tmp_path / "programs")), tmp_path / "state")


def steps(applied: Applied) -> list[str]:
    """``op name`` of what changed, of resources of the cloud alone."""
    return [f"{step.op} {step.name}" for step in applied.changes if step.type.startswith("mem:")]


def failing(infra: Infra, operation: str = "up", **options: Any) -> DeploymentFailed:
    """An operation that has to fail."""
    with pytest.raises(DeploymentFailed) as failed:
        getattr(infra, operation)(**options)
    return failed.value
