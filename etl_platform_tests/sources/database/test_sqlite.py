# ruff: noqa: E501 - the tables of types read best with one type a line
"""Reading real SQLite files, which enforce no types: what breaks a declared type is an error."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pytest

from etl_platform.core.errors import (
    ConfigError,
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

# declared type: (Arrow type, stored values, values that must come out)
TYPES: dict[str, tuple[str, list[Any], list[Any]]] = {
    "INTEGER": ("int64", [-(2**63), 2**63 - 1], [-(2**63), 2**63 - 1]),
    "SMALLINT": ("int64", [70_000, 0], [70_000, 0]),
    "UNSIGNED BIG INT": ("int64", [1, 2], [1, 2]),
    "REAL": ("float64", [0.1, 3], [0.1, 3.0]),
    "DOUBLE PRECISION": ("float64", [float("inf"), -0.0], [float("inf"), -0.0]),
    "BOOLEAN": ("bool", [1, 0], [True, False]),
    "TEXT": ("string", ["", "héllo ☃ ' \" \\"], ["", "héllo ☃ ' \" \\"]),
    "VARCHAR(3)": ("string", ["longer than 3", "x"], ["longer than 3", "x"]),
    "BLOB": ("binary", [b"\x00\xff", b""], [b"\x00\xff", b""]),
    "DECIMAL(15, 2)": ("decimal(15, 2)", [0.1, 1234567890123.45], [Decimal("0.10"), Decimal("1234567890123.45")]),
    "NUMERIC(10)": ("decimal(10, 0)", [7, -3], [Decimal(7), Decimal(-3)]),
    "DECIMAL(38,2)": ("decimal(38, 2)", [2**60 + 1, "0.5"], [Decimal(2**60 + 1), Decimal("0.50")]),
    "DATE": ("date32", ["2024-02-29", "0001-01-01"], [date(2024, 2, 29), date(1, 1, 1)]),
    "DATETIME": (
        "timestamp[us]",
        ["2024-01-02 03:04:05.123456", "2024-01-02T03:04"],
        [datetime(2024, 1, 2, 3, 4, 5, 123456), datetime(2024, 1, 2, 3, 4)],
    ),
    "TIMESTAMP WITH TIME ZONE": (
        "timestamp[us, UTC]",
        ["2024-01-02T03:04:05Z", "2024-01-02 03:04:05+05:30"],
        [datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC), datetime(2024, 1, 1, 21, 34, 5, tzinfo=UTC)],
    ),
    "UUID": ("string", ["a0eebc99-9c0b", "x"], ["a0eebc99-9c0b", "x"]),
    "JSON": ("string", ['{"a": 1.10}', "null"], ['{"a": 1.10}', "null"]),
    "": ("int64", [1, 2], [1, 2]),
}  # fmt: skip


class SqliteFile:
    """A database file that the test writes through its own connection."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.session = sqlite3.connect(path, isolation_level=None)
        self.session.execute("PRAGMA synchronous = OFF")

    def execute(self, *statements: str) -> None:
        for statement in statements:
            self.session.execute(statement)

    def insert(self, table: str, *rows: tuple[Any, ...]) -> None:
        marks = ", ".join("?" * len(rows[0]))
        self.session.execute("BEGIN")
        self.session.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        self.session.execute("COMMIT")


@pytest.fixture
def file(tmp_path: Path) -> Iterator[SqliteFile]:
    made = SqliteFile(tmp_path / "shop ?#%.db")
    yield made
    made.session.close()


@pytest.fixture
def database(file: SqliteFile) -> Iterator[Database]:
    found = Database("shop", f"sqlite:///{quote(str(file.path))}")
    yield found
    found.close()


def table_of(database: Database, name: str) -> SourceTable:
    (table,) = [t for t in reflect(database, views=True) if t.name == name]
    return table


def rows_of(database: Database, **what: Any) -> list[dict[str, Any]]:
    return extract(database, Extraction(**what)).read_all().to_pylist()


@pytest.fixture
def everything(file: SqliteFile) -> list[str]:
    columns = ", ".join(f'"c {n}" {kind}' for n, kind in enumerate(TYPES))
    file.execute(f"CREATE TABLE everything ({columns})")
    file.insert("everything", *zip(*(stored for _, stored, _ in TYPES.values()), strict=True))
    file.insert("everything", (None,) * len(TYPES))
    return list(TYPES)


