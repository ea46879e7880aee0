"""A filter on one side of a join decides which files of the other side are read."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
import yaml

from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse.lake import Lake
from etl_platform.lakehouse.receipt import Mode
from etl_platform.planner.catalog import LakeCatalog
from etl_platform.planner.plan import Plan
from etl_platform.planner.planning import plan

SALES = TableName("main", "sales")
DAYS = TableName("main", "days")
STORES = TableName("main", "stores")
CASES = yaml.safe_load(Path(__file__).with_name("prune_joins.yaml").read_text())


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Sales of 20 days and 40 stores, partitioned by store; days in order, stores shuffled."""
    folder = tmp_path_factory.mktemp("joins")
    lake = Lake(settings=Settings(lake_uri=f"{folder}/lake", temp_dir=f"{folder}/tmp", threads=1))
    rows = [(day, store, day * store) for store in range(40) for day in range(20)] * 50
    columns = ("day", "store", "amount")
    sales = dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True))
    lake.publish(lake.stage(SALES, pa.table(sales), partition_by=("store",)))
    for first in range(0, 20, 5):
        days = list(range(first, first + 5))
        part = {"day": days, "week": [first // 5] * 5}
        lake.publish(lake.stage(DAYS, pa.table(part)), Mode.APPEND)
    stores = list(range(40))
    lake.publish(lake.stage(STORES, pa.table({"store": stores, "city": [s % 5 for s in stores]})))
    return lake


def _rows(planned: Plan, lake: Lake, *, pruned: bool) -> list[str]:
    with duckdb.connect(config={"threads": 1}) as con:
        for table in planned.inputs:
            relation = table.visible_sql if pruned else lake.relation_sql(table.table)
            con.execute(f"CREATE VIEW {table.table.sql} AS SELECT * FROM {relation}")
        return sorted(map(repr, con.execute(planned.sql).fetchall()))


@pytest.mark.parametrize(
    "case", [c for group in CASES.values() for c in group], ids=lambda case: case["sql"]
)
def test_the_other_side_bounds_what_is_read(lake: Lake, case: dict) -> None:
    planned = plan(case["sql"], LakeCatalog(lake))
    assert _rows(planned, lake, pruned=True) == _rows(planned, lake, pruned=False)
    read = {t.table.name: len(t.uris) for t in planned.inputs}
    assert {name: read[name] for name in case if name != "sql"} == {
        name: files for name, files in case.items() if name != "sql"
    }


def test_keys_are_looked_up_anew_in_a_new_version(lake: Lake) -> None:
    catalog = LakeCatalog(lake)
    sql = "select sum(amount) from sales join stores using (store) where city = 1"
    first = plan(sql, catalog)
    more = pa.table({"store": [99], "city": [1]})
    lake.publish(lake.stage(STORES, more), Mode.APPEND)
    again = plan(sql, catalog)
    assert [t.version for t in again.inputs] == [0, 1]
    assert first.key != again.key
    assert len(first.inputs[0].uris) == len(again.inputs[0].uris) == 8
    fewer = pa.table({"store": [3, 39], "city": [1, 1]})
    lake.publish(lake.stage(STORES, fewer))
    assert len(plan(sql, catalog).inputs[0].uris) == 2
