"""Runs a command in a container of podman or docker, with the folders of its task at the same paths inside.

The engine's own process is what the run waits for: ``podman run`` and ``docker run`` in the foreground pass on output
and exit code. A container outlives its client when that is killed, so it has a name and is removed by it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seatrial.errors import ResourceError

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


def command(
    engine: str,
    name: str,
    image: str,
    argv: Sequence[str],
    args: Sequence[str],
    env: Mapping[str, str],
    mounts: Mounts,
    cores: int,
) -> list[str]:
    """The command line that runs ``argv`` with ``args`` in ``image``.

    A command replaces the image's own entry point, as in Kubernetes; without one the entry point takes the arguments.
    Whoever runs the engine owns the files that the container writes.
    """
    words = [engine, "run", "--rm", "--name", name, "--cpus", str(cores)]
    words += ["--entrypoint", argv[0]] if argv else []
    words += ["--userns", "keep-id"] if engine == "podman" and os.getuid() != 0 else []
    words += ["--user", f"{os.getuid()}:{os.getgid()}"] if engine == "docker" and os.getuid() != 0 else []
    for path in mounts.writable:
        words += ["--volume", f"{path}:{path}"]
    for path in sorted({path for path in mounts.readable if path.exists()}):
        words += ["--volume", f"{path}:{path}:ro"]
    for key in sorted(env):
        words += ["--env", f"{key}={env[key]}"]
    return [*words, image, *argv[1:], *args]


async def remove(engine: str, name: str) -> None:
    """Remove a container; one that is gone already is what is wanted."""
    process = await asyncio.create_subprocess_exec(
        engine, "rm", "--force", name, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.shield(process.wait())


def _unusable(engine: str, why: str) -> ResourceError:
    return ResourceError(
        f"container engine '{engine}' cannot be used: {why}",
        why="The tasks of other images were to run in containers.",
        todo="Start or install the engine, or run without --engine: commands then run on this machine.",
    )
