"""A project beside an offline AWS that has what a stack owns, and its outputs."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

import seatrial
from seatrial.clouds.aws.stack import StackOutputs
from seatrial.project import Rollout
from seatrial.rehearsal.aws import Image, OfflineAws
from tests import shells
from tests.unit.clouds.aws.stacks import ACCOUNT, IMAGE, model_table, stack_table

BUCKET = "trial-artifacts"
MODEL = "parcels"
SPEED = 100
_ENGINE = Path(seatrial.__file__).parents[1]


def trust(service: str) -> str:
    allow = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [allow]})


@dataclass
class Cloud:
    """A person in the project's folder, with the offline AWS in the environment."""

    root: Path
    aws: OfflineAws

    @property
    def state(self) -> Path:
        return self.root / ".seatrial"

    def client(self, service: str) -> Any:
        return boto3.client(service, **self.aws.client_settings())

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "seatrial.cli.main", *arguments],
            cwd=self.root,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.root),
                "PYTHONPATH": str(_ENGINE),
                **self.aws.environment(),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=1200)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def json(self, *arguments: str, code: int = 0) -> Any:
        done = self.run(*arguments, "--json")
        assert done.returncode == code, done.stderr + done.stdout
        return json.loads(done.stdout)

    def executions(self, pipeline: str) -> list[str]:
        """Ids of all executions, the latest first; none where nobody has put the pipeline there yet."""
        sagemaker = self.client("sagemaker")
        if pipeline not in {each["PipelineName"] for each in sagemaker.list_pipelines()["PipelineSummaries"]}:
            return []
        listed = sagemaker.list_pipeline_executions(PipelineName=pipeline)
        return [each["PipelineExecutionArn"] for each in listed["PipelineExecutionSummaries"]]

    def function(self, name: str, code: str) -> None:
        """A Lambda function whose handler is ``code``'s ``handle``."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("main.py", code)
        role = self.client("iam").create_role(RoleName=f"fn-{name}", AssumeRolePolicyDocument=trust("lambda"))
        self.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.11",
            Handler="main.handle",
            Role=role["Role"]["Arn"],
            Code={"ZipFile": packed.getvalue()},
        )


@contextmanager
def offline(root: Path, *, serve: tuple[str, ...] = ()) -> Iterator[Cloud]:
    """The offline AWS for the project in ``root``, whose image is this Python and that folder."""
    image = Image(
        uri=IMAGE,
        python=Path(sys.executable),
        workdir=root,
        environment={"PYTHONPATH": f"{root}:{_ENGINE}"},
        serve=serve,
    )
    with OfflineAws([image], speed=SPEED) as aws:
        cloud = Cloud(root, aws)
        cloud.client("s3").create_bucket(Bucket=BUCKET)
        cloud.client("iam").create_role(RoleName="trial", AssumeRolePolicyDocument=trust("sagemaker"))
        stacks = root / ".seatrial" / "stacks"
        stacks.mkdir(parents=True)
        pipelines = {"release", "train", *(path.stem for path in (root / "pipelines").glob("[a-z]*.py"))}
        models = model_table("trial", MODEL, guardrails=(), pipelines=pipelines)
        table = stack_table(artifact_root=f"s3://{BUCKET}/dev", models=models)
        (stacks / "aws.dev.json").write_text(json.dumps(table))
        shells.furnish(
            StackOutputs.model_validate(table),
            MODEL,
            Rollout(),
            sagemaker=cloud.client("sagemaker"),
            cloudwatch=cloud.client("cloudwatch"),
        )
        yield cloud


__all__ = ["ACCOUNT", "BUCKET", "Cloud", "offline"]
