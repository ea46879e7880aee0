# ruff: noqa: E501 - SQL reads best unbroken
"""Every engine gives what the general engine gives, or says beforehand that it would not."""

from __future__ import annotations

import base64
import sqlite3
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_platform.core.errors import PermanentError, SourceUnavailable, UnknownName
from etl_platform.selection import NoEngine
from etl_platform.sources.database import (
    ENGINES,
    Cursor,
    Database,
    Extraction,
    TypePolicy,
    Window,
    capabilities,
    extract,
)
from etl_platform_tests.servers.postgres import PostgresDatabase
from etl_platform_tests.sources.database.test_postgresql import create_types, table_of

pytestmark = pytest.mark.postgres
FAST = [one.name for one in ENGINES if {"postgresql"} == one.capabilities(()).kinds]


@pytest.fixture
def database(postgres: PostgresDatabase):
    found = Database("shop", postgres.url)
    yield found
    found.close()


@pytest.fixture(params=FAST)
def engine(request: pytest.FixtureRequest) -> str:
    return request.param


def degraded(database: Database, extraction: Extraction, engine: str) -> dict[str, str]:
    (told,) = [one for one in capabilities(database, extraction) if one.name == engine]
    return {one.column: one.why for one in told.degrades}


def test_every_type_is_read_as_the_general_engine_reads_it_or_refused_beforehand(
    postgres, database, engine
):
    create_types(postgres)
    table = table_of(database, "everything")
    reference = extract(database, Extraction(table=table), engine="sqlalchemy").read_all()
    refused = degraded(database, Extraction(table=table), engine)
    if refused:
        with pytest.raises(NoEngine, match=f"{engine}: "):
            extract(database, Extraction(table=table), engine=engine)
    kept_names = [c.name for c in table.columns if c.name not in refused]
    kept = ", ".join(f'"{name}"' for name in kept_names)
    postgres.execute(f"CREATE VIEW kept AS SELECT {kept} FROM everything")
    read = extract(database, Extraction(table=table_of(database, "kept")), engine=engine).read_all()
    assert len(kept_names) > 15
    given, wanted = read.sort_by("row_no"), reference.sort_by("row_no")
    for column in kept_names:
        assert given[column].to_pylist() == wanted[column].to_pylist(), column
    assert given.schema.equals(pa.schema([wanted.schema.field(name) for name in kept_names]))


@pytest.mark.parametrize(
    ("kind", "literal"),
    [
        ("numeric(10,2)", "NaN"),
        ("timestamp", "infinity"),
        ("timestamptz", "20240-01-01 00:00:00+00"),
        ("date", "0044-03-15 BC"),
    ],
)
def test_a_value_without_an_exact_place_is_refused_alike(postgres, database, kind, literal):
    postgres.execute(
        f"CREATE TABLE odd (id int, v {kind})",
        "INSERT INTO odd SELECT g, NULL FROM generate_series(1, 100) g",
        f"INSERT INTO odd VALUES (101, '{literal}')",
    )
    said = []
    for name in ("copy", "sqlalchemy"):
        with pytest.raises(PermanentError) as caught:
            extract(
                database, Extraction(table=table_of(database, "odd")), 40, engine=name
            ).read_all()
        said.append(str(caught.value).split(" is not exactly ")[0])
    assert said[0] == said[1]
    assert "row 101" in said[0]


@pytest.mark.parametrize("engine", ["copy", "sqlalchemy"])
def test_a_number_that_a_declared_decimal_cannot_hold_is_refused_not_wrapped(
    postgres, database, engine
):
    """Arrow turns these 38 digits into another number when it gives them ten decimals."""
    postgres.execute(
        "CREATE TABLE n (v numeric)", f"INSERT INTO n VALUES (1.5), ({'12345678' * 4}345678)"
    )
    exact = TypePolicy(unconstrained_numeric="decimal(38,10)")
    extraction = Extraction(table=table_of(database, "n"), policy=exact)
    with pytest.raises(PermanentError, match=r"row 2: the value .*1234567812"):
        extract(database, extraction, engine=engine).read_all()
    postgres.execute("DELETE FROM n WHERE v > 2")
    assert extract(database, extraction, engine=engine).read_all().to_pylist() == [
        {"v": Decimal("1.5000000000")}
    ]


