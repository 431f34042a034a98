"""A package archive is always the same bytes, and unpacks to what it was made of, or to nothing outside the folder."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from seatrial.clouds.aws.archive import packed, unpack
from seatrial.errors import PackageError


def test_a_folder_comes_back_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "package"
    (folder / "deep").mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    (folder / "deep" / "model.onnx").write_bytes(bytes(range(256)) * 1000)
    content = packed(folder)
    back = tmp_path / "back"
    unpack(content, back)
    assert {path.relative_to(back).as_posix(): path.read_bytes() for path in back.rglob("*") if path.is_file()} == {
        "manifest.json": b"{}",
        "deep/model.onnx": bytes(range(256)) * 1000,
    }
    assert packed(back) == content


def _file(name: str, mode: int = 0o644) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode = mode
    return entry


def _link(kind: bytes, target: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo("inside")
    entry.type, entry.linkname = kind, target
    return entry


def _archive(*entries: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for entry in entries:
            archive.addfile(entry)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (lambda outside: _file("../outside"), "'../outside' leads out"),
        (lambda outside: _file("a/../../outside"), "leads out"),
        (lambda outside: _file(str(outside)), "leads out"),
        (lambda outside: _link(tarfile.SYMTYPE, str(outside)), "'inside' is neither"),
        (lambda outside: _link(tarfile.LNKTYPE, "../outside"), "neither a file nor a folder"),
        (lambda outside: _link(tarfile.FIFOTYPE, ""), "neither a file nor a folder"),
    ],
)
def test_what_leads_out_of_the_folder_is_refused(
    tmp_path: Path, entry: Callable[[Path], tarfile.TarInfo], told: str
) -> None:
    outside = tmp_path / "outside"
    with pytest.raises(PackageError, match="cannot be unpacked") as refused:
        unpack(_archive(entry(outside)), tmp_path / "folder")
    assert told in refused.value.what
    assert not outside.exists()
    assert not list((tmp_path / "folder").rglob("*"))


@pytest.mark.parametrize("damage", [lambda c: c[:-40], lambda c: c[:30] + b"xx" + c[32:], lambda c: b"no archive"])
def test_a_damaged_archive_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "model.onnx").write_bytes(bytes(range(256)) * 1000)
    with pytest.raises(PackageError, match="cannot be unpacked"):
        unpack(damage(packed(tmp_path / "package")), tmp_path / "folder")


def test_what_was_executable_stays_so(tmp_path: Path) -> None:
    unpack(_archive(_file("serve", 0o755), _file("readme")), tmp_path)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("serve", "readme")] == [0o755, 0o644]
