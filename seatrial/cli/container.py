"""What a managed service says to the project's image: ``train`` and ``serve``, SageMaker's two words.

``docker run IMAGE train`` runs the job whose specification lies in the channel ``job``, which is what compiled steps do
with an entry point of their own. ``docker run IMAGE serve`` serves the model package in /opt/ml/model on
``SAGEMAKER_BIND_TO_PORT``, or 8080. In the image, two executables of these names call this module.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from seatrial.errors import PackageError, SeatrialError, UsageError

ML = Path("/opt/ml")
PORT = 8080
_JOB = ("input", "data", "job", "job.json")
_MANIFEST = "manifest.json"
_LONGEST_FAILURE = 1024


def train(ml: Path = ML) -> int:
    """Run the job of the channel ``job``; gives the exit code.

    Raises:
        UsageError: there is no such channel. What was wrong also stands where the service reads it.
    """
    from seatrial.execute.__main__ import main as execute

    specification = ml.joinpath(*_JOB)
    if not specification.is_file():
        problem = UsageError(
            f"there is no {specification}",
            why="`train` runs the job that the channel 'job' specifies, and was given no such channel.",
            todo="Give a channel 'job' with the job.json that `seatrial compile` writes, or a ContainerEntrypoint.",
        )
        failure = ml / "output" / "failure"
        failure.parent.mkdir(parents=True, exist_ok=True)
        failure.write_text(str(problem)[:_LONGEST_FAILURE], encoding="utf-8")
        raise problem
    return execute(["--job", str(specification)])


def serve(environment: Mapping[str, str], ml: Path = ML) -> int:
    """Serve the package in ``ml``/model on all addresses until a signal ends it; gives the exit code.

    The model's environment, as an endpoint's deployment writes it, names what is served (``SEATRIAL_MODEL``,
    ``SEATRIAL_VERSION``), which package it has to be (``SEATRIAL_DIGEST``) and what a request may hold
    (``SEATRIAL_MAX_ROWS``, ``SEATRIAL_MAX_BODY_BYTES``).

    Raises:
        UsageError: a port or a limit is no such number; every problem is told.
        PackageError: there is no package, it must not be trusted, or it is another one.
    """
    from seatrial.clouds.local.server import serve as run
    from seatrial.package.read import Package
    from seatrial.serving.log import JsonFormatter

    problems: list[str] = []
    port = _number(environment, "SAGEMAKER_BIND_TO_PORT", 65535, problems) or PORT
    limits = {
        name.removeprefix("SEATRIAL_").lower(): value
        for name in ("SEATRIAL_MAX_ROWS", "SEATRIAL_MAX_BODY_BYTES")
        if (value := _number(environment, name, 2**40, problems))
    }
    if problems:
        raise UsageError(
            "; ".join(problems),
            why="The server listens where the service looks for it, and refuses what is larger than it may be.",
            todo=f"Leave the variable out (the port then is {PORT}), or set a number in its range.",
        )
    package = package_in(ml / "model")
    if environment.get("SEATRIAL_DIGEST"):
        Package.open(package, digest=environment["SEATRIAL_DIGEST"])
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    name, version = environment.get("SEATRIAL_MODEL", package.name), environment.get("SEATRIAL_VERSION", "0")
    # a container's address is known to the service only: it asks from outside
    run(package, name=name, version=version, host="0.0.0.0", port=port, limits=limits)  # noqa: S104
    return 0


def _number(environment: Mapping[str, str], name: str, largest: int, problems: list[str]) -> int | None:
    text = environment.get(name)
    if text is None:
        return None
    if text.isdecimal() and 0 < int(text) <= largest:
        return int(text)
    problems.append(f"{name} is '{text}', and not a number from 1 to {largest}")
    return None


def package_in(model: Path) -> Path:
    """The one package that a model archive holds: the folder itself, or a folder at any depth inside.

    Raises:
        PackageError: there is none, or more than one.
    """
    found = sorted(path.parent for path in model.rglob(_MANIFEST))
    if len(found) == 1:
        return found[0]
    many = ", ".join(str(path.relative_to(model)) for path in found)
    raise PackageError(
        f"{model} holds {f'{len(found)} model packages: {many}' if found else 'no model package'}",
        why=f"A server serves one package: the folder with a {_MANIFEST}.",
        todo="Give the endpoint's model the address of a package, as `register` writes it.",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """``python -m seatrial.cli.container train|serve``. Further words are the service's own and mean nothing here."""
    words = sys.argv[1:] if argv is None else argv
    try:
        if words[:1] == ["train"]:
            return train()
        if words[:1] == ["serve"]:
            return serve(os.environ)
        raise UsageError(
            f"'{' '.join(words)}' is neither train nor serve",
            why="These are the words that SageMaker says to an image.",
            todo="Run the image with one of them, or with a command of its own.",
        )
    except SeatrialError as problem:
        sys.stderr.write(f"{problem}\n")
        return problem.exit_code


if __name__ == "__main__":
    sys.exit(main())
