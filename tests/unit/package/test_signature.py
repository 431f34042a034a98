"""Packing: the only place where a row becomes numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from seatrial.errors import DataError, PackageError
from seatrial.package.signature import LARGEST_INT, Packed, Signature
from tests.unit.package.example import model, table

SIGNATURE = Signature.of(model())


def test_rows_and_tables_pack_to_the_same_bits() -> None:
    """Training packs tables and serving packs rows; a difference here would be skew in every prediction."""
    data = table(300, 5)
    from_table = SIGNATURE.pack(data)
    from_rows = SIGNATURE.pack(data.to_pylist())
    assert from_table.numeric.tobytes() == from_rows.numeric.tobytes()
    assert from_table.text.tolist() == from_rows.text.tolist()
    assert np.isnan(from_table.numeric).any() and (from_table.text == "").any()


def test_missing_is_nan_and_empty_text() -> None:
    row = {"month": 1, "carrier": "UA", "wind_gust": None, "origin": None, "seats": 3.0}
    packed = SIGNATURE.pack([row])
    assert np.array_equal(packed.numeric, np.array([[1, np.nan, 3]], np.float32), equal_nan=True)
    assert packed.text.tolist() == [["UA", ""]]


def test_unpack_gives_back_what_a_caller_would_send() -> None:
    row = {"month": 1, "carrier": "UA", "wind_gust": 0.5, "origin": None, "seats": None}
    assert SIGNATURE.unpack(SIGNATURE.pack([row])) == [row]
    assert isinstance(SIGNATURE.unpack(SIGNATURE.pack([row]))[0]["month"], int)


@pytest.mark.parametrize("rows", [[], table(0, 1)])
def test_no_rows_keep_their_width(rows: Any) -> None:
    packed = SIGNATURE.pack(rows)
    assert (packed.numeric.shape, packed.text.shape, packed.rows) == ((0, 3), (0, 2), 0)


@pytest.mark.parametrize("columns", [{"a": "int", "b": "float"}, {"c": "category"}])
def test_a_model_may_have_only_numbers_or_only_categories(columns: dict[str, Any]) -> None:
    signature = Signature.of(model(columns))
    row = dict.fromkeys(columns, 1 if "a" in columns else "x")
    packed = signature.pack([row, row])
    assert packed.numeric.shape == (2, len(signature.numeric))
    assert packed.text.shape == (2, len(signature.text))
    assert signature.unpack(packed) == [row, row]


@pytest.mark.parametrize("kind", [pa.large_string(), pa.dictionary(pa.int8(), pa.string())])
def test_every_arrow_form_of_text_packs_alike(kind: pa.DataType) -> None:
    data = table(50, 5)
    plain = SIGNATURE.pack(data)
    other = data.set_column(data.schema.get_field_index("origin"), "origin", data["origin"].cast(kind))
    assert SIGNATURE.pack(other).text.tolist() == plain.text.tolist()


def test_chunks_are_packed_in_order() -> None:
    """A Parquet file of several row groups arrives in chunks, each with its own dictionary."""
    whole = table(90, 5)
    chunked = pa.concat_tables([whole.slice(0, 40), whole.slice(40)])
    assert SIGNATURE.pack(chunked).text.tolist() == SIGNATURE.pack(whole).text.tolist()
    assert SIGNATURE.pack(chunked).numeric.tobytes() == SIGNATURE.pack(whole).numeric.tobytes()


def test_a_table_that_float32_cannot_hold_is_refused_with_every_problem() -> None:
    """2**24 + 1 becomes 2**24 in float32, without a word, and 1e39 becomes infinity."""
    bad = pa.table(
        {
            "month": pa.array([1, LARGEST_INT + 1]),
            "carrier": pa.array([1, 2]),
            "wind_gust": pa.array([1.0, 1e39]),
            "seats": pa.array([0.5, 1.0]),
        }
    )
    with pytest.raises(DataError) as caught:
        SIGNATURE.pack(bad)
    text = caught.value.what
    assert "5 problems" in text
    assert "month: holds 16777217.0 (row 1)" in text
    assert "carrier: is int64, not text" in text
    assert "wind_gust: holds 1e+39 (row 1)" in text
    assert "seats: is declared int and holds fractions" in text
    assert "origin: the column is missing" in text


def test_infinity_in_a_table_is_refused() -> None:
    data = table(3, 5)
    bad = data.set_column(data.schema.get_field_index("wind_gust"), "wind_gust", pa.array([1.0, float("inf"), 2.0]))
    with pytest.raises(DataError, match=r"wind_gust: holds inf \(row 1\)"):
        SIGNATURE.pack(bad)


def test_a_column_of_nulls_packs_as_missing() -> None:
    data = table(3, 5)
    for name in ("wind_gust", "origin"):
        data = data.set_column(data.schema.get_field_index(name), name, pa.nulls(3))
    packed = SIGNATURE.pack(data)
    assert np.isnan(packed.numeric[:, 1]).all()
    assert (packed.text[:, 1] == "").all()


def test_positions_count_numbers_before_texts() -> None:
    assert SIGNATURE.positions("carrier", "seats", "month") == [3, 2, 0]
    with pytest.raises(PackageError, match="wind_gusts"):
        SIGNATURE.positions("month", "wind_gusts")


def test_signature_survives_json() -> None:
    assert Signature.model_validate_json(SIGNATURE.model_dump_json()) == SIGNATURE


def test_taking_a_slice_copies_nothing() -> None:
    packed = SIGNATURE.pack(table(10, 5))
    part: Packed = packed.take(slice(2, 4))
    assert part.rows == 2 and np.shares_memory(part.numeric, packed.numeric)
