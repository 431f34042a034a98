"""Settings are read whole or refused with every problem; a typo must not change what happens."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from seatrial import project
from seatrial.errors import ProjectError


@pytest.fixture
def toml(tiny: Path) -> Path:
    return tiny / "recipes" / "parcels" / "model.toml"


def test_a_project_is_found_from_below(tiny: Path) -> None:
    found = project.load(tiny / "recipes" / "parcels")
    assert found.root == tiny
    assert found.models() == ("parcels",)
    model = found.model("parcels")
    assert model.numeric == ("distance", "weight", "hour")
    assert model.categories == ("carrier",)
    assert model.split.holdout_from == dt.date(2024, 9, 1)


def test_state_and_target_come_from_the_environment(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SEATRIAL_HOME", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("SEATRIAL_PROJECT", str(tiny))
    found = project.load()
    assert found.root == tiny
    assert found.state == tmp_path / "elsewhere"
    assert found.target == "local"


def test_outside_a_project_every_place_searched_is_listed(tmp_path: Path) -> None:
    with pytest.raises(ProjectError) as caught:
        project.load(tmp_path)
    assert str(tmp_path / "seatrial.toml") in caught.value.why
    assert "/seatrial.toml" in caught.value.why


def test_an_unknown_model_suggests_the_nearest(tiny: Path) -> None:
    with pytest.raises(ProjectError, match="no model 'parcel'") as caught:
        project.load(tiny).model("parcel")
    assert caught.value.todo == "Did you mean 'parcels'?"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("[gate]", "[gatte]", "gatte: unknown setting; did you mean 'gate'?"),
        ("min_rows", "min_row", "gate.min_row: unknown setting; did you mean 'min_rows'?"),
        ('task = "binary"', 'task = "regression"', "task: Input should be 'binary'"),
        ('label = "delayed"\n', "", "label: is required"),
        ("validation_from = 2024-07-01", "validation_from = 2024-10-01", "validation_from must be before holdout_from"),
        ("range = [0, 23]", "range = [23, 0]", "low <= high"),
        ('carrier = "category"', 'carrier = { type = "category", range = [0, 1] }', "a category has no range"),
        ('label = "delayed"', 'label = "hour"', "label 'hour' is also a column"),
        ("distance = {", "distance = { colour = 1,", "columns.distance.colour: unknown setting"),
        ("min_rows = 500", "min_rows = 0", "gate.min_rows"),
    ],
)
def test_what_is_wrong_is_named(tiny: Path, toml: Path, old: str, new: str, problem: str) -> None:
    text = toml.read_text()
    assert old in text
    toml.write_text(text.replace(old, new, 1))
    with pytest.raises(ProjectError) as caught:
        project.load(tiny).model("parcels")
    assert problem in caught.value.what


def test_all_problems_are_told_at_once(tiny: Path, toml: Path) -> None:
    toml.write_text(toml.read_text().replace("[gate]", "[gatte]").replace('task = "binary"', 'task = "x"'))
    with pytest.raises(ProjectError, match="2 problems"):
        project.load(tiny).model("parcels")


def test_a_value_is_never_echoed(tiny: Path, toml: Path) -> None:
    """A settings file may hold what should not be in a log."""
    toml.write_text(toml.read_text().replace('task = "binary"', 'task = "s3cret"'))
    with pytest.raises(ProjectError) as caught:
        project.load(tiny).model("parcels")
    assert "s3cret" not in str(caught.value)


def test_broken_toml_names_the_line(tiny: Path, toml: Path) -> None:
    toml.write_text("task = \n")
    with pytest.raises(ProjectError, match="line 1"):
        project.load(tiny).model("parcels")


def test_a_model_cannot_name_itself(tiny: Path, toml: Path) -> None:
    toml.write_text('name = "other"\n' + toml.read_text())
    with pytest.raises(ProjectError, match="name cannot be set"):
        project.load(tiny).model("parcels")
