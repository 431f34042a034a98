"""What only containers have: limits, an image's own words, and an engine that would let them outlive their job."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from seatrial.errors import ResourceError
from seatrial.execute import engine as engines
from seatrial.rehearsal.aws import Image, OfflineAws
from tests.conftest import Bench as Project
from tests.containers.conftest import SMALL
from tests.processes import children
from tests.unit.package.example import CANDIDATES, build_example
from tests.unit.rehearsal.aws.conftest import URI, Bench

pytestmark = pytest.mark.containers

_OWN = {"TrainingImage": "seatrial", "TrainingInputMode": "File"}


@pytest.fixture
def bench(aws_bench: Bench) -> Bench:
    return aws_bench


def test_a_failing_job_is_reported_failing_25_times_of_25(bench: Bench) -> None:
    """Clients of engines lose exit codes: docker-compose over podman got 18 of 25 right, docker run --rm none."""
    names = [f"fails-{number}" for number in range(1, 26)]
    for number, name in enumerate(names, 1):
        bench.sagemaker.create_processing_job(**bench.processing_request(name, f"raise SystemExit({number})"))
    said = [bench.ended("processing", name) for name in names]
    assert [each["ProcessingJobStatus"] for each in said] == ["Failed"] * 25
    assert [each["FailureReason"].rpartition(" ")[2] for each in said] == [str(n) for n in range(1, 26)]


def test_a_job_beyond_its_memory_says_so(bench: Bench) -> None:
    """The kernel kills at the limit, and an exit code of 137 alone could be anybody's."""
    request = bench.processing_request("greedy", "b'x' * (400 << 20)")
    request["AppSpecification"]["ImageUri"] = SMALL
    bench.sagemaker.create_processing_job(**request)
    said = bench.ended("processing", "greedy")
    assert said["ProcessingJobStatus"] == "Failed"
    assert "out of memory: the kernel killed it" in said["FailureReason"]
    assert said["FailureReason"].endswith("exit code: 137")


def test_a_job_that_somebody_killed_is_not_said_to_lack_memory(
    bench: Bench, engine: str, containers: Callable[[str], list[str]]
) -> None:
    code = "import time; print('up'); time.sleep(60)"
    bench.sagemaker.create_processing_job(**bench.processing_request("shot", code))
    bench.until(lambda: "up" in bench.lines("/aws/sagemaker/ProcessingJobs", "shot"), bool)
    subprocess.run([engine, "kill", *containers("seatrial-shot-")], check=True, capture_output=True)
    said = bench.ended("processing", "shot")
    assert said["FailureReason"] == (
        "AlgorithmError: up (killed by SIGKILL, and not by the kernel for its memory), exit code: 137"
    )


@contextmanager
def _control_group(megabytes: int) -> Iterator[Path]:
    """A control group of this machine, of either version, with so much memory."""
    root = Path("/sys/fs/cgroup")
    old = (root / "memory").is_dir()
    group = (root / "memory" if old else root) / f"seatrial-test-{os.getpid()}"
    group.mkdir()
    try:
        limit = group / ("memory.limit_in_bytes" if old else "memory.max")
        limit.write_text(str(megabytes << 20))
        yield group
    finally:
        group.rmdir()


def test_in_namespaces_too_the_kernels_kill_is_told_from_others() -> None:
    """There is no limit there but the machine's: here the job puts itself into a group that has one."""
    images = [Image(uri=URI, python=Path(sys.executable), workdir=Path(__file__).parent)]
    with _control_group(100) as group, OfflineAws(images, speed=100) as aws:
        bench = Bench(aws)
        said = bench.process("greedy", f"open('{group}/cgroup.procs', 'w').write('0'); b'x' * (300 << 20)")
        assert "out of memory: the kernel killed it" in said["FailureReason"]
        said = bench.process("shot", "import os; os.kill(os.getpid(), 9)")
        assert "not by the kernel for its memory" in said["FailureReason"]


