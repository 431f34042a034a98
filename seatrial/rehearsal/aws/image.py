"""Which program an image URI stands for: an image of this machine's container engine, or a Python and a folder here."""

from __future__ import annotations

import os
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from seatrial.errors import UsageError


class Image(BaseModel):
    """What a job of this image finds.

    In a container: ``container``, an image that ``engine`` has. Without one: ``python``, an interpreter first in PATH,
    and ``workdir``, a working folder that Python imports from. With both the container is taken where there is an
    engine. ``memory_mb`` is the most that a container of it gets; the instance type says it, too.

    ``uri`` may hold ``*`` (shell patterns), since compiled pipelines name images by digest. ``mounts`` puts folders
    of this machine at paths of the image, directly under /opt: {"/opt/program": "src"}. ``train`` and ``serve`` are
    what the image's entry point would do with these two words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    uri: str
    container: str | None = None
    engine: Literal["podman", "docker"] | None = None
    memory_mb: int | None = Field(default=None, gt=0)
    python: Path | None = None
    workdir: Path | None = None
    mounts: dict[str, Path] = {}
    train: tuple[str, ...] = ()
    serve: tuple[str, ...] = ()
    environment: dict[str, str] = {}

    @field_validator("mounts")
    @classmethod
    def _directly_under_opt(cls, mounts: dict[str, Path]) -> dict[str, Path]:
        for path in mounts:
            if PurePosixPath(path).parent != PurePosixPath("/opt") or path == "/opt/ml":
                raise ValueError(f"{path}: a mount lies directly under /opt, and /opt/ml belongs to the job")
        return mounts

    @model_validator(mode="after")
    def _runs_somewhere(self) -> Self:
        if self.container is None and (self.python is None or self.workdir is None):
            raise ValueError("it needs python and workdir, or container")
        if self.engine is not None and self.container is None:
            raise ValueError(f"{self.engine} runs containers, and no container is named")
        return self

    @property
    def trains(self) -> bool:
        """Whether it is known what the word `train` does."""
        return self.engine is not None or bool(self.train)

    @property
    def serves(self) -> bool:
        """Whether it is known what the word `serve` does."""
        return self.engine is not None or bool(self.serve)

    def words(self, word: Literal["train", "serve"]) -> tuple[str, ...]:
        """What `docker run IMAGE WORD` is here: the word itself, or what stands for it without a container."""
        if self.engine is not None:
            return (word,)
        return self.train if word == "train" else self.serve

    def answers_to(self, uri: str) -> bool:
        """Whether a request that names ``uri`` means this image."""
        return uri == self.uri or fnmatchcase(uri, self.uri)

    def variables(self) -> dict[str, str]:
        """The environment that the image itself sets. Nothing else of this machine's environment reaches a job."""
        assert self.python is not None
        paths = [str(self.python.parent), "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        return {
            "PATH": os.pathsep.join(paths),
            "PYTHONPATH": str(self.workdir),
            "PYTHONUNBUFFERED": "1",
            "LANG": "C.UTF-8",
            "HOME": "/root",
            **self.environment,
        }


def find_image(images: Iterable[Image], uri: str) -> Image:
    """The first image whose ``uri`` matches.

    Raises:
        UsageError: none does. Running another program in its place would prove nothing.
    """
    known = list(images)
    for image in known:
        if image.answers_to(uri):
            return image
    raise UsageError(
        f"The rehearsal has no program for image '{uri}'",
        why=f"It runs only: {', '.join(i.uri for i in known) or 'none'}.",
        todo='Start with --image \'{"uri": "...", "container": "..."}\', or OfflineAws([Image(...)])',
    )
