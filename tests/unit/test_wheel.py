"""The wheel ships ``seatrial`` and nothing else: two wheels that both ship ``components`` destroy each other."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest


def test_the_wheel_ships_only_seatrial(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hatchling.build import build_wheel

    monkeypatch.chdir(repository)
    name = build_wheel(str(tmp_path))
    with zipfile.ZipFile(tmp_path / name) as wheel:
        names = wheel.namelist()
    assert {n.split("/")[0] for n in names if ".dist-info/" not in n} == {"seatrial"}
    shipped = {n for n in names if n.startswith("seatrial/")}
    needed = {
        f"{folder}/{file}".removeprefix(f"{repository}{os.sep}")
        for folder, _, files in os.walk(repository / "seatrial")
        for file in files
        if "__pycache__" not in folder
    }
    assert shipped == needed  # templates, style sheets and the schema too
