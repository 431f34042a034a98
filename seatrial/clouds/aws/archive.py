"""A model package as the one file that SageMaker unpacks below ``/opt/ml/model``, always the same bytes."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

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
            archive.extractall(folder, filter="data")
    except (tarfile.TarError, OSError, EOFError) as exc:
        raise PackageError(
            f"a downloaded package cannot be unpacked: {exc}",
            why="It is damaged, or something else than Seatrial put it there.",
            todo="Run the pipeline again: it registers the package anew.",
        ) from exc
