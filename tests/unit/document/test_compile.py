"""Compiling a pipeline written in Python: what KFP says about a mistake still names the method."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from seatrial.document.compile import compile_pipeline

_NESTED = """
from kfp import dsl

@dsl.container_component
def one():
    return dsl.ContainerSpec(image="i", command=["true"])

@dsl.pipeline
def inner():
    one()

@dsl.pipeline
def outer():
    inner().set_env_variable("A", "b")

del inner
"""


_ONE = """
from kfp import dsl
from components.steps import NAME

@dsl.container_component
def one():
    return dsl.ContainerSpec(image="i", command=[NAME])

@dsl.pipeline
def pipe():
    one()
"""


def test_projects_in_one_process_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their modules have the same names; those that the caller imported before stay the caller's."""
    mine = ModuleType("components")
    monkeypatch.setitem(sys.modules, "components", mine)
    before = {name for name in sys.modules if name.startswith("components.")}
    for name in ("first", "second", "first"):
        steps = tmp_path / name / "components" / "steps.py"
        steps.parent.mkdir(parents=True, exist_ok=True)
        (steps.parent / "__init__.py").touch()
        steps.write_text(f"NAME = {name!r}")
        (tmp_path / name / "pipe.py").write_text(_ONE)
        assert f"- {name}\n" in compile_pipeline(tmp_path / name / "pipe.py", root=tmp_path / name, image="i")
        assert sys.modules["components"] is mine
        assert {name for name in sys.modules if name.startswith("components.")} == before


def test_a_file_that_was_changed_within_its_time_stamp_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python trusts compiled code of the same second and size."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file = tmp_path / "pipe.py"
    for name in ("one", "two"):
        file.write_text(_ONE.replace("from components.steps import NAME", f"NAME = {name!r}"))
        os.utime(file, (1, 1))
        assert f"- {name}\n" in compile_pipeline(file, root=tmp_path, image="i")


def test_a_setting_of_a_nested_pipeline_is_refused_under_its_name(tmp_path: Path) -> None:
    file = tmp_path / "outer.py"
    file.write_text(_NESTED)
    with pytest.raises(ValueError, match="set_env_variable can only be used on single-step components"):
        compile_pipeline(file, root=tmp_path, image="i")
    import inspect

    from kfp.dsl import pipeline_task

    assert pipeline_task.inspect is inspect
