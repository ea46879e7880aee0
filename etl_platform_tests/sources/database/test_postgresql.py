# ruff: noqa: E501 - the tables of types read best with one type a line
"""Reading a real PostgreSQL: every value as it is in the source, or an error that names it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest

from etl_platform.core.errors import (
    PermanentError,
    SourceUnavailable,
    UnknownName,
    UnsupportedType,
)
from etl_platform.sources.database import (
    Cursor,
    Database,
    Extraction,
    PoolSettings,
    SourceTable,
    TypePolicy,
    Window,
    count_rows,
    extract,
    reflect,
    tables_from_json,
    tables_to_json,
)
from etl_platform_tests.servers.postgres import PostgresDatabase

pytestmark = pytest.mark.postgres

TYPES: dict[str, tuple[str, list[str], list[Any]]] = {
    # name: (Arrow type, PostgreSQL literals, the values that must come out)
    "smallint": ("int16", ["-32768", "32767"], [-32768, 32767]),
    "integer": ("int32", ["-2147483648", "2147483647"], [-(2**31), 2**31 - 1]),
    "bigint": ("int64", ["-9223372036854775808", "9223372036854775807"], [-(2**63), 2**63 - 1]),
    "oid": ("int64", ["4294967295", "0"], [4294967295, 0]),
    "real": ("float32", ["0.5", "Infinity"], [0.5, float("inf")]),
    "double precision": ("float64", ["0.1", "-1e308"], [0.1, -1e308]),
    "boolean": ("bool", ["true", "false"], [True, False]),
    "numeric(10,2)": ("decimal(10, 2)", ["-0.01", "12345678.90"], [Decimal("-0.01"), Decimal("12345678.90")]),
    "numeric(38,9)": (
        "decimal(38, 9)",
        ["12345678901234567890123456789.123456789", "-0.000000001"],
        [Decimal("12345678901234567890123456789.123456789"), Decimal("-0.000000001")],
    ),
    "numeric(38,0)": ("decimal(38, 0)", ["-" + "9" * 38, "1"], [Decimal("-" + "9" * 38), Decimal(1)]),
    "numeric(3,-2)": ("decimal(5, 0)", ["99900", "-100"], [Decimal(99900), Decimal(-100)]),
    "numeric(2,5)": ("decimal(5, 5)", ["0.00012", "0"], [Decimal("0.00012"), Decimal("0.00000")]),
    "text": ("string", ["", "héllo % ' \" \\ \n ☃"], ["", "héllo % ' \" \\ \n ☃"]),
    "varchar(5)": ("string", ["abc", "ü"], ["abc", "ü"]),
    "char(4)": ("string", ["ab", "abcd"], ["ab  ", "abcd"]),
    "bytea": ("binary", ["\\x00ff", "\\x"], [b"\x00\xff", b""]),
    "date": ("date32", ["0001-01-01", "9999-12-31"], [date(1, 1, 1), date(9999, 12, 31)]),
    "timestamp": (
        "timestamp[us]",
        ["1900-01-01 00:00:00", "9999-12-31 23:59:59.999999"],
        [datetime(1900, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)],
    ),
    "timestamptz": (
        "timestamp[us, UTC]",
        ["2024-01-02 03:04:05.123456+05:30", "0001-01-01 00:00:00+00"],
        [datetime(2024, 1, 1, 21, 34, 5, 123456, UTC), datetime(1, 1, 1, tzinfo=UTC)],
    ),
    "uuid": ("string", ["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"] * 2, ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"] * 2),
    "json": ("string", ['{"a": [1,  2.50]}', "null"], ['{"a": [1,  2.50]}', "null"]),
    "jsonb": ("string", ['{"b":1, "a":1.10}', '"x"'], ['{"a": 1.10, "b": 1}', '"x"']),
    "inet": ("string", ["10.0.0.1/8", "::1"], ["10.0.0.1/8", "::1"]),
    "cidr": ("string", ["10.0.0.0/8", "::/0"], ["10.0.0.0/8", "::/0"]),
    "macaddr": ("string", ["08:00:2b:01:02:03"] * 2, ["08:00:2b:01:02:03"] * 2),
    "bit(4)": ("string", ["0101", "1111"], ["0101", "1111"]),
    "bit varying": ("string", ["", "1"], ["", "1"]),
    "mood": ("string", ["so-so", "it's"], ["so-so", "it's"]),
    "price": ("decimal(6, 2)", ["1.50", "0"], [Decimal("1.50"), Decimal("0.00")]),
    "integer[]": ("list<int32>", ["{1,NULL,-3}", "{}"], [[1, None, -3], []]),
    "text[]": ("list<string>", ['{"a,b","NULL",NULL,""}', "{}"], [["a,b", "NULL", None, ""], []]),
    "numeric(8,3)[]": ("list<decimal(8, 3)>", ["{1.5,NULL}", "{-0.001}"], [[Decimal("1.500"), None], [Decimal("-0.001")]]),
    "timestamptz[]": (
        "list<timestamp[us, UTC]>",
        ['{"2024-01-01 00:00:00+01"}', "{NULL}"],
        [[datetime(2023, 12, 31, 23, tzinfo=UTC)], [None]],
    ),
    "boolean[]": ("list<bool>", ["{t,f}", "{}"], [[True, False], []]),
    "uuid[]": ("list<string>", ["{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", "{}"], [["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"], []]),
    "mood[]": ("list<string>", ['{so-so,"it\'s"}', "{NULL}"], [["so-so", "it's"], [None]]),
}  # fmt: skip


@pytest.fixture
def database(postgres: PostgresDatabase):
    found = Database("shop", postgres.url)
    yield found
    found.close()


def table_of(database: Database, name: str) -> SourceTable:
    (table,) = [t for t in reflect(database, views=True) if t.name == name]
    return table


def rows_of(database: Database, **what: Any) -> list[dict[str, Any]]:
    return extract(database, Extraction(**what)).read_all().to_pylist()


def create_types(postgres: PostgresDatabase) -> list[str]:
    columns = ", ".join(f'"c {n}" {kind}' for n, kind in enumerate(TYPES))
    postgres.execute(
        "CREATE TYPE mood AS ENUM ('so-so', 'it''s')",
        "CREATE DOMAIN price AS numeric(6,2) CHECK (VALUE >= 0)",
        f"CREATE TABLE everything (row_no integer, {columns})",
    )
    names = list(TYPES)
    with postgres.connect() as session:
        marks = ", ".join(f"%s::{kind}" for kind in names)
        for row in (0, 1):
            literals = [TYPES[kind][1][row] for kind in names]
            session.execute(f"INSERT INTO everything VALUES ({row}, {marks})".encode(), literals)
        session.execute("INSERT INTO everything (row_no) VALUES (2)")
    return names


def test_every_supported_type_comes_out_as_it_went_in_and_nulls_stay_nulls(postgres, database):
    names = create_types(postgres)
    table = table_of(database, "everything")
    read = extract(database, Extraction(table=table)).read_all().sort_by("row_no")
    for number, kind in enumerate(names):
        arrow, _, expected = TYPES[kind]
        assert table.column(f"c {number}").arrow_type == arrow, kind
        assert read.column(f"c {number}").to_pylist() == [*expected, None], kind


def test_a_query_gives_the_same_types_and_values_as_the_table(postgres, database):
    create_types(postgres)
    table = extract(database, Extraction(table=table_of(database, "everything"))).read_all()
    declared = {
        f"c {n}": TYPES[kind][0] for n, kind in enumerate(TYPES) if kind == "numeric(8,3)[]"
    }
    query = extract(
        database,
        Extraction(query="SELECT * FROM everything e -- all of it", types=declared),
    ).read_all()
    for field in table.schema:
        if field.type != query.schema.field(field.name).type:
            # The cursor's description has no negative scale; the value is the same.
            assert pa.types.is_decimal(field.type)
    assert query.to_pylist() == table.to_pylist()


@pytest.mark.parametrize(
    ("kind", "literal"),
    [
        ("numeric(10,2)", "NaN"),
        ("timestamp", "infinity"),
        ("timestamp", "0044-03-15 12:00:00 BC"),
        ("timestamptz", "20240-01-01 00:00:00+00"),
        ("date", "-infinity"),
        ("date", "99999-01-01"),
        ("integer[]", "{{1,2},{3,4}}"),
    ],
)
def test_a_value_without_an_exact_place_is_refused_with_its_row(postgres, database, kind, literal):
    postgres.execute(
        f"CREATE TABLE odd (id int, v {kind})",
        "INSERT INTO odd SELECT g, NULL FROM generate_series(1, 100) g",
        f"INSERT INTO odd VALUES (101, '{literal}')",
    )
    with pytest.raises(PermanentError, match=r"public\.odd: column 'v' .* row 101: the value"):
        rows_of(database, table=table_of(database, "odd"))


def test_an_unconstrained_numeric_needs_a_declaration_and_is_never_rounded(postgres, database):
    postgres.execute(
        "CREATE TABLE n (id int, v numeric)",
        "INSERT INTO n VALUES (1, 3.14159265358979), (2, NULL), (3, 12345678901234567890)",
    )
    table = table_of(database, "n")
    with pytest.raises(UnsupportedType, match=r"'v' \(numeric\)") as caught:
        extract(database, Extraction(table=table))
    assert 'unconstrained_numeric: "decimal(38,10)"' in str(caught.value)
    text = rows_of(database, table=table, policy=TypePolicy(unconstrained_numeric="string"))
    assert [row["v"] for row in text] == ["3.14159265358979", None, "12345678901234567890"]
    exact = TypePolicy(unconstrained_numeric="decimal(38,15)")
    assert rows_of(database, table=table, policy=exact)[0]["v"] == Decimal("3.141592653589790")
    for too_small in ("decimal(38,10)", "decimal(18,14)"):
        with pytest.raises(PermanentError, match="not exactly"):
            rows_of(database, table=table, policy=TypePolicy(unconstrained_numeric=too_small))
    postgres.execute(f"INSERT INTO n VALUES (4, {'9' * 60})")
    with pytest.raises(PermanentError, match="row 4"):
        rows_of(database, table=table, policy=exact)


def test_types_without_a_place_are_refused_together_or_kept_as_the_servers_text(postgres, database):
    postgres.execute(
        "CREATE TYPE pair AS (a int, b text)",
        "CREATE TABLE odd (t time, i interval, m money, p pair, r int4range, z timetz)",
        """INSERT INTO odd VALUES ('03:04:05.5', '1 mon -2 days 03:00', '1234.50', '(1,"a b")',
           '[1,5)', '01:00+02'), (NULL, NULL, NULL, NULL, NULL, NULL)""",
    )
    table = table_of(database, "odd")
    with pytest.raises(UnsupportedType) as caught:
        extract(database, Extraction(table=table))
    for told in ("'t' (time without time zone)", "'i' (interval)", "'m' (money)", "'p' (pair)"):
        assert told in str(caught.value)
    expected = {
        "t": "03:04:05.5",
        "i": "1 mon -2 days +03:00:00",
        "m": "$1,234.50",
        "p": '(1,"a b")',
        "r": "[1,5)",
        "z": "01:00:00+02",
    }
    policy = TypePolicy(unsupported="string")
    for what in ({"table": table}, {"query": "SELECT * FROM odd"}):
        first, second = rows_of(database, **what, policy=policy)
        assert {**first, "m": expected["m"]} == expected
        assert set(second.values()) == {None}


HOSTILE = [
    'quo"te',
    "quo'te",
    "spa ce",
    "UPPER",
    "select",
    "naïve☃",
    "per%cent %(x)s",
    "col:on :x",
    "a.b",
    'x"; DROP TABLE victim; --',
    "back\\slash",
    "(paren) [x] {y}",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_of_schemas_tables_and_columns_are_only_names(postgres, database, name):
    quoted = '"' + name.replace('"', '""') + '"'
    postgres.execute(
        "CREATE TABLE victim (id int)",
        f"CREATE SCHEMA {quoted}",
        f"CREATE TABLE {quoted}.{quoted} ({quoted} int PRIMARY KEY, ts timestamp)",
        f"INSERT INTO {quoted}.{quoted} VALUES (1, '2024-01-01'), (2, '2024-01-02')",
    )
    (table,) = reflect(database, schemas=[name])
    assert (table.schema, table.name, table.primary_key) == (name, name, (name,))
    assert rows_of(database, table=table, cursor=Cursor(name), after=2) == [
        {name: 2, "ts": datetime(2024, 1, 2)}
    ]
    assert count_rows(database, Extraction(table=table)) == 2
    assert [t.name for t in reflect(database, schemas=["public"])] == ["victim"]


def test_parameters_are_bound_and_other_colons_stay(postgres, database):
    postgres.execute(
        "CREATE TABLE victim (id int, name text)", "INSERT INTO victim VALUES (1, 'a')"
    )
    attack = "x' OR 1=1; DROP TABLE victim; --"
    query = "SELECT id, '12:30 :zone' AS t, 1::int AS c, '{\"a\":1}'::jsonb AS j FROM victim WHERE name = :name"
    assert rows_of(database, query=query, params={"name": attack}) == []
    assert rows_of(database, query=query + " ;", params={"name": "a"}) == [
        {"id": 1, "t": "12:30 :zone", "c": 1, "j": '{"a": 1}'}
    ]
    assert count_rows(database, Extraction(query=query, params={"name": "a"})) == 1
    with pytest.raises(UnknownName, match="'nme'"):
        extract(database, Extraction(query=query, params={"nme": 1}))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 AS a; DROP TABLE victim",
        "SELECT 1) AS x; DROP TABLE victim; --",
        "DROP TABLE victim",
        "DELETE FROM victim RETURNING id",
        "WITH gone AS (DELETE FROM victim RETURNING id) SELECT * FROM gone",
        "SELECT 1 AS a) AS x; COMMIT; DROP TABLE victim; --",
        "SELECT drop_it() AS a",
    ],
)
def test_a_query_that_would_change_the_source_is_refused(postgres, database, query):
    postgres.execute(
        "CREATE TABLE victim (id int)",
        "INSERT INTO victim VALUES (1)",
        "CREATE FUNCTION drop_it() RETURNS int LANGUAGE plpgsql AS "
        "$$ BEGIN DELETE FROM victim; RETURN 1; END $$",
    )
    with pytest.raises(PermanentError):
        extract(database, Extraction(query=query)).read_all()
    assert count_rows(database, Extraction(table=table_of(database, "victim"))) == 1


def test_the_shape_of_a_database_is_read_with_keys_comments_and_estimates(postgres, database):
    postgres.execute(
        "CREATE SCHEMA tour",
        "CREATE TABLE planes (tail text PRIMARY KEY, year int)",
        "CREATE TABLE tour.flights (day date, no int NOT NULL, tail text REFERENCES planes, "
        "PRIMARY KEY (day, no))",
        "COMMENT ON TABLE tour.flights IS 'one row per flight'",
        "COMMENT ON COLUMN tour.flights.no IS 'flight number'",
        "CREATE VIEW late AS SELECT * FROM tour.flights",
        "CREATE MATERIALIZED VIEW old AS SELECT * FROM planes",
        "CREATE TABLE log (at timestamp, v int) PARTITION BY RANGE (at)",
        "CREATE TABLE log_2024 PARTITION OF log FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
        "INSERT INTO planes SELECT g::text, g FROM generate_series(1, 1000) g",
        "ANALYZE planes",
    )
    tables = {t.full_name: t for t in reflect(database)}
    assert list(tables) == ["public.log", "public.planes", "tour.flights"]
    flights = tables["tour.flights"]
    assert flights.primary_key == ("day", "no")
    assert flights.comment == "one row per flight"
    assert flights.column("no").comment == "flight number"
    assert not flights.column("no").nullable
    assert flights.column("tail").nullable
    (reference,) = flights.foreign_keys
    assert (reference.columns, reference.referred_schema, reference.referred_table) == (
        ("tail",),
        "public",
        "planes",
    )
    assert tables["public.planes"].estimated_rows == 1000
    assert flights.estimated_rows is None
    everything = reflect(database, views=True)
    assert {t.full_name for t in everything if t.kind == "view"} == {"public.late", "public.old"}
    assert tables_from_json(tables_to_json(everything)) == everything
    assert [t.name for t in reflect(database, include=["tour.*", "p*"], exclude=["*.planes"])] == [
        "flights"
    ]
    assert [t.name for t in reflect(database, schemas=["tour"])] == ["flights"]


@pytest.mark.parametrize(
    ("engine", "statement", "state"),
    [("copy", "COPY", "active"), ("sqlalchemy", "FETCH", "idle in transaction")],
)
def test_rows_arrive_before_the_query_is_consumed_and_memory_does_not_follow_the_table(
    postgres, database, engine, statement, state
):
    """Each row waits on its neighbours only: the sequence counts how many the server has made."""
    postgres.execute("CREATE SEQUENCE made", "CREATE TABLE one (v int)")
    postgres.execute("CREATE VIEW stream AS SELECT g AS id, repeat('x', 100) AS fill "
                     "FROM generate_series(1, 3000000) g")  # fmt: skip
    before = pa.total_allocated_bytes()
    reader = extract(database, Extraction(table=table_of(database, "stream")), 5_000, engine)
    first = reader.read_next_batch()
    assert first.num_rows == 5_000
    with postgres.connect() as session:
        waiting = session.execute(
            "SELECT state FROM pg_stat_activity WHERE application_name = 'etl' "
            f"AND state <> 'idle' AND query ~ '{statement}'"
        ).fetchall()
    assert waiting == [(state,)]
    for _ in range(20):
        batch = reader.read_next_batch()
        assert pa.total_allocated_bytes() - before < 8 * first.nbytes
    assert batch.num_rows == 5_000
    assert {"copy": "COPY", "sqlalchemy": "DECLARE"}[engine] in postgres.server.statements
    reader.close()


def test_a_reader_that_is_closed_early_or_dropped_gives_its_connection_back(postgres, database):
    postgres.execute("CREATE TABLE t AS SELECT g AS id FROM generate_series(1, 50000) g")
    one = Database("one", postgres.url, PoolSettings(size=1, overflow=0, connect_timeout_s=2))
    table = table_of(one, "t")
    extract(one, Extraction(table=table), batch_rows=100).close()
    reader = extract(one, Extraction(table=table), batch_rows=100)
    reader.read_next_batch()
    del reader
    assert extract(one, Extraction(table=table)).read_all().num_rows == 50_000
    held = extract(one, Extraction(table=table), batch_rows=100)
    with pytest.raises(SourceUnavailable, match="pool"):
        extract(one, Extraction(table=table))
    held.close()
    one.close()


def test_wide_rows_make_smaller_batches(postgres, database):
    postgres.execute(
        "CREATE TABLE wide AS SELECT g AS id, repeat(md5(g::text), 32000) AS v "
        "FROM generate_series(1, 120) g"
    )
    batches = list(extract(database, Extraction(table=table_of(database, "wide"))))
    assert len(batches) > 2
    assert sum(batch.num_rows for batch in batches) == 120


@pytest.mark.parametrize("batch_rows", [1, 7, 65_536])
def test_batches_never_hold_more_rows_than_asked_for(postgres, database, batch_rows):
    postgres.execute("CREATE TABLE t AS SELECT g AS id FROM generate_series(1, 150) g")
    batches = list(extract(database, Extraction(table=table_of(database, "t")), batch_rows))
    assert [row for batch in batches for row in batch.column("id").to_pylist()] == [*range(1, 151)]
    assert max(batch.num_rows for batch in batches) == min(batch_rows, 150)


def test_an_empty_table_gives_no_batches_and_its_full_schema(postgres, database):
    postgres.execute("CREATE TABLE t (id bigint NOT NULL, at timestamptz)")
    reader = extract(database, Extraction(table=table_of(database, "t")))
    assert reader.schema == pa.schema(
        [pa.field("id", pa.int64(), nullable=False), ("at", pa.timestamp("us", "UTC"))]
    )
    assert reader.read_all().num_rows == 0
    query = extract(
        database, Extraction(query="SELECT id, at FROM t WHERE id > :n", params={"n": 1})
    )
    assert query.schema.types == [pa.int64(), pa.timestamp("us", "UTC")]


def test_incremental_reading_repeats_ties_lookback_and_nulls_and_loses_nothing(postgres, database):
    postgres.execute(
        "CREATE TABLE t (id int PRIMARY KEY, at timestamptz)",
        "INSERT INTO t VALUES (1, '2024-01-01 10:00Z'), (2, '2024-01-01 11:00Z'), "
        "(3, '2024-01-01 11:00Z'), (4, NULL)",
    )
    table = table_of(database, "t")
    cursor = Cursor("at", key=("id",))
    lake = {row["id"]: row for row in rows_of(database, table=table, cursor=cursor)}
    watermark = max(row["at"] for row in lake.values() if row["at"])
    # A tie with the watermark, a later row, a row without cursor, a change of a tie.
    postgres.execute(
        "INSERT INTO t VALUES (5, '2024-01-01 11:00Z'), (6, '2024-01-01 12:00Z'), (7, NULL)"
    )
    changed = rows_of(database, table=table, cursor=cursor, after=watermark)
    assert {row["id"] for row in changed} == {2, 3, 4, 5, 6, 7}
    lake |= {row["id"]: row for row in changed}
    assert sorted(lake.values(), key=lambda row: row["id"]) == sorted(
        rows_of(database, table=table), key=lambda row: row["id"]
    )
    late = Cursor("at", lookback=timedelta(hours=1), key=("id",))
    again = rows_of(database, table=table, cursor=late, after=watermark.isoformat())
    assert {row["id"] for row in again} == {1, 2, 3, 4, 5, 6, 7}
    assert count_rows(database, Extraction(table=table, cursor=late, after=watermark)) == 7


def test_a_query_can_be_followed_by_a_cursor_too(postgres, database):
    postgres.execute("CREATE TABLE t AS SELECT g AS id, g * 1.5 AS v FROM generate_series(1, 9) g")
    query = "SELECT id * :k AS big, v::numeric(10,1) AS v FROM t ORDER BY id"
    found = rows_of(
        database, query=query, params={"k": 10}, cursor=Cursor("big", lookback=10), after=90
    )
    assert [row["big"] for row in found] == [80, 90]
    found = rows_of(database, query=query, params={"k": 10}, cursor=Cursor("v"), after="13.5")
    assert [row["big"] for row in found] == [90]


def test_neighbouring_windows_share_no_row_and_miss_none(postgres, database):
    postgres.execute(
        "CREATE TABLE t AS SELECT g AS id, timestamp '2024-01-01' + g * interval '10 minutes' AS at "
        "FROM generate_series(0, 431) g",
    )
    table = table_of(database, "t")
    days = [datetime(2024, 1, day) for day in (1, 2, 3, 4)]
    ids = [
        row["id"]
        for start, end in pairwise(days)
        for row in rows_of(database, table=table, window=Window("at", start, end))
    ]
    assert ids == list(range(432))


def test_an_extraction_sees_one_snapshot_while_the_source_changes(postgres, database):
    postgres.execute("CREATE TABLE t AS SELECT g AS id FROM generate_series(1, 20000) g")
    reader = extract(database, Extraction(table=table_of(database, "t")), batch_rows=64)
    postgres.execute("DELETE FROM t WHERE id > 100", "INSERT INTO t VALUES (-1)")
    assert sorted(reader.read_all().column("id").to_pylist()) == list(range(1, 20001))


def test_missing_tables_columns_and_rights_are_permanent_and_say_what_to_do(postgres, database):
    postgres.execute("CREATE TABLE t (id int, v int)", "CREATE TABLE gone (id int)")
    table, gone = table_of(database, "t"), table_of(database, "gone")
    postgres.execute("DROP TABLE gone", "ALTER TABLE t DROP COLUMN v")
    with pytest.raises(PermanentError, match="refresh what is known"):
        extract(database, Extraction(table=gone))
    with pytest.raises(PermanentError, match="refresh what is known"):
        extract(database, Extraction(table=table))
    postgres.execute(
        "DROP ROLE IF EXISTS nobody_here",
        "CREATE ROLE nobody_here LOGIN",
        "CREATE TABLE s (id int)",
    )
    stranger = Database("shop", postgres.server.url(postgres.name, user="nobody_here"))
    with pytest.raises(PermanentError, match="grant SELECT"):
        extract(stranger, Extraction(table=table_of(database, "s")))
    stranger.close()


def test_an_unreachable_server_is_worth_a_retry_and_a_refused_login_is_not(postgres, monkeypatch):
    secret = "s3cr3t/Hunter@2"
    monkeypatch.setenv("NOWHERE", "postgres://etl:s3cr3t%2FHunter%402@127.0.0.1:1/x")
    nowhere = Database("nowhere", "env://NOWHERE", PoolSettings(connect_timeout_s=2))
    with pytest.raises(SourceUnavailable, match="env://NOWHERE") as caught:
        reflect(nowhere)
    shown = f"{caught.value!r} {caught.value} {nowhere!r} {nowhere.redacted}"
    assert secret not in shown
    assert "s3cr3t" not in shown
    with pytest.raises(PermanentError, match="correct the user"):
        reflect(Database("x", postgres.server.url("no_such_database")))
    with pytest.raises(PermanentError, match="correct the user"):
        reflect(Database("x", postgres.server.url(postgres.name, user="no_such_user")))


@pytest.mark.parametrize("attempt", range(5))
def test_a_connection_lost_in_the_middle_is_worth_a_retry(postgres, database, attempt):
    """Several times, since what the driver had read by then differs: never taken for the end."""
    # More than sockets and blocks read ahead can hold: the server is still sending when it is ended.
    postgres.execute(
        "CREATE TABLE t AS SELECT g AS id, repeat('x', 600) FROM generate_series(1, 60000) g"
    )
    table = table_of(database, "t")
    reader = extract(database, Extraction(table=table), batch_rows=64)
    postgres.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'etl'"
    )
    with pytest.raises(SourceUnavailable):
        reader.read_all()
    assert extract(database, Extraction(table=table)).read_all().num_rows == 60_000


def test_a_statement_that_takes_too_long_is_stopped(postgres):
    slow = Database("slow", postgres.url, PoolSettings(statement_timeout_s=0.05))
    with pytest.raises(SourceUnavailable, match="statement_timeout_s"):
        extract(slow, Extraction(query="SELECT pg_sleep(60)::text AS v")).read_all()
    slow.close()


def test_a_database_neither_connects_nor_resolves_before_its_first_use(monkeypatch):
    database = Database("later", "env://NOT_SET_YET")
    assert database.redacted == "env://NOT_SET_YET"
    monkeypatch.setenv("NOT_SET_YET", "postgresql+psycopg2://etl@127.0.0.1:1/x")
    assert database.engine().url.drivername == "postgresql+psycopg"
    assert database.dialect.name == "postgresql"


def test_columns_of_a_query_that_share_a_name_are_refused(postgres, database):
    with pytest.raises(PermanentError, match="several columns are named 'a'"):
        extract(database, Extraction(query="SELECT 1 AS a, 2 AS a"))