def test_conditions_parameters_and_hostile_names_reach_copy_quoted(postgres, database):
    name = "a\"b'c%s %(x)s :p; --é"
    quoted = '"' + name.replace('"', '""') + '"'
    postgres.execute(
        f"CREATE TABLE {quoted} ({quoted} text, at timestamptz, id int)",
        f"INSERT INTO {quoted} SELECT 'x''; DROP TABLE t; --', '2024-01-01Z'::timestamptz + g * '1h'::interval, g FROM generate_series(1, 48) g",
    )
    table = table_of(database, name)
    day = Window("at", "2024-01-02T00:00:00+00:00", "2024-01-03T00:00:00+00:00")
    after = {"cursor": Cursor("id", key=("id",)), "after": "40"}
    for what in ({"table": table, "window": day}, {"table": table, **after}):
        both = [
            extract(database, Extraction(**what), engine=e).read_all()
            for e in ("copy", "sqlalchemy")
        ]
        assert both[0].num_rows in (24, 9)
        assert both[0].equals(both[1])
    attack = "x'; DROP TABLE t; --"
    query = f"SELECT id FROM {quoted} WHERE {quoted} = :name AND at > :at"
    given = {"name": attack, "at": datetime(2024, 1, 2, 23, tzinfo=UTC)}
    found = extract(database, Extraction(query=query, params=given), engine="copy").read_all()
    assert found["id"].to_pylist() == [48]


TEXT = st.one_of(
    st.none(),
    st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=8),
    st.sampled_from(
        [
            "",
            " ",
            "\ufeff",
            "\ufeffx",
            "\\N",
            "\\.",
            '"',
            '""',
            ",",
            "\r",
            "\n",
            "\r\n",
            "NULL",
            "t",
        ]
    ),
)
ROWS = st.lists(
    st.tuples(TEXT, st.none() | st.binary(max_size=6), TEXT, st.none() | st.booleans()), max_size=40
)


@pytest.fixture
def exchanged(postgres: PostgresDatabase, database: Database) -> tuple[PostgresDatabase, Database]:
    postgres.execute("CREATE TABLE anything (a text, b bytea, c text, d bool)")
    postgres.execute("CREATE VIEW alone AS SELECT a FROM anything")
    return postgres, database


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=ROWS, batch_rows=st.integers(1, 50))
def test_copy_gives_back_whatever_was_stored(
    exchanged, rows: list[tuple[Any, ...]], batch_rows: int
):
    postgres, database = exchanged
    with postgres.connect() as session:
        session.execute("TRUNCATE anything")
        session.cursor().executemany("INSERT INTO anything VALUES (%s, %s, %s, %s)", rows)
    for name, width in (("anything", 4), ("alone", 1)):
        table = table_of(database, name)
        read = extract(database, Extraction(table=table), batch_rows, engine="copy").read_all()
        assert [tuple(row.values()) for row in read.to_pylist()] == [r[:width] for r in rows]


def test_rows_wider_than_a_block_arrive_whole(postgres, database):
    wide = base64.b64encode(b"wide" * 6_000_000).decode()
    postgres.execute("CREATE TABLE w (id int, v text)")
    with postgres.connect() as session:
        session.execute("INSERT INTO w SELECT g, %s FROM generate_series(1, 3) g", [wide])
    reader = extract(database, Extraction(table=table_of(database, "w")), engine="copy")
    batches = list(reader)
    assert [batch.num_rows for batch in batches] == [1, 1, 1]
    assert all(batch.column(1)[0].as_py() == wide for batch in batches)


def test_a_backend_that_is_ended_in_mid_copy_is_worth_a_retry(postgres, database):
    postgres.execute(
        "CREATE TABLE long AS SELECT g AS id, repeat('x', 200) AS fill FROM generate_series(1, 300000) g"
    )
    extraction = Extraction(table=table_of(database, "long"))
    reader = extract(database, extraction, 1_000, engine="copy")
    reader.read_next_batch()
    with postgres.connect() as session:
        session.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'etl'"
        )
    with pytest.raises(SourceUnavailable):
        reader.read_all()
    assert extract(database, extraction, engine="copy").read_all().num_rows == 300_000


def test_every_engine_reads_a_plain_table_with_parameters_and_hostile_values(
    postgres, database, engine
):
    attack = "x'; DROP TABLE victim; --"
    postgres.execute(
        "CREATE TABLE victim (id int, name text)", "INSERT INTO victim VALUES (1, 'a'), (2, NULL)"
    )
    with postgres.connect() as session:
        session.execute("INSERT INTO victim VALUES (3, %s)", [attack])
    query = "SELECT id, name, '12:30 :zone %s' AS t FROM victim WHERE name = :name"
    read = extract(database, Extraction(query=query, params={"name": attack}), engine=engine)
    assert read.read_all().to_pylist() == [{"id": 3, "name": attack, "t": "12:30 :zone %s"}]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 AS a) AS x; COMMIT; DROP TABLE victim; --",
        "SELECT wipe() AS a",
    ],
)
def test_no_engine_can_be_made_to_write(postgres, database, engine, query):
    postgres.execute(
        "CREATE TABLE victim (id int)",
        "INSERT INTO victim VALUES (1)",
        "CREATE FUNCTION wipe() RETURNS int LANGUAGE plpgsql AS $$ BEGIN DELETE FROM victim; RETURN 1; END $$",
    )
    with pytest.raises(PermanentError):
        extract(database, Extraction(query=query), engine=engine).read_all()
    with postgres.connect() as session:
        assert session.execute("SELECT count(*) FROM victim").fetchone() == (1,)


