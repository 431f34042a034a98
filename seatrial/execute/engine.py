"""Runs commands in containers of podman or docker.

A container is a child of the engine, not of whoever asked for it: it outlives its client. So each is run by a `keeper`,
an ordinary process that gives the container's output and exit code and takes it along however it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seatrial.errors import ResourceError
from seatrial.execute import keeper

ENGINES = ("podman", "docker")


@dataclass(frozen=True)
class Mounts:
    """Folders and files that a container sees, at the paths that they have outside."""

    writable: Sequence[Path]
    readable: Sequence[Path]


def require(engine: str) -> None:
    """Raise unless the engine answers.

    Raises:
        ResourceError: it is unknown, not installed, or its service does not run.
    """
    if engine not in ENGINES:
        raise _unusable(engine, f"known are {' and '.join(ENGINES)}")
    try:
        subprocess.run([engine, "info"], check=True, capture_output=True, timeout=60)
    except FileNotFoundError as exc:
        raise _unusable(engine, "it is not installed") from exc
    except subprocess.CalledProcessError as exc:
        lines = exc.stderr.decode(errors="replace").strip().splitlines()
        raise _unusable(engine, lines[-1] if lines else f"exit code {exc.returncode}") from exc
    except subprocess.TimeoutExpired as exc:
        raise _unusable(engine, "it does not answer") from exc


def found() -> str | None:
    """The first engine that answers, or none."""
    for engine in ENGINES:
        if shutil.which(engine) is not None:
            with contextlib.suppress(ResourceError):
                require(engine)
                return engine
    return None


@dataclass(frozen=True)
class Described:
    """An image that an engine has."""

    identity: str
    """64 hexadecimal digits."""
    environment: Mapping[str, str]
    """What it sets itself."""


def described(engine: str, image: str) -> Described | None:
    """What the engine knows about an image; None when it has none of this name, and would have to fetch it."""
    asked = subprocess.run([engine, "image", "inspect", image], capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        return None
    told = json.loads(asked.stdout)[0]
    variables = (each.partition("=") for each in told["Config"].get("Env") or [])
    return Described(told["Id"].removeprefix("sha256:"), {name: value for name, _, value in variables})


def kept(engine: str, name: str, words: Sequence[str], report: Path) -> list[str]:
    """The command line of a keeper: it runs ``engine run --name NAME WORDS`` and removes the container at the end.

    Args:
        engine: podman or docker.
        name: no other container's.
        words: options, image and arguments.
        report: where `out_of_memory` looks afterwards.
    """
    # without site packages it starts in 20 ms
    keeps = [sys.executable, "-I", "-S", keeper.__file__, str(report)]
    return [*keeps, engine, name, "run", "--name", name, *words]


def out_of_memory(report: Path) -> bool:
    """Whether the kernel killed something in the container for its memory."""
    try:
        told = json.loads(report.read_text())
    except FileNotFoundError:  # the keeper did not come to its end
        return False
    return bool(told["out_of_memory"])


def process_of(engine: str, container: str) -> int:
    """The container's process 1, as this machine numbers it; 0 when it does not run."""
    asked = subprocess.run(
        [engine, "inspect", "--format", "{{.State.Pid}}", container], capture_output=True, text=True, check=False
    )
    return int(asked.stdout.strip() or 0) if asked.returncode == 0 else 0


def sweep(engine: str) -> None:
    """Remove the containers whose keeper was itself killed: by hand, or by the kernel."""
    listed = subprocess.run(
        [engine, "ps", "--all", "--quiet", "--filter", f"label={keeper.LABEL}"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    form = f'{{{{index .Config.Labels "{keeper.LABEL}"}}}}'
    here = keeper.identity(os.getpid()).split("/")[:2]
    for container in listed:
        label = subprocess.run(
            [engine, "inspect", "--format", form, container], capture_output=True, text=True, check=False
        ).stdout.strip()
        boot, namespace, pid, *_ = [*label.split("/"), "", "", "", ""]
        # of another machine, or of another container with the same engine: nobody here knows whether its keeper lives
        if [boot, namespace] != here:
            continue
        try:
            lives = keeper.identity(int(pid)) == label
        except FileNotFoundError:
            lives = False
        if not lives:
            for words in _removal(container):
                subprocess.run([engine, *words], capture_output=True, check=False)


def command(
    engine: str,
    name: str,
    image: str,
    argv: Sequence[str],
    args: Sequence[str],
    env: Mapping[str, str],
    mounts: Mounts,
    cores: int,
    report: Path,
) -> list[str]:
    """The command line that runs ``argv`` with ``args`` in ``image``, each folder at the path that it has outside.

    A command replaces the image's own entry point, as in Kubernetes; without one the entry point takes the arguments.
    Whoever runs the engine owns the files that the container writes.
    """
    words = ["--cpus", str(cores)]
    words += ["--entrypoint", argv[0]] if argv else []
    words += ["--userns", "keep-id"] if engine == "podman" and os.getuid() != 0 else []
    words += ["--user", f"{os.getuid()}:{os.getgid()}"] if engine == "docker" and os.getuid() != 0 else []
    for path in mounts.writable:
        words += ["--volume", f"{path}:{path}"]
    for path in sorted({path for path in mounts.readable if path.exists()}):
        words += ["--volume", f"{path}:{path}:ro"]
    for key in sorted(env):
        words += ["--env", f"{key}={env[key]}"]
    return kept(engine, name, [*words, image, *argv[1:], *args], report)


async def remove(engine: str, name: str) -> None:
    """Remove a container; one that is gone already is what is wanted."""
    for words in _removal(name):
        process = await asyncio.create_subprocess_exec(
            engine, *words, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(process.wait())


def _removal(container: str) -> tuple[list[str], list[str]]:
    """Killed first: podman's `rm --force` gives a container ten seconds for an orderly end."""
    return ["kill", container], ["rm", "--force", container]


def _unusable(engine: str, why: str) -> ResourceError:
    return ResourceError(
        f"container engine '{engine}' cannot be used: {why}",
        why="The tasks of other images were to run in containers.",
        todo="Start or install the engine, or run without --engine: commands then run on this machine.",
    )
