"""A model package as the one file that SageMaker unpacks below ``/opt/ml/model``, always the same bytes."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from seatrial.errors import PackageError


def packed(folder: Path) -> bytes:
    """The files of a folder as tar.gz: sorted, without times and owners, so that equal packages give equal bytes."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(filename="", fileobj=buffer, mode="wb", compresslevel=6, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                content = path.read_bytes()
                entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
                entry.size, entry.mode = len(content), 0o644
                archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def unpack(content: bytes, folder: Path) -> None:
    """Unpack an archive.

    Raises:
        PackageError: it is none, or a member of it leads out of the folder.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            extract(archive, folder)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as exc:
        raise PackageError(
            f"a downloaded package cannot be unpacked: {exc}",
            why="It is damaged, or something else than Seatrial put it there.",
            todo="Run the pipeline again: it registers the package anew.",
        ) from exc


def extract(archive: tarfile.TarFile, folder: Path) -> None:
    """Write an archive's files below a folder, executable where they were.

    The standard library's own filter is missing from Python 3.11.0 to 3.11.3, Debian's among them.

    Raises:
        tarfile.ReadError: a member leads out of the folder, or is neither file nor folder. The members before it stay.
    """
    for member in archive:
        name = PurePosixPath(member.name)
        if name.is_absolute() or ".." in name.parts:
            raise tarfile.ReadError(f"'{member.name}' leads out of the folder")
        target = folder / name
        content = archive.extractfile(member) if member.isfile() else None
        if content is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            with content, target.open("wb") as file:
                shutil.copyfileobj(content, file)
            target.chmod(0o755 if member.mode & 0o100 else 0o644)
        elif member.isdir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            raise tarfile.ReadError(f"'{member.name}' is neither a file nor a folder")
