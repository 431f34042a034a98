"""One package, built once for all tests that only read."""

from __future__ import annotations

from pathlib import Path

import pytest

from seatrial.package.build import Built
from tests.unit.package.example import CANDIDATES, build_example


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build_example(tmp_path_factory.mktemp("built") / "package", CANDIDATES["forest"])


@pytest.fixture
def folder(built: Built, tmp_path: Path) -> Path:
    """A copy of that package, to be damaged."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in built.package.path.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    return copy
