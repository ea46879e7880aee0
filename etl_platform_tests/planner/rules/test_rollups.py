"""Aggregations are answered from rollups exactly where every row, name and type stays the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest
import yaml
from polars.testing import assert_frame_equal

from etl_platform.core.errors import QueryRefused
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse.gate import admit
from etl_platform.lakehouse.lake import Lake
from etl_platform.lakehouse.origin import Origin
from etl_platform.lakehouse.receipt import Mode
from etl_platform.metastore import Metastore
from etl_platform.planner.catalog import LakeCatalog
from etl_platform.planner.plan import Applied, Plan
from etl_platform.planner.planning import plan
from etl_platform.planner.rules.rollups import RULE
from etl_platform.quality import Contract
from etl_platform.query import QueryTool
from etl_platform_tests.planner.flights import FLIGHTS, table
from etl_platform_tests.planner.rollup_lake import FARES, ROLLUPS, build, fares, publish_rollup
from etl_platform_tests.planner.rollup_queries import Generator

CASES = yaml.safe_load(Path(__file__).with_name("rollups.yaml").read_text())


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return build(tmp_path_factory.mktemp("rollups"))


def applied(planned: Plan) -> Applied:
    (found,) = (rule for rule in planned.rules if rule.rule == RULE)
    return found


@contextmanager
def session(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB over the newest version of every table, rollups included."""
    with duckdb.connect(config={"threads": 1}) as con:
        con.execute("SET TimeZone = 'UTC'")
        for name in lake.names():
            con.execute(f"CREATE SCHEMA IF NOT EXISTS {name.schema}")
            con.execute(f"CREATE VIEW {name.sql} AS SELECT * FROM {lake.relation_sql(name)}")
        yield con


