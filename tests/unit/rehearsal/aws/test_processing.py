"""Processing jobs are real processes: what they compute, how they fail and how they end is what Describe says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

GROUP = "/aws/sagemaker/ProcessingJobs"
UPPER = (
    "from pathlib import Path; import program_of_the_image as p; print(p.WORD); "
    "root = Path('/opt/ml/processing'); (root / 'out/b.txt').write_text((root / 'in/a.txt').read_text().upper()); "
    "Path('/opt/ml/output/message').write_text('one file made')"
)


def test_a_job_reads_its_input_runs_its_program_and_uploads_its_output(bench: Any) -> None:
    """moto says Completed without running anything; here the uploaded bytes prove that the program ran."""
    said = bench.process("upper", UPPER)
    assert (said["ProcessingJobStatus"], said["ExitMessage"]) == ("Completed", "one file made")
    assert bench.read("upper/made/b.txt") == b"HELLO"
    assert bench.lines(GROUP, "upper") == ["imported from the image"]
    assert said["CreationTime"] <= said["ProcessingStartTime"] <= said["ProcessingEndTime"]


def test_describe_gives_back_what_was_asked(bench: Any) -> None:
    """moto drops Environment and ProcessingResources; a client that compares a job with its plan needs both."""
    code = "import os, pathlib; pathlib.Path('/opt/ml/processing/out/word').write_text(os.environ['WORD'])"
    said = bench.process("kept", code, Environment={"WORD": "given"})
    assert said["Environment"] == {"WORD": "given"}
    assert said["ProcessingResources"]["ClusterConfig"]["InstanceType"] == "ml.m5.large"
    assert bench.read("kept/made/word") == b"given"


@pytest.mark.parametrize("attempt", range(10))
def test_a_failing_job_is_reported_failing_every_time(bench: Any, attempt: int) -> None:
    """Docker-compatible clients lose exit codes now and then; one success out of ten here would be one too many."""
    said = bench.process(f"fails-{attempt}", f"raise SystemExit({attempt + 1})")
    assert said["ProcessingJobStatus"] == "Failed"
    assert said["FailureReason"].endswith(f"exit code: {attempt + 1}")


def test_a_failure_says_what_the_program_said(bench: Any) -> None:
    """The failure file comes first, then the last line of the log: people read FailureReason before any log."""
    said = bench.process(
        "told", "open('/opt/ml/output/failure', 'w').write('no rows left'); print('x'); raise SystemExit(3)"
    )
    assert said["FailureReason"] == "AlgorithmError: no rows left, exit code: 3"
    said = bench.process("raised", "raise ValueError('seven columns, not eight')")
    assert "ValueError: seven columns, not eight, exit code: 1" in said["FailureReason"]
    assert any("Traceback" in line for line in bench.lines(GROUP, "raised"))


def test_a_job_that_is_killed_has_failed(bench: Any) -> None:
    """Process 1 of a PID namespace cannot kill itself: without an init in between this job would complete."""
    said = bench.process("killed", "import os; os.kill(os.getpid(), 9)")
    assert said["ProcessingJobStatus"] == "Failed"
    assert said["FailureReason"].endswith("exit code: 137")


def test_a_command_that_the_image_lacks_has_failed(bench: Any) -> None:
    """An image without the program is found out before the cloud finds it out."""
    app = {"ImageUri": bench.uri, "ContainerEntrypoint": ["no-such-program"]}
    said = bench.process("absent", "", AppSpecification=app)
    assert said["ProcessingJobStatus"] == "Failed"
    assert "not found" in said["FailureReason"]
    assert said["FailureReason"].endswith("exit code: 127")


def test_an_empty_output_is_an_error(bench: Any) -> None:
    """A job that exits with 0 and made nothing is the failure that hides longest."""
    said = bench.process("empty", "pass")
    assert said["ProcessingJobStatus"] == "Failed"
    assert "output 'made' (/opt/ml/processing/out) is empty" in said["FailureReason"]


def test_a_continuous_output_is_there_after_a_failure(bench: Any) -> None:
    """Logs and checkpoints of a job that failed are what one needs most.

    At the end of the job only, they would be lost.
    """
    request = bench.processing_request(
        "goes-on", "open('/opt/ml/processing/out/log', 'w').write('so far'); raise SystemExit(1)"
    )
    request["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3UploadMode"] = "Continuous"
    bench.sagemaker.create_processing_job(**request)
    assert bench.ended("processing", "goes-on")["ProcessingJobStatus"] == "Failed"
    assert bench.read("goes-on/made/log") == b"so far"


def test_a_continuous_output_is_there_while_the_job_runs(bench: Any) -> None:
    """And may stay empty: it is no artifact that somebody waits for."""
    code = "import time; open('/opt/ml/processing/out/log', 'w').write('so far'); time.sleep(60)"
    request = bench.processing_request("going-on", code)
    request["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3UploadMode"] = "Continuous"
    bench.sagemaker.create_processing_job(**request)
    found = bench.until(lambda: bench.s3.list_objects_v2(Bucket=bench.bucket, Prefix="going-on/")["KeyCount"], bool)
    assert found == 1
    assert bench.sagemaker.describe_processing_job(ProcessingJobName="going-on")["ProcessingJobStatus"] == "InProgress"
    bench.sagemaker.stop_processing_job(ProcessingJobName="going-on")
    assert bench.ended("processing", "going-on")["ProcessingJobStatus"] == "Stopped"


def test_an_input_that_is_not_there_fails_the_job(bench: Any) -> None:
    """The program must not start on half of its data."""
    request = bench.processing_request("noinput", "print('started')")
    request["ProcessingInputs"][0]["S3Input"]["S3Uri"] = f"s3://{bench.bucket}/nowhere"
    bench.sagemaker.create_processing_job(**request)
    said = bench.ended("processing", "noinput")
    assert said["FailureReason"].startswith("ClientError: No S3 objects found under S3 URL")


def test_a_job_beyond_its_time_is_stopped(bench: Any) -> None:
    """MaxRuntimeInSeconds is a program's own time: `speed` does not shorten it."""
    said = bench.process("slow", "import time; time.sleep(60)", StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert said["ProcessingJobStatus"] == "Stopped"
    assert said["FailureReason"].startswith("MaxRuntimeExceeded")
    assert (said["ProcessingEndTime"] - said["ProcessingStartTime"]).total_seconds() >= 1


def test_a_stop_gives_the_program_time_to_tidy_up(bench: Any) -> None:
    """Stopping, SIGTERM to the command, Stopped: and the log shows that the signal arrived."""
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('tidied up'), sys.exit(0)))\n"
        "print('ready')\ntime.sleep(60)"
    )
    bench.sagemaker.create_processing_job(**bench.processing_request("stopped", code))
    bench.until(lambda: "ready" in bench.lines(GROUP, "stopped"), bool)
    bench.sagemaker.stop_processing_job(ProcessingJobName="stopped")
    said = bench.ended("processing", "stopped")
    assert said["ProcessingJobStatus"] == "Stopped"
    assert bench.lines(GROUP, "stopped") == ["ready", "tidied up"]
    with pytest.raises(ClientError, match="is in status Stopped"):
        bench.sagemaker.stop_processing_job(ProcessingJobName="stopped")


