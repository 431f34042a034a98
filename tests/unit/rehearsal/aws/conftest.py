"""One offline AWS for these tests, driven by unmodified boto3 over HTTP."""

from __future__ import annotations

import io
import json
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from seatrial.rehearsal.aws import Image, OfflineAws

URI = "123456789012.dkr.ecr.us-east-1.amazonaws.com/trial:1"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}

# Answers with its model's text; a model that says 'breaks' is healthy and fails every request.
SERVE = """
import os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
text = Path("/opt/ml/model/model.txt").read_text()
if text == "ends":
    sys.exit("no such model format")
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200, "")
    def do_POST(self):
        given = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.answer(500 if text == "breaks" else 200, f"{text}:{given}")
    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "text/csv")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())
    def log_message(self, *_):
        pass
class Server(ThreadingHTTPServer):
    request_queue_size = 128
Server(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""


class Bench:
    """Clients, a bucket and a role, and the short way to a job."""

    uri = URI
    bucket = "trial-bucket"

    def __init__(self, aws: OfflineAws, images: tuple[Image, ...] = ()) -> None:
        self.aws, self.images = aws, images
        self.s3 = self.client("s3")
        self.sagemaker = self.client("sagemaker")
        self.logs = self.client("logs")
        self.s3.create_bucket(Bucket=self.bucket)
        self.s3.put_object(Bucket=self.bucket, Key="in/a.txt", Body=b"hello")
        role = self.client("iam").create_role(RoleName="trial", AssumeRolePolicyDocument=json.dumps(TRUST))
        self.role = role["Role"]["Arn"]

    def client(self, service: str) -> Any:
        return boto3.client(service, **self.aws.client_settings())

    def topic(self, name: str) -> str:
        """A topic on which EventBridge may publish."""
        sns = self.client("sns")
        arn = str(sns.create_topic(Name=name)["TopicArn"])
        allowed = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": arn,
        }
        sns.set_topic_attributes(
            TopicArn=arn, AttributeName="Policy", AttributeValue=json.dumps({"Statement": [allowed]})
        )
        return arn

    def processing_request(self, name: str, code: str, **more: Any) -> dict[str, Any]:
        """A job that runs ``code``, uploaded as its input 'code', with one more input folder and one output folder."""
        self.s3.put_object(Bucket=self.bucket, Key=f"code/{name}/program.py", Body=code.encode())
        request: dict[str, Any] = {
            "ProcessingJobName": name,
            "RoleArn": self.role,
            "AppSpecification": {
                "ImageUri": self.uri,
                "ContainerEntrypoint": ["python", "/opt/ml/processing/code/program.py"],
            },
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
            },
            "ProcessingInputs": [
                self.channel("given", f"s3://{self.bucket}/in", "in"),
                self.channel("code", f"s3://{self.bucket}/code/{name}", "code"),
            ],
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": "made",
                        "S3Output": {
                            "S3Uri": f"s3://{self.bucket}/{name}/made",
                            "LocalPath": "/opt/ml/processing/out",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                ]
            },
        }
        return request | more

    def channel(self, name: str, uri: str, folder: str) -> dict[str, Any]:
        """One processing input."""
        source = {
            "S3Uri": uri,
            "LocalPath": f"/opt/ml/processing/{folder}",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
        }
        return {"InputName": name, "S3Input": source}

    def training_request(self, name: str, code: str, **more: Any) -> dict[str, Any]:
        """A job that trains with ``code``, uploaded as its channel 'code', beside the channel 'given'."""
        self.s3.put_object(Bucket=self.bucket, Key=f"code/{name}/program.py", Body=code.encode())
        channels = {"given": f"s3://{self.bucket}/in", "code": f"s3://{self.bucket}/code/{name}"}
        request: dict[str, Any] = {
            "TrainingJobName": name,
            "RoleArn": self.role,
            "AlgorithmSpecification": {
                "TrainingImage": self.uri,
                "TrainingInputMode": "File",
                "ContainerEntrypoint": ["python", "/opt/ml/input/data/code/program.py"],
            },
            "InputDataConfig": [
                {"ChannelName": key, "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}}
                for key, uri in channels.items()
            ],
            "OutputDataConfig": {"S3OutputPath": f"s3://{self.bucket}/models"},
            "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        }
        return request | more

    def train(self, name: str, code: str, **more: Any) -> dict[str, Any]:
        """Run a training job to its end; what Describe then says."""
        self.sagemaker.create_training_job(**self.training_request(name, code, **more))
        return self.ended("training", name)

    def process(self, name: str, code: str, **more: Any) -> dict[str, Any]:
        """Run a processing job to its end; what Describe then says."""
        self.sagemaker.create_processing_job(**self.processing_request(name, code, **more))
        return self.ended("processing", name)

    def ended(self, kind: str, name: str) -> dict[str, Any]:
        """What Describe says once the job has ended."""
        key = f"{kind.capitalize()}Job"
        describe = getattr(self.sagemaker, f"describe_{kind}_job")
        last: dict[str, Any] = self.until(
            lambda: describe(**{f"{key}Name": name}), lambda d: d[f"{key}Status"] not in ("InProgress", "Stopping")
        )
        return last

    def model(self, name: str, text: str) -> str:
        """A model whose server answers each request with ``text``, a colon and the request; gives its name."""
        body = io.BytesIO()
        with tarfile.open(fileobj=body, mode="w:gz") as archive:
            member = tarfile.TarInfo("model.txt")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
        self.s3.put_object(Bucket=self.bucket, Key=f"models/{name}/model.tar.gz", Body=body.getvalue())
        container = {"Image": self.uri, "ModelDataUrl": f"s3://{self.bucket}/models/{name}/model.tar.gz"}
        self.sagemaker.create_model(ModelName=name, ExecutionRoleArn=self.role, PrimaryContainer=container)
        return name

    def until(self, look: Any, good: Any, *, limit_s: float = 600) -> Any:
        """Look until it is good; the last look, whatever it shows, after ``limit_s``."""
        end = time.monotonic() + limit_s
        while True:
            seen = look()
            if good(seen) or time.monotonic() > end:
                return seen
            time.sleep(0.02)

    def lines(self, group: str, name: str) -> list[str]:
        """What a job's log stream holds."""
        try:
            streams = self.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")["logStreams"]
        except self.logs.exceptions.ResourceNotFoundException:
            return []
        return [
            event["message"]
            for stream in streams
            for event in self.logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
        ]

    def read(self, key: str) -> bytes:
        """An object of the bucket."""
        return bytes(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """The server, once for all tests: each uses names of its own."""
    workdir: Path = tmp_path_factory.mktemp("image")
    (workdir / "program_of_the_image.py").write_text("WORD = 'imported from the image'\n")
    (workdir / "serve.py").write_text(SERVE)
    image = Image(uri=URI, python=Path(sys.executable), workdir=workdir, serve=("python", "serve.py"))
    with OfflineAws([image], speed=100) as aws:
        yield Bench(aws, (image,))