def test_every_supported_type_comes_out_as_it_went_in_and_nulls_stay_nulls(database, everything):
    table = table_of(database, "everything")
    read = extract(database, Extraction(table=table)).read_all()
    for number, kind in enumerate(everything):
        arrow, _, expected = TYPES[kind]
        assert table.column(f"c {number}").arrow_type == arrow, kind
        assert read.column(f"c {number}").to_pylist() == [*expected, None], kind


def test_a_query_keeps_the_declared_types_of_the_columns_that_it_passes_on(database, everything):
    query = Extraction(query="SELECT * FROM everything", params={})
    assert extract(database, query).read_all() == (
        extract(database, Extraction(table=table_of(database, "everything"))).read_all()
    )


@pytest.mark.parametrize(
    ("declared", "value", "shown"),
    [
        ("INTEGER", "many", r"'many' \(str\)"),
        ("INTEGER", 1.5, r"1\.5 \(float\)"),
        ("BOOLEAN", 2, r"2 \(int\)"),
        ("BOOLEAN", "yes", "'yes'"),
        ("TEXT", b"raw", "b'raw'"),
        ("BLOB", "text", "'text'"),
        ("REAL", "n/a", "'n/a'"),
        ("DECIMAL(5,2)", 0.125, "0.125"),
        ("DECIMAL(5,2)", 12345, "12345"),
        ("DECIMAL(5,2)", float("inf"), "inf"),
        ("DECIMAL(5,2)", "1,5", "'1,5'"),
        ("DECIMAL(38,0)", 1e40, "1e"),
        ("DATE", "2024-02-30", "'2024-02-30'"),
        ("DATE", "29.02.2024", "'29.02.2024'"),
        ("DATE", "2024-01-01 05:00:00", "'2024-01-01 05:00:00'"),
        ("DATE", 1704067200, "1704067200"),
        ("DATETIME", "2024-01-01 05:00:00+02:00", "05:00:00"),
        ("DATETIME", "2024-01-01 05:00:00.1234567", "1234567"),
        ("DATETIME", "now", "'now'"),
        ("TIMESTAMPTZ", "2024-01-01 05:00:00", "'2024-01-01 05:00:00'"),
    ],
)
def test_a_value_that_disobeys_its_declared_type_is_named_with_its_row(
    file, database, declared, value, shown
):
    file.execute(f'CREATE TABLE "my shop" (id INTEGER, v {declared})')
    file.insert('"my shop"', *((n, None) for n in range(1, 3000)), (3000, value), (3001, None))
    table = table_of(database, "my shop")
    with pytest.raises(PermanentError, match=rf"my shop: column 'v' .*row 3000: .*{shown}"):
        rows_of(database, table=table)
    if not isinstance(value, bytes):
        kept = rows_of(database, table=table, types={"v": "string"})[2999]["v"]
        assert kept == str(value) or float(kept) == value


def test_text_that_is_not_utf8_is_an_error(file, database):
    file.execute("CREATE TABLE t (v TEXT)", "INSERT INTO t VALUES (CAST(x'ff' AS TEXT))")
    with pytest.raises(PermanentError, match="UTF-8"):
        rows_of(database, table=table_of(database, "t"))


def test_a_number_without_precision_needs_a_declaration(file, database):
    file.execute("CREATE TABLE t (v NUMERIC, t TIME)")
    file.insert("t", (0.1, "03:04:05"), (2, None))
    table = table_of(database, "t")
    with pytest.raises(UnsupportedType, match=r"'v' \(NUMERIC\), 't' \(TIME\)"):
        extract(database, Extraction(table=table))
    text = TypePolicy(unconstrained_numeric="string", unsupported="string")
    assert rows_of(database, table=table, policy=text) == [
        {"v": "0.1", "t": "03:04:05"},
        {"v": "2", "t": None},
    ]
    exact = TypePolicy(unconstrained_numeric="decimal(38,10)", unsupported="string")
    assert rows_of(database, table=table, policy=exact)[0]["v"] == Decimal("0.1000000000")


