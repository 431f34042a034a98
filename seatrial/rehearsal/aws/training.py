"""Training jobs: channels and hyperparameters in, a model archive out, metrics from the log, spot interruptions."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seatrial.rehearsal.aws.faults import Kind
from seatrial.rehearsal.aws.job import Job, JobFailed, JobStopped, empty_artifact, failure_reason, volume_key_problems
from seatrial.rehearsal.aws.logstream import LogStream
from seatrial.rehearsal.aws.process import Ended
from seatrial.rehearsal.aws.transfer import NothingThere, download, upload, upload_archive

_INTERRUPTED = "Interrupted"
_SPOT_NOTICE_S = 120  # EC2 gives two minutes between the notice and the end
_MESSAGES = {
    "Starting": "Preparing the instances for training",
    "Downloading": "Downloading input data",
    "Training": "Training image download completed. Training in progress.",
    "Interrupted": "Managed spot training was interrupted; the job goes on from its checkpoints when it can",
    "Uploading": "Uploading generated training model",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
    "Stopping": "Stopping the training job",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "The job ran longer than StoppingCondition.MaxRuntimeInSeconds",
}


class TrainingJob(Job):
    """One container that fits a model."""

    kind = "training"
    log_group = "/aws/sagemaker/TrainingJobs"
    not_found = "Requested resource not found."

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """As `Job`."""
        self.transitions: list[dict[str, Any]] = []
        self.metrics: dict[str, dict[str, Any]] = {}
        super().__init__(*arguments, **named)
        output = self.request["OutputDataConfig"]["S3OutputPath"].rstrip("/")
        self._output_uri = f"{output}/{self.name}/output"
        self.model_uri = f"{self._output_uri}/model.tar.gz"
        self.model_made = False
        self._metric_patterns = [
            (each["Name"], re.compile(each["Regex"]))
            for each in self.request["AlgorithmSpecification"].get("MetricDefinitions", [])
        ]
        self._enter("Starting")

    @property
    def secondary_status(self) -> str:
        """The finer state of a training job."""
        return str(self.transitions[-1]["Status"]) if self.transitions else "Starting"

    def _enter(self, secondary: str) -> None:
        now = datetime.now(UTC)
        if self.transitions:
            self.transitions[-1].setdefault("EndTime", now)
        entered = {"Status": secondary, "StartTime": now, "StatusMessage": _MESSAGES[secondary]}
        self.transitions.append(entered)
        self._record.secondary_status = secondary

    def status_changed(self, status: str) -> None:
        """Keep the secondary status in step."""
        if status != "InProgress" and not (status == "Stopped" and self.secondary_status == "MaxRuntimeExceeded"):
            self._enter(status)

    # the work

    def work(self, folder: Path) -> None:
        """Download, train (again after each interruption), upload."""
        s3 = self.client("s3")
        ml = folder / "opt" / "ml"
        self._enter("Downloading")
        for part in ("input/config", "input/data", "model", "output/data", "checkpoints"):
            (ml / part).mkdir(parents=True)
        for channel in self.request.get("InputDataConfig", []):
            target = ml / "input" / "data" / channel["ChannelName"]
            download(s3, channel["DataSource"]["S3DataSource"]["S3Uri"], target)
        self._write_config(ml / "input" / "config")
        checkpoints = self.request.get("CheckpointConfig", {})
        local = folder / checkpoints.get("LocalPath", "/opt/ml/checkpoints").lstrip("/")
        while True:
            if checkpoints:
                local.mkdir(parents=True, exist_ok=True)
                with contextlib.suppress(NothingThere):
                    download(s3, checkpoints["S3Uri"].rstrip("/") + "/", local)
            self._enter("Training")
            try:
                ended = self._train_once(folder)
            finally:
                if checkpoints:
                    upload(s3, local, checkpoints["S3Uri"])
            if ended.why != _INTERRUPTED:
                break
            self._enter("Interrupted")
            self._renew(local if checkpoints else None, ml)
        self._deliver(s3, ended, ml)

    def writes_to(self) -> list[str]:
        """The model, other output, and checkpoints."""
        checkpoints = self.request.get("CheckpointConfig", {}).get("LocalPath", "/opt/ml/checkpoints")
        return ["/opt/ml/model", "/opt/ml/output/data", checkpoints]

    def image_uri(self) -> str:
        """The container's."""
        return str(self.request["AlgorithmSpecification"]["TrainingImage"])

    def strike(self, kind: Kind) -> bool:
        """Suffer a sudden fault; spot instances can be taken away too."""
        return self.interrupt_spot() if kind is Kind.SPOT_INTERRUPTION else super().strike(kind)

    def _train_once(self, folder: Path) -> Ended:
        specification = self.request["AlgorithmSpecification"]
        image = self.world.image(self.request["AlgorithmSpecification"]["TrainingImage"])
        entry = specification.get("ContainerEntrypoint")
        command = [*(entry or image.words("train")), *specification.get("ContainerArguments", [])]
        limit = self.request["StoppingCondition"].get("MaxRuntimeInSeconds", 86_400)
        names = {"TRAINING_JOB_NAME": self.name, "TRAINING_JOB_ARN": self.arn}
        return self.run(
            command,
            image=image,
            folder=folder,
            variables=names | self.request.get("Environment", {}),
            limit_s=limit,
            instance=self.request["ResourceConfig"]["InstanceType"],
            entry_point=bool(entry),
        )

    def _renew(self, checkpoints: Path | None, ml: Path) -> None:
        # A new instance: what the program wrote is gone, except the checkpoints, which come back from S3.
        for part in ("model", "output"):
            _empty(ml / part)
        (ml / "output" / "data").mkdir()
        if checkpoints is not None:
            _empty(checkpoints)

    def _deliver(self, s3: Any, ended: Ended, ml: Path) -> None:
        if any(path.is_file() for path in (ml / "output" / "data").rglob("*")):
            upload_archive(s3, ml / "output" / "data", f"{self._output_uri}/output.tar.gz")
        if ended.why == "MaxRuntimeExceeded":
            self._enter("MaxRuntimeExceeded")
            with contextlib.suppress(NothingThere):
                upload_archive(s3, ml / "model", self.model_uri)
                self.model_made = True
            raise JobStopped(_MESSAGES["MaxRuntimeExceeded"])
        if ended.exit_code:
            raise JobFailed(failure_reason(ended, ml / "output" / "failure"))
        self._enter("Uploading")
        try:
            upload_archive(s3, ml / "model", self.model_uri)
        except NothingThere:
            raise JobFailed(empty_artifact("/opt/ml/model")) from None
        self.model_made = True

    def _write_config(self, config: Path) -> None:
        channels = {
            channel["ChannelName"]: {
                "TrainingInputMode": "File",
                "S3DistributionType": "FullyReplicated",
                "RecordWrapperType": "None",
                **({"ContentType": channel["ContentType"]} if "ContentType" in channel else {}),
            }
            for channel in self.request.get("InputDataConfig", [])
        }
        instance = self.request["ResourceConfig"]["InstanceType"]
        group = {"instance_group_name": "homogeneousCluster", "instance_type": instance, "hosts": ["algo-1"]}
        resources = {
            "current_host": "algo-1",
            "current_instance_type": instance,
            "current_group_name": "homogeneousCluster",
            "hosts": ["algo-1"],
            "instance_groups": [group],
            "network_interface_name": "lo",
        }
        files = {
            "hyperparameters": self.request.get("HyperParameters", {}),
            "inputdataconfig": channels,
            "resourceconfig": resources,
        }
        for name, content in files.items():
            (config / f"{name}.json").write_text(json.dumps(content))

    def heard(self, log: LogStream, lines: list[str]) -> None:
        """Lines go to the log, and each metric keeps its last value."""
        super().heard(log, lines)
        for line in lines:
            for name, pattern in self._metric_patterns:
                found = pattern.search(line)
                if found is not None:
                    with contextlib.suppress(ValueError, IndexError):
                        value = float(found.group(1))
                        self.metrics[name] = {"MetricName": name, "Value": value, "Timestamp": datetime.now(UTC)}

    # spot

    def interrupt_spot(self) -> bool:
        """Take the instance away, as EC2 does: SIGTERM, the end, and a new start from the checkpoints.

        False when the job does not train just now, or did not ask for spot instances.
        """
        if not self.request.get("EnableManagedSpotTraining") or self.secondary_status != "Training":
            return False
        return self.interrupt(_INTERRUPTED, grace_s=self.world.grace(_SPOT_NOTICE_S))

    def describe(self) -> dict[str, Any]:
        """DescribeTrainingJob: the request as it was given, and what became of it."""
        seconds = int(((self.ended or datetime.now(UTC)) - (self.started or self.created)).total_seconds())
        state = {
            "TrainingJobArn": self.arn,
            "TrainingJobStatus": self.status,
            "SecondaryStatus": self.secondary_status,
            "SecondaryStatusTransitions": [dict(each) for each in self.transitions],
            "CreationTime": self.created,
            "LastModifiedTime": self.modified,
            "TrainingStartTime": self.started,
            "TrainingEndTime": self.ended,
            "FailureReason": self.failure_reason,
            "ModelArtifacts": {"S3ModelArtifacts": self.model_uri} if self.model_made else None,
            "FinalMetricDataList": [*self.metrics.values()],
            "TrainingTimeInSeconds": seconds if self.started else None,
            "BillableTimeInSeconds": max(seconds, 1) if self.ended else None,
        }
        given = {key: value for key, value in self.request.items() if key != "Tags"}
        return given | {key: value for key, value in state.items() if value is not None}


