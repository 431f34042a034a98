"""A component is a plain function; what KFP is told of it comes from its types."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from seatrial import component as subject
from seatrial.component import (
    Artifact,
    Dataset,
    Input,
    Metrics,
    Output,
    Resources,
    TrainingOptions,
    cast_value,
    component,
    fail,
)
from seatrial.errors import ComponentError, TaskError


@dataclass(frozen=True)
class Result:
    """Scalars."""

    total: int
    parts: list[int]


@component(resources=Resources(cpu=2, memory_gb=8), job="decide")
def add(
    a: int, data: Input[Dataset], out: Output[Metrics], b: float = 1.0, extra: Input[Artifact] | None = None
) -> Result:
    """Add up."""
    out.path.write_text(data.path.read_text() + ("" if extra is None else extra.path.read_text()))
    out.metadata["b"] = b
    return Result(total=a, parts=[a, a])


def test_it_is_called_as_a_function(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("x")
    result = add(2, Dataset(tmp_path / "in"), Metrics(tmp_path / "out"))
    assert result == Result(2, [2, 2])
    assert (tmp_path / "out").read_text() == "x"
    assert add.__doc__ == "Add up."


def test_its_interface_is_read_from_its_types() -> None:
    document = add.document()["components"]["comp-add"]
    assert document["inputDefinitions"]["parameters"] == {
        "a": {"parameterType": "NUMBER_INTEGER"},
        "b": {"parameterType": "NUMBER_DOUBLE", "isOptional": True, "defaultValue": 1.0},
    }
    assert document["inputDefinitions"]["artifacts"]["extra"]["isOptional"] is True
    assert document["inputDefinitions"]["artifacts"]["data"]["artifactType"]["schemaTitle"] == "system.Dataset"
    assert document["outputDefinitions"]["parameters"]["parts"] == {"parameterType": "LIST"}


def test_its_container_carries_no_source_and_installs_nothing() -> None:
    container = add.document()["deploymentSpec"]["executors"]["exec-add"]["container"]
    assert container["command"] == ["python", "-m", "seatrial.component", f"{__name__}:add"]
    assert container["args"] == ["{{$}}"]


def executor_input(tmp_path: Path, **parameters: Any) -> dict[str, Any]:
    (tmp_path / "in").write_text("x")
    return {
        "inputs": {
            "parameterValues": parameters,
            "artifacts": {"data": {"artifacts": [{"name": "data", "uri": str(tmp_path / "in"), "metadata": {}}]}},
        },
        "outputs": {
            "parameters": {},
            "artifacts": {"out": {"artifacts": [{"name": "out", "uri": str(tmp_path / "new" / "out")}]}},
            "outputFile": str(tmp_path / "output.json"),
        },
    }


def test_it_runs_on_an_executor_input_and_integers_stay_integers(tmp_path: Path) -> None:
    add.execute(executor_input(tmp_path, a=3.0))
    written = json.loads((tmp_path / "output.json").read_text())
    assert json.dumps(written["parameterValues"], sort_keys=True) == '{"parts": [3, 3], "total": 3}'
    assert written["artifacts"]["out"]["artifacts"][0]["metadata"] == {"b": 1.0}


def test_everything_wrong_with_its_inputs_is_told_at_once(tmp_path: Path) -> None:
    wrong = executor_input(tmp_path, a="two", b="x")
    wrong["inputs"]["artifacts"] = {}
    with pytest.raises(ComponentError) as caught:
        add.execute(wrong)
    assert [part in caught.value.what for part in ("'a'", "'b'", "'data' is missing")] == [True] * 3


def test_an_output_that_was_not_written_is_an_error(tmp_path: Path) -> None:
    @component()
    def forgets(out: Output[Dataset]) -> None:
        """Forget."""

    given = executor_input(tmp_path)
    with pytest.raises(ComponentError, match="without writing out"):
        forgets.execute(given)


def test_types_that_cannot_travel_are_refused_when_declared() -> None:
    with pytest.raises(ComponentError, match="'path'"):

        @component()
        def bad(path: Path) -> None:
            """Refused."""

    with pytest.raises(ComponentError, match="dataclass"):

        @component()
        def worse() -> int:
            return 1


@pytest.mark.parametrize(
    ("value", "annotation", "expected"),
    [
        (3.0, int, 3),
        (3, float, 3.0),
        ([1.0, 2.0], list[int], [1, 2]),
        ({"a": [1.0]}, dict[str, list[int]], {"a": [1]}),
        (None, int | None, None),
        ([1.5, "x"], list, [1.5, "x"]),
    ],
)
def test_values_are_cast_to_what_is_declared(value: Any, annotation: Any, expected: Any) -> None:
    assert cast_value(value, annotation) == expected
    assert json.dumps(cast_value(value, annotation)) == json.dumps(expected)


@pytest.mark.parametrize(
    ("value", "annotation"), [(1.5, int), (True, int), ("1", int), (1, bool), ([1.5], list[int]), ("a", list)]
)
def test_values_of_other_types_are_refused(value: Any, annotation: Any) -> None:
    with pytest.raises(TypeError):
        cast_value(value, annotation)


def test_the_entry_point_tells_a_domain_error_in_three_lines(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from seatrial.component import component\nfrom seatrial.errors import DataError\n\n@component()\n"
        "def fails() -> None:\n    raise DataError('what', why='why', todo='todo')\n"
    )
    command = [sys.executable, "-m", "seatrial.component", "mine:fails", '{"outputs": {"outputFile": "x"}}']
    root = Path(subject.__file__).parents[1]
    ran = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(root)}, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (1, "what\nwhy\ntodo\n")


def test_an_entry_that_is_no_component_is_refused() -> None:
    with pytest.raises(ComponentError, match="not a component"):
        subject.load("json:dumps")


def test_importing_it_needs_the_standard_library_only() -> None:
    """Every task's process imports it; kfp alone would add a second."""
    heavy = "{'kfp', 'numpy', 'pydantic', 'yaml'}"
    code = f"import sys, seatrial.component; print(sorted({{m.split('.')[0] for m in sys.modules}} & {heavy}))"
    root = Path(subject.__file__).parents[1]
    ran = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(root)}, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"


