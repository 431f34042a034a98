"""Lineage: from what a package was made. The content of ``lineage.json``.

It holds digests, versions and choices, and no time of day, host name or path: the same inputs must give the same
package digest on every machine. When and where a run happened is the run's record, not the package's.
"""

from __future__ import annotations

import datetime as dt
import platform
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field

from seatrial.package.candidate import Scalar
from seatrial.project import Settings

UNKNOWN = "unknown"

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

_LIBRARIES = ("lightgbm", "numpy", "onnx", "onnxmltools", "onnxruntime", "scikit-learn", "seatrial", "skl2onnx")


class Git(Settings):
    """The state of the source code."""

    commit: str = UNKNOWN
    dirty: bool | None = None
    """Whether files differed from the commit; None when nobody knows."""

    @property
    def text(self) -> str:
        """As `git_state` takes it: what a job on another machine is told."""
        return self.commit + {True: "-dirty", False: "-clean", None: ""}[self.dirty]


class DataDigests(Settings):
    """SHA-256 of the tables' content, as the data steps compute it."""

    raw: Digest | None = None
    train: Digest
    validation: Digest
    holdout: Digest


class Lineage(Settings):
    """Where a package came from."""

    git: Git = Git()
    data: DataDigests
    holdout_from: dt.date
    trained_from: dt.datetime | None = None
    """Time of the first training row, in the data's own time."""
    trained_to: dt.datetime | None = None
    """Time of the last training row."""
    seed: int = 0
    candidate: str = ""
    """Filled in by ``build``, like the fields below."""
    parameters: dict[str, Scalar] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    """Python and the libraries that shaped the package."""

    def of_candidate(self, name: str, parameters: Mapping[str, Scalar]) -> Self:
        """This lineage, with what only the build knows."""
        known = {"candidate": name, "parameters": dict(sorted(parameters.items())), "versions": library_versions()}
        return type(self).model_validate({**self.model_dump(), **known})


def library_versions() -> dict[str, str]:
    """Installed versions of the libraries that shape a package; those that are not installed are left out.

    Python's is its language version, "3.11": a release of it that only mends faults changes no package, and an image
    seldom has the very one that a person's machine has.
    """
    versions = {"python": ".".join(platform.python_version_tuple()[:2])}
    for name in _LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def git_state(root: Path, *, commit: str | None = None) -> Git:
    """The commit of a project and whether files differ from it. Never fails: without git it is ``unknown``.

    Args:
        root: the project's folder.
        commit: when the caller already knows it, as an image built without ``.git`` does; it may end in ``-dirty`` or
            ``-clean``, as `Git.text` does.
    """
    if commit:
        name, _, state = commit.partition("-")
        return Git(commit=name, dirty={"dirty": True, "clean": False}.get(state))
    head = _git(root, "rev-parse", "--verify", "HEAD")
    if not head:
        return Git()
    status = _git(root, "status", "--porcelain", "--untracked-files=normal")
    return Git(commit=head, dirty=None if status is None else bool(status))


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
