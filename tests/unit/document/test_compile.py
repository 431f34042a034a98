"""Compiling a pipeline written in Python: what KFP says about a mistake still names the method."""

from __future__ import annotations

from pathlib import Path

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


def test_a_setting_of_a_nested_pipeline_is_refused_under_its_name(tmp_path: Path) -> None:
    file = tmp_path / "outer.py"
    file.write_text(_NESTED)
    with pytest.raises(ValueError, match="set_env_variable can only be used on single-step components"):
        compile_pipeline(file, root=tmp_path, image="i")
    import inspect

    from kfp.dsl import pipeline_task

    assert pipeline_task.inspect is inspect
