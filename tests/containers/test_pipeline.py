"""The project's own pipeline on the project's own image: what SageMaker will run, run here first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from seatrial.package.read import Package
from tests.conftest import REPOSITORY
from tests.unit.rehearsal.aws.conftest import Bench

pytestmark = pytest.mark.containers


def test_the_compiled_pipeline_trains_on_real_flights(aws_bench: Bench, tmp_path: Path) -> None:
    """The first and largest of its jobs, on the data of the image's own package: what it uploads is a package."""
    pipeline = REPOSITORY / "pipelines" / "train.py"
    command = [sys.executable, "-m", "seatrial.cli.main", "compile", str(pipeline), "--target", "sagemaker"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    files = tmp_path / "train.sagemaker.files"
    for path in (p for p in files.rglob("*") if p.is_file()):
        key = f"root/{path.relative_to(files)}"
        aws_bench.s3.put_object(Bucket=aws_bench.bucket, Key=key, Body=path.read_bytes())
    aws_bench.sagemaker.create_pipeline(
        PipelineName="train",
        PipelineDefinition=(tmp_path / "train.sagemaker.json").read_text(),
        RoleArn=aws_bench.role,
        ClientRequestToken="t" * 32,
    )
    given = {
        "RoleArn": aws_bench.role,
        "ArtifactRoot": f"s3://{aws_bench.bucket}/root",
        "ImageUri": "seatrial",
        "model": "flights",
        "limit_rows": "20000",
    }
    arn = aws_bench.sagemaker.start_pipeline_execution(
        PipelineName="train", PipelineParameters=[{"Name": name, "Value": value} for name, value in given.items()]
    )["PipelineExecutionArn"]

    def train() -> dict[str, Any]:
        steps = aws_bench.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
        return next((dict(step) for step in steps if step["StepName"] == "train"), {"StepStatus": "Executing"})

    said = aws_bench.until(train, lambda step: step["StepStatus"] not in ("Starting", "Executing"), limit_s=600)
    assert said["StepStatus"] == "Succeeded", said
    found = aws_bench.s3.list_objects_v2(Bucket=aws_bench.bucket, Prefix="root/runs/")["Contents"]
    folders = {each["Key"].rpartition("/")[0] for each in found if each["Key"].endswith("/manifest.json")}
    assert len(folders) >= 1
    for folder in folders:
        for each in (e["Key"] for e in found if e["Key"].rpartition("/")[0] == folder):
            target = tmp_path / each
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(aws_bench.read(each))
        assert Package.open(tmp_path / folder).replay_golden().passed