@pytest.fixture(scope="module")
def con(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    with session(lake) as opened:
        yield opened


def answer(
    con: duckdb.DuckDBPyConnection, sql: str, params: object = None
) -> tuple[list[tuple[str, str]], list[str]]:
    """Names with types, and rows in a fixed order."""
    found = con.execute(sql, params)
    columns = [(name, str(kind)) for name, kind, *_ in found.description]
    return columns, sorted(map(repr, found.fetchall()))


@pytest.mark.parametrize(
    "case", [c for group in CASES.values() for c in group], ids=lambda case: case["sql"]
)
def test_a_rollup_answers_where_it_can_and_the_rows_stay(
    lake: Lake, con: duckdb.DuckDBPyConnection, case: dict
) -> None:
    params = case.get("params")
    planned = plan(case["sql"], LakeCatalog(lake), params=params)
    told = applied(planned)
    if "from" in case:
        assert told.changed, told.why
        read = {t.table.sql for t in planned.inputs if t.table.schema == "mart"}
        assert read == set(case["from"].split(", "))
        assert told.why.startswith(f"{case['from'].split(', ')[0]} instead of ")
        assert answer(con, planned.sql, params) == answer(con, case["sql"], params)
    else:
        assert (told.changed, told.why) == (False, case["why"])
        assert planned.sql == case["sql"]


def _compare(queries: int, seed: int, lake: Lake, con: duckdb.DuckDBPyConnection) -> Counter[str]:
    generator, catalog = Generator(seed), LakeCatalog(lake)
    seen: Counter[str] = Counter()
    for number in range(queries):
        sql = generator.sql()
        planned = plan(sql, catalog)
        told = applied(planned)
        seen[told.why.split(" ")[0] if told.changed else "none"] += 1
        if told.changed:
            expected = answer(con, sql)
            found = answer(con, planned.sql)
            assert found == expected, f"seed {seed}, query {number}:\n{sql}\n{planned.explain()}"
            seen["with rows"] += bool(expected[1])
    return seen


def test_random_aggregations_have_the_same_rows_names_and_types(
    lake: Lake, con: duckdb.DuckDBPyConnection
) -> None:
    seen = _compare(150, 3, lake, con)
    assert seen["with rows"] > 40
    assert seen["none"] > 30
    assert {"mart.daily", "mart.fares"} <= seen.keys()


@pytest.mark.stress
def test_three_thousand_random_aggregations_have_the_same_rows(
    lake: Lake, con: duckdb.DuckDBPyConnection
) -> None:
    seen = _compare(3000, 11, lake, con)
    # Weeks are asked for by written cases alone.
    assert set(ROLLUPS) - {"mart.weekly"} <= seen.keys()
    print(f"3000 random aggregations, planned == unplanned; {dict(seen)}")


TOTALS = "select carrier, sum(distance) as miles from nyc.flights group by carrier"


@pytest.fixture
def small(tmp_path: Path) -> Lake:
    """One rollup over a table that tests may change."""
    settings = Settings(lake_uri=f"{tmp_path}/lake", temp_dir=f"{tmp_path}/tmp", threads=1)
    lake = Lake(settings=settings)
    lake.publish(lake.stage(FLIGHTS, table(FLIGHTS, 300)))
    publish_rollup(lake, "mart.totals", TOTALS)
    return lake


def test_a_rollup_of_another_version_does_not_answer(small: Lake) -> None:
    catalog = LakeCatalog(small)
    assert applied(plan(TOTALS, catalog)).changed
    small.publish(small.stage(FLIGHTS, table(FLIGHTS, 300)), Mode.APPEND)
    told = applied(plan(TOTALS, catalog))
    assert (told.changed, told.why) == (
        False,
        "rollup mart.totals was made of nyc.flights version 0, now 1",
    )
    publish_rollup(small, "mart.totals", TOTALS)
    assert applied(plan(TOTALS, catalog)).changed
    small.revert(FLIGHTS, 0)
    assert not applied(plan(TOTALS, catalog)).changed


def test_what_others_publish_in_the_place_of_a_rollup_is_none(small: Lake) -> None:
    catalog = LakeCatalog(small)
    assert applied(plan(TOTALS, catalog)).changed
    totals = TableName("mart", "totals")
    small.publish(small.stage(totals, pa.table({"carrier": ["UA"], "miles": [1]})))
    told = applied(plan(TOTALS, catalog))
    assert (told.changed, told.why) == (False, "there are no rollups")
    small.revert(totals, 0)
    assert applied(plan(TOTALS, catalog)).changed


def test_a_table_that_was_not_declared_is_none(small: Lake) -> None:
    publish_rollup(small, "mart.totals", TOTALS, floats=None)
    assert applied(plan(TOTALS, LakeCatalog(small))).why == "there are no rollups"


def test_a_rollup_without_its_quarantined_groups_is_none(small: Lake) -> None:
    name, origin = TableName("mart", "totals"), Origin({FLIGHTS: 0}, sql=TOTALS, rollup="exact")
    catalog = LakeCatalog(small)
    for least, why in ((20_000, "there are no rollups"), (0, "mart.totals instead of nyc.flights")):
        rule = {"rule": "range", "column": "miles", "min": least, "action": "quarantine"}
        rows = small.scan(FLIGHTS).group_by("carrier").agg(miles=pl.col("distance").sum())
        contract = Contract.parse({"rules": [rule]})
        admission = admit(small, name, rows, contract, origin=origin, schema_change="any")
        assert (admission.receipt.rows_total < rows.collect().height) == (least > 0)
        assert applied(plan(TOTALS, catalog)).why == why


def test_sums_of_floats_are_added_up_where_that_was_allowed(tmp_path: Path) -> None:
    settings = Settings(lake_uri=f"{tmp_path}/lake", temp_dir=f"{tmp_path}/tmp", threads=1)
    lake = Lake(settings=settings)
    lake.publish(lake.stage(FARES, fares(300)))
    sql = "select class, sum(score), avg(score) from nyc.fares group by class"
    publish_rollup(lake, "mart.fares", ROLLUPS["mart.fares"], floats="exact")
    assert not applied(plan(sql, LakeCatalog(lake))).changed
    publish_rollup(lake, "mart.fares", ROLLUPS["mart.fares"], floats="approximate")
    planned = plan(sql, LakeCatalog(lake))
    assert applied(planned).changed
    with session(lake) as con:
        expected, found = con.sql(sql).pl().sort("class"), con.sql(planned.sql).pl().sort("class")
    assert_frame_equal(expected, found, rel_tol=1e-9, abs_tol=1e3)


POLICIES = """
roles:
  whole:
    tables: {nyc.flights: {}, mart.totals: {}}
  masked:
    tables: {nyc.flights: {masks: {tailnum: redact}}, mart.totals: {}}
  filtered:
    tables: {nyc.flights: {rows: "carrier <> 'UA'"}, mart.totals: {}}
  narrow:
    tables: {nyc.flights: {columns: [carrier, distance]}, mart.totals: {}}
  outside:
    tables: {nyc.flights: {}}
  partly:
    tables: {nyc.flights: {}, mart.totals: {rows: "carrier <> 'UA'"}}
  mart:
    tables: {mart.totals: {}}
"""


@pytest.mark.parametrize(
    ("role", "why"),
    [
        ("whole", "mart.totals instead of nyc.flights"),
        ("masked", "the role does not see its tables as they are"),
        ("filtered", "the role does not see its tables as they are"),
        ("narrow", "the role does not see its tables as they are"),
        ("outside", "no rollup that the role may read as it is"),
        ("partly", "no rollup that the role may read as it is"),
    ],
)
def test_a_role_gets_only_what_it_could_compute_itself(
    small: Lake, tmp_path: Path, role: str, why: str
) -> None:
    file = tmp_path / "policies.yaml"
    file.write_text(POLICIES)
    settings = small.settings.model_copy(update={"policies": str(file)})
    log = Metastore.open(f"sqlite:///{tmp_path}/meta.db")
    tool = QueryTool(Lake(settings=settings), log)
    planned = tool.plan(TOTALS, role=role)
    assert applied(planned).why == why
    found = tool.run(f"{TOTALS} order by all", role=role)
    hidden = {"UA"} if role == "filtered" else set[str]()
    flights = table(FLIGHTS, 300).filter(~pl.col("carrier").is_in(hidden))
    expected = flights.group_by("carrier").agg(miles=pl.col("distance").sum()).sort("carrier")
    assert found.rows() == expected.rows()
    with pytest.raises(QueryRefused):
        tool.plan(TOTALS, role="mart")
    log.close()


def test_many_rollups_are_looked_at_without_reading_their_logs_again(small: Lake) -> None:
    for i in range(12):
        publish_rollup(small, f"mart.totals_{i}", f"{TOTALS}, day, month % {i + 1}")
    catalog = LakeCatalog(small)
    planned = plan(TOTALS, catalog)
    assert applied(planned).why == "mart.totals instead of nyc.flights"
    first = {rollup.table: rollup for rollup in catalog.rollups()}
    assert len(first) == 13
    assert all(first[rollup.table] is rollup for rollup in catalog.rollups())
