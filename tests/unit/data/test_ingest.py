"""From source files to the dataset table: nothing lost in silence, nothing that depends on the machine."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from seatrial.data import tables
from seatrial.data.ingest import Ingested, ingest
from seatrial.data.validate import validate
from seatrial.errors import DataError, ProjectError, ResourceError
from tests.unit.data.parcels import ROWS, SQL, Parcels


def run(parcels: Parcels, sql: str | None = None, **options: int) -> Ingested:
    found = parcels.sources()
    if sql is not None:
        (parcels.folder / "dataset.sql").write_text(sql)
    return ingest(parcels.model(), found, parcels.folder / "dataset.parquet", **options)


def test_rows_are_counted_where_they_come_from_and_where_they_are_left(parcels: Parcels) -> None:
    result = run(parcels)
    assert result.sources == {"parcels": ROWS, "depots": 3}
    assert (result.joined, result.left_out, result.rows) == (ROWS, {"lost": 7}, ROWS - 7)
    assert result.summary() == "600 parcels ⋈ depots → 593 rows"
    assert result.left_out_summary() == "left out 7: 7 lost"


def test_table_has_the_declared_columns_and_types_and_passes_validation(parcels: Parcels) -> None:
    run(parcels)
    path = parcels.folder / "dataset.parquet"
    schema = pq.read_schema(path)
    assert {name: str(schema.field(name).type) for name in schema.names} == {
        "parcel_id": "string",
        "sent": "timestamp[us]",
        "late": "int8",
        "weight": "double",
        "pieces": "int64",
        "depot": "string",
        "wind": "double",
        "days_taken": "int64",
    }
    assert validate(parcels.model(), path).errors == ()


def test_na_in_a_source_is_missing_in_the_table(parcels: Parcels) -> None:
    run(parcels)
    table = pq.read_table(parcels.folder / "dataset.parquet").to_pylist()
    assert {row["wind"] for row in table if row["depot"] == "Bath"} == {None}


def test_bytes_do_not_depend_on_threads_or_on_the_order_of_the_source(parcels: Parcels) -> None:
    """Digests are cache keys, and are compared between machines."""
    digests = {run(parcels, threads=threads).digest for threads in (1, 2, 4)}
    path = parcels.sources()["parcels"]
    header, *lines = path.read_text().splitlines()
    path.write_text("\n".join([header, *reversed(lines)]) + "\n")
    digests.add(ingest(parcels.model(), _found(parcels), parcels.folder / "b.parquet").digest)
    assert len(digests) == 1
    (parcels.folder / "depots.csv").write_text("depot,wind\nAyr,12.6\nBath,NA\nCork,30\n")
    assert ingest(parcels.model(), _found(parcels), parcels.folder / "c.parquet").digest not in digests


def test_bytes_do_not_depend_on_threads_across_row_groups(tmp_path: Path) -> None:
    """Where DuckDB cuts its batches depends on the threads; the file's row groups must not."""
    digests = set()
    for threads in (1, 3):
        with tables.connected(threads=threads) as connection:
            connection.execute("CREATE TABLE t AS SELECT i, i % 7 AS j FROM range(300000) t(i)")
            tables.write(connection, "FROM t WHERE j < 6 ORDER BY j, i", tmp_path / "t.parquet")
        digests.add(tables.digest(tmp_path / "t.parquet"))
    assert len(digests) == 1
    metadata = pq.read_metadata(tmp_path / "t.parquet")
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [122_880, 122_880, 11_383]


def _found(parcels: Parcels) -> dict[str, Path]:
    return {"parcels": parcels.folder / "parcels.csv", "depots": parcels.folder / "depots.csv"}


def test_trial_rows_are_exact_in_number_and_spread_over_time(parcels: Parcels) -> None:
    result = run(parcels, limit_rows=60)
    times = pq.read_table(parcels.folder / "dataset.parquet").column("sent").to_pylist()
    assert result.rows == len(times) == 60
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert max(gaps) - min(gaps) <= dt.timedelta(hours=14)
    assert run(parcels, limit_rows=10_000).rows == ROWS - 7


def test_columns_that_nobody_declared_are_left_away_and_named(parcels: Parcels) -> None:
    assert run(parcels, SQL.replace("p.days_taken,", "p.days_taken, 1 AS extra,")).ignored == ("extra",)


