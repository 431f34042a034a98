"""Packages that are built once, and endpoints that are ended whatever happened."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from seatrial.clouds.local.endpoint_state import read_state
from seatrial.clouds.local.endpoints import LocalEndpoints
from tests.unit.package.example import CANDIDATES, build_example


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two models that differ. Only to be read."""
    folder = tmp_path_factory.mktemp("packages")
    for name in ("boosting", "forest"):
        build_example(folder / name, CANDIDATES[name])
    return folder / "boosting", folder / "forest"


@pytest.fixture
def endpoints(tmp_path: Path) -> Iterator[LocalEndpoints]:
    """Ended the quick way: servers die with their supervisor. Orderly ends are what some tests are about."""
    found = LocalEndpoints(tmp_path)
    yield found
    for folder in (tmp_path / "endpoints").glob("*/"):
        state = read_state(folder)
        if state is not None:
            with contextlib.suppress(ProcessLookupError):  # an idle one ends by itself
                os.kill(state["pid"], signal.SIGKILL)
