"""Hostile names and values wherever a source or a sink takes one: they stay names and values.

Beside what reads rows (``test_sources``) and what loads them (``sinks/database/test_values``): what
looks at a database, follows its changes, shares out its pages and lists its loads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from etl_platform.core.errors import EtlError
from etl_platform.core.settings import Settings
from etl_platform.generate.inspection import inspect_database
from etl_platform.lakehouse import Lake
from etl_platform.sinks.database import DatabaseSink, History, Load, LoadMode, Target
from etl_platform.sources.database import Database, Extraction, Window, extract, reflect
from etl_platform.sources.database.drift import live_table
from etl_platform_tests.conformance.test_sources import HOSTILE, NAMES, quoted, table_of
from etl_platform_tests.sinks.database.targets import TARGETS, Warehouse, open_target

ATTACKS = (*NAMES, HOSTILE, "canary'; DROP TABLE canary; --", 'canary"; DROP TABLE canary; --')


# Of each server's log: where an entry begins and what makes it a statement; and names in quotes,
# texts and numbers, by the rules by which the server reads them.
_LOGS = {
    "postgresql": (
        re.compile(r"^[\d-]{10} [\d:.]+ UTC \[\d+\] ", re.MULTILINE),
        re.compile(r"LOG:  (?:statement|execute [^:]*): (.*)", re.DOTALL),
        re.compile(r"""\"(?:[^"]|"")*"|E'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\d+""", re.DOTALL),
    ),
    "mysql": (
        re.compile(r"^(?:\d{6} +[\d:]+)?\s+\d+ (?=[A-Z])", re.MULTILINE),
        re.compile(r"Query\t(.*)", re.DOTALL),
        re.compile(r"""`(?:[^`]|``)*`|(["'])(?:(?!\1)[^\\]|\\.|\1\1)*\1|\d+""", re.DOTALL),
    ),
}


@pytest.fixture(params=TARGETS)
def warehouse(
    request: pytest.FixtureRequest, settings: Settings, tmp_path: Path
) -> Iterator[Warehouse]:
    """A database with a canary: it has to be there afterwards, and nothing else may have run."""
    for database in open_target(request.param, request, tmp_path):
        database.execute("CREATE TABLE canary (id int)", "INSERT INTO canary VALUES (7)")
        sink = DatabaseSink(Database("warehouse", database.url))
        yield Warehouse(database, sink, Lake(settings.lake_uri, settings))
        assert database.query("SELECT id FROM canary") == [(7,)]
        begun = re.compile(r"(?:statement: |execute [^:]*: |Query\s)\s*DROP TABLE canary")
        assert begun.findall(database.statements) == []


@pytest.fixture
def source(warehouse: Warehouse) -> Iterator[Database]:
    found = Database("source", warehouse.database.url)
    yield found
    found.close()


def make_hostile_tables(warehouse: Warehouse) -> None:
    """One table for each name, each with a column of that name, loaded by the sink."""
    for name in NAMES:
        rows = warehouse.rows(pa.table({"id": [1, 2], name: [HOSTILE, None]}))
        warehouse.sink.load(rows, Load(Target(name), LoadMode.UPSERT, HOSTILE, ("id",)))


def test_schemas_and_patterns_choose_tables_and_are_no_sql(
    warehouse: Warehouse, source: Database
) -> None:
    for attack in ATTACKS:
        with suppress(EtlError):  # a schema that is not there
            assert reflect(source, schemas=[attack]) == ()
        assert reflect(source, include=[attack]) == ()
        assert [t.name for t in reflect(source, exclude=[attack])] == ["canary"]


def test_looking_at_a_database_with_hostile_tables_changes_nothing(
    warehouse: Warehouse, source: Database
) -> None:
    make_hostile_tables(warehouse)
    found = [one.name for one in inspect_database(source)]
    for name in (*NAMES, "canary"):
        assert sum(one == name or one.endswith(f".{name}") for one in found) == 1


def test_columns_are_followed_and_keys_compared_by_name_alone(
    warehouse: Warehouse, source: Database
) -> None:
    make_hostile_tables(warehouse)
    for name in NAMES:
        table = table_of(source, name)
        assert {c.name for c in live_table(source, table).columns} == {"id", name}
        keys = replace(table, columns=(table.column(name),))
        with extract(source, Extraction(table=keys)) as reader:
            assert set(reader.read_all()[name].to_pylist()) == {None, HOSTILE}


@pytest.mark.parametrize(
    "warehouse", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)
