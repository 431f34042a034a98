from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.data.parcels import Parcels


@pytest.fixture
def parcels(tmp_path: Path) -> Parcels:
    return Parcels(tmp_path)
