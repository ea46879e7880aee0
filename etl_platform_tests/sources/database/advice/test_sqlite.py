"""Index advice for SQLite: asked of a copy without rows, right about the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from etl_platform.sources.database import Database
from etl_platform.sources.database.advice import advise
from etl_platform_tests.sources.database.advice import shop


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop as a file without statistics."""
    path = tmp_path_factory.mktemp("advice") / "shop.db"
    with closing(sqlite3.connect(path)) as session:
        for statement in shop.TABLES:
            session.execute(statement)
        for table, rows in shop.rows():
            marks = ", ".join("?" * len(rows[0]))
            session.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        session.commit()
    return path


@pytest.fixture(params=["without statistics", "analysed"])
def copy(request: pytest.FixtureRequest, filled: Path, tmp_path: Path) -> Path:
    """A copy of the file that a test may change."""
    path = tmp_path / "copy.db"
    path.write_bytes(filled.read_bytes())
    if request.param == "analysed":
        _run(path, "ANALYZE")
    return path


@pytest.fixture
def source(filled: Path) -> Iterator[Database]:
    database = Database("shop", f"sqlite:///{filled}")
    yield database
    database.close()


def test_every_suggestion_is_used_once_it_is_really_created_and_after_analyze(copy: Path) -> None:
    database = Database("shop", f"sqlite:///{copy}")
    suggested = {query: advise(database, [query]).suggestions for query in shop.HELPED}
    database.close()
    for query, tables in shop.HELPED.items():
        assert {one.table for one in suggested[query]} == tables, query
        _run(copy, *(one.create for one in suggested[query]))
        names = [one.create.split()[2] for one in suggested[query]]
        assert all(name in _plan(copy, query) for name in names), query
        _run(copy, *(f"DROP INDEX {name}" for name in names))
    every = {one.create: None for found in suggested.values() for one in found}
    _run(copy, *every, "ANALYZE")
    for query, found in suggested.items():
        tables = [one.create.split()[4] for one in found]
        assert all(f"{table}_" in _plan(copy, query) for table in tables), query


@pytest.mark.parametrize("query", shop.NOT_HELPED)
def test_queries_that_no_index_helps_get_none(source: Database, query: str) -> None:
    assert advise(source, [query]).suggestions == ()


def test_the_plan_and_the_rows_it_visits_are_told(source: Database) -> None:
    advice = advise(source, ["SELECT * FROM orders WHERE customer_id = 17"])
    (one,) = advice.suggestions
    (gain,) = one.gains
    assert one.create == "CREATE INDEX orders_customer_id_idx ON orders (customer_id);"
    assert gain.accesses_before == ("SCAN orders",)
    assert gain.accesses_after == (
        "SEARCH orders USING INDEX orders_customer_id_idx (customer_id=?)",
    )
    assert gain.cost_before == shop.ORDERS
    assert gain.cost_after < shop.ORDERS / 100
    assert any("run ANALYZE" in hint for hint in advice.hints)


def test_the_file_is_not_written(filled: Path, source: Database) -> None:
    before = filled.read_bytes()
    advise(source, list(shop.HELPED))
    assert filled.read_bytes() == before


def test_an_existing_index_that_begins_alike_is_enough(copy: Path) -> None:
    _run(copy, "CREATE INDEX mine ON orders (customer_id, total)")
    database = Database("shop", f"sqlite:///{copy}")
    assert advise(database, ["SELECT * FROM orders WHERE customer_id = 17"]).suggestions == ()
    database.close()


@pytest.mark.parametrize("name", ['or"der', "drop table x; --", "sel ect", "a AND b=?", "é'%s"])
def test_hostile_names_are_quoted(tmp_path: Path, name: str) -> None:
    path = tmp_path / "hostile.db"
    quoted = '"' + name.replace('"', '""') + '"'
    with closing(sqlite3.connect(path)) as session:
        session.execute(f"CREATE TABLE {quoted} ({quoted} INTEGER, filler TEXT)")
        values = [(n, "x" * 50) for n in range(5_000)]
        session.executemany(f"INSERT INTO {quoted} VALUES (?, ?)", values)
        session.commit()
    database = Database("shop", f"sqlite:///{path}")
    query = f"SELECT filler FROM {quoted} WHERE {quoted} = 3"
    (one,) = advise(database, [query]).suggestions
    database.close()
    _run(path, one.create)
    assert "_idx" in _plan(path, query)


def _run(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as session:
        for statement in statements:
            session.execute(statement)
        session.commit()


def _plan(path: Path, query: str) -> str:
    with closing(sqlite3.connect(path)) as session:
        return " | ".join(row[3] for row in session.execute(f"EXPLAIN QUERY PLAN {query}"))
