"""Where a rehearsal's jobs run on a machine without a container engine. With one: tests/containers/test_rehearse.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from seatrial import project
from seatrial.errors import ResourceError
from seatrial.rehearsal.story.builds import IMAGE, built, choose


@pytest.fixture
def alone(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> project.Project:
    """A project on a machine with no program at all."""
    monkeypatch.setenv("PATH", str(tiny))
    return project.load(tiny)


def test_without_an_engine_it_is_namespaces_unless_one_was_insisted_on(alone: project.Project) -> None:
    place = choose(alone, "auto", IMAGE)
    assert (place.name, place.why) == ("namespaces", "no container engine answers here")
    assert choose(alone, "none", IMAGE).name == "namespaces"
    for engine in ("podman", "docker"):
        with pytest.raises(ResourceError, match=f"'{engine}' cannot be used: it is not installed"):
            choose(alone, engine, IMAGE)


def test_the_two_builds_are_two_images_that_serve_differently(alone: project.Project) -> None:
    with built(alone, choose(alone, "none", IMAGE), "1.example/trial") as (builds, images):
        sound, broken = images
    assert (sound.uri, broken.uri) == (builds.sound, builds.broken)
    assert builds.sound != builds.broken
    assert {uri.partition("@")[0] for uri in (builds.sound, builds.broken)} == {"1.example/trial"}
    assert sound.workdir == broken.workdir == alone.root
    assert sound.serve[1:] == ("-m", "seatrial.cli.container", "serve")
    assert "break_the_server" in " ".join(broken.serve)
