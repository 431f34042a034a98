"""Training jobs fit real models: the archive holds what the program wrote, the metrics what it printed."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

GROUP = "/aws/sagemaker/TrainingJobs"
FIT = """
import json, os
from pathlib import Path
ml = Path("/opt/ml")
settings = json.loads((ml / "input/config/hyperparameters.json").read_text())
channels = json.loads((ml / "input/config/inputdataconfig.json").read_text())
hosts = json.loads((ml / "input/config/resourceconfig.json").read_text())["hosts"]
assert sorted(channels) == ["code", "given"] and hosts == ["algo-1"]
for epoch in (1, 2):
    print(f"epoch={epoch} loss={0.5 / epoch};")
text = (ml / "input/data/given/a.txt").read_text()
(ml / "model/model.json").write_text(json.dumps({"text": text, "rate": settings["rate"], "word": os.environ["WORD"]}))
(ml / "output/data/notes.txt").write_text("kept")
"""


def _members(body: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as archive:
        found = {member.name: archive.extractfile(member) for member in archive.getmembers() if member.isfile()}
        return {name: handle.read() for name, handle in found.items() if handle is not None}


def test_a_model_is_trained_archived_and_measured(bench: Any) -> None:
    """moto names a model.tar.gz that does not exist and a metric that nobody measured."""
    request = bench.training_request("fit", FIT, HyperParameters={"rate": "0.1"}, Environment={"WORD": "given"})
    request["AlgorithmSpecification"]["MetricDefinitions"] = [{"Name": "loss", "Regex": "loss=([0-9.]+);"}]
    bench.sagemaker.create_training_job(**request)
    said = bench.ended("training", "fit")
    assert (said["TrainingJobStatus"], said["SecondaryStatus"]) == ("Completed", "Completed"), said.get("FailureReason")
    assert said["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{bench.bucket}/models/fit/output/model.tar.gz"
    model = _members(bench.read("models/fit/output/model.tar.gz"))
    assert json.loads(model["model.json"]) == {"text": "hello", "rate": "0.1", "word": "given"}
    assert _members(bench.read("models/fit/output/output.tar.gz")) == {"notes.txt": b"kept"}
    assert [(m["MetricName"], m["Value"]) for m in said["FinalMetricDataList"]] == [("loss", 0.25)]
    states = [each["Status"] for each in said["SecondaryStatusTransitions"]]
    assert states == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert bench.lines(GROUP, "fit")[-1] == "epoch=2 loss=0.25;"


@pytest.mark.parametrize("attempt", range(10))
def test_a_failing_job_is_reported_failing_every_time(bench: Any, attempt: int) -> None:
    """And it leaves no model behind that a later step could take for one."""
    code = (
        "open('/opt/ml/model/half', 'w').write('x')\n"
        "open('/opt/ml/output/failure', 'w').write('diverged')\nraise SystemExit(2)"
    )
    said = bench.train(f"fit-fails-{attempt}", code)
    assert (said["TrainingJobStatus"], said["FailureReason"]) == ("Failed", "AlgorithmError: diverged, exit code: 2")
    assert "ModelArtifacts" not in said
    with pytest.raises(ClientError, match="NoSuchKey"):
        bench.read(f"models/fit-fails-{attempt}/output/model.tar.gz")


def test_an_empty_model_is_an_error(bench: Any) -> None:
    """SageMaker's local mode reports success with an empty archive when the image's command is missing."""
    said = bench.train("fit-nothing", "print('forgot to save')")
    assert said["TrainingJobStatus"] == "Failed"
    assert "/opt/ml/model is empty" in said["FailureReason"]


def test_a_job_beyond_its_time_stops_with_what_it_had(bench: Any) -> None:
    """MaxRuntimeExceeded is a secondary status of Stopped, and what lies in /opt/ml/model is uploaded."""
    code = "import time; open('/opt/ml/model/half', 'w').write('x'); time.sleep(60)"
    for limit_s in (1, 5, 25):  # on a busy machine the program may not have begun in the first
        said = bench.train(f"fit-slow-{limit_s}", code, StoppingCondition={"MaxRuntimeInSeconds": limit_s})
        assert (said["TrainingJobStatus"], said["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
        if "ModelArtifacts" in said:
            break
    assert _members(bench.read(f"models/fit-slow-{limit_s}/output/model.tar.gz")) == {"half": b"x"}


def test_a_stop_passes_through_stopping(bench: Any) -> None:
    """The states in their real order, and the secondary ones in step."""
    bench.sagemaker.create_training_job(**bench.training_request("fit-stopped", "import time; time.sleep(60)"))
    bench.until(
        lambda: bench.sagemaker.describe_training_job(TrainingJobName="fit-stopped")["SecondaryStatus"],
        lambda status: status == "Training",
    )
    bench.sagemaker.stop_training_job(TrainingJobName="fit-stopped")
    said = bench.ended("training", "fit-stopped")
    assert said["TrainingJobStatus"] == "Stopped"
    assert [each["Status"] for each in said["SecondaryStatusTransitions"]][-2:] == ["Stopping", "Stopped"]


RESUME = """
import signal, sys, time
from pathlib import Path
checkpoints, model = Path("/opt/ml/checkpoints"), Path("/opt/ml/model")
done = sorted(checkpoints.glob("epoch-*"))
print("found", len(done), "left over", len(list(model.iterdir())))
(checkpoints / f"epoch-{len(done) + 1}").write_text("weights")
if not done:
    (model / "left-over").write_text("from the first instance")
    print("waiting")
    time.sleep(60)
