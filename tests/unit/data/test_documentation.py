"""docs/model-toml.md promises to list every setting: ``project.py`` sends people there."""

from __future__ import annotations

import re
from pathlib import Path

from seatrial.project import Column, Endpoint, Gate, Model, Monitoring, Rehearsal, Rollout, Split

PAGE = Path(__file__).resolve().parents[3] / "docs" / "model-toml.md"


def test_every_setting_is_documented_and_no_other() -> None:
    text = PAGE.read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE))
    documented |= set(re.findall(r"^## `\[(\w+)\]`", text, flags=re.MULTILINE))
    kinds = (Model, Column, Split, Gate, Rollout, Monitoring, Endpoint, Rehearsal)
    assert documented == {name for kind in kinds for name in kind.model_fields} - {"name", "folder"}


def test_defaults_are_the_ones_in_the_code() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for kind in (Gate, Rollout, Monitoring, Endpoint):
        for name, field in kind.model_fields.items():
            row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
            if isinstance(field.default, int | float):
                assert float(row.split("|")[3].strip().strip("`")) == float(field.default), name