def test_an_instance_smaller_than_this_machine_sets_the_limit(bench: Bench) -> None:
    """ml.m5.large has 8 GiB; a machine with less keeps what it has."""
    code = (
        "import os, pathlib\n"
        "places = ('/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes')\n"
        "found = [p for p in places if os.path.exists(p)][0]\n"
        "pathlib.Path('/opt/ml/processing/out/limit').write_text(open(found).read())"
    )
    assert bench.process("limited", code)["ProcessingJobStatus"] == "Completed"
    here = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = bench.read("limited/made/limit").decode().strip()
    assert limit == str(8 << 30) if here > 8 << 30 else limit == "max" or int(limit) > here


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(None, "by default"), (["SAID=asked so", "sh", "-c", "echo $SAID > /opt/ml/processing/out/said"], "asked so")],
)
def test_without_an_entry_point_the_images_own_takes_the_arguments(
    bench: Bench, arguments: list[str] | None, said: str
) -> None:
    app = {"ImageUri": bench.uri} | ({"ContainerArguments": arguments} if arguments else {})
    name = f"own-entry-{len(said)}"
    assert bench.process(name, "", AppSpecification=app)["ProcessingJobStatus"] == "Completed"
    assert bench.read(f"{name}/made/said").decode().strip() == said


def test_nothing_is_left_when_jobs_have_ended(bench: Bench, containers: Callable[[str], list[str]]) -> None:
    code = "open('/opt/ml/processing/out/x', 'w').write('x')"
    assert bench.process("tidy", code)["ProcessingJobStatus"] == "Completed"
    assert bench.process("untidy", "raise SystemExit(1)")["ProcessingJobStatus"] == "Failed"
    assert containers("seatrial-tidy-") == containers("seatrial-untidy-") == []


_OWNER = """
import sys
from tests.unit.rehearsal.aws.conftest import URI, Bench
from seatrial.rehearsal.aws import Image, OfflineAws
aws = OfflineAws([Image(uri=URI, container={image!r})]).__enter__()
bench = Bench(aws)
bench.sagemaker.create_processing_job(**bench.processing_request("orphan", "import time; print('up'); time.sleep(600)"))
bench.until(lambda: "up" in bench.lines("/aws/sagemaker/ProcessingJobs", "orphan"), bool)
print(aws._process.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("whom", ["the owner", "the server"])
def test_no_container_outlives_a_server_that_was_killed(
    trial_image: str, containers: Callable[[str], list[str]], until: Callable[[Callable[[], object]], None], whom: str
) -> None:
    """Containers are the engine's children and not the server's: the kernel does not end them with it."""
    with subprocess.Popen(
        [sys.executable, "-c", _OWNER.format(image=trial_image)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        assert owner.stdout is not None
        server = int(owner.stdout.readline())
        assert containers("seatrial-orphan-")
        os.kill(owner.pid if whom == "the owner" else server, signal.SIGKILL)
        owner.kill()
    until(lambda: containers("seatrial-orphan-") == [])


def test_a_container_whose_keeper_was_killed_is_removed_by_the_next_start(
    engine: str,
    trial_image: str,
    tmp_path: Path,
    containers: Callable[[str], list[str]],
    until: Callable[[Callable[[], object]], None],
) -> None:
    """Only killing the keeper itself leaves one. Those of living keepers are left alone."""

    def keep(name: str) -> subprocess.Popen[bytes]:
        words = engines.kept(engine, name, [trial_image, "sleep", "600"], tmp_path / f"{name}.json")
        return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    left, lives = f"seatrial-left-{os.getpid()}", f"seatrial-lives-{os.getpid()}"
    front, other = keep(left), keep(lives)
    try:
        until(lambda: containers(left) and containers(lives))
        (keeper,) = children(front.pid)
        client = min(children(keeper))
        for pid in (keeper, client):
            os.kill(pid, signal.SIGKILL)
        front.wait()
        assert containers(left) == [left]
        engines.sweep(engine)
        assert containers(left) == []
        assert containers(lives) == [lives]
    finally:
        other.kill()
        other.wait()
        until(lambda: containers(lives) == [])


def test_an_image_that_is_not_there_is_refused_at_once() -> None:
    """Never fetched: a rehearsal has no network."""
    with pytest.raises(ResourceError, match="has no image 'localhost/no-such:1'") as told:
        OfflineAws([Image(uri=URI, container="localhost/no-such:1")]).__enter__()
    assert "make image" in told.value.todo


def test_an_image_with_both_runs_without_an_engine_where_none_is_wanted(trial_image: str) -> None:
    here = Path(__file__).parent
    images = [Image(uri=URI, container=trial_image, python=Path(sys.executable), workdir=here)]
    code = "import sys; open('/opt/ml/processing/out/where', 'w').write(sys.prefix)"
    with OfflineAws(images, speed=100, engine="none") as aws:
        bench = Bench(aws)
        bench.process("outside", code)
        assert bench.read("outside/made/where").decode() == sys.prefix
    with OfflineAws(images, speed=100) as aws:
        bench = Bench(aws)
        bench.process("inside", code)
        assert bench.read("inside/made/where") == b"/opt/venv"
    with pytest.raises(ResourceError, match="no engine was wanted"):
        OfflineAws([Image(uri=URI, container=trial_image)], engine="none").__enter__()


# the project's own image


def test_the_image_serves_a_package(bench: Bench, tmp_path: Path) -> None:
    """`docker run IMAGE serve`: an archive with a package, on the port that the platform says."""
    package = build_example(tmp_path / "package", CANDIDATES["logistic"]).package.path
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
        archive.add(package, "package")
    bench.s3.put_object(Bucket=bench.bucket, Key="package.tar.gz", Body=(tmp_path / "model.tar.gz").read_bytes())
    container = {"Image": "seatrial", "ModelDataUrl": f"s3://{bench.bucket}/package.tar.gz"}
    bench.sagemaker.create_model(ModelName="own", ExecutionRoleArn=bench.role, PrimaryContainer=container)
    variant = {"VariantName": "main", "ModelName": "own", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    bench.sagemaker.create_endpoint_config(EndpointConfigName="own", ProductionVariants=[variant])
    bench.sagemaker.create_endpoint(EndpointName="own", EndpointConfigName="own")
    said = bench.until(
        lambda: bench.sagemaker.describe_endpoint(EndpointName="own"), lambda d: d["EndpointStatus"] != "Creating"
    )
    assert said["EndpointStatus"] == "InService", said
    golden = json.loads((package / "golden.json").read_text())
    answer = bench.client("sagemaker-runtime").invoke_endpoint(
        EndpointName="own", ContentType="application/json", Body=json.dumps({"instances": golden["rows"]}).encode()
    )
    assert json.load(answer["Body"])["predictions"] == pytest.approx(golden["expected"], abs=1e-6)
    bench.sagemaker.delete_endpoint(EndpointName="own")


_TELL = """
from kfp import dsl

