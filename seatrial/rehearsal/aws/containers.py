"""Runs a job or a model server in a container of podman or docker, as the platform runs it: ``docker run IMAGE train``.

The program is process 1 of its container, as it is there: AWS's documentation shows no ``--init``. The network is this
machine's, since the offline AWS listens on loopback only.
"""

from __future__ import annotations

import functools
import os
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from seatrial.clouds.aws.settings import SageMakerSettings
from seatrial.errors import ResourceError
from seatrial.execute import engine
from seatrial.rehearsal.aws.image import Image
from seatrial.rehearsal.aws.running import YIELDING, Running, family

_REPORT = "container.json"


class Contained(Running):
    """A container's keeper: what is done to it is done to the container."""

    def __init__(self, process: subprocess.Popen[bytes], report: Path, *, used: str, name: str) -> None:
        """``report`` is where the keeper says how the container ended; ``used`` the engine; ``name`` its own."""
        super().__init__(process)
        self._report, self._engine, self._name = report, used, name
        self._first = 0

    def ask_to_end(self) -> None:
        """Send SIGTERM to the container's process 1."""
        self.process.terminate()

    def programs(self) -> list[int]:
        """The container's process 1, and what it started."""
        self._first = self._first or engine.process_of(self._engine, self._name)
        return family(self._first) if self._first else []

    def out_of_memory(self) -> bool:
        """What the engine or the kernel noted."""
        return engine.out_of_memory(self._report)


def require_container(image: Image) -> None:
    """Check that the image's engine has it.

    Raises:
        ResourceError: it has not.
    """
    assert image.engine is not None
    assert image.container is not None
    if engine.described(image.engine, image.container) is None:
        raise ResourceError(
            f"{image.engine} has no image '{image.container}'",
            why=f"Jobs of '{image.uri}' run in it, and nothing is fetched for a rehearsal.",
            todo="Build it (make image), or run its jobs in namespaces of this machine (--engine none).",
        )


def start_container(
    command: Sequence[str],
    *,
    entry_point: bool,
    image: Image,
    folder: Path,
    environment: Mapping[str, str],
    instance: str,
    yields: bool,
) -> Contained:
    """Start the image with ``folder``/opt/ml at /opt/ml. Standard output and error come back on one pipe.

    Args:
        command: words for the image; with ``entry_point`` they stand in place of its own entry point.
        entry_point: see there.
        image: what runs.
        folder: the job's.
        environment: variables besides the image's.
        instance: the instance type, for its limits.
        yields: see `start_isolated`; the engine hands its own niceness on.
    """
    assert image.engine is not None
    assert image.container is not None
    ml = folder / "opt" / "ml"
    ml.mkdir(parents=True, exist_ok=True)
    words = ["--pull", "never", "--network", "host", "--log-driver", "none", *_limits(image, instance)]
    words += ["--user", f"{os.getuid()}:{os.getgid()}"] if image.engine == "docker" and os.getuid() != 0 else []
    words += ["--volume", f"{ml}:/opt/ml"]
    for path, source in image.mounts.items():
        words += ["--volume", f"{source.resolve()}:{path}"]
    for key in sorted(environment):
        words += ["--env", f"{key}={environment[key]}"]
    if entry_point and command:
        words += ["--entrypoint", command[0], image.container, *command[1:]]
    else:
        words += [image.container, *command]
    name = f"seatrial-{folder.name}-{uuid.uuid4().hex[:12]}"
    report = folder / _REPORT
    process = subprocess.Popen(
        [*(YIELDING if yields else ()), *engine.kept(image.engine, name, words, report)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    return Contained(process, report, used=image.engine, name=name)


def _limits(image: Image, instance: str) -> list[str]:
    """Never more than the declared instance has; an instance larger than this machine cannot be had here."""
    declared = _instances().get(instance)
    cpus = os.cpu_count() or 1
    memory_mb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    words = []
    limits = [image.memory_mb] if image.memory_mb else []
    if declared is not None:
        limits.append(int(declared[1] * 1024))
        if declared[0] < cpus:
            words += ["--cpus", str(declared[0])]
    if limits and min(limits) < memory_mb:
        # no swap on top: an instance has none
        words += ["--memory", f"{min(limits)}m", "--memory-swap", f"{min(limits)}m"]
    return words


@functools.cache
def _instances() -> Mapping[str, tuple[float, float]]:
    """CPUs and GiB of the instance types that the compiler knows."""
    return {each.name: (each.cpu, each.memory_gb) for each in SageMakerSettings().instances}
