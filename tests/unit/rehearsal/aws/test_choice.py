"""Where an image's programs run, on machines that have no engine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from seatrial.errors import ResourceError, UsageError
from seatrial.rehearsal.aws import Image
from seatrial.rehearsal.aws.choice import settled

_CONTAINER = Image(uri="a", container="localhost/a:1")
_BOTH = Image(uri="a", container="localhost/a:1", python=Path(sys.executable), workdir=Path("/"))


@pytest.fixture
def no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PATH with what namespaces need, and an engine that does not answer."""
    for name in ("unshare", "setpriv", "bash", "mount"):
        (found,) = [p for p in (Path(f, name) for f in ("/usr/bin", "/bin")) if p.exists()][:1]
        (tmp_path / name).symlink_to(found)
    dead = tmp_path / "docker"
    dead.write_text("#!/bin/bash\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    dead.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


def test_a_container_is_refused_and_never_replaced_by_a_program_of_this_machine(no_engine: None) -> None:
    with pytest.raises(ResourceError, match="neither podman nor docker answers here"):
        settled([_CONTAINER])
    with pytest.raises(ResourceError, match="Cannot connect to the Docker daemon"):
        settled([_BOTH], "docker")
    with pytest.raises(ResourceError, match="it is not installed"):
        settled([_BOTH], "podman")
    with pytest.raises(UsageError, match="no engine was wanted"):
        settled([_CONTAINER], "none")
    with pytest.raises(UsageError, match="'lxc' is no container engine"):
        settled([_BOTH], "lxc")


def test_an_image_with_both_runs_in_namespaces_without_an_engine(no_engine: None) -> None:
    assert [image.engine for image in settled([_BOTH])] == [None]
    assert [image.engine for image in settled([_BOTH], "none")] == [None]


def test_without_engine_and_namespaces_the_server_refuses(
    no_engine: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And says why: two jobs on the bare machine would share one /opt/ml."""
    from seatrial.rehearsal.aws import isolation

    (tmp_path / "unshare").unlink()
    isolation._refusal.cache_clear()
    try:
        with pytest.raises(ResourceError, match="unshare is not installed") as told:
            settled([_BOTH])
        assert "two jobs would share one" in told.value.why
    finally:
        isolation._refusal.cache_clear()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "python and workdir, or container"),
        ({"python": sys.executable}, "python and workdir, or container"),
        ({"engine": "podman", "python": sys.executable, "workdir": "/"}, "no container is named"),
        ({"container": "a", "memory_mb": 0}, "greater than 0"),
        ({"container": "a", "engine": "lxc"}, "podman"),
    ],
)
def test_an_image_that_could_not_run_is_refused(fields: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Image.model_validate({"uri": "a", **fields})
