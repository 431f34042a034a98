"""The scripts that workflows call, with stand-ins for the programs that they call: what is asked, what ends them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
IMAGE = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/seatrial-dev@sha256:" + "a" * 64
DOCKERS = "application/vnd.docker.distribution.manifest.v2+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"


class Checkout:
    """A small repository with the scripts in it, and a folder of programs that write down how they were called."""

    def __init__(self, folder: Path) -> None:
        self.root, self.programs = folder / "checkout", folder / "programs"
        self._calls, self._stdin = folder / "calls", folder / "stdin"
        self.programs.mkdir()
        self._calls.touch()
        (self.root / "infra" / "aws").mkdir(parents=True)
        (self.root / "training").mkdir()
        for name in ("Makefile", "training/Dockerfile", *(f"infra/{path.name}" for path in ROOT.glob("infra/*.sh"))):
            shutil.copy(ROOT / name, self.root / name)
        (self.root / ".gitignore").write_text("/.venv/\n")
        for command in ("init -q", "add -A", "-c user.name=t -c user.email=t@example.com commit -qm c"):
            self.git(*command.split())

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", "-C", self.root, *arguments], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def program(self, name: str, script: str = "", folder: Path | None = None) -> None:
        """A stand-in; ``script`` is sh, and knows its arguments as ``$*``."""
        path = (folder or self.programs) / Path(name).name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!/bin/sh\necho "{path.name} $*" >> {self._calls}\n{script}\n')
        path.chmod(0o755)

    def run(self, name: str, **environment: str) -> subprocess.CompletedProcess[str]:
        known = {"PATH": f"{self.programs}:{os.environ['PATH']}", "HOME": str(self.root.parent)}
        return subprocess.run(
            [self.root / "infra" / name], env=known | environment, capture_output=True, text=True, check=False
        )

    def calls(self, program: str) -> list[str]:
        """What a stand-in was called with."""
        lines = self._calls.read_text().splitlines()
        return [line.removeprefix(f"{program} ") for line in lines if line.startswith(f"{program} ")]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


class Registry:
    """ECR, and the engine that pushes there, as far as ``push-image.sh`` meets them."""

    def __init__(self, checkout: Checkout, engine: str = "docker", *, pushes: str = DOCKERS) -> None:
        self.checkout, self.engine = checkout, engine
        self.kept = checkout.programs / "kept"
        missing = "An error occurred (ImageNotFoundException) when calling the DescribeImages operation"
        checkout.program(
            "aws",
            f"""case "$*" in
            "ecr describe-images"*) cat {self.kept} 2>/dev/null || {{ echo "{missing}" >&2; exit 254; }} ;;
            "ecr get-login-password") echo secret ;;
            esac""",
        )
        digest = IMAGE.partition("@")[2]
        checkout.program(
            engine,
            f"""case "$1" in
            build|login) cat >/dev/null ;;
            push) printf '%s\\t%s\\n' {digest} {pushes} > {self.kept} ;;
            image) echo id ;;
            esac""",
        )

    def push(self, **environment: str) -> subprocess.CompletedProcess[str]:
        names = {"ACCOUNT": "111122223333", "REPOSITORY": "seatrial-dev", "AWS_REGION": "eu-central-1"}
        return self.checkout.run("push-image.sh", **names | environment)

    def built(self) -> str:
        (build,) = [call for call in self.checkout.calls(self.engine) if call.startswith("build ")]
        return build


def test_docker_builds_what_sagemaker_takes(checkout: Checkout) -> None:
    """No index around the manifest, and Docker's own media types, with docker 28 and 29 alike."""
    registry = Registry(checkout)
    done = registry.push()
    assert (done.returncode, done.stdout) == (0, f"image={IMAGE}\n"), done.stderr
    built = registry.built()
    assert "--provenance=false --output type=docker,oci-mediatypes=false" in built
    assert "--platform linux/amd64" in built and "--format" not in built
    tag = checkout.git("rev-parse", "HEAD")
    pushed = f"111122223333.dkr.ecr.eu-central-1.amazonaws.com/seatrial-dev:{tag}"
    assert f"-t {pushed} " in built
    assert f"push --quiet {pushed}" in checkout.calls("docker")


def test_podman_builds_what_sagemaker_takes(checkout: Checkout) -> None:
    registry = Registry(checkout, "podman")
    done = registry.push(ENGINE="podman")
    assert done.returncode == 0, done.stderr
    assert "--network host --format docker" in registry.built() and "--platform linux/amd64" in registry.built()
    assert "--provenance" not in registry.built()
    assert any(call.startswith("login ") for call in checkout.calls("podman"))
    assert any(call.startswith("push ") for call in checkout.calls("podman"))


def test_make_image_alone_builds_for_this_machine(checkout: Checkout) -> None:
    registry = Registry(checkout, "podman")
    environment = {"PATH": f"{checkout.programs}:{os.environ['PATH']}"}
    subprocess.run(["make", "-C", checkout.root, "image", "ENGINE=podman"], env=environment, check=True)
    assert "--platform" not in registry.built() and "--format docker" in registry.built()


