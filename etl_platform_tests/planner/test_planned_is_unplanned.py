"""Random queries return the same rows planned, with every rule on, and as DuckDB runs them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import duckdb
import pytest

from etl_platform.lakehouse.lake import Lake
from etl_platform.planner.catalog import LakeCatalog
from etl_platform.planner.plan import Plan
from etl_platform.planner.planning import plan
from etl_platform_tests.planner.flights import SCHEMA, build
from etl_platform_tests.planner.generator import Generator


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return build(tmp_path_factory.mktemp("flights"))


@pytest.fixture(scope="module")
def plain(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as con:
        con.execute("CREATE SCHEMA nyc")
        for table in SCHEMA:
            con.execute(f"CREATE TABLE {table.sql} AS SELECT * FROM {lake.relation_sql(table)}")
        yield con


def _run(planned: Plan, con: duckdb.DuckDBPyConnection) -> list[str]:
    con.execute("CREATE SCHEMA IF NOT EXISTS nyc")
    for table in planned.inputs:
        con.execute(
            f"CREATE OR REPLACE VIEW {table.table.sql} AS SELECT * FROM {table.visible_sql}"
        )
    return sorted(map(repr, con.execute(planned.sql).fetchall()))


def _compare(queries: int, seed: int, lake: Lake, plain: duckdb.DuckDBPyConnection) -> Counter[str]:
    generator, catalog = Generator(seed), LakeCatalog(lake)
    seen: Counter[str] = Counter()
    with duckdb.connect(config={"threads": 1}) as con:
        for number in range(queries):
            sql = generator.sql()
            planned = plan(sql, catalog)
            expected = sorted(map(repr, plain.execute(sql).fetchall()))
            found = _run(planned, con)
            assert found == expected, f"seed {seed}, query {number}:\n{sql}\n{planned.explain()}"
            seen.update(rule.rule for rule in planned.rules if rule.changed)
            seen["with rows"] += bool(expected)
    return seen


def test_a_hundred_and_fifty_random_queries_return_the_same_rows(
    lake: Lake, plain: duckdb.DuckDBPyConnection
) -> None:
    seen = _compare(150, 20, lake, plain)
    assert seen["with rows"] > 75
    assert seen["prune files"] > 20
    assert seen["prune through joins"] > 2


@pytest.mark.stress
def test_two_thousand_random_queries_return_the_same_rows(
    lake: Lake, plain: duckdb.DuckDBPyConnection
) -> None:
    seen = _compare(2000, 1, lake, plain)
    print(f"2000 random queries, planned == unplanned; {dict(seen)}")