def test_computed_columns_are_typed_by_what_they_hold_or_by_a_declaration(file, database):
    file.execute("CREATE TABLE t (a INTEGER, d DECIMAL(10,2))")
    file.insert("t", (1, 0.5), (2, 1))
    found = extract(
        database,
        Extraction(query="SELECT a + :n AS b, a / 2.0 AS f, upper('x') AS s, d, count(*) OVER () n, "
                         "NULL AS nil FROM t", params={"n": 1}, types={"nil": "date32"}),
    ).read_all()  # fmt: skip
    assert found.schema == pa.schema(
        {
            "b": pa.int64(),
            "f": pa.float64(),
            "s": pa.string(),
            "d": pa.decimal128(10, 2),
            "n": pa.int64(),
            "nil": pa.date32(),
        }
    )
    assert found.column("b").to_pylist() == [2, 3]
    with pytest.raises(UnsupportedType, match=r"types: \{nil: string\}"):
        extract(database, Extraction(query="SELECT NULL AS nil FROM t"))
    file.execute("CREATE VIEW doubled AS SELECT a * 2 AS twice, d FROM t")
    view = table_of(database, "doubled")
    assert (view.kind, [c.arrow_type for c in view.columns]) == (
        "view",
        ["int64", "decimal(10, 2)"],
    )


HOSTILE = [
    'quo"te', "quo'te", "spa ce", "UPPER", "select", "naïve☃", "per%cent %(x)s", "col:on :x", "a.b",
    'x"; DROP TABLE victim; --', "back\\slash", "(paren) [x] {y}", "que?stion ?1",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_of_tables_and_columns_are_only_names(file, database, name):
    quoted = '"' + name.replace('"', '""') + '"'
    file.execute("CREATE TABLE victim (id INTEGER)")
    file.execute(f"CREATE TABLE {quoted} ({quoted} INTEGER PRIMARY KEY, bare)")
    file.insert(quoted, (1, "a"), (2, "b"))
    table = table_of(database, name)
    assert table.primary_key == (name,)
    assert rows_of(database, table=table, cursor=Cursor(name), after=2) == [{name: 2, "bare": "b"}]
    assert count_rows(database, Extraction(table=table)) == 2
    assert table_of(database, "victim")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 AS a; DROP TABLE victim",
        "SELECT 1 AS a) AS x; DROP TABLE victim; --",
        "DROP TABLE victim",
        "DELETE FROM victim RETURNING id",
        "PRAGMA journal_mode = WAL",
        "ATTACH DATABASE 'other.db' AS o",
    ],
)
def test_a_query_that_would_change_the_source_is_refused(file, database, query):
    file.execute("CREATE TABLE victim (id INTEGER)")
    file.insert("victim", (1,))
    with pytest.raises(PermanentError):
        extract(database, Extraction(query=query)).read_all()
    assert count_rows(database, Extraction(table=table_of(database, "victim"))) == 1


def test_parameters_are_bound_and_never_become_sql(file, database):
    file.execute("CREATE TABLE t (id INTEGER, name TEXT)")
    file.insert("t", (1, "a"))
    query = "SELECT id, '12:30 :zone' AS z FROM t WHERE name = :name -- :comment"
    attack = "x' OR 1=1; DROP TABLE t; --"
    assert rows_of(database, query=query, params={"name": attack}, types={"z": "string"}) == []
    assert rows_of(database, query=query, params={"name": "a"}) == [{"id": 1, "z": "12:30 :zone"}]
    with pytest.raises(UnknownName, match="'nme'"):
        extract(database, Extraction(query=query, params={"nme": "a"}))


def test_the_shape_of_a_file_is_read_and_survives_json(file, database):
    file.execute(
        "CREATE TABLE planes (tail TEXT PRIMARY KEY NOT NULL, year INT)",
        "CREATE TABLE flights (id INTEGER PRIMARY KEY AUTOINCREMENT, "
        "tail TEXT REFERENCES planes(tail), g INT GENERATED ALWAYS AS (id + 1))",
        "CREATE TABLE codes (c TEXT PRIMARY KEY) WITHOUT ROWID",
        "CREATE VIEW v AS SELECT * FROM planes",
    )
    file.insert("planes", ("a", 1), ("b", 2))
    tables = {t.name: t for t in reflect(database)}
    assert list(tables) == ["codes", "flights", "planes"]
    flights = tables["flights"]
    assert flights.schema is None
    assert [c.name for c in flights.columns] == ["id", "tail", "g"]
    (reference,) = flights.foreign_keys
    assert (reference.columns, reference.referred_schema, reference.referred_table) == (
        ("tail",),
        None,
        "planes",
    )
    assert reference.referred_columns == ("tail",)
    assert {name: t.estimated_rows for name, t in tables.items()} == {
        "planes": 2,
        "flights": 0,
        "codes": None,
    }
    assert tables_from_json(tables_to_json(tables.values())) == tuple(tables.values())
    assert SourceTable.from_json(flights.to_json()) == flights
    assert [t.name for t in reflect(database, include=["[fp]*"], exclude=["*anes"])] == ["flights"]