@dsl.container_component
def tell(word: str, out: dsl.OutputPath(str)):
    script = 'mkdir -p "$(dirname "$1")"; printf "%s from %s" "$0" "$PWD" > "$1"'
    return dsl.ContainerSpec(image="seatrial", command=["sh", "-c", script], args=[word, out])

@dsl.pipeline(name="p")
def p(word: str = "hello") -> str:
    return tell(word=word).outputs["out"]
"""


def test_the_image_trains_what_its_channel_says(bench: Bench, tmp_path: Path) -> None:
    """`docker run IMAGE train` runs the job of channel `job`; without that channel it says what is missing."""
    project = Project(tmp_path)
    project.write("pipe.py", _TELL)
    specification = {
        "format": 1,
        "document": yaml.safe_load(project.compile()),
        "outputs": {"parameters": "/opt/ml/model/outputs.json", "artifacts": {}},
    }
    request = bench.training_request("own", "", AlgorithmSpecification=_OWN)
    bench.s3.put_object(Bucket=bench.bucket, Key="jobs/own/job.json", Body=json.dumps(specification).encode())
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bench.bucket}/jobs/own"}
    request["InputDataConfig"] = [{"ChannelName": "job", "DataSource": {"S3DataSource": source}}]
    bench.sagemaker.create_training_job(**request)
    said = bench.ended("training", "own")
    assert said["TrainingJobStatus"] == "Completed", said["FailureReason"]
    with tarfile.open(fileobj=io.BytesIO(bench.read("models/own/output/model.tar.gz"))) as archive:
        member = archive.extractfile("outputs.json")
        assert member is not None
        assert json.load(member) == {"Output": "hello from /project"}
    bench.sagemaker.create_training_job(**bench.training_request("own-none", "", AlgorithmSpecification=_OWN))
    said = bench.ended("training", "own-none")
    assert said["TrainingJobStatus"] == "Failed"
    assert "there is no /opt/ml/input/data/job/job.json" in said["FailureReason"]
