"""A compiled definition is executed step by step: values, artifacts and choices arrive as in a run on a laptop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from seatrial.clouds.aws.check import check
from seatrial.clouds.aws.pipeline import compiled
from seatrial.clouds.aws.settings import SageMakerSettings
from seatrial.document import read_text
from seatrial.document.plan import plan
from tests.unit.clouds.aws.service import Service

Json = Any
ROLE = "arn:aws:iam::123456789012:role/training"
SETTINGS = SageMakerSettings(
    role_arn=ROLE, artifact_root="s3://bucket/demo", images={"bench": "bench@sha256:1", "alpine": "alpine@sha256:2"}
)

STEPS = """
from __future__ import annotations
from dataclasses import dataclass
from seatrial.component import Dataset, Input, Output, TrainingOptions, component

@dataclass(frozen=True)
class Made:
    n: int
    share: float
    names: list[str]
    label: str

@component(job="make")
def make(n: int, label: str, data: Output[Dataset], extra: str | None = None) -> Made:
    data.path.write_text(str(n))
    data.metadata["rows"] = n
    return Made(n=n, share=n / 2, names=["a", "b"], label=label + (extra or ""))

@component(job="fit", training=TrainingOptions(spot=True))
def fit(names: list[str], data: Input[Dataset], model: Output[Dataset]) -> Made:
    assert data.metadata["rows"] == int(data.path.read_text())
    model.path.mkdir()
    (model.path / "weights").write_text("+".join(names) + data.path.read_text())
    return Made(n=len(names), share=0.5, names=names, label="fitted")

@component(job="small")
def small(n: int, model: Input[Dataset], out: Output[Dataset]) -> None:
    out.path.write_text(f"small {n} " + (model.path / "weights").read_text())

@component(job="large")
def large(share: float, label: str, out: Output[Dataset]) -> None:
    out.path.write_text(f"large {share} {label}")
"""

PIPE = """
from typing import Optional
from kfp import dsl
from crossing import fit, large, make, small

@dsl.pipeline(name="demo")
def demo(n: int = 3, label: str = "it's", strict: bool = True, extra: Optional[str] = None) -> None:
    made = make.task(n=n, label=label, extra=extra)
    fitted = fit.task(names=made.outputs["names"], data=made.outputs["data"])
    with dsl.If(made.outputs["n"] < 10):
        with dsl.If(strict == True):
            with dsl.If(fitted.outputs["n"] == 2):
                small.task(n=made.outputs["n"], model=fitted.outputs["model"])
    with dsl.Else():
        large.task(share=made.outputs["share"], label=made.outputs["label"])
"""


@pytest.fixture
def demo(bench: Any) -> Any:
    bench.write("crossing.py", STEPS)
    bench.write("pipe.py", PIPE)
    return bench


def executed(bench: Any, tmp_path: Path, *, fuse: bool, **parameters: Json) -> Service:
    document = read_text(bench.compile())
    result = compiled(document, plan(document, fuse=fuse), SETTINGS)
    check(result.definition).require("demo")
    service = Service(result.definition, parameters, tmp_path / "aws", bench.root)
    service.upload("s3://bucket/demo", result.files)
    service.run()
    return service


def written(service: Service, job: str) -> str:
    """The artifact that the last job wrote, as it stands in the task's own output."""
    record = json.loads((service.local(f"s3://bucket/demo/runs/e1/{job}/logs/files") / "run.json").read_text())
    uri = record["tasks"][-1]["artifacts"]["out"][0]["uri"]
    return Path(uri).read_text()


def test_values_artifacts_and_choices_cross_jobs(demo: Any, tmp_path: Path) -> None:
    """Integers stay integers, lists stay lists, an artifact keeps its metadata, a training job's values are read."""
    service = executed(demo, tmp_path, fuse=False, n=4)
    assert service.ran == ["make", "fit", "small"]
    assert written(service, "small") == "small 4 a+b4"


def test_else_branch_and_optional_parameter(demo: Any, tmp_path: Path) -> None:
    """What was not given is not given, and what was given as text arrives unchanged."""
    service = executed(demo, tmp_path, fuse=True, n=11, label="a 'b' \"c\" ü")
    assert service.ran == ["make", "fit", "large"]
    assert written(service, "large") == "large 5.5 a 'b' \"c\" ü"
    again = executed(demo, tmp_path / "again", fuse=True, n=11, label="x", extra="y")
    assert written(again, "large") == "large 5.5 xy"


STRANGERS = """
from kfp import dsl

@dsl.container_component
def count(text: str, n: dsl.OutputPath(int), data: dsl.Output[dsl.Dataset]):
    return dsl.ContainerSpec(
        image="alpine",
        command=["sh", "-c", 'mkdir -p "$(dirname "$1")" && printf %s "${#0}" > "$1" && echo "$0" > "$2"'],
        args=[text, n, data.path],
    )

@dsl.container_component
def show(n: int, data: dsl.Input[dsl.Dataset], out: dsl.Output[dsl.Dataset]):
    return dsl.ContainerSpec(
        image="alpine", command=["sh", "-c", 'echo "$0:" $(cat "$1") | tee "$2"'], args=[n, data.path, out.path]
    )

@dsl.pipeline(name="demo")
def demo(text: str = "it's $HOME") -> None:
    made = count(text=text)
    show(n=made.outputs["n"], data=made.outputs["data"])
"""


def test_images_without_seatrial_run_a_shell_script(bench: Any, tmp_path: Path) -> None:
    """Nobody has to rebuild an image: values and artifacts cross jobs with ``sh`` alone."""
    bench.write("pipe.py", STRANGERS)
    service = executed(bench, tmp_path, fuse=True)
    assert service.ran == ["count", "show"]
    assert "10: it's $HOME" in service.said["show"] + service.said["count"]
