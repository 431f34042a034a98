"""The training pipeline gives the same model and the same decision as a run, as fused jobs and as a job per task."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from seatrial import clouds
from seatrial.clouds.aws.check import check
from seatrial.clouds.aws.pipeline import compiled
from seatrial.clouds.aws.settings import SageMakerSettings
from seatrial.document import read_text
from seatrial.document.compile import compile_pipeline
from seatrial.document.plan import plan
from tests.unit.clouds.aws.service import Service

SETTINGS = SageMakerSettings(
    role_arn="arn:aws:iam::123456789012:role/training",
    artifact_root="s3://bucket/train",
    images={"seatrial": f"seatrial@sha256:{'1' * 64}"},
)


def as_jobs(project: Path, folder: Path, *, fuse: bool) -> Service:
    """Compile the project's training pipeline for SageMaker and execute the definition, step by step."""
    document = read_text(compile_pipeline(project / "pipelines" / "train.py", root=project, image="seatrial"))
    result = compiled(document, plan(document, fuse=fuse), SETTINGS)
    check(result.definition).require("train")
    service = Service(result.definition, {"model": "parcels"}, folder, project)
    # the registry of this machine instead of SageMaker's, which is not here
    local = {name: re.sub(rb'("SEATRIAL_TARGET": ?)"aws"', rb'\1"local"', file) for name, file in result.files.items()}
    assert local != dict(result.files)
    service.upload("s3://bucket/train", local)
    service.run()
    return service


def registered(project: Path) -> tuple[str, str, tuple[str, ...]]:
    """(package digest, verdict, aliases) of the only version."""
    (version,) = clouds.load("local", project / ".seatrial").registry.versions("parcels")
    return version.digest, version.tags["verdict"], version.aliases


@pytest.mark.parametrize("fuse", [True, False])
def test_jobs_give_what_a_run_gives(shell: Any, tmp_path: Path, fuse: bool) -> None:
    other = type(shell)(tmp_path / "other")
    shutil.copytree(shell.root, other.root)
    shell.json("run", "parcels")
    try:
        service = as_jobs(other.root, tmp_path / "aws", fuse=fuse)
        assert registered(other.root) == registered(shell.root)
        assert registered(shell.root)[1:] == ("promote", ("champion",))
        jobs = len(service.ran)
        assert jobs <= 3 if fuse else jobs >= 10
    finally:
        other.run("endpoint", "stop", "--all")
