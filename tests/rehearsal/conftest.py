"""Whole runs through the command line, on the small project."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest


@dataclass
class Shell:
    """A person in a project's folder."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    patience_s: ClassVar[float] = 1200.0
    """After this a command is taken for hung. No limit of speed: 11 s of work took 140 s beside five others."""

    @property
    def state(self) -> Path:
        return self.root / ".seatrial"

    def start(self, *arguments: str, damage: str = "", **options: Any) -> subprocess.Popen[str]:
        """Start a command; ``damage`` is run in its process first, to seed a mistake."""
        return subprocess.Popen(
            [sys.executable, "-c", f"{damage}\nfrom seatrial.cli.main import main; main()", *arguments],
            cwd=self.root,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.root),
                "COLUMNS": "120",
                "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
                **self.environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            **options,
        )

    def run(self, *arguments: str, damage: str = "") -> subprocess.CompletedProcess[str]:
        with self.start(*arguments, damage=damage) as process:
            out, err = process.communicate(timeout=self.patience_s)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def json(self, *arguments: str, code: int = 0, damage: str = "") -> Any:
        done = self.run(*arguments, "--json", damage=damage)
        assert done.returncode == code, done.stderr + done.stdout
        return json.loads(done.stdout)

    def settings(self, old: str, new: str) -> None:
        """Change model.toml."""
        path = self.root / "recipes" / "parcels" / "model.toml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    def last_run(self) -> Any:
        """The record of the run that ended last."""
        records = sorted(self.state.glob("runs/*/run.json"), key=lambda p: p.stat().st_mtime)
        return json.loads(records[-1].read_text())


@pytest.fixture
def shell(tiny: Path) -> Iterator[Shell]:
    found = Shell(tiny)
    yield found
    found.run("endpoint", "stop", "--all")
