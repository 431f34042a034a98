"""One real package behind the app."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from seatrial.clouds.local.server import ServedPackage
from seatrial.package.read import Package
from tests.unit.package.example import CANDIDATES, build_example
from tests.unit.serving.bench import Wire


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    folder = tmp_path_factory.mktemp("served") / "package"
    build_example(folder, CANDIDATES["boosting"])
    return Package.open(folder)


@pytest.fixture(scope="session")
def served(package: Package) -> ServedPackage:
    return ServedPackage(package, name="tides", version="3", max_rows=500)


@pytest.fixture
def wire() -> Iterator[Wire]:
    """The tiny model."""
    found = Wire()
    yield found
    found.app.close()


@pytest.fixture
def tides(served: ServedPackage) -> Iterator[Wire]:
    """The real package."""
    found = Wire(served)
    yield found
    found.app.close()
