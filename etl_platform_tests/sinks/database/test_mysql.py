"""What is MariaDB's alone: its limits, LOAD DATA that skips rows silently, RENAME that commits."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from etl_platform.core.errors import PermanentError
from etl_platform.sinks.database import GateViolation, Load, LoadMode, Target
from etl_platform_tests.servers.mariadb import MariaDbDatabase
from etl_platform_tests.sinks.database.targets import Warehouse, order

pytestmark = [
    pytest.mark.mariadb,
    pytest.mark.parametrize("warehouse", ["mysql"], indirect=True),
]
ORDERS = Target("orders")
KEPT = timedelta(days=1)
INSTANT = pa.timestamp("us", "UTC")
LIMITS: list[tuple[str, pa.DataType, list[Any], str]] = [
    # declared type of the target, lake type, values of which the second does not fit, reason
    ("varchar(3)", pa.string(), ["äöü", "abcd"], "longer than the 3 characters"),
    ("tinytext", pa.string(), ["a" * 255, "é" * 128], "longer than the 255 bytes"),
    ("varchar(9) character set latin1", pa.string(), ["é€", "жук"], "characters that latin1 lacks"),
    ("varchar(9) character set utf8mb3", pa.string(), ["жук", "🐘"], "characters that utf8mb3"),
    ("char(5)", pa.string(), [" a", "a "], "spaces at the end"),
    ("enum('A','it''s')", pa.string(), ["it's", "a"], "none of the ENUM"),
    ("tinyint unsigned", pa.int64(), [255, 256], "outside of 0 to 255"),
    ("mediumint", pa.int32(), [-8388608, 8388608], "outside of -8388608 to 8388607"),
    ("bigint unsigned", pa.decimal128(20, 0), [Decimal(2**64 - 1), Decimal(2**64)], "outside of 0"),
    ("bit(3)", pa.int64(), [7, 8], "outside of 0 to 7"),
    ("year", pa.int32(), [2155, 2156], "no YEAR"),
    ("decimal(6,2)", pa.decimal128(9, 3), [Decimal("1.230"), Decimal("1.235")], "not exactly a"),
    ("decimal(65,30)", pa.decimal128(38, 31), [Decimal(1), Decimal("1E-31")], "not exactly a"),
    ("double", pa.float64(), [0.1, math.nan], "NaN or infinity"),
    ("float", pa.float64(), [0.5, 0.1], "not exactly a float"),
    ("date", pa.date32(), [date(1, 1, 1), -800_000], "outside of the years 1 to 9999"),
    ("datetime", pa.timestamp("us"), [datetime(2024, 1, 1), datetime(2024, 1, 1, 0, 0, 0, 1)],
     "more than 0 digits of a second"),
    ("timestamp(6)", INSTANT, [datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC),
                               datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC)], "1970-01-01 00:00:01"),
    ("varbinary(2)", pa.binary(), [b"\0\\", b"abc"], "longer than varbinary(2)"),
    ("binary(2)", pa.binary(), [b"ab", b"a"], "to which zeros would be added"),
    ("uuid", pa.string(), ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0"], "no UUID"),
]  # fmt: skip


@pytest.mark.parametrize(("declared", "kind", "values", "reason"), LIMITS)
def test_a_value_beyond_a_limit_is_named_and_nothing_is_sent(
    warehouse: Warehouse, declared: str, kind: pa.DataType, values: list[Any], reason: str
) -> None:
    warehouse.database.execute(f"CREATE TABLE narrow (id bigint PRIMARY KEY, v {declared})")
    rows = warehouse.rows(pa.table({"id": [1, 2], "v": pa.array(values, kind)}))
    with pytest.raises(GateViolation) as refused:
        warehouse.sink.load(rows, Load(Target("narrow"), LoadMode.UPSERT, "a", ("id",)))
    assert all(finding.rows == 1 for finding in refused.value.findings)
    assert any(reason in finding.reason for finding in refused.value.findings)
    assert "id='2'" in refused.value.findings[0].samples[0]
    assert warehouse.database.query("SELECT * FROM narrow") == []
    fitting = warehouse.rows(pa.table({"id": [1], "v": pa.array(values[:1], kind)}))
    warehouse.sink.load(fitting, Load(Target("narrow"), LoadMode.UPSERT, "b", ("id",)))
    assert len(warehouse.database.query("SELECT * FROM narrow")) == 1


def every_text(warehouse: Warehouse) -> list[dict[str, Any]]:
    texts = ["", None, "NULL", "\\N", "\\", '"', "a\0b", "\n", "\r\n", ",", "🐘", " a ", "%s"]
    rows = [
        {"id": i, "t": text, "b": None if text is None else text.encode()}
        for i, text in enumerate(texts)
    ]
    loaded = warehouse.rows(pa.Table.from_pylist(rows))
    warehouse.sink.load(loaded, Load(Target("texts"), LoadMode.APPEND, "a"))
    found = warehouse.database.query("SELECT id, t, b FROM texts ORDER BY id")
    assert [dict(zip(("id", "t", "b"), row, strict=True)) for row in found] == rows
    return rows


def test_text_and_bytes_that_csv_or_sql_could_mistake_arrive(warehouse: Warehouse) -> None:
    every_text(warehouse)


def test_without_local_infile_the_same_rows_go_by_insert_and_the_log_says_so(
    warehouse: Warehouse, mariadb: MariaDbDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    mariadb.execute("SET GLOBAL local_infile = OFF")
    try:
        every_text(warehouse)
    finally:
        mariadb.execute("SET GLOBAL local_infile = ON")
    assert "multi-row INSERT" in caplog.text


@pytest.mark.parametrize("existing", [1, 5])
def test_rows_that_the_server_would_skip_fail_the_load(warehouse: Warehouse, existing: int) -> None:
    warehouse.database.execute(
        "CREATE TABLE orders (id bigint PRIMARY KEY, customer text, note text)",
        f"INSERT INTO orders VALUES ({existing}, 'old', NULL)",
    )
    rows = warehouse.rows([order(n) for n in range(10)])
    with pytest.raises(PermanentError, match=r"took 9 of 10 rows.*Duplicate entry"):
        warehouse.sink.load(rows, Load(ORDERS, LoadMode.APPEND, "a"))
    assert warehouse.orders() == [(existing, "old", None)]
    assert warehouse.sink.newest(ORDERS) is None


def test_an_upsert_never_overwrites_a_row_of_another_key(warehouse: Warehouse) -> None:
    warehouse.database.execute(
        "CREATE TABLE orders (id bigint PRIMARY KEY, customer varchar(20) UNIQUE, note text)",
        "INSERT INTO orders VALUES (1, 'Ada', 'first')",
    )
    rows = warehouse.rows([order(2, "Ada", "second")])
    with pytest.raises(PermanentError, match="Duplicate entry"):
        warehouse.sink.load(rows, Load(ORDERS, LoadMode.UPSERT, "a", ("id",)))
    assert warehouse.orders() == [(1, "Ada", "first")]


def test_keys_that_a_collation_takes_for_the_same_fail_an_upsert(warehouse: Warehouse) -> None:
    warehouse.database.execute(
        "CREATE TABLE t (k varchar(9) COLLATE utf8mb4_general_ci PRIMARY KEY, v int)",
        "INSERT INTO t VALUES ('a', 0)",
    )
    rows = warehouse.rows(pa.table({"k": ["a", "A"], "v": [1, 2]}))
    with pytest.raises(PermanentError):
        warehouse.sink.load(rows, Load(Target("t"), LoadMode.UPSERT, "a", ("k",)))
    assert warehouse.database.query("SELECT * FROM t") == [("a", 0)]


def test_keys_differ_by_case_and_by_a_space_at_the_end(warehouse: Warehouse) -> None:
    rows = warehouse.rows(pa.table({"k": ["a", "A", "a "], "v": [1, 2, 3]}))
    warehouse.sink.load(rows, Load(Target("t"), LoadMode.UPSERT, "a", ("k",)))
    receipt = warehouse.sink.load(rows, Load(Target("t"), LoadMode.UPSERT, "b", ("k",)))
    assert (receipt.rows_inserted, receipt.rows_updated) == (0, 3)


def test_a_version_differs_by_case_in_any_collation(warehouse: Warehouse) -> None:
    warehouse.database.execute(
        "CREATE TABLE t (k int, v varchar(9) COLLATE utf8mb4_general_ci, "
        "valid_from datetime(6), valid_to datetime(6))"
    )
    for batch, value in (("a", "x"), ("b", "X")):
        rows = warehouse.rows(pa.table({"k": [1], "v": [value]}))
        warehouse.sink.load(rows, Load(Target("t"), LoadMode.SCD2, batch, ("k",)))
    assert len(warehouse.database.query("SELECT * FROM t")) == 2


def test_a_table_without_transactions_is_refused(warehouse: Warehouse) -> None:
    warehouse.database.execute(
        "CREATE TABLE orders (id bigint, customer text, note text) ENGINE = MyISAM"
    )
    with pytest.raises(PermanentError, match="MyISAM, which has no transactions"):
        warehouse.sink.load(warehouse.rows([order(1)]), Load(ORDERS, LoadMode.APPEND, "a"))


def test_zero_is_a_value_for_a_column_that_counts_by_itself(warehouse: Warehouse) -> None:
    warehouse.database.execute("CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY)")
    rows = warehouse.rows(pa.table({"id": [0, 7]}))
    warehouse.sink.load(rows, Load(Target("t"), LoadMode.APPEND, "a"))
    assert warehouse.database.query("SELECT id FROM t ORDER BY id") == [(0,), (7,)]


@pytest.mark.parametrize("keep", [None, KEPT])
def test_a_replacement_cut_off_after_the_rename_counts_as_loaded(
    warehouse: Warehouse, keep: timedelta | None, mariadb: MariaDbDatabase
) -> None:
    sink, target = warehouse.sink, ORDERS
    sink.load(warehouse.rows([order(1)]), Load(target, LoadMode.REPLACE, "a"))
    rows = warehouse.rows([order(2), order(3)])
    load = Load(target, LoadMode.REPLACE, "b", keep_before=keep)
    # The server refuses to alter or to write after the rename, as if the process were gone.
    mariadb.execute(
        "CREATE TRIGGER stop BEFORE INSERT ON etl_batches FOR EACH ROW "
        "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'stopped'"
    )
    with pytest.raises(PermanentError, match="stopped"):
        sink.load(rows, load)
    mariadb.execute("DROP TRIGGER stop")
    assert [row[0] for row in warehouse.orders()] == [2, 3]
    again = sink.load(rows, load)
    assert again.skipped
    assert (again.rows_inserted, again.rows_deleted) == (2, 1)
    helping = "SHOW TABLES WHERE Tables_in_{} REGEXP '^etl_(twin|line|done|old)_'"
    assert warehouse.database.query(helping.format(mariadb.name)) == []
    if keep is not None:
        sink.revert(target, "b")
        assert [row[0] for row in warehouse.orders()] == [1]


def test_a_table_that_others_refer_to_is_replaced_in_place(warehouse: Warehouse) -> None:
    warehouse.sink.load(warehouse.rows([order(1)]), Load(ORDERS, LoadMode.UPSERT, "a", ("id",)))
    warehouse.database.execute(
        "CREATE TABLE items (order_id bigint, FOREIGN KEY (order_id) REFERENCES orders (id))"
    )
    warehouse.sink.load(warehouse.rows([order(2)]), Load(ORDERS, LoadMode.REPLACE, "b"))
    assert [row[0] for row in warehouse.orders()] == [2]
    warehouse.database.execute("INSERT INTO items VALUES (2)")
    with pytest.raises(PermanentError, match="foreign key"):
        warehouse.sink.load(warehouse.rows([order(3)]), Load(ORDERS, LoadMode.REPLACE, "c"))
    assert [row[0] for row in warehouse.orders()] == [2]
