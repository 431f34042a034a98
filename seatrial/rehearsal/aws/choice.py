"""Chooses where each image's programs run: in a container, in namespaces, or nowhere."""

from __future__ import annotations

from collections.abc import Sequence

from seatrial.errors import ResourceError, UsageError
from seatrial.execute import engine
from seatrial.rehearsal.aws.containers import require_container
from seatrial.rehearsal.aws.image import Image
from seatrial.rehearsal.aws.isolation import require_namespaces

CHOICES = ("auto", "podman", "docker", "none")


def settled(images: Sequence[Image], wanted: str = "auto") -> tuple[Image, ...]:
    """The images with their ``engine`` set, or without it where namespaces take its place.

    Args:
        images: those that name a container get one; those that name only a Python run in namespaces.
        wanted: ``podman`` or ``docker`` insists, ``none`` runs all in namespaces, ``auto`` takes the engine that the
            image names, else the first that answers, else namespaces.

    Raises:
        UsageError: the engine is unknown, or an image would need one and none was wanted.
        ResourceError: this machine has neither an engine nor namespaces, or the engine has not the image.
    """
    if wanted not in CHOICES:
        raise UsageError(
            f"'{wanted}' is no container engine", why="Jobs run in one.", todo=f"Name one of {', '.join(CHOICES)}."
        )
    contained = [image for image in images if image.container is not None]
    there = None if wanted == "none" or not contained else engine.found() if wanted == "auto" else wanted
    chosen = tuple(_settle(image, wanted, there) for image in images)
    for used in sorted({image.engine for image in chosen if image.engine is not None}):
        engine.require(used)
        engine.sweep(used)
    for image in chosen:
        if image.engine is not None:
            require_container(image)
    if not chosen or any(image.engine is None for image in chosen):
        require_namespaces()
    return chosen


def _settle(image: Image, wanted: str, there: str | None) -> Image:
    if image.container is None:
        return image
    used = image.engine if wanted == "auto" and image.engine is not None else there
    if used is not None:
        return image.model_copy(update={"engine": used})
    if image.python is not None and image.workdir is not None:
        return image.model_copy(update={"engine": None})
    told = f"Image '{image.uri}' is a container, '{image.container}', and "
    if wanted == "none":
        raise UsageError(
            told + "no engine was wanted",
            why="Without a container its jobs need a Python and a folder of this machine.",
            todo="Leave --engine none out, or give the image python and workdir, too.",
        )
    raise ResourceError(
        told + f"neither {' nor '.join(engine.ENGINES)} answers here",
        why="Its jobs run in a container; a program of this machine in its place would prove something else.",
        todo="Install podman, or give the image python and workdir, too: its jobs then run in namespaces.",
    )