def test_nan_and_empty_text_become_null(parcels: Parcels) -> None:
    sql = SQL.replace("d.wind,", "'nan'::DOUBLE AS wind,").replace(
        "p.depot,", "CASE WHEN p.pieces > 1 THEN p.depot ELSE '' END AS depot,", 1
    )
    run(parcels, sql)
    table = pq.read_table(parcels.folder / "dataset.parquet")
    assert table.column("wind").null_count == table.num_rows
    assert 0 < table.column("depot").null_count < table.num_rows
    assert "" not in table.column("depot").to_pylist()


def test_every_missing_or_mistyped_column_is_named_at_once(parcels: Parcels) -> None:
    typed = "sent::TIMESTAMPTZ AS sent, late::DOUBLE AS late, pieces / 2 AS pieces"
    sql = f"SELECT parcel_id, {typed}, depot, weight FROM parcels"
    with pytest.raises(DataError, match="6 problems") as caught:
        run(parcels, sql)
    assert [line.split(":")[0].strip() for line in caught.value.what.splitlines()[1:]] == [
        "left_out",
        "sent",
        "late",
        "pieces",
        "wind",
        "days_taken",
    ]


def test_sql_error_names_file_and_line(parcels: Parcels) -> None:
    with pytest.raises(ProjectError, match=r"dataset\.sql, line 3: Binder Error") as caught:
        run(parcels, SQL.replace("p.weight", "p.wieght"))
    assert "wieght" in caught.value.why
    with pytest.raises(ProjectError, match=r"dataset\.sql, line 5: Parser Error"):
        run(parcels, SQL.replace("FROM parcels", "FRM parcels"))


def test_error_while_the_statement_runs_names_the_line(parcels: Parcels) -> None:
    with pytest.raises(ProjectError, match=r"dataset\.sql, line 3: Conversion Error"):
        run(parcels, SQL.replace("p.days_taken", "CAST(p.depot AS INTEGER) AS days_taken"))


def test_label_that_does_not_fit_is_an_error_of_the_sql(parcels: Parcels) -> None:
    with pytest.raises(ProjectError, match=r"dataset\.sql: Conversion Error"):
        run(parcels, SQL.replace("p.late,", "p.late + 300 AS late,"))


@pytest.mark.parametrize("sql", ["", "CREATE TABLE a AS SELECT 1", "SELECT 1; SELECT 2", "COPY parcels TO 'x.csv'"])
def test_anything_but_one_select_is_refused(parcels: Parcels, sql: str) -> None:
    with pytest.raises(ProjectError, match="must hold one SELECT"):
        run(parcels, sql)


@pytest.mark.parametrize(
    "reach", ["read_csv('/etc/passwd')", "read_parquet('http://127.0.0.1:1/a.parquet')", "glob('/*')"]
)
def test_statement_reaches_no_file_and_no_network(parcels: Parcels, reach: str) -> None:
    """A dataset that reads what is not declared has no digest, and a foreign model folder would read this machine."""
    with pytest.raises(ProjectError, match=r"disabled by configur|does not exist"):
        run(parcels, SQL.replace("FROM parcels AS p", f"FROM parcels AS p, (SELECT count(*) FROM {reach}) AS x"))


def test_no_rows_left_is_an_error_with_the_reasons(parcels: Parcels) -> None:
    with pytest.raises(DataError, match="the dataset of 'parcels' has no rows") as caught:
        run(parcels, SQL.replace("CASE WHEN p.lost = 1 THEN 'lost' END", "'never'"))
    assert "{'never': 600}" in caught.value.why


def test_missing_dataset_sql_is_an_error(parcels: Parcels) -> None:
    found = parcels.sources()
    (parcels.folder / "dataset.sql").unlink()
    with pytest.raises(ProjectError, match=r"there is no .*dataset\.sql"):
        ingest(parcels.model(), found, parcels.folder / "dataset.parquet")


def test_failure_leaves_the_table_of_before_untouched(parcels: Parcels) -> None:
    before = run(parcels).digest
    with pytest.raises(ProjectError):
        run(parcels, SQL.replace("p.weight", "p.wieght"))
    assert tables.digest(parcels.folder / "dataset.parquet") == before
    assert not list(parcels.folder.glob("*.partial"))


def test_full_disk_is_an_error_that_says_so(tmp_path: Path) -> None:
    """/dev/full takes no byte, as a full disk does."""
    (tmp_path / "t.parquet.partial").symlink_to("/dev/full")
    with tables.connected() as connection, pytest.raises(ResourceError, match="the disk is full"):
        tables.write(connection, "SELECT range FROM range(1000)", tmp_path / "t.parquet")
    assert not (tmp_path / "t.parquet").exists()
