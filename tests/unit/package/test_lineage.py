"""Lineage: where a package came from, and nothing about when or on which machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from seatrial.package.build import Built
from seatrial.package.lineage import Git, git_state, library_versions


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def test_commit_and_whether_files_differ(tmp_path: Path) -> None:
    git(tmp_path, "init")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-m", "one")
    clean = git_state(tmp_path)
    assert len(clean.commit) == 40 and clean.dirty is False
    (tmp_path / "a").write_text("2")
    assert git_state(tmp_path) == Git(commit=clean.commit, dirty=True)


def test_without_a_repository_it_is_unknown(tmp_path: Path) -> None:
    assert git_state(tmp_path / "nowhere") == Git(commit="unknown", dirty=None)


def test_without_git_it_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(tmp_path) == Git()


def test_a_commit_that_the_caller_knows_is_taken(tmp_path: Path) -> None:
    """An image has no .git; its build knew the commit."""
    assert git_state(tmp_path, commit="abc123") == Git(commit="abc123", dirty=None)
    assert git_state(tmp_path, commit="abc123-dirty") == Git(commit="abc123", dirty=True)


def test_versions_are_those_installed() -> None:
    import onnx

    assert library_versions()["onnx"] == onnx.__version__


def test_no_path_reaches_a_package(built: Built) -> None:
    """Paths and host names would make the digests of equal packages differ, and tell strangers about the builder."""
    import socket

    for file in built.package.path.iterdir():
        content = file.read_bytes()
        assert str(Path.cwd()).encode() not in content
        assert str(built.package.path.parent).encode() not in content
        assert socket.gethostname().encode() not in content
