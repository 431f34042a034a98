"""Property tests take the same examples whatever was imported before them."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import given, seed, settings
from hypothesis import strategies as st
from pytest import MonkeyPatch

CONSTANTS = "numbers = [" + ", ".join(str(7_000_000 + 13 * n) for n in range(400)) + "]\n"


def _drawn() -> list[int]:
    found: list[int] = []

    @seed(1)
    @settings(max_examples=200, database=None)
    @given(st.integers())
    def draw(number: int) -> None:
        found.append(number)

    draw()
    return found


def test_examples_are_not_made_of_what_was_imported(tmp_path: Path, monkeypatch: MonkeyPatch) -> None:
    before = _drawn()
    (tmp_path / "something_of_ours.py").write_text(CONSTANTS)
    monkeypatch.syspath_prepend(tmp_path)
    __import__("something_of_ours")
    try:
        assert _drawn() == before
    finally:
        del sys.modules["something_of_ours"]
