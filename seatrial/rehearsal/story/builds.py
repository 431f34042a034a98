"""The two builds of the project's image that a rehearsal needs: the sound one, and one whose server has a bug.

With a container engine they are images: what `make image` built, and a thin one on top with another ``serve``. Without
one they are this Python and the project's folder, in namespaces.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from seatrial.errors import ResourceError, UsageError
from seatrial.execute import engine as engines
from seatrial.package.lineage import UNKNOWN, git_state
from seatrial.project import Project
from seatrial.rehearsal.aws import Image
from seatrial.rehearsal.story import sabotage

ACCOUNT = "123456789012"
IMAGE = "localhost/seatrial:dev"
"""What `make image` builds when nobody names another."""
_REGISTRY = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/seatrial@sha256:"
_COMMIT = "SEATRIAL_GIT_COMMIT"


@dataclass(frozen=True)
class Builds:
    """Two builds of the image, by digest."""

    sound: str
    broken: str


@dataclass(frozen=True)
class Place:
    """Where jobs and servers run."""

    engine: str | None
    """podman or docker; None for namespaces."""
    image: str = ""
    identity: str = ""
    """The image's own id: 64 hexadecimal digits."""
    why: str = ""
    """Where it might have been otherwise: why it is this."""

    @property
    def name(self) -> str:
        """As a report says it."""
        return self.engine or "namespaces"


def choose(opened: Project, wanted: str, image: str) -> Place:
    """Where the rehearsal's jobs run.

    Args:
        opened: the project; an image of another commit would prove something else.
        wanted: ``podman`` or ``docker`` insists, ``none`` takes namespaces, ``auto`` takes an engine that has the image
            of exactly this source, else namespaces.
        image: its name.

    Raises:
        UsageError: an engine was insisted on, and its image is of another commit.
        ResourceError: it does not answer, or has no such image.
    """
    if wanted == "none":
        return Place(None)
    source = git_state(opened.root, commit=opened.commit)
    if wanted == "auto":
        engine = engines.found()
        if engine is None:
            return Place(None, why="no container engine answers here")
        found = engines.described(engine, image)
        if found is None:
            return Place(None, why=f"{engine} has no image {image} (make image)")
        if source.dirty is not False or _commit(found) != source.text:
            return Place(None, why=f"{image} is not known to hold just these sources: {_differ(found, source.text)}")
        return Place(engine, image, found.identity, f"image {image} of commit {source.commit}")
    engines.require(wanted)
    found = engines.described(wanted, image)
    if found is None:
        raise ResourceError(
            f"{wanted} has no image '{image}'",
            why="Jobs and servers were to run in it, and nothing is fetched for a rehearsal.",
            todo="Build it (make image), name another (--image), or rehearse in namespaces (--engine none).",
        )
    if _commit(found) != source.text:
        raise UsageError(
            f"image '{image}' is of other sources than this project: {_differ(found, source.text)}",
            why="What is rehearsed has to be what the image's jobs run, and the package's lineage names the commit.",
            todo="Build it again (make image), or rehearse in namespaces (--engine none).",
        )
    return Place(wanted, image, found.identity, f"image {image} of commit {source.text}")


def _commit(image: engines.Described) -> str:
    return image.environment.get(_COMMIT, UNKNOWN)


def _differ(image: engines.Described, source: str) -> str:
    return f"it is of {_commit(image)}, and the project is at {source}"


@contextmanager
def built(opened: Project, place: Place) -> Iterator[tuple[Builds, list[Image]]]:
    """Both builds, and what the offline AWS is to know of them. The broken one is removed at the end.

    Raises:
        ResourceError: the engine did not build it.
    """
    if place.engine is None:
        builds = Builds(*(_REGISTRY + hashlib.sha256(name.encode()).hexdigest() for name in ("sound", "broken")))
        yield builds, _of_this_machine(opened, builds)
        return
    with _sabotaged(place.engine, place.image) as (name, identity):
        builds = Builds(_REGISTRY + place.identity, _REGISTRY + identity)
        yield builds, [Image(uri=builds.sound, container=place.image), Image(uri=builds.broken, container=name)]


def _of_this_machine(opened: Project, builds: Builds) -> list[Image]:
    python = Path(sys.executable)
    paths = [str(opened.root), *filter(None, [os.environ.get("PYTHONPATH")])]
    # each job has a state folder of its own, as on a machine of its own: what another left there is fetched from S3
    told = {"PYTHONPATH": os.pathsep.join(paths), "SEATRIAL_HOME": "/opt/ml/seatrial"}
    shared = {"python": python, "workdir": opened.root, "environment": told}
    return [
        Image(uri=builds.sound, serve=(str(python), "-m", "seatrial.cli.container", "serve"), **shared),
        Image(uri=builds.broken, serve=(str(python), *sabotage.COMMAND), **shared),
    ]


@contextmanager
def _sabotaged(engine: str, image: str) -> Iterator[tuple[str, str]]:
    """The image with a `serve` that has the bug: name and id."""
    name = f"localhost/seatrial-broken:{uuid.uuid4().hex[:12]}"
    with tempfile.TemporaryDirectory(prefix="seatrial-broken-") as folder:
        Path(folder, "serve").write_text(
            f"#!/bin/sh\nexec {shlex.join(('python', *sabotage.COMMAND))}\n", encoding="utf-8"
        )
        Path(folder, "Dockerfile").write_text(
            f"FROM {image}\nCOPY --chmod=755 serve /usr/local/bin/serve\n", encoding="utf-8"
        )
        done = subprocess.run([engine, "build", "-q", "-t", name, folder], capture_output=True, text=True, check=False)
    described = engines.described(engine, name) if done.returncode == 0 else None
    if described is None:
        raise ResourceError(
            f"{engine} did not build the image with a bug: {(done.stderr.strip().splitlines() or ['no reason'])[-1]}",
            why="The story releases it, to see it rolled back.",
            todo=f"Look whether `{engine} build` works here, or rehearse in namespaces (--engine none).",
        )
    try:
        yield name, described.identity
    finally:
        subprocess.run([engine, "rmi", "--force", name], capture_output=True, check=False)