@pytest.mark.parametrize("separator", [" ", "T"])
@pytest.mark.parametrize("digits", ["minutes", "seconds", "microseconds"])
def test_windows_over_timestamps_kept_as_text_share_no_row_and_miss_none(
    file, database, separator, digits
):
    file.execute("CREATE TABLE t (id INTEGER, at DATETIME)", "CREATE INDEX t_at ON t (at)")
    start = datetime(2024, 1, 1)
    times = [start + timedelta(minutes=10 * n) for n in range(432)]
    file.insert("t", *((n, at.isoformat(separator, digits)) for n, at in enumerate(times)))
    table = table_of(database, "t")
    edges = [start + timedelta(hours=n) for n in range(73)]
    ids = [
        [row["id"] for row in rows_of(database, table=table, window=Window("at", low, high))]
        for low, high in pairwise(edges)
    ]
    assert ids == [list(range(6 * hour, 6 * hour + 6)) for hour in range(72)]


@pytest.mark.parametrize(
    "stored",
    [
        "2024-01-01", "2024-01-01 00:00", "2024-01-01T00:00:00", "2024-01-01 00:00:00.000",
        "2024-01-01T00:00:00.000000",
    ],
)  # fmt: skip
def test_a_tie_with_the_watermark_is_found_in_every_way_to_write_the_moment(file, database, stored):
    file.execute("CREATE TABLE t (id INTEGER, at TIMESTAMP)")
    file.insert("t", (1, "2023-12-31 23:59:59.999999"), (2, stored))
    table = table_of(database, "t")
    for after in (datetime(2024, 1, 1), "2024-01-01T00:00:00"):
        assert [
            r["id"] for r in rows_of(database, table=table, cursor=Cursor("at"), after=after)
        ] == [2]


def test_incremental_reading_repeats_ties_lookback_and_nulls(file, database):
    file.execute("CREATE TABLE t (id INTEGER NOT NULL, v DECIMAL(10,2), d DATE)")
    file.insert("t", (1, 0.1, "2024-01-01"), (2, 0.3, "2024-01-02"), (3, None, "2024-01-03"))
    table = table_of(database, "t")

    def ids(cursor: Cursor, after: object) -> list[int]:
        return [row["id"] for row in rows_of(database, table=table, cursor=cursor, after=after)]

    assert ids(Cursor("id"), None) == [1, 2, 3]
    assert ids(Cursor("id"), 2) == [2, 3]
    assert ids(Cursor("id", lookback=1), "2") == [1, 2, 3]
    assert ids(Cursor("v"), Decimal("0.30")) == [2, 3]
    assert ids(Cursor("v", lookback=0.2), Decimal("0.30")) == [1, 2, 3]
    assert ids(Cursor("d"), date(2024, 1, 2)) == [2, 3]
    assert ids(Cursor("d", lookback=timedelta(hours=1)), date(2024, 1, 3)) == [2, 3]
    assert ids(Cursor("d", lookback=timedelta(days=400)), date.min) == [1, 2, 3]


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ({"cursor": Cursor("idd"), "after": 1}, UnknownName),
        ({"cursor": Cursor("id", key=("nothing",)), "after": 1}, UnknownName),
        ({"cursor": Cursor("id"), "after": "soon"}, ConfigError),
        ({"cursor": Cursor("id"), "after": 1.5}, ConfigError),
        ({"cursor": Cursor("id", lookback=timedelta(1)), "after": 1}, ConfigError),
        ({"cursor": Cursor("at"), "after": datetime(2024, 1, 1, tzinfo=UTC)}, ConfigError),
        ({"cursor": Cursor("raw"), "after": b"x"}, ConfigError),
        ({"window": Window("at", datetime(2024, 1, 2), datetime(2024, 1, 2))}, ConfigError),
        ({"window": Window("zoned", "2024-01-01T00:00Z", "2024-01-02T00:00Z")}, ConfigError),
        ({"types": {"id": "int"}}, ConfigError),
        ({"types": {"nothing": "int64"}}, UnknownName),
    ],
)
def test_a_cursor_window_or_type_that_cannot_work_is_refused(file, database, what, error):
    file.execute("CREATE TABLE t (id INTEGER, at DATETIME, raw BLOB, zoned TIMESTAMPTZ)")
    with pytest.raises(error):
        extract(database, Extraction(table=table_of(database, "t"), **what))


