"""Processing jobs: inputs under /opt/ml/processing, a command, outputs uploaded at the end."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

from seatrial.rehearsal.aws.continuous import uploading
from seatrial.rehearsal.aws.job import Job, JobFailed, JobStopped, empty_artifact, failure_reason, volume_key_problems
from seatrial.rehearsal.aws.transfer import download, upload

_ROOT = PurePosixPath("/opt/ml/processing")
_DEFAULT_LIMIT_S = 86_400  # the platform's, where StoppingCondition is left out
_LONGEST_MESSAGE = 1024


class ProcessingJob(Job):
    """One container that transforms files."""

    kind = "processing"
    log_group = "/aws/sagemaker/ProcessingJobs"
    not_found = "Could not find requested job with name: {name}"
    exit_message: str | None = None

    def work(self, folder: Path) -> None:
        """Download, run, upload."""
        s3 = self.client("s3")
        ml = folder / "opt" / "ml"
        outputs = self.request.get("ProcessingOutputConfig", {}).get("Outputs", [])
        for part in ("config", "output", "processing"):
            (ml / part).mkdir(parents=True)
        self._write_config(ml / "config")
        for given in self.request.get("ProcessingInputs", []):
            source = given["S3Input"]
            download(s3, source["S3Uri"], folder / source["LocalPath"].lstrip("/"))
        for output in outputs:
            (folder / output["S3Output"]["LocalPath"].lstrip("/")).mkdir(parents=True, exist_ok=True)
        app = self.request["AppSpecification"]
        targets = [(folder / o["S3Output"]["LocalPath"].lstrip("/"), o) for o in outputs]
        continuous = [
            (at, o["S3Output"]["S3Uri"]) for at, o in targets if o["S3Output"]["S3UploadMode"] == "Continuous"
        ]
        with uploading(s3, continuous):
            ended = self.run(
                [*app.get("ContainerEntrypoint", []), *app.get("ContainerArguments", [])],
                image=self.world.image(self.request["AppSpecification"]["ImageUri"]),
                folder=folder,
                variables=self.request.get("Environment", {}),
                limit_s=self.request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", _DEFAULT_LIMIT_S),
                instance=self.request["ProcessingResources"]["ClusterConfig"]["InstanceType"],
                entry_point="ContainerEntrypoint" in app,
            )
        message = ml / "output" / "message"
        if message.is_file():
            self.exit_message = message.read_text(errors="replace")[:_LONGEST_MESSAGE]
        if ended.why == "MaxRuntimeExceeded":
            raise JobStopped("MaxRuntimeExceeded: the job ran longer than StoppingCondition.MaxRuntimeInSeconds")
        if ended.exit_code:
            raise JobFailed(failure_reason(ended, ml / "output" / "failure"))
        for at, output in targets:
            target = output["S3Output"]
            if target["S3UploadMode"] == "EndOfJob" and not upload(s3, at, target["S3Uri"]):
                raise JobFailed(empty_artifact(f"output '{output['OutputName']}' ({target['LocalPath']})"))

    def writes_to(self) -> list[str]:
        """The local path of each output."""
        outputs = self.request.get("ProcessingOutputConfig", {}).get("Outputs", [])
        return [each["S3Output"]["LocalPath"] for each in outputs]

    def image_uri(self) -> str:
        """The container's."""
        return str(self.request["AppSpecification"]["ImageUri"])

    def _write_config(self, config: Path) -> None:
        cluster = self.request["ProcessingResources"]["ClusterConfig"]
        resources = {"current_host": "algo-1", "hosts": ["algo-1"], "current_instance_type": cluster["InstanceType"]}
        (config / "resourceconfig.json").write_text(json.dumps(resources))
        told = {key: value for key, value in self.request.items() if key != "Tags"}
        (config / "processingjobconfig.json").write_text(
            json.dumps({**told, "ProcessingJobArn": self.arn}, default=str)
        )

    def describe(self) -> dict[str, Any]:
        """DescribeProcessingJob: the request as it was given, and what became of it."""
        state = {
            "ProcessingJobArn": self.arn,
            "ProcessingJobStatus": self.status,
            "CreationTime": self.created,
            "LastModifiedTime": self.modified,
            "ProcessingStartTime": self.started,
            "ProcessingEndTime": self.ended,
            "FailureReason": self.failure_reason,
            "ExitMessage": self.exit_message,
        }
        given = {key: value for key, value in self.request.items() if key != "Tags"}
        return given | {key: value for key, value in state.items() if value is not None}


def processing_problems(request: dict[str, Any]) -> list[str]:
    """What AWS would refuse beyond the shapes: paths outside the container contract, a key where there can be none."""
    problems = volume_key_problems(request["ProcessingResources"]["ClusterConfig"])
    inputs = [("processingInputs", each.get("S3Input", {})) for each in request.get("ProcessingInputs", [])]
    outputs = [
        ("processingOutputConfig.outputs", each.get("S3Output", {}))
        for each in request.get("ProcessingOutputConfig", {}).get("Outputs", [])
    ]
    for where, channel in inputs + outputs:
        path = PurePosixPath(channel.get("LocalPath", _ROOT))
        if not path.is_relative_to(_ROOT) or ".." in path.parts:
            problems.append(f"LocalPath '{path}' at '{where}' must begin with {_ROOT}")
    for names in (
        [i["InputName"] for i in request.get("ProcessingInputs", [])],
        [o["OutputName"] for o in request.get("ProcessingOutputConfig", {}).get("Outputs", [])],
    ):
        problems += [
            f"The name '{name}' is used more than once" for name in sorted({n for n in names if names.count(n) > 1})
        ]
    return problems


def processing_gaps(request: dict[str, Any], *, image_enters: bool) -> list[str]:
    """What AWS would run and this rehearsal does not."""
    gaps = []
    if request["ProcessingResources"]["ClusterConfig"]["InstanceCount"] != 1:
        gaps.append("more than one instance")
    if not request["AppSpecification"].get("ContainerEntrypoint") and not image_enters:
        gaps.append("an image's own entry point (AppSpecification.ContainerEntrypoint is not given)")
    for given in request.get("ProcessingInputs", []):
        source = given.get("S3Input")
        if source is None or "DatasetDefinition" in given:
            gaps.append(f"input '{given['InputName']}': a DatasetDefinition")
        elif not source.get("LocalPath"):
            gaps.append(f"input '{given['InputName']}': AppManaged inputs")
        elif (source.get("S3DataType"), source.get("S3InputMode", "File")) != ("S3Prefix", "File"):
            gaps.append(f"input '{given['InputName']}': only S3DataType S3Prefix in S3InputMode File")
        elif source.get("S3CompressionType", "None") != "None":
            gaps.append(f"input '{given['InputName']}': S3CompressionType Gzip")
    for output in request.get("ProcessingOutputConfig", {}).get("Outputs", []):
        if "S3Output" not in output or output.get("AppManaged"):
            gaps.append(f"output '{output['OutputName']}': outputs other than S3Output")
        elif not output["S3Output"].get("LocalPath"):
            gaps.append(f"output '{output['OutputName']}': only uploads from a LocalPath")
    return gaps