def test_two_jobs_at_once_do_not_see_each_other(bench: Any) -> None:
    """/opt/ml is private: each finds only its own file, and this machine's /opt/ml is not made."""
    code = (
        "import os, pathlib, time\nname = os.environ['NAME']\nroot = pathlib.Path('/opt/ml/processing/out')\n"
        "(root / name).write_text('')\ntime.sleep(0.3)\nassert os.listdir(root) == [name], os.listdir(root)"
    )
    before = Path("/opt/ml").exists()
    for name in ("one", "two"):
        bench.sagemaker.create_processing_job(**bench.processing_request(name, code, Environment={"NAME": name}))
    for name in ("one", "two"):
        assert bench.ended("processing", name)["ProcessingJobStatus"] == "Completed"
    assert Path("/opt/ml").exists() == before


def test_what_a_job_leaves_in_its_temporary_folder_goes_with_it(bench: Any) -> None:
    code = "import tempfile; print('at', tempfile.mkdtemp()); open('/opt/ml/processing/out/x', 'w').write('x')"
    bench.process("untidy", code)
    (place,) = (line.removeprefix("at ") for line in bench.lines(GROUP, "untidy") if line.startswith("at "))
    assert "untidy" in place
    assert bench.until(Path(place).exists, lambda there: not there) is False


def test_list_shows_the_real_states(bench: Any) -> None:
    """Filters work on what happened, not on what was hoped."""
    bench.process("listed-bad", "raise SystemExit(1)")
    bench.process("listed-good", UPPER)
    found = bench.sagemaker.list_processing_jobs(NameContains="listed", StatusEquals="Failed")
    assert [job["ProcessingJobName"] for job in found["ProcessingJobSummaries"]] == ["listed-bad"]