def test_what_a_cloud_should_make_of_a_component_travels_in_its_environment() -> None:
    """The planner of jobs reads it there; kfp cannot load a component document that holds variables."""

    def f(n: int) -> None:
        """Nothing."""

    trained = component(job="fit", training=TrainingOptions(spot=True, keep_alive_s=60))(f)
    assert trained._hints() == {
        "SEATRIAL_JOB": "fit",
        "SEATRIAL_KIND": "training",
        "SEATRIAL_TRAINING": '{"keep_alive_s": 60, "max_run_s": 86400, "spot": true}',
    }
    assert component(registration=True)(f)._hints() == {"SEATRIAL_KIND": "registration"}
    assert component()(f)._hints() == {}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"function": "f"}, "artifact 'data', 'names' \\(LIST\\)"),
        ({"function": "f", "job": "decide"}, "runs in no job"),
        ({"function": "f", "training": TrainingOptions()}, "runs in no job"),
    ],
)
def test_a_function_of_the_cloud_takes_scalars_and_no_job(options: dict[str, Any], told: str) -> None:
    """The service would call it with an address instead of a file, or not at all."""

    def f(names: list[str], data: Input[Dataset]) -> None: ...

    with pytest.raises(ComponentError, match=told):
        component(**options)(f)


def test_fail_ends_a_run_with_its_message() -> None:
    with pytest.raises(TaskError) as caught:
        fail("the score is too low")
    assert caught.value.what == "the score is too low"
    assert fail.entry == "seatrial.component:fail"


def test_role_and_uses_travel_with_the_task_and_must_be_known() -> None:
    @component(role="release", uses=("registry:promote", "endpoint:deploy"))
    def ship(a: int) -> None: ...

    @component(role="data")
    def plain(a: int) -> None: ...

    assert ship._hints() == {"SEATRIAL_ROLE": "release", "SEATRIAL_USES": "registry:promote endpoint:deploy"}
    assert plain._hints() == {}
    with pytest.raises(ComponentError, match=r"no role 'boss'.*nobody offers 'registry:burn'"):

        @component(role="boss", uses=("registry:burn",))  # type: ignore[arg-type, list-item, unused-ignore]
        def wrong(a: int) -> None: ...
