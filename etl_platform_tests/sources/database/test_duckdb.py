# ruff: noqa: E501 - the table of types reads best with one type a line
"""Reading real DuckDB files: every value as it is in the source, or an error that names it."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from etl_platform.core.errors import PermanentError, SourceUnavailable, UnsupportedType
from etl_platform.selection import EngineFault
from etl_platform.sources.database import (
    Cursor,
    Database,
    Extraction,
    ForeignKey,
    TypePolicy,
    Window,
    capabilities,
    count_rows,
    extract,
    reflect,
)
from etl_platform_tests.sources.database.test_postgresql import rows_of, table_of

ENGINES = ("duckdb", "sqlalchemy")
TYPES: dict[str, tuple[str, list[str], list[Any]]] = {
    # name: (Arrow type, DuckDB literals, the values that must come out)
    "BOOLEAN": ("bool", ["true", "false"], [True, False]),
    "TINYINT": ("int16", ["-128", "127"], [-128, 127]),
    "UTINYINT": ("int16", ["0", "255"], [0, 255]),
    "USMALLINT": ("int32", ["0", "65535"], [0, 65535]),
    "UINTEGER": ("int64", ["0", "4294967295"], [0, 4294967295]),
    "BIGINT": ("int64", ["-9223372036854775808", "9223372036854775807"], [-(2**63), 2**63 - 1]),
    "UBIGINT": ("decimal(20, 0)", ["18446744073709551615", "0"], [Decimal(2**64 - 1), Decimal(0)]),
    "HUGEINT": ("decimal(38, 0)", ["99999999999999999999999999999999999999", "-1"], [Decimal("9" * 38), Decimal(-1)]),
    "UHUGEINT": ("decimal(38, 0)", ["99999999999999999999999999999999999999", "1"], [Decimal("9" * 38), Decimal(1)]),
    "FLOAT": ("float32", ["0.15625", "'-inf'"], [0.15625, float("-inf")]),
    "DOUBLE": ("float64", ["0.1", "-1.7976931348623157e308"], [0.1, -1.7976931348623157e308]),
    "DECIMAL(15,2)": ("decimal(15, 2)", ["-0.01", "1234567890123.45"], [Decimal("-0.01"), Decimal("1234567890123.45")]),
    "DECIMAL(38,10)": ("decimal(38, 10)", ["1234567890123456789012345678.0123456789", "0"], [Decimal("1234567890123456789012345678.0123456789"), Decimal("0E-10")]),
    "VARCHAR": ("string", ["'héllo ☃😀'", "''"], ["héllo ☃😀", ""]),
    "JSON": ("string", ["'{\"a\": [1,  2.50]}'", "'null'"], ['{"a": [1,  2.50]}', "null"]),
    "UUID": ("string", ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"] * 2, ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"] * 2),
    "ENUM('a', 'b c')": ("string", ["'b c'", "'a'"], ["b c", "a"]),
    "BIT": ("string", ["'0101'::BIT", "'1'::BIT"], ["0101", "1"]),
    "BLOB": ("binary", ["'\\x00\\xFF'::BLOB", "''::BLOB"], [b"\x00\xff", b""]),
    "DATE": ("date32", ["'0001-01-01'", "'9999-12-31'"], [date(1, 1, 1), date(9999, 12, 31)]),
    "TIMESTAMP": ("timestamp[us]", ["'1000-01-01'", "'9999-12-31 23:59:59.999999'"], [datetime(1000, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)]),
    "TIMESTAMP_S": ("timestamp[us]", ["'2024-02-29 03:04:05'"] * 2, [datetime(2024, 2, 29, 3, 4, 5)] * 2),
    "TIMESTAMP_MS": ("timestamp[us]", ["'2024-02-29 03:04:05.123'"] * 2, [datetime(2024, 2, 29, 3, 4, 5, 123000)] * 2),
    "TIMESTAMP_NS": ("timestamp[us]", ["'2024-02-29 03:04:05.123456'"] * 2, [datetime(2024, 2, 29, 3, 4, 5, 123456)] * 2),
    "TIMESTAMPTZ": ("timestamp[us, UTC]", ["'2024-01-02 03:04:05.123456+02'", "'2024-01-02 03:04:05+00'"], [datetime(2024, 1, 2, 1, 4, 5, 123456, UTC), datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)]),
    "INTEGER[]": ("list<int32>", ["[1, NULL]", "[]"], [[1, None], []]),
    "INTEGER[3]": ("list<int32>", ["[1, NULL, 3]", "[4, 5, 6]"], [[1, None, 3], [4, 5, 6]]),
    "VARCHAR[]": ("list<string>", ["['a', '', NULL]", "['b, c']"], [["a", "", None], ["b, c"]]),
    "DATE[]": ("list<date32>", ["['2024-01-02'::DATE, NULL]", "[]"], [[date(2024, 1, 2), None], []]),
}  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop's.duckdb"


@pytest.fixture
def database(path: Path):
    found = Database("shop", f"duckdb:///{path}")
    yield found
    found.close()


def write(path: Path, *statements: str) -> None:
    with duckdb.connect(path) as con:
        for statement in statements:
            con.execute(statement)


def create_types(path: Path) -> None:
    columns = ", ".join(f'"c {n}" {kind}' for n, kind in enumerate(TYPES))
    rows = [", ".join(literals[row] for _, literals, _ in TYPES.values()) for row in (0, 1)]
    write(
        path,
        "SET TimeZone = 'UTC'",
        f"CREATE TABLE everything (row_no INTEGER PRIMARY KEY, {columns})",
        *(f"INSERT INTO everything VALUES ({row}, {values})" for row, values in enumerate(rows)),
        "INSERT INTO everything (row_no) VALUES (2)",
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_every_supported_type_comes_out_as_it_went_in_and_nulls_stay_nulls(path, database, engine):
    create_types(path)
    table = table_of(database, "everything")
    assert (table.schema, table.primary_key, table.estimated_rows) == ("main", ("row_no",), 3)
    wanted = Extraction(table=table)
    if engine == "duckdb":
        told = {one.name: one for one in capabilities(database, wanted)}["duckdb"]
        assert [table.column(one.column).source_type for one in told.degrades] == ["DATE[]"]
        wanted = Extraction(query='SELECT * EXCLUDE ("c 28") FROM everything')
    read = extract(database, wanted, engine=engine).read_all().sort_by("row_no")
    for number, (kind, (arrow, _, expected)) in enumerate(TYPES.items()):
        assert table.column(f"c {number}").arrow_type == arrow, kind
        if f"c {number}" in read.column_names:
            assert read.column(f"c {number}").to_pylist() == [*expected, None], kind


def test_a_query_gives_the_same_values_as_the_table(path, database):
    create_types(path)
    query = "SELECT * FROM everything e WHERE row_no < :n -- some of it"
    given = rows_of(database, query=query, params={"n": 2})
    assert given == rows_of(database, table=table_of(database, "everything"))[:2]
    assert count_rows(database, Extraction(query=query, params={"n": 2})) == 2


@pytest.mark.parametrize(
    ("kind", "literal"),
    [
        ("TIME", "'01:02:03.5'"), ("TIMETZ", "'01:02:03+02'"), ("INTERVAL", "INTERVAL 3 MONTH"),
        ("STRUCT(a INTEGER)", "{'a': 1}"), ("MAP(VARCHAR, INTEGER)", "MAP {'a': 1}"),
        ("UNION(a INTEGER, b VARCHAR)", "1"), ("INTEGER[][]", "[[1], NULL]"),
    ],
)  # fmt: skip
def test_types_without_a_place_are_refused_or_kept_as_duckdbs_text(path, database, kind, literal):
    write(path, f"CREATE TABLE odd (v {kind})", f"INSERT INTO odd VALUES ({literal}), (NULL)")
    with duckdb.connect(path) as con:
        text = con.execute("SELECT v::VARCHAR FROM odd").fetchall()[0][0]
    with pytest.raises(UnsupportedType, match="'v'"):
        rows_of(database, table=table_of(database, "odd"))
    policy = TypePolicy(unsupported="string")
    for engine in ENGINES:
        wanted = Extraction(table=table_of(database, "odd"), policy=policy)
        read = extract(database, wanted, engine=engine).read_all()
        assert read["v"].to_pylist() == [text, None]


@pytest.mark.parametrize(
    ("kind", "literal"),
    [
        ("DATE", "'infinity'"), ("DATE", "'0044-03-15 (BC)'"), ("TIMESTAMP", "'-infinity'"),
        ("TIMESTAMP", "'20240-01-01'"), ("TIMESTAMPTZ", "'infinity'"),
        ("TIMESTAMP_NS", "'2024-01-01 00:00:00.123456789'"),
        ("HUGEINT", "'170141183460469231731687303715884105727'"),
    ],
)  # fmt: skip
def test_a_value_without_an_exact_place_is_refused_with_its_row(path, database, kind, literal):
    write(path, f"CREATE TABLE t (v {kind})", f"INSERT INTO t VALUES (NULL), ({literal})")
    table = table_of(database, "t")
    with pytest.raises(EngineFault):
        extract(database, Extraction(table=table), engine="duckdb").read_all()
    with pytest.raises(PermanentError, match=r"t: column 'v' .* row 2"):
        extract(database, Extraction(table=table), engine="sqlalchemy").read_all()


def test_keys_comments_schemas_and_views_are_reflected(path, database):
    write(
        path,
        "CREATE TABLE a (id INTEGER PRIMARY KEY, v VARCHAR NOT NULL)",
        "COMMENT ON TABLE a IS 'first'",
        'CREATE SCHEMA "Odd ""s"',
        'CREATE TABLE "Odd ""s"."ta ble" ("Sel""ect" INTEGER)',
        'INSERT INTO "Odd ""s"."ta ble" VALUES (7)',
        "CREATE TABLE b (a_id INTEGER REFERENCES a (id))",
        "CREATE VIEW big AS SELECT * FROM a",
    )
    found = {table.full_name: table for table in reflect(database, views=True)}
    assert set(found) == {"main.a", "main.b", "main.big", 'Odd "s.ta ble'}
    assert found["main.a"].comment == "first"
    assert not found["main.a"].column("v").nullable
    assert found["main.b"].foreign_keys == (ForeignKey(("a_id",), "main", "a", ("id",)),)
    assert found["main.big"].kind == "view"
    assert rows_of(database, table=found['Odd "s.ta ble']) == [{'Sel"ect': 7}]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 AS a; SELECT 2",
        "SELECT 1 AS a) AS x; DROP TABLE victim; -- ",
        "DELETE FROM victim",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT 1 AS a) AS x; COPY victim TO '/tmp/stolen.csv'; -- ",
    ],
)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_query_reads_this_file_and_nothing_else(path, database, query, engine):
    write(path, "CREATE TABLE victim (id INTEGER)", "INSERT INTO victim VALUES (1)")
    with pytest.raises(PermanentError):
        extract(database, Extraction(query=query), engine=engine).read_all()
    assert count_rows(database, Extraction(table=table_of(database, "victim"))) == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_cursors_and_windows_follow_moments(path, database, engine):
    write(
        path,
        "CREATE TABLE seen AS SELECT n AS id, TIMESTAMPTZ '2024-01-01 00:00:00+00' + n * INTERVAL 1 "
        "HOUR AS at, 'k' || n AS k FROM range(1, 49) r(n)",
    )
    table = table_of(database, "seen")
    cursor = Cursor("at", key=("id",))
    newer = Extraction(table=table, cursor=cursor, after="2024-01-02T23:00:00+01:00")
    read = extract(database, newer, engine=engine).read_all()
    assert sorted(read["id"].to_pylist()) == [46, 47, 48]
    day = Window("at", "2024-01-02T00:00:00+00:00", "2024-01-03T00:00:00+00:00")
    assert (
        extract(database, Extraction(table=table, window=day), engine=engine).read_all().num_rows
        == 24
    )


def test_a_file_that_is_open_elsewhere_is_worth_a_retry_and_says_why(path, database):
    write(path, "CREATE TABLE t (id INTEGER)")
    script = f"import duckdb; c = duckdb.connect({str(path)!r}); print('open', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(SourceUnavailable, match=r"another process .* or read a copy"):
            reflect(database)
        other.communicate("\n")
    assert len(reflect(database)) == 1
    database.close()
    with (
        duckdb.connect(path),
        pytest.raises(PermanentError, match="this process has the file open"),
    ):
        reflect(database)


def test_missing_files_and_tables_say_what_to_do(path, database):
    with pytest.raises(PermanentError, match="there is no DuckDB database"):
        reflect(database)
    write(path, "CREATE TABLE gone (id INTEGER)")
    table = table_of(database, "gone")
    database.close()
    write(path, "DROP TABLE gone")
    with pytest.raises(PermanentError, match="refresh what is known"):
        rows_of(database, table=table)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_reader_may_be_closed_before_its_end(path, database, engine):
    write(path, "CREATE TABLE t AS SELECT range AS id FROM range(300_000)")
    table = table_of(database, "t")
    for _ in range(10):
        reader = extract(database, Extraction(table=table), 1_000, engine=engine)
        assert reader.read_next_batch().num_rows <= 1_000
        reader.close()
    assert extract(database, Extraction(table=table), engine=engine).read_all().num_rows == 300_000
