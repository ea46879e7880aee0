# ruff: noqa: E501 - the table of types reads best with one type a line
"""Reading a real MariaDB: every value as it is in the source, or an error that names it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from etl_platform.core.errors import PermanentError, SourceUnavailable, UnsupportedType
from etl_platform.sources.database import (
    Cursor,
    Database,
    Extraction,
    PoolSettings,
    TypePolicy,
    Window,
    count_rows,
    extract,
    reflect,
)
from etl_platform_tests.servers.mariadb import MariaDbDatabase
from etl_platform_tests.sources.database.test_postgresql import rows_of, table_of

pytestmark = pytest.mark.mariadb

TYPES: dict[str, tuple[str, list[str], list[Any]]] = {
    # name: (Arrow type, MariaDB literals, the values that must come out)
    "tinyint(1)": ("int16", ["1", "-128"], [1, -128]),
    "tinyint unsigned": ("int16", ["0", "255"], [0, 255]),
    "smallint unsigned": ("int32", ["65535", "0"], [65535, 0]),
    "mediumint": ("int32", ["-8388608", "8388607"], [-8388608, 8388607]),
    "int unsigned": ("int64", ["4294967295", "0"], [4294967295, 0]),
    "bigint": ("int64", ["-9223372036854775808", "9223372036854775807"], [-(2**63), 2**63 - 1]),
    "bigint unsigned": ("decimal(20, 0)", ["18446744073709551615", "0"], [Decimal(2**64 - 1), Decimal(0)]),
    "float": ("float32", ["16777215", "0.15625"], [16777215.0, 0.15625]),
    "double": ("float64", ["0.1", "-1.7976931348623157e308"], [0.1, -1.7976931348623157e308]),
    "decimal(15,2)": ("decimal(15, 2)", ["-0.01", "1234567890123.45"], [Decimal("-0.01"), Decimal("1234567890123.45")]),
    "decimal(38,9)": ("decimal(38, 9)", ["12345678901234567890123456789.123456789", "0"], [Decimal("12345678901234567890123456789.123456789"), Decimal("0E-9")]),
    "varchar(20)": ("string", ["'héllo ☃😀'", "''"], ["héllo ☃😀", ""]),
    "text": ("string", [r"'a\\b\n\''", "'  x  '"], ["a\\b\n'", "  x  "]),
    "enum('a','b c')": ("string", ["'b c'", "'a'"], ["b c", "a"]),
    "set('a','b')": ("string", ["'a,b'", "''"], ["a,b", ""]),
    "json": ("string", ["'{\"a\": [1,  2.50]}'", "'null'"], ['{"a": [1,  2.50]}', "null"]),
    "uuid": ("string", ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"] * 2, ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"] * 2),
    "inet6": ("string", ["'::1'", "'2001:db8::ff00:42:8329'"], ["::1", "2001:db8::ff00:42:8329"]),
    "varbinary(10)": ("binary", ["x'00ff'", "x''"], [b"\x00\xff", b""]),
    "blob": ("binary", ["x'e298'", "x''"], [b"\xe2\x98", b""]),
    "bit(10)": ("int64", ["b'1111111111'", "b'0'"], [1023, 0]),
    "bit(64)": ("decimal(20, 0)", ["18446744073709551615", "1"], [Decimal(2**64 - 1), Decimal(1)]),
    "year": ("int16", ["2155", "1901"], [2155, 1901]),
    "date": ("date32", ["'1000-01-01'", "'9999-12-31'"], [date(1000, 1, 1), date(9999, 12, 31)]),
    "datetime": ("timestamp[us]", ["'1000-01-01 00:00:00'", "'2024-02-29 03:04:05'"], [datetime(1000, 1, 1), datetime(2024, 2, 29, 3, 4, 5)]),
    "datetime(6)": ("timestamp[us]", ["'9999-12-31 23:59:59.999999'"] * 2, [datetime(9999, 12, 31, 23, 59, 59, 999999)] * 2),
    "timestamp(6) null": ("timestamp[us, UTC]", ["'2024-01-02 03:04:05.123456'", "'2037-12-31 23:59:59'"], [datetime(2024, 1, 2, 3, 4, 5, 123456, UTC), datetime(2037, 12, 31, 23, 59, 59, tzinfo=UTC)]),
}  # fmt: skip


@pytest.fixture
def database(mariadb: MariaDbDatabase):
    found = Database("shop", mariadb.url)
    yield found
    found.close()


def create_types(mariadb: MariaDbDatabase) -> None:
    columns = ", ".join(f"`c {n}` {kind}" for n, kind in enumerate(TYPES))
    rows = [", ".join(literals[row] for _, literals, _ in TYPES.values()) for row in (0, 1)]
    mariadb.server.execute(
        "SET time_zone = '+00:00'",
        f"CREATE TABLE everything (row_no int PRIMARY KEY, {columns})",
        *(f"INSERT INTO everything VALUES ({row}, {values})" for row, values in enumerate(rows)),
        "INSERT INTO everything (row_no) VALUES (2)",
        database=mariadb.name,
    )


def test_every_supported_type_comes_out_as_it_went_in_and_nulls_stay_nulls(mariadb, database):
    create_types(mariadb)
    table = table_of(database, "everything")
    assert (table.schema, table.primary_key) == (mariadb.name, ("row_no",))
    read = extract(database, Extraction(table=table)).read_all().sort_by("row_no")
    for number, (kind, (arrow, _, expected)) in enumerate(TYPES.items()):
        assert table.column(f"c {number}").arrow_type == arrow, kind
        assert read.column(f"c {number}").to_pylist() == [*expected, None], kind


def test_a_query_gives_the_same_values_as_the_table(mariadb, database):
    create_types(mariadb)
    table = rows_of(database, table=table_of(database, "everything"))
    query = "SELECT * FROM everything e -- all of it"
    declared = {f"c {n}": "string" for n, kind in enumerate(TYPES) if kind in ("uuid", "inet6")}
    assert rows_of(database, query=query, types=declared) == table
    assert count_rows(database, Extraction(query=query, types=declared)) == 3


def test_types_without_a_place_are_refused_or_kept_as_the_servers_text(mariadb, database):
    mariadb.execute(
        "CREATE TABLE odd (t time(6), big decimal(65,30))",
        f"INSERT INTO odd VALUES ('-838:59:59', {'9' * 35}.{'1' * 30})",
    )
    table = table_of(database, "odd")
    with pytest.raises(UnsupportedType, match=r"'t' \(time\(6\)\), 'big'"):
        rows_of(database, table=table)
    text = rows_of(database, table=table, policy=TypePolicy(unsupported="string"))
    assert text == [{"t": "-838:59:59.000000", "big": "9" * 35 + "." + "1" * 30}]


@pytest.mark.parametrize("kind", ["date", "datetime", "timestamp null"])
def test_a_date_that_is_none_is_refused_with_its_row(mariadb, database, kind):
    mariadb.execute(
        "SET sql_mode = ''",
        f"CREATE TABLE zero (v {kind})",
        "INSERT INTO zero VALUES (NULL), ('0000-00-00')",
    )
    with pytest.raises(PermanentError, match=r"zero: column 'v' .* row 2: the value '0000-00-00"):
        rows_of(database, table=table_of(database, "zero"))


def test_hostile_names_and_values_are_only_names_and_values(mariadb, database):
    name = "a`b'c\"%s --é"
    quoted = "`" + name.replace("`", "``") + "`"
    mariadb.execute(
        f"CREATE TABLE {quoted} ({quoted} varchar(40) PRIMARY KEY)",
        f"INSERT INTO {quoted} VALUES ('x''; DROP TABLE t; --')",
    )
    assert table_of(database, name).primary_key == (name,)
    assert rows_of(database, table=table_of(database, name)) == [{name: "x'; DROP TABLE t; --"}]
    query = f"SELECT {quoted} AS v FROM {quoted} WHERE {quoted} = :v"
    given = {"v": "x'; DROP TABLE t; --"}
    assert rows_of(database, query=query, params=given) == [given]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 AS a; DROP TABLE victim",
        "SELECT 1 AS a) AS x; COMMIT; DROP TABLE victim; -- ",
        "DELETE FROM victim",
        "SELECT wipe() AS a",
    ],
)
def test_a_query_that_would_change_the_source_is_refused(mariadb, database, query):
    mariadb.execute(
        "CREATE TABLE victim (id int)",
        "INSERT INTO victim VALUES (1)",
        "CREATE FUNCTION wipe() RETURNS int BEGIN DELETE FROM victim; RETURN 1; END",
    )
    with pytest.raises(PermanentError):
        extract(database, Extraction(query=query)).read_all()
    assert count_rows(database, Extraction(table=table_of(database, "victim"))) == 1


def test_cursors_and_windows_follow_moments_in_utc(mariadb, database):
    mariadb.server.execute(
        "SET time_zone = '+00:00'",
        "CREATE TABLE seen (id int PRIMARY KEY, at timestamp(6) NOT NULL)",
        "INSERT INTO seen SELECT seq, '2024-01-01' + INTERVAL seq HOUR FROM seq_1_to_48",
        database=mariadb.name,
    )
    table = table_of(database, "seen")
    after = datetime.fromisoformat("2024-01-02T23:00:00+01:00")
    newer = rows_of(database, table=table, cursor=Cursor("at", key=("id",)), after=after)
    assert sorted(row["id"] for row in newer) == [46, 47, 48]
    day = Window("at", "2024-01-02T00:00:00+00:00", "2024-01-03T00:00:00+00:00")
    assert len(rows_of(database, table=table, window=day)) == 24


@pytest.mark.parametrize(
    "kind", ["varchar(9)", "varchar(9) CHARACTER SET latin1", "varchar(9) COLLATE utf8mb4_bin"]
)
@pytest.mark.parametrize("engine", ["mysql", "sqlalchemy"])
def test_text_cursors_and_windows_go_by_bytes_as_the_lake_does_not_by_collation(
    mariadb, database, kind, engine
):
    """By the usual collation 'B' sorts between 'a' and 'c', and 'b' and 'B ' are the same."""
    words = ["A", "B", "B ", "B\t", "a", "b", "c", "é", "É", "z", ""]
    mariadb.execute(
        f"CREATE TABLE t (v {kind})",
        "INSERT INTO t VALUES " + ", ".join(f"('{word}')" for word in words),
    )
    table = table_of(database, "t")
    for bound in words:
        after = Extraction(table=table, cursor=Cursor("v"), after=bound)
        read = extract(database, after, engine=engine).read_all()["v"].to_pylist()
        assert {word for word in read if word is not None} == {w for w in words if w >= bound}
    window = Extraction(table=table, window=Window("v", "B", "b"))
    read = extract(database, window, engine=engine).read_all()["v"].to_pylist()
    assert sorted(read) == sorted(word for word in words if "B" <= word < "b")


@pytest.mark.parametrize("kind", ["uuid", "enum('b','a')"])
def test_columns_that_become_text_are_followed_as_text(mariadb, database, kind):
    low, high = (
        ("a", "b")
        if "enum" in kind
        else (f"{n}" * 8 + "-0000-0000-0000-" + f"{n}" * 12 for n in "12")
    )
    mariadb.execute(f"CREATE TABLE t (v {kind})", f"INSERT INTO t VALUES ('{low}'), ('{high}')")
    after = Extraction(table=table_of(database, "t"), cursor=Cursor("v"), after=high)
    assert extract(database, after).read_all()["v"].to_pylist() == [high]


def test_a_connection_killed_in_the_middle_is_worth_a_retry(mariadb, database):
    mariadb.execute(
        "CREATE TABLE t AS SELECT seq AS id, repeat('x', 200) AS v FROM seq_1_to_200000"
    )
    table = table_of(database, "t")
    database.close()
    reader = extract(database, Extraction(table=table), batch_rows=64)
    mariadb.execute(
        "BEGIN NOT ATOMIC FOR p IN (SELECT id FROM information_schema.processlist "
        f"WHERE db = '{mariadb.name}' AND id <> connection_id()) DO KILL p.id; END FOR; END"
    )
    with pytest.raises(SourceUnavailable):
        reader.read_all()
    assert extract(database, Extraction(table=table)).read_all().num_rows == 200_000


def test_a_statement_that_takes_too_long_is_stopped(mariadb):
    slow = Database("slow", mariadb.url, PoolSettings(statement_timeout_s=0.05))
    with pytest.raises(SourceUnavailable, match="statement_timeout_s"):
        rows_of(
            slow, query="SELECT max(a.seq ^ b.seq) AS s FROM seq_1_to_100000 a, seq_1_to_100000 b"
        )
    slow.close()


def test_an_extraction_sees_one_snapshot_while_the_source_changes(mariadb, database):
    mariadb.execute("CREATE TABLE t AS SELECT seq AS id FROM seq_1_to_50000")
    reader = extract(database, Extraction(table=table_of(database, "t")), batch_rows=64)
    mariadb.execute("DELETE FROM t WHERE id > 10", "INSERT INTO t VALUES (90000)")
    assert sorted(reader.read_all()["id"].to_pylist()) == [*range(1, 50_001)]


def test_a_reader_that_is_closed_early_does_not_read_on(mariadb):
    """A million rows are waiting; the connection is given up and its place in the pool is free."""
    one = Database("one", mariadb.url, PoolSettings(size=1, overflow=0, connect_timeout_s=5))
    mariadb.execute(
        "CREATE VIEW many AS SELECT seq AS id, repeat('x', 5000) AS v FROM seq_1_to_1000000"
    )
    table = table_of(one, "many")
    for _ in range(20):
        extract(one, Extraction(table=table), batch_rows=10).close()
    assert len(rows_of(one, query="SELECT 1 AS a")) == 1
    one.close()


def test_missing_tables_and_refused_logins_say_what_to_do(mariadb, database):
    mariadb.execute("CREATE TABLE gone (id int)")
    table = table_of(database, "gone")
    mariadb.execute("DROP TABLE gone")
    with pytest.raises(PermanentError, match="refresh what is known"):
        rows_of(database, table=table)
    nobody = Database("n", mariadb.url.replace("root@", "nobody@"))
    with pytest.raises(PermanentError, match="user or password"):
        reflect(nobody)
    away = Database("n", "mysql://root@127.0.0.1:1/x", PoolSettings(connect_timeout_s=1))
    with pytest.raises(SourceUnavailable):
        reflect(away)
