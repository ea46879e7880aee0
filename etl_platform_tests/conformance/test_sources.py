"""One suite for every database and every engine that reads it: the same rows, or a refusal."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from etl_platform.core.errors import EtlError
from etl_platform.selection import NoEngine
from etl_platform.sources.database import (
    Cursor,
    Database,
    Extraction,
    SourceTable,
    Window,
    capabilities,
    count_rows,
    extract,
    reflect,
)
from etl_platform_tests.conformance.source_databases import OPENING, PAIRS, SourceUnderTest

HOSTILE = "x'; DROP TABLE canary; -- \" ` \\ %s %(a)s :b {c} $1 \n ☃ /*"
NAMES = (
    'a"; DROP TABLE canary; --',
    "b'; DROP TABLE canary; --",
    "c`; DROP TABLE canary; --",
    "Select",
    "two words",
    "naïve ☃",
    "%s %(x)s :y",
    "semi;colon /* -- */",
)


def types(usual: str, **by_kind: str) -> dict[str, str]:
    return {kind: by_kind.get(kind, usual) for kind in OPENING}


COLUMNS: dict[str, tuple[dict[str, str], list[str], list[Any]]] = {
    # name: (declared type by kind of database, SQL literals, the values that must come out)
    "whole": (types("bigint"), ["-9223372036854775807", "7"], [-(2**63) + 1, 7]),
    "exact": (
        types("decimal(15,2)"),
        ["-0.01", "1234567890123.45"],
        [Decimal("-0.01"), Decimal("1234567890123.45")],
    ),
    "inexact": (types("double precision", duckdb="double"), ["0.1", "-1e300"], [0.1, -1e300]),
    "words": (
        types("varchar(200)"),
        ["''", "'" + HOSTILE.replace("'", "''") + "'"],
        ["", HOSTILE],
    ),
    "day": (types("date"), ["'1000-01-01'", "'9999-12-31'"], [date(1000, 1, 1), date.max]),
    "moment": (
        types("timestamp", mysql="datetime(6)"),
        ["'1969-12-31 23:59:59.999999'", "'2024-02-29 01:02:03.000004'"],
        [datetime(1969, 12, 31, 23, 59, 59, 999999), datetime(2024, 2, 29, 1, 2, 3, 4)],
    ),
    "raw": (
        types("blob", postgresql="bytea"),
        ["{00ff27}", "{}"],
        [b"\x00\xff'", b""],
    ),
}


@pytest.fixture
def source(request: pytest.FixtureRequest, tmp_path: Path) -> SourceUnderTest:
    return OPENING[request.param](request, tmp_path)


@pytest.fixture
def database(source: SourceUnderTest) -> Iterator[Database]:
    found = Database("shop", source.url)
    yield found
    found.close()


every_pair = pytest.mark.parametrize(("source", "engine"), PAIRS, indirect=["source"])


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str, kind: str) -> str:
    """SQL of a value; ``{hex}`` stands for bytes, which each database writes in its own way."""
    if not text.startswith("{"):
        return text
    digits = text[1:-1]
    if kind == "postgresql":
        return f"'\\x{digits}'"
    if kind == "duckdb":
        return (
            "'" + "".join(f"\\x{digits[i : i + 2]}" for i in range(0, len(digits), 2)) + "'::blob"
        )
    return f"x'{digits}'"


def numbered(source: SourceUnderTest, rows: int, table: str = "numbers") -> None:
    """``rows`` rows: id from 0, a minute for each five, and a name; every tenth name is null."""
    source.execute(
        f"CREATE TABLE {table} (id bigint PRIMARY KEY, minute bigint NOT NULL, name varchar(40))"
    )
    for first in range(0, rows, 1_000):
        values = ", ".join(
            f"({i}, {i // 5}, " + ("NULL)" if i % 10 == 0 else f"'name {i}')")
            for i in range(first, min(rows, first + 1_000))
        )
        source.execute(f"INSERT INTO {table} VALUES {values}")


def table_of(database: Database, name: str) -> SourceTable:
    (found,) = [table for table in reflect(database) if table.name == name]
    return found


def read(database: Database, extraction: Extraction, engine: str) -> pa.Table:
    """What the engine gives, or a skip where it said beforehand that it would change a value."""
    (told,) = [one for one in capabilities(database, extraction) if one.name == engine]
    if told.degrades:
        with pytest.raises(NoEngine, match=told.degrades[0].column):
            extract(database, extraction, engine=engine)
        return pa.table({})
    with extract(database, extraction, engine=engine) as reader:
        return reader.read_all()


@every_pair
@pytest.mark.parametrize("column", COLUMNS)
def test_a_value_comes_out_as_it_is_or_is_refused_before_anything_is_read(
    source, engine, database, column
):
    declared, literals, expected = COLUMNS[column]
    rows = [f"({n}, {literal(text, source.kind)})" for n, text in enumerate(literals)]
    source.execute(
        f"CREATE TABLE one (id bigint PRIMARY KEY, v {declared[source.kind]})",
        f"INSERT INTO one VALUES {', '.join(rows)}, (2, NULL)",
    )
    found = read(database, Extraction(table=table_of(database, "one")), engine)
    if found.num_columns:
        assert found.sort_by("id")["v"].to_pylist() == [*expected, None]


@every_pair
def test_names_are_only_names_and_values_only_values(source, engine, database):
    columns = ", ".join(f"{quoted(name)} varchar(200)" for name in NAMES)
    hostile = "'" + HOSTILE.replace("'", "''") + "'"
    source.execute("CREATE TABLE canary (id bigint)", "INSERT INTO canary VALUES (1)")
    for name in NAMES:
        source.execute(
            f"CREATE TABLE {quoted(name)} (id bigint PRIMARY KEY, {columns})",
            f"INSERT INTO {quoted(name)} VALUES (1{f', {hostile}' * len(NAMES)})",
        )
    reflected = {table.name: table for table in reflect(database)}
    assert set(reflected) == {*NAMES, "canary"}
    for name in NAMES:
        table = reflected[name]
        cursor = Cursor(name, key=("id",))
        row = {"id": 1, **dict.fromkeys(NAMES, HOSTILE)}
        assert read(database, Extraction(table=table), engine).to_pylist() == [row]
        for extraction in (
            Extraction(table=table, cursor=cursor, after=HOSTILE),
            Extraction(table=table, window=Window(name, HOSTILE, HOSTILE + "~")),
        ):
            # Text that a database orders by its own rules may be refused, which is as safe.
            with suppress(EtlError):
                assert read(database, extraction, engine).to_pylist() == [row]
                assert count_rows(database, extraction) == 1
    assert source.table_names() == {*NAMES, "canary"}


@every_pair
def test_parameters_of_a_query_are_bound(source, engine, database):
    numbered(source, 20)
    query = "SELECT id, name FROM numbers WHERE name = :name OR id = :id"
    for name, ids in ((HOSTILE, [7]), ("name 3", [3, 7])):
        extraction = Extraction(query=query, params={"name": name, "id": 7})
        found = read(database, extraction, engine)
        if found.num_columns:
            assert sorted(found["id"].to_pylist()) == ids
    assert source.table_names() == {"numbers"}


@every_pair
def test_rows_come_in_batches_that_lose_and_double_nothing(source, engine, database):
    numbered(source, 3_001)
    extraction = Extraction(table=table_of(database, "numbers"))
    with extract(database, extraction, 700, engine) as reader:
        batches = list(reader)
    assert max(batch.num_rows for batch in batches) <= 700
    found = pa.Table.from_batches(batches).sort_by("id")
    assert found["id"].to_pylist() == list(range(3_001))
    assert found["name"].null_count == 301
    assert count_rows(database, extraction) == 3_001


@every_pair
def test_an_empty_table_has_its_columns_and_no_row(source, engine, database):
    numbered(source, 0)
    found = read(database, Extraction(table=table_of(database, "numbers")), engine)
    assert found.schema.names == ["id", "minute", "name"]
    assert found.num_rows == 0


@every_pair
def test_neighbouring_windows_share_no_row_and_miss_none(source, engine, database):
    numbered(source, 200)
    table = table_of(database, "numbers")
    ids: list[int] = []
    for start, end in pairwise((0, 1, 13, 40)):
        window = Extraction(table=table, window=Window("minute", start, end))
        ids += read(database, window, engine)["id"].to_pylist()
    assert sorted(ids) == list(range(200))


@every_pair
@pytest.mark.parametrize("column", ["day", "moment"])
def test_a_window_of_time_holds_its_start_and_not_its_end(source, engine, database, column):
    declared = COLUMNS[column][0][source.kind]
    days = ("2024-02-28", "2024-02-29", "2024-03-01")
    rows = ", ".join(f"({n}, '{day}')" for n, day in enumerate(days))
    source.execute(
        f"CREATE TABLE t (id bigint PRIMARY KEY, v {declared})", f"INSERT INTO t VALUES {rows}"
    )
    ends = (date(2024, 2, 29), date(2024, 3, 1))
    if column == "moment":
        ends = tuple(datetime.combine(end, datetime.min.time()) for end in ends)
    window = Extraction(table=table_of(database, "t"), window=Window("v", *ends))
    found = read(database, window, engine)
    if found.num_columns:
        assert found["id"].to_pylist() == [1]


@every_pair
def test_a_watermark_repeats_its_ties_and_misses_nothing_above(source, engine, database):
    numbered(source, 100)
    cursor = Cursor("minute", 2, ("id",))
    after = Extraction(table=table_of(database, "numbers"), cursor=cursor, after="15")
    assert sorted(read(database, after, engine)["id"].to_pylist()) == list(range(65, 100))


@every_pair
def test_a_reader_that_is_closed_early_gives_everything_back(source, engine, database):
    numbered(source, 2_000)
    extraction = Extraction(table=table_of(database, "numbers"))
    for _ in range(12):  # more often than the pool has connections
        with extract(database, extraction, 100, engine) as reader:
            reader.read_next_batch()
    with extract(database, extraction, engine=engine) as reader:
        assert reader.read_all().num_rows == 2_000


@every_pair
def test_a_reader_may_be_read_in_another_thread(source, engine, database):
    numbered(source, 2_000)
    reader = extract(database, Extraction(table=table_of(database, "numbers")), 100, engine)
    rows: list[int] = []
    thread = threading.Thread(target=lambda: rows.append(reader.read_all().num_rows))
    thread.start()
    thread.join()
    assert rows == [2_000]


@every_pair
def test_a_table_that_is_gone_is_named(source, engine, database):
    numbered(source, 1, "fleeting")
    extraction = Extraction(table=table_of(database, "fleeting"))
    database.close()  # DuckDB lets one process open a file in one way only
    source.execute("DROP TABLE fleeting")
    with pytest.raises(EtlError, match="fleeting"):
        extract(database, extraction, engine=engine).read_all()


@every_pair
def test_reading_changes_nothing(source, engine, database):
    numbered(source, 10)
    for attack in ("DELETE FROM numbers", "DROP TABLE numbers", "SELECT 1; DELETE FROM numbers"):
        with pytest.raises(EtlError):
            extract(database, Extraction(query=attack), engine=engine).read_all()
    assert count_rows(database, Extraction(table=table_of(database, "numbers"))) == 10