def test_what_other_engines_would_change_is_said_before_anything_is_read(postgres, database):
    postgres.execute(
        "CREATE TABLE risky (id int, price numeric(10,2), at timestamptz, tags text[])"
    )
    extraction = Extraction(table=table_of(database, "risky"))
    assert degraded(database, extraction, "connectorx").keys() == {"price", "at", "tags"}
    assert degraded(database, extraction, "adbc").keys() == {"at", "tags"}
    assert degraded(database, extraction, "copy").keys() == {"tags"}
    assert degraded(database, extraction, "sqlalchemy") == {}
    with pytest.raises(NoEngine, match="price: numerics are rounded to 10 decimals"):
        extract(database, extraction, engine="connectorx")


def test_arrays_are_read_by_the_general_engine_alone(postgres, database):
    """One column may hold arrays of any number of dimensions, which no other engine tells apart.

    COPY has two texts for them. Its own nests braces and bounds; JSON is what Arrow could parse, but
    it quotes NaN as if it were text, drops bounds and gives a matrix where a list was planned.
    """
    postgres.execute(
        "CREATE TABLE a (id int, v float8[])",
        "INSERT INTO a VALUES (1, '{1.5,NULL,NaN}'), (2, '{}'), (3, NULL)",
    )
    what = Extraction(table=table_of(database, "a"))
    for name in ("copy", "adbc", "connectorx"):
        assert degraded(database, what, name).keys() == {"v"}
    with postgres.connect() as session:
        json = "SELECT string_agg(array_to_json(v)::text, ' ' ORDER BY id) FROM a"
        assert session.execute(json).fetchone() == ('[1.5,null,"NaN"] []',)
    read = extract(database, what).read_all()["v"].to_pylist()
    assert str(read) == "[[1.5, None, nan], [], None]"
    postgres.execute("INSERT INTO a VALUES (4, '{{1,2},{3,4}}')")
    with pytest.raises(PermanentError, match="column 'v'"):
        extract(database, what).read_all()


def test_a_nan_that_adbc_gives_as_text_is_refused_with_its_row(postgres, database):
    postgres.execute("CREATE TABLE odd (v numeric(10,2))", "INSERT INTO odd VALUES (1), ('NaN')")
    with pytest.raises(PermanentError, match="row 2: the value 'NaN'"):
        extract(database, Extraction(table=table_of(database, "odd")), engine="adbc").read_all()


@pytest.mark.parametrize("name", ["adbc", "connectorx"])
def test_a_backend_ended_under_another_driver_is_the_sources_fault(postgres, database, name):
    postgres.execute(
        "CREATE TABLE long AS SELECT g AS id, repeat('x', 200) AS fill FROM generate_series(1, 900000) g"
    )
    reader = extract(database, Extraction(table=table_of(database, "long")), 1_000, engine=name)
    reader.read_next_batch()
    with postgres.connect() as session:
        session.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'etl%'"
        )
    with pytest.raises(SourceUnavailable):
        reader.read_all()


def test_an_engine_for_another_kind_of_database_is_refused_and_an_unknown_one_named(tmp_path):
    with sqlite3.connect(tmp_path / "shop.db") as con:
        con.execute("CREATE TABLE t (id INTEGER)")
    con.close()
    database = Database("shop", f"sqlite:///{tmp_path / 'shop.db'}")
    extraction = Extraction(table=table_of(database, "t"))
    assert [one.name for one in capabilities(database, extraction)] == ["sqlalchemy"]
    with pytest.raises(NoEngine, match="it reads postgresql only"):
        extract(database, extraction, engine="copy")
    with pytest.raises(UnknownName, match="did you mean 'copy'"):
        extract(database, extraction, engine="cpoy")
    assert extract(database, extraction).read_all().schema == pa.schema(
        [pa.field("id", pa.int64())]
    )
    database.close()


def test_a_value_that_begins_with_a_byte_order_mark_keeps_it(postgres, database):
    postgres.execute("CREATE TABLE bom (v text)")
    with postgres.connect() as session:
        session.execute("INSERT INTO bom SELECT %s FROM generate_series(1, 3)", ["\ufeffx"])
    read = extract(database, Extraction(table=table_of(database, "bom")), 1, engine="copy")
    assert read.read_all()["v"].to_pylist() == ["\ufeffx"] * 3
