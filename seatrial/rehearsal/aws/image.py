"""Which program an image URI stands for.

Without a container engine, an image is a Python and a folder of this machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, field_validator

from seatrial.errors import UsageError


class Image(BaseModel):
    """What a job of this image finds: an interpreter first in PATH, a working folder that Python imports from.

    ``uri`` may hold ``*`` (shell patterns), since compiled pipelines name images by digest. ``mounts`` puts folders
    of this machine at paths of the image, directly under /opt: {"/opt/program": "src"}. ``train`` and ``serve`` are
    what the image's entry point would do with these two words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    uri: str
    python: Path
    workdir: Path
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

    def answers_to(self, uri: str) -> bool:
        """Whether a request that names ``uri`` means this image."""
        return uri == self.uri or fnmatchcase(uri, self.uri)

    def variables(self) -> dict[str, str]:
        """The environment that the image itself sets. Nothing else of this machine's environment reaches a job."""
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
        why=f"Without a container engine it runs only: {', '.join(i.uri for i in known) or 'none'}.",
        todo='Start with --image \'{"uri": "...", "python": "...", "workdir": "..."}\', or OfflineAws([Image(...)])',
    )
