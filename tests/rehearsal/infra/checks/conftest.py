"""What the AWS program registers, for all tests of a run; the policy pack, running."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seatrial.rehearsal.infra.analyzer import Analyzer, analyzing
from seatrial.rehearsal.infra.registered import Registration

ROOT = Path(__file__).resolve().parents[4]
STACKS = ("dev", "staging", "prod")

Capture = Callable[..., list[Registration]]


@pytest.fixture(scope="session")
def registered() -> Capture:
    """``registered("prod")``; ``registered("prod", "preview")`` leaves outputs unknown."""
    kept: dict[tuple[str, ...], list[Registration]] = {}

    def capture(*arguments: str) -> list[Registration]:
        if arguments not in kept:
            done = subprocess.run(
                [sys.executable, str(Path(__file__).with_name("capture.py")), *arguments],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            kept[arguments] = [Registration(**each) for each in json.loads(done.stdout)]
        return kept[arguments]

    return capture


@pytest.fixture(scope="session")
def pack() -> Iterator[Analyzer]:
    with analyzing(ROOT / "infra" / "policy", project="seatrial-aws", stack="prod") as analyzer:
        yield analyzer