def test_pages_of_a_hostile_table_are_shared_out(warehouse: Warehouse, source: Database) -> None:
    for name in NAMES:
        rows = warehouse.rows(pa.table({"id": range(3_000), name: [HOSTILE] * 3_000}))
        warehouse.sink.load(rows, Load(Target(name), LoadMode.APPEND, HOSTILE))
        extraction = Extraction(table=table_of(source, name), parallel=3)
        with extract(source, extraction, engine="copy") as reader:
            found = reader.read_all()
        assert set(found["id"].to_pylist()) == set(range(3_000))
        assert found.num_rows == 3_000
        assert set(found[name].to_pylist()) == {HOSTILE}


def test_loads_are_listed_and_undone_by_hostile_targets_and_batches(
    warehouse: Warehouse, source: Database
) -> None:
    del source
    kept = timedelta(days=1)
    history = History('from"; DROP TABLE canary; --', "to'`; DROP TABLE canary; --")
    for attack in (NAMES[1], NAMES[6], 'canary"; DROP TABLE canary; --'):
        target = Target(attack)
        for number in range(2):
            rows = warehouse.rows(pa.table({"id": [number], "v": [attack]}))
            load = Load(
                target, LoadMode.SCD2, f"{attack} {number}", ("id",), kept, history, run_id=attack
            )
            warehouse.sink.load(rows, load)
        assert [one.batch for one in warehouse.sink.loads(target)] == [f"{attack} 1", f"{attack} 0"]
        with pytest.raises(EtlError):
            warehouse.sink.revert(target, f"' OR 1=1; DROP TABLE canary; -- {attack}")
        warehouse.sink.revert(target, f"{attack} 1")
        name = quoted(target.name)
        assert warehouse.database.query(f"SELECT id, v FROM {name}") == [(0, attack)]
        newest = warehouse.sink.newest(target)
        assert newest is not None
        assert (newest.batch, newest.run_id) == (f"{attack} 0", attack)


@pytest.mark.parametrize("warehouse", TARGETS[1:3], indirect=True)
def test_comments_are_only_text(warehouse: Warehouse, source: Database) -> None:
    text = "'" + HOSTILE.replace("'", "''").replace("\\", "") + "'"
    if warehouse.database.kind == "postgresql":
        warehouse.database.execute(
            "CREATE TABLE told (id bigint PRIMARY KEY)",
            f"COMMENT ON TABLE told IS {text}",
            f"COMMENT ON COLUMN told.id IS {text}",
        )
    else:
        warehouse.database.execute(
            f"CREATE TABLE told (id bigint PRIMARY KEY COMMENT {text}) COMMENT {text}"
        )
    table = table_of(source, "told")
    assert table.comment == table.columns[0].comment == HOSTILE.replace("\\", "")
    inspect_database(source)
    with extract(source, Extraction(table=table)) as reader:
        assert reader.read_all().num_rows == 0


@pytest.mark.parametrize("warehouse", TARGETS[1:3], indirect=True)
def test_the_server_is_sent_the_same_statements_whatever_the_names_are(
    warehouse: Warehouse,
) -> None:
    _statements_of_a_load_and_its_reading(warehouse, "The first", "makes the ledger")
    expected = _statements_of_a_load_and_its_reading(warehouse, "Plain name", "plain")
    assert len(expected) > 20
    for name in NAMES:
        assert _statements_of_a_load_and_its_reading(warehouse, name, HOSTILE) == expected, name


def _statements_of_a_load_and_its_reading(warehouse: Warehouse, name: str, value: str) -> list[str]:
    """As the server logged them; names in quotes, texts and numbers are left out."""
    began = len(warehouse.database.statements)
    target = Target(name)
    for ids in ([1, 2], [2, 3]):
        rows = warehouse.rows(pa.table({"id": ids, name: [value, None]}))
        load = Load(target, LoadMode.UPSERT, f"{value} {ids}", ("id",), timedelta(days=1))
        warehouse.sink.load(rows, load)
    database = Database("source", warehouse.database.url)
    (table,) = reflect(database, include=[name])
    for window in (None, Window(name, value, value + "~")):
        # Text that a database orders by its own rules may be refused.
        with (
            suppress(EtlError),
            extract(database, Extraction(table=table, window=window)) as reader,
        ):
            reader.read_all()
    database.close()
    warehouse.sink.revert(target, f"{value} [2, 3]")
    warehouse.database.execute("SELECT 'the end'")
    start, statement, quoted_or_number = _LOGS[warehouse.database.kind]
    entries = start.split(warehouse.database.statements[began:])
    sent = [found[1] for entry in entries if (found := statement.match(entry))]
    return [" ".join(quoted_or_number.sub("?", one).split()) for one in sent]