@pytest.mark.parametrize(
    "what",
    [
        {},
        {"query": "SELECT 1", "after": 1},
        {"table": SourceTable(None, "t", ()), "query": "SELECT 1"},
        {"table": SourceTable(None, "t", ()), "params": {"a": 1}},
    ],
)
def test_an_extraction_that_makes_no_sense_cannot_be_built(what):
    with pytest.raises(ConfigError):
        Extraction(**what)


def test_rows_arrive_before_the_query_is_consumed(database, file):
    """A recursive query without an end can only be read by streaming."""
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
    reader = extract(database, Extraction(query=endless), batch_rows=1_000)
    read = [reader.read_next_batch().column("i").to_pylist() for _ in range(3)]
    assert [i for batch in read for i in batch] == list(range(1, 3001))
    reader.close()


def test_a_query_of_no_rows_needs_declared_types_only_for_computed_columns(file, database):
    file.execute("CREATE TABLE t (id INTEGER, d DATE)")
    reader = extract(database, Extraction(query="SELECT d, id FROM t"))
    assert (reader.schema.types, reader.read_all().num_rows) == ([pa.date32(), pa.int64()], 0)
    table = extract(database, Extraction(table=table_of(database, "t")))
    assert (table.schema.names, table.read_all().num_rows) == (["id", "d"], 0)


def test_the_file_is_opened_read_only_and_never_created(file, database, tmp_path):
    missing = Database("missing", f"sqlite:///{tmp_path}/nothing.db")
    with pytest.raises(PermanentError, match=r"nothing\.db"):
        reflect(missing)
    assert not (tmp_path / "nothing.db").exists()
    (tmp_path / "text.db").write_text("this is not a database file at all" * 50)
    with pytest.raises(PermanentError, match="not a database"):
        reflect(Database("text", f"sqlite:///{tmp_path}/text.db"))
    with pytest.raises(ConfigError):
        reflect(Database("memory", "sqlite://"))


def test_a_locked_file_is_worth_a_retry(file, database):
    file.execute("CREATE TABLE t (id INTEGER)", "BEGIN EXCLUSIVE")
    escaped = database.url_ref
    with pytest.raises(SourceUnavailable, match="locked"):
        reflect(Database("busy", escaped, PoolSettings(connect_timeout_s=0)))
    file.execute("ROLLBACK")
    assert [t.name for t in reflect(database)] == ["t"]


def test_a_table_that_is_gone_says_to_refresh(file, database):
    file.execute("CREATE TABLE t (id INTEGER, v INTEGER)")
    table = table_of(database, "t")
    file.execute("ALTER TABLE t DROP COLUMN v")
    with pytest.raises(PermanentError, match="refresh"):
        extract(database, Extraction(table=table))
    file.execute("DROP TABLE t")
    with pytest.raises(PermanentError, match="refresh"):
        extract(database, Extraction(table=table))


@pytest.mark.parametrize("url", ["oracle://u@h/db", "nonsense"])
def test_an_unknown_kind_of_database_is_refused(url):
    with pytest.raises(ConfigError):
        Database("x", url).engine()


def test_a_reference_that_holds_no_url_is_refused_without_showing_it(monkeypatch):
    monkeypatch.setenv("BROKEN", "postgresql://u:s3cr3t@host:port/db")
    with pytest.raises(ConfigError, match="env://BROKEN") as caught:
        Database("x", "env://BROKEN").engine()
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__cause__ is None