def _empty(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def training_problems(request: Mapping[str, Any]) -> list[str]:
    """What AWS would refuse beyond the shapes."""
    problems = volume_key_problems(request["ResourceConfig"])
    if request.get("EnableManagedSpotTraining"):
        limits = request["StoppingCondition"]
        wait, run = limits.get("MaxWaitTimeInSeconds"), limits.get("MaxRuntimeInSeconds", 86_400)
        if wait is None or wait < run:
            problems.append(
                "MaxWaitTimeInSeconds of at least MaxRuntimeInSeconds is required with EnableManagedSpotTraining"
            )
    names = [channel["ChannelName"] for channel in request.get("InputDataConfig", [])]
    problems += [f"Duplicate channel name '{name}'" for name in sorted({n for n in names if names.count(n) > 1})]
    for each in request["AlgorithmSpecification"].get("MetricDefinitions", []):
        try:
            re.compile(each["Regex"])
        except re.error as wrong:
            problems.append(f"Invalid regular expression in metric definition '{each['Name']}': {wrong}")
    return problems


def training_gaps(request: Mapping[str, Any], *, image_trains: bool) -> list[str]:
    """What AWS would run and this rehearsal does not."""
    specification, resources = request["AlgorithmSpecification"], request["ResourceConfig"]
    gaps = []
    if "TrainingImage" not in specification:
        gaps.append("an AlgorithmName from the marketplace")
    elif not specification.get("ContainerEntrypoint") and not image_trains:
        gaps.append("an image whose 'train' command it does not know (Image.train)")
    if resources.get("InstanceCount", 1) != 1 or resources.get("InstanceGroups"):
        gaps.append("more than one instance, or instance groups")
    for channel in request.get("InputDataConfig", []):
        source = channel["DataSource"].get("S3DataSource", {})
        mode = channel.get("InputMode", specification.get("TrainingInputMode", "File"))
        if source.get("S3DataType") != "S3Prefix" or mode not in ("File", "FastFile"):
            gaps.append(f"channel '{channel['ChannelName']}': only S3DataType S3Prefix in mode File or FastFile")
        if channel.get("CompressionType", "None") != "None" or channel.get("RecordWrapperType", "None") != "None":
            gaps.append(f"channel '{channel['ChannelName']}': compression or record wrapping")
    return gaps
