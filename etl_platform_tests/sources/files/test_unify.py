from __future__ import annotations

import pyarrow as pa
import pytest

from etl_platform.core.errors import SchemaMismatch
from etl_platform.sources.files import unify


def test_columns_of_all_files_come_in_the_order_of_their_first_occurrence() -> None:
    first = pa.schema([("a", pa.int64()), ("b", pa.string())])
    second = pa.schema([("c", pa.bool_()), ("a", pa.int32())])
    assert unify([first, second]) == pa.schema(
        [("a", pa.int64()), ("b", pa.string()), ("c", pa.bool_())]
    )


def test_nested_columns_are_unified_within() -> None:
    one = pa.schema([("s", pa.struct([("x", pa.int64())]))])
    two = pa.schema([("s", pa.struct([("y", pa.list_(pa.field("element", pa.string())))]))])
    (field,) = unify([one, two])
    assert [inner.name for inner in field.type] == ["x", "y"]


def test_whole_and_fractional_numbers_become_doubles() -> None:
    one, two = pa.schema([("n", pa.int64())]), pa.schema([("n", pa.float64())])
    assert unify([one, two]).field("n").type == pa.float64()


def test_whole_numbers_and_decimals_become_decimals_that_hold_both() -> None:
    one, two = pa.schema([("n", pa.int64())]), pa.schema([("n", pa.decimal128(10, 4))])
    assert unify([one, two]).field("n").type == pa.decimal128(38, 4)


@pytest.mark.parametrize(
    "other", [pa.string(), pa.date32(), pa.bool_(), pa.list_(pa.int64())], ids=str
)
def test_a_column_without_a_common_exact_type_is_refused(other: pa.DataType) -> None:
    with pytest.raises(SchemaMismatch, match=r"column 'n' is int64 in schema 0 and .* in schema 1"):
        unify([pa.schema([("n", pa.int64())]), pa.schema([("n", other)])])