(model / "model.txt").write_text(f"{len(done) + 1} epochs")
"""


def test_a_spot_interruption_resumes_from_the_checkpoints(bench: Any) -> None:
    """The new instance has the checkpoints and nothing else of the old one."""
    request = bench.training_request(
        "fit-spot",
        RESUME,
        EnableManagedSpotTraining=True,
        CheckpointConfig={"S3Uri": f"s3://{bench.bucket}/checkpoints/fit-spot"},
        StoppingCondition={"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60},
    )
    bench.sagemaker.create_training_job(**request)
    bench.until(lambda: "waiting" in bench.lines(GROUP, "fit-spot"), bool)
    assert bench.aws.interrupt_spot("fit-spot")
    said = bench.ended("training", "fit-spot")
    assert said["TrainingJobStatus"] == "Completed", said
    assert _members(bench.read("models/fit-spot/output/model.tar.gz")) == {"model.txt": b"2 epochs"}
    states = [each["Status"] for each in said["SecondaryStatusTransitions"]]
    assert states == ["Starting", "Downloading", "Training", "Interrupted", "Training", "Uploading", "Completed"]
    assert bench.lines(GROUP, "fit-spot") == ["found 0 left over 0", "waiting", "found 1 left over 0"]
    assert not bench.aws.interrupt_spot("fit-spot")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"EnableManagedSpotTraining": True}, "MaxWaitTimeInSeconds"),
        ({"HyperParameters": {"h": "x" * 2501}}, "length less than or equal to 2500"),
        (
            {"ResourceConfig": {"InstanceCount": 2, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
            "more than one instance",
        ),
        (
            {
                "ResourceConfig": {
                    "InstanceCount": 1,
                    "InstanceType": "ml.p4d.24xlarge",
                    "VolumeSizeInGB": 1,
                    "VolumeKmsKeyId": "k",
                }
            },
            "You can't request a VolumeKmsKeyId when using an instance type with local storage",
        ),
        ({"TrainingJobName": "under_score"}, "regular expression"),
    ],
)
def test_a_request_that_could_not_run_is_refused(bench: Any, change: dict[str, Any], words: str) -> None:
    """Either AWS refuses it, or the rehearsal does not run it and says so."""
    with pytest.raises(ClientError, match=words):
        bench.sagemaker.create_training_job(**bench.training_request("unfit", "pass", **change))