def test_an_image_that_sagemaker_would_refuse_is_said(checkout: Checkout) -> None:
    """Now, and not when CreateModel refuses it after hours of training; also one that was pushed before."""
    registry = Registry(checkout, pushes=OCI_INDEX)
    for _ in range(2):
        done = registry.push()
        assert done.returncode == 1 and "image=" not in done.stdout
        assert OCI_INDEX in done.stderr and DOCKERS in done.stderr and "batch-delete-image" in done.stderr


def test_a_commit_that_was_pushed_is_not_pushed_again(checkout: Checkout) -> None:
    registry = Registry(checkout)
    assert [registry.push().stdout for _ in range(2)] == [f"image={IMAGE}\n"] * 2
    assert len([call for call in checkout.calls("docker") if call.startswith("push ")]) == 1


@pytest.mark.parametrize("change", ["training/new.py", "Makefile"])
def test_what_differs_from_the_commit_is_not_pushed_under_its_name(checkout: Checkout, change: str) -> None:
    registry = Registry(checkout)
    (checkout.root / change).write_text("another\n")
    done = registry.push()
    assert done.returncode == 1
    assert "files here differ from the commit" in done.stderr and "Commit or stash" in done.stderr
    assert checkout.calls("docker") == checkout.calls("aws") == []


def test_a_registry_that_refuses_is_not_one_without_the_image(checkout: Checkout) -> None:
    """With expired credentials half an hour would be built for nothing."""
    registry = Registry(checkout)
    checkout.program("aws", "echo 'An error occurred (ExpiredTokenException)' >&2; exit 254")
    done = registry.push()
    assert done.returncode == 1 and "ExpiredTokenException" in done.stderr
    assert checkout.calls("docker") == []


@pytest.mark.parametrize(
    ("outputs", "given", "named"),
    [
        (f'{{"prefix": "seatrial-dev", "image": "{IMAGE}"}}', "", IMAGE),
        ('{"prefix": "seatrial-dev"}', "", ""),
        ("{}", "", ""),
        ("{}", IMAGE, IMAGE),
    ],
)
def test_the_image_that_the_stack_names_is_kept(checkout: Checkout, outputs: str, given: str, named: str) -> None:
    checkout.program("pulumi", f"""test "$1" != stack || echo '{outputs}'""")
    done = checkout.run("keep-image.sh", STACK="dev", IMAGE=given)
    assert done.returncode == 0, done.stderr
    set_to = [call for call in checkout.calls("pulumi") if call.startswith("config set")]
    assert set_to == ([f"config set image {named} --stack dev"] if named else [])
    assert ("names no image yet" in done.stdout) == (not named)


def test_outputs_that_cannot_be_read_are_not_a_stack_without_an_image(checkout: Checkout) -> None:
    """The update that follows would take the image out of a stack that serves."""
    checkout.program("pulumi", "echo 'error: ExpiredToken' >&2; exit 255")
    done = checkout.run("keep-image.sh", STACK="dev")
    assert done.returncode != 0
    assert "ExpiredToken" in done.stderr and "no image yet" not in done.stdout


@pytest.mark.parametrize(
    ("script", "code", "told"),
    [
        ("echo 'verdict promote'", 0, "verdict promote"),
        ("echo 'verdict reject'; exit 3", 3, "verdict reject"),
        ("echo 'error: access denied' >&2; exit 1", 1, "error: access denied"),
    ],
)
def test_how_a_launch_ended_is_told_and_handed_on(checkout: Checkout, script: str, code: int, told: str) -> None:
    checkout.program("seatrial", script, checkout.root / ".venv" / "bin")
    summary = checkout.root.parent / "summary"
    done = checkout.run("launch.sh", MODEL="flights", STACK="dev", GITHUB_STEP_SUMMARY=str(summary))
    assert done.returncode == code
    assert told in done.stdout
    assert told in summary.read_text() and "### flights on dev" in summary.read_text()
    launched = [f"launch flights --cloud aws --stack dev{rest}" for rest in (" --pipeline release --no-start", "")]
    assert checkout.calls("seatrial") == (launched if code == 0 else launched[:1])


def test_the_exit_code_of_training_is_handed_on(checkout: Checkout) -> None:
    checkout.program("seatrial", 'case "$*" in *--no-start) ;; *) exit 3 ;; esac', checkout.root / ".venv" / "bin")
    assert checkout.run("launch.sh", MODEL="flights", STACK="dev").returncode == 3
    assert len(checkout.calls("seatrial")) == 2


def test_a_launch_meets_a_clean_checkout(checkout: Checkout) -> None:
    """A file of ours there would mark the packages that it makes as of a changed source."""
    checkout.program("seatrial", "git status --porcelain", checkout.root / ".venv" / "bin")
    done = checkout.run("launch.sh", MODEL="flights", STACK="dev", GITHUB_STEP_SUMMARY=os.devnull)
    assert (done.returncode, done.stdout) == (0, "")
