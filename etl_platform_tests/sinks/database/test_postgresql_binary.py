"""What PostgreSQL reads from the binary form is what Arrow holds."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import make_url

from etl_platform.sinks.database.columns import TargetColumn, sql_table
from etl_platform.sinks.database.dialects.postgresql_binary import SIGNATURE, TRAILER, encode
from etl_platform.sinks.database.dialects.postgresql_session import connect
from etl_platform.sinks.database.load import Target
from etl_platform_tests.servers.postgres import PostgresDatabase

pytestmark = pytest.mark.postgres


def stored(postgres: PostgresDatabase, batch: pa.RecordBatch, declared: str) -> list[Any]:
    """What a column of this type holds after the batch's column ``v`` was sent into it."""
    postgres.execute(f"CREATE TABLE t (v {declared})")
    session = connect(make_url(postgres.url), 10)
    table = sql_table(Target("t"), (TargetColumn("v", declared, None),))
    with session.transaction():
        session.fill(table, pa.RecordBatchReader.from_batches(batch.schema, [batch]))
    session.close()
    with postgres.connect() as reading:
        return [row[0] for row in reading.execute("SELECT v FROM t ORDER BY ctid").fetchall()]


SIZES = ["0", "1", "-1", "9999", "10000", "-10000.0001", "0.00001", "99999999.9", "12345678.90123"]
DECIMALS = [
    (pa.decimal128(18, 5), [*SIZES, "-9999999999999.99999"]),
    (pa.decimal128(38, 10), [*SIZES, "9999999999999999999999999999.9999999999"]),
    (
        pa.decimal128(38, 0),
        ["0", "-99999999999999999999999999999999999999", "18446744073709551616"],
    ),
    (pa.decimal128(5, 5), ["0.00001", "-0.99999", "0"]),
]


@pytest.mark.parametrize(("kind", "texts"), DECIMALS, ids=str)
def test_decimals_of_every_size(
    postgres: PostgresDatabase, kind: pa.Decimal128Type, texts: list[str]
) -> None:
    values = [None, *(Decimal(text) for text in texts)]
    batch = pa.record_batch({"v": pa.array(values, kind)})
    assert stored(postgres, batch, f"numeric({kind.precision},{kind.scale})") == values


@pytest.mark.parametrize(
    ("values", "kind", "declared"),
    [
        ([1, None, -(2**63), 2**63 - 1, 5], pa.int64(), "bigint"),
        ([True, None, False, True], pa.bool_(), "boolean"),
        (["", None, "é", "x" * 10_000, "\\N"], pa.string(), "text"),
        ([b"", None, b"\0\xff", b"ab"], pa.binary(), "bytea"),
        ([[], None, [1, None, 3], [None], [7]], pa.list_(pa.int64()), "bigint[]"),
        ([["a", None], None, [], ["", "é"]], pa.list_(pa.string()), "text[]"),
        ([[Decimal("1.50"), None], [], None], pa.list_(pa.decimal128(9, 2)), "numeric(9,2)[]"),
    ],
    ids=str,
)
def test_a_slice_of_a_batch_is_sent_as_it_stands_there(
    postgres: PostgresDatabase, values: list[Any], kind: pa.DataType, declared: str
) -> None:
    batch = pa.record_batch({"v": pa.array(values, kind)}).slice(1)
    assert stored(postgres, batch, declared) == values[1:]


def test_what_a_null_list_spans_is_not_sent(postgres: PostgresDatabase) -> None:
    lists = pa.ListArray.from_arrays(
        pa.array([0, 2, 3], pa.int32()), pa.array([1, 2, 3]), mask=pa.array([True, False])
    )
    assert lists.values.to_pylist() == [1, 2, 3]
    assert stored(postgres, pa.record_batch({"v": lists}), "bigint[]") == [None, [3]]


def test_rows_are_encoded_as_the_documentation_writes_them() -> None:
    batch = pa.record_batch({"a": pa.array([1, None], pa.int32()), "b": ["x", "yz"]})
    rows = encode(batch).to_pybytes()
    assert rows == (
        b"\0\x02" + b"\0\0\0\x04\0\0\0\x01" + b"\0\0\0\x01x"
        b"\0\x02" + b"\xff\xff\xff\xff" + b"\0\0\0\x02yz"
    )
    assert len(SIGNATURE) == 19
    assert TRAILER == b"\xff\xff"
