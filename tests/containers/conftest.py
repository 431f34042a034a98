"""An engine, the project's image, and an offline AWS whose jobs run in containers."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from seatrial.execute import engine as engines
from seatrial.rehearsal.aws import Image, OfflineAws
from tests.unit.rehearsal.aws.conftest import SERVE, URI, Bench

SMALL = "123456789012.dkr.ecr.us-east-1.amazonaws.com/small:1"
"""The same image, whose containers get little memory."""

_TRIAL = """
FROM {base}
COPY . /program
COPY --chmod=755 serve /usr/local/bin/serve
ENV PYTHONPATH=/program
WORKDIR /program
ENTRYPOINT ["env"]
CMD ["sh", "-c", "echo by default > /opt/ml/processing/out/said"]
"""


@pytest.fixture(scope="session")
def engine() -> str:
    """Without one there is nothing to test, and that is no success: .ci/containers.sh sets podman up."""
    found = engines.found()
    assert found is not None, "no container engine answers on this machine"
    return found


@pytest.fixture(scope="session")
def project_image(engine: str) -> str:
    """What `make image` built."""
    image = os.environ.get("IMAGE", "localhost/seatrial:dev")
    assert engines.described(engine, image) is not None, f"there is no image {image}: run make image"
    return image


@pytest.fixture(scope="session")
def trial_image(engine: str, project_image: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small program on top, with a `serve` of its own: what the tests of the namespaces have as a folder."""
    folder = tmp_path_factory.mktemp("trial-image")
    (folder / "program_of_the_image.py").write_text("WORD = 'imported from the image'\n")
    (folder / "serve.py").write_text(SERVE)
    (folder / "serve").write_text("#!/bin/sh\nexec python /program/serve.py\n")
    (folder / "Dockerfile").write_text(_TRIAL.format(base=project_image))
    name = f"localhost/seatrial-trial:{os.getpid()}"
    subprocess.run([engine, "build", "-q", "-t", name, str(folder)], check=True, capture_output=True)
    return name


@pytest.fixture(scope="session")
def aws_bench(engine: str, project_image: str, trial_image: str) -> Iterator[Bench]:
    """An offline AWS, once for all tests: each uses names of its own."""
    images = [
        Image(uri=URI, container=trial_image),
        Image(uri=SMALL, container=trial_image, memory_mb=200),
        Image(uri="seatrial", container=project_image),
    ]
    with OfflineAws(images, speed=100, engine=engine) as aws:
        yield Bench(aws)


@pytest.fixture
def containers(engine: str) -> Callable[[str], list[str]]:
    """The names of the containers, running or not, whose name holds a word."""

    def named(word: str) -> list[str]:
        asked = [engine, "ps", "--all", "--filter", f"name={word}", "--format", "{{.Names}}"]
        return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.split()

    return named


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Waits for something to be true, and fails when it does not become so."""

    def wait(good: Callable[[], object]) -> None:
        end = time.monotonic() + 300
        while not good():
            assert time.monotonic() < end, "it did not happen within 300 s"
            time.sleep(0.05)

    return wait
