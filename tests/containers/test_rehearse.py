"""``seatrial rehearse`` in containers: the whole story on the small project's own image, and when an image is taken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from seatrial import project
from seatrial.errors import ResourceError, UsageError
from seatrial.execute import engine as engines
from seatrial.rehearsal.story.builds import choose

pytestmark = pytest.mark.containers

SETTINGS = """
[rollout]
bake_minutes = 20
guardrails = { error_rate = 0.01 }

[rehearsal]
first = { train_until = "2024-02-01" }
"""
Make = Callable[[Path, str], str]


@pytest.fixture
def make(engine: str, project_image: str, tmp_path: Path) -> Iterator[Make]:
    """Makes the image of a project, of which it is said at which commit it is."""
    made = []

    def image(root: Path, commit: str) -> str:
        name = f"localhost/seatrial-small:{uuid.uuid4().hex[:12]}"
        recipe = tmp_path / "Dockerfile"
        recipe.write_text(f"FROM {project_image}\nCOPY . /project\nENV SEATRIAL_GIT_COMMIT={commit}\n")
        subprocess.run([engine, "build", "-q", "-t", name, "-f", recipe, root], check=True, capture_output=True)
        made.append(name)
        return name

    yield image
    for name in made:
        subprocess.run([engine, "rmi", "--force", name], check=True, capture_output=True)


def seatrial(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "seatrial.cli.main", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SEATRIAL_"))}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def told(root: Path, *arguments: str) -> Any:
    done = seatrial(root, *arguments, "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout)


def test_the_whole_story_holds_in_containers(
    engine: str, make: Make, tiny: Path, containers: Callable[[str], list[str]]
) -> None:
    """The package that its jobs make is, to the byte, the one that `seatrial run` makes outside."""
    with (tiny / "recipes" / "parcels" / "model.toml").open("a") as model:
        model.write(SETTINGS)
    image = make(tiny, "unknown")
    story = told(tiny, "rehearse", "parcels", "--engine", engine, "--image", image)
    assert (story["failure"], story["isolation"]) == (None, engine)
    phases = {phase["name"]: phase for phase in story["phases"]}
    assert {phase["lost"] for phase in phases.values()} == {phase["wrong"] for phase in phases.values()} == {0}
    assert [name for name, phase in phases.items() if phase["errors"]] == ["v2 on a broken build"]
    assert set(phases["after the rollback"]["by_version"]) == {"v1"}
    assert set(phases["v2 serves"]["by_version"]) == {"v2"}
    assert any("the image itself" in line for line in story["proven"])
    evidence = {moment["text"]: moment["evidence"] for moment in story["moments"]}
    assert evidence[f"jobs and servers run in {engine}"] == [f"image {image} of commit unknown"]

    assert told(tiny, "run", "parcels", "--arguments", '{"release": false}')["verdict"] == "promote"
    (version,) = told(tiny, "models", "parcels")["parcels"]
    assert evidence["registered v2, waiting for approval"] == [f"package {version['digest']}"]

    assert containers("parcels") == []
    images = [engine, "images", "--format", "{{.Repository}}"]
    assert "seatrial-broken" not in subprocess.run(images, check=True, capture_output=True, text=True).stdout


def test_an_image_is_taken_when_it_holds_just_these_sources(engine: str, make: Make, tiny: Path) -> None:
    def git(*words: str) -> str:
        own = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        return subprocess.run(
            ["git", *own, *words], cwd=tiny, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    commit = git("rev-parse", "HEAD")
    clean, dirty = make(tiny, f"{commit}-clean"), make(tiny, f"{commit}-dirty")
    opened = project.load(tiny)
    assert choose(opened, "auto", clean).engine == choose(opened, engine, clean).engine == engine
    assert choose(opened, "none", clean).engine is None
    described = engines.described(engine, clean)
    assert described is not None
    assert choose(opened, "auto", clean).identity == described.identity

    assert choose(opened, "auto", dirty).engine is None
    with pytest.raises(UsageError, match=f"is of {commit}-dirty, and the project is at {commit}-clean"):
        choose(opened, engine, dirty)

    (tiny / "seatrial.toml").write_text((tiny / "seatrial.toml").read_text() + "\n")
    for image in (clean, dirty):  # nobody knows whether the image has this change
        found = choose(opened, "auto", image)
        assert (found.name, "is not known to hold just these sources" in found.why) == ("namespaces", True)
    with pytest.raises(UsageError, match="is of other sources than this project"):
        choose(opened, engine, clean)
    assert choose(opened, engine, dirty).engine == engine  # insisted on, and it says so
    assert choose(opened, engine, dirty).why.endswith(f"of commit {commit}-dirty")


def test_an_image_that_is_not_there_is_refused_or_done_without(engine: str, tiny: Path) -> None:
    opened = project.load(tiny)
    found = choose(opened, "auto", "localhost/nobody:1")
    assert (found.engine, found.why) == (None, f"{engine} has no image localhost/nobody:1 (make image)")
    with pytest.raises(ResourceError, match="has no image 'localhost/nobody:1'"):
        choose(opened, engine, "localhost/nobody:1")


def test_an_image_of_another_project_is_refused_before_anything_starts(
    engine: str, project_image: str, tiny: Path
) -> None:
    with (tiny / "recipes" / "parcels" / "model.toml").open("a") as model:
        model.write(SETTINGS)
    refused = seatrial(tiny, "rehearse", "parcels", "--engine", engine, "--image", project_image)
    assert refused.returncode == 2
    assert "is of other sources than this project" in refused.stderr
    assert "make image" in refused.stderr
