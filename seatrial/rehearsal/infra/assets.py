"""Files and archives of a program: read, hashed, and packed the same way every time."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

from seatrial.errors import RehearsalError
from seatrial.rehearsal.infra.provider.base import SIGNATURE, Props, blob, digest_of, is_blob

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can say."""


class Assets:
    """The files of one program; relative paths start at its folder."""

    def __init__(self, folder: Path) -> None:
        """``folder``: where the program runs."""
        self._folder = folder

    def hashed(self, value: Any) -> Any:
        """``value`` with the hash of every file and archive in it: how it is recorded and compared.

        Raises:
            RehearsalError: one cannot be read, or is of a kind that is not rehearsed.
        """
        if is_blob(value):
            return {**value, "hash": self._blob(value)["hash"]}
        if isinstance(value, dict):
            return {key: self.hashed(each) for key, each in value.items()}
        return [self.hashed(each) for each in value] if isinstance(value, list) else value

    def with_content(self, plain: Any, origin: Any) -> Any:
        """``plain`` with the content of the files that ``origin``, the same with marks, names: what is applied."""
        if is_blob(plain):
            return self._blob(origin) if is_blob(origin) and origin.get("hash") == plain.get("hash") else plain
        if isinstance(plain, dict):
            inside = origin if isinstance(origin, dict) else {}
            return {key: self.with_content(each, inside.get(key)) for key, each in plain.items()}
        if isinstance(plain, list):
            inner = origin if isinstance(origin, list) and len(origin) == len(plain) else [None] * len(plain)
            return [self.with_content(each, other) for each, other in zip(plain, inner, strict=True)]
        return plain

    def _blob(self, value: Props) -> Props:
        return blob("asset", self._file(value)) if _is_file(value) else blob("archive", self._archive(value))

    def _file(self, value: Props) -> bytes:
        if "text" in value:
            return str(value["text"]).encode()
        if "path" in value:
            return self._read(str(value["path"]))
        raise _refused(f"the file {value.get('uri')}", "It is fetched from elsewhere.")

    def _archive(self, value: Props) -> bytes:
        if "assets" in value:
            return _zipped(dict(self._members(value["assets"])))
        if "path" not in value:
            raise _refused(f"the archive {value.get('uri')}", "It is fetched from elsewhere.")
        path = self._folder / str(value["path"])
        if path.is_dir():
            return _zipped(
                {each.relative_to(path).as_posix(): each.read_bytes() for each in path.rglob("*") if each.is_file()}
            )
        if path.suffix == ".zip":
            return self._read(str(value["path"]))
        raise _refused(f"the archive {path.name}", "Folders and .zip files are archives here.")

    def _members(self, assets: Props) -> list[tuple[str, bytes]]:
        members: list[tuple[str, bytes]] = []
        for name, each in assets.items():
            if not is_blob(each):
                raise _refused(f"'{name}' of an archive", "It is neither a file nor an archive.")
            if _is_file(each):
                members.append((name, self._file(each)))
                continue
            with zipfile.ZipFile(io.BytesIO(self._archive(each))) as inner:
                members += [(f"{name}/{entry}", inner.read(entry)) for entry in inner.namelist()]
        return members

    def _read(self, path: str) -> bytes:
        try:
            return (self._folder / path).read_bytes()
        except OSError as exc:
            raise RehearsalError(
                f"the program's file {path} cannot be read: {exc.strerror}",
                why="It is part of a resource.",
                todo=f"Paths start at the program's folder, {self._folder}.",
            ) from exc


def _is_file(value: Props) -> bool:
    return bool(value[SIGNATURE] == digest_of("asset", "")[SIGNATURE])


def _zipped(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, members[name], zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _refused(what: str, why: str) -> RehearsalError:
    return RehearsalError(f"{what} is not rehearsed", why=why, todo="Use a file, a text or a folder of the program.")
