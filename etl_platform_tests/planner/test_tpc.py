"""The queries of TPC-H and TPC-DS return, planned with every rule on, what DuckDB returns."""

from __future__ import annotations

import subprocess
import sys
import venv
from collections import Counter
from pathlib import Path

import duckdb
import polars as pl
import pytest

from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse.lake import Lake
from etl_platform.lakehouse.receipt import Mode
from etl_platform.planner.catalog import LakeCatalog
from etl_platform.planner.planning import plan

SOURCE = Path(__file__).with_name("tpc_source.py")
ENVIRONMENT = Path(".benchmarks/tpc")
SORTED_BY = {
    "lineitem": "l_shipdate",
    "orders": "o_orderdate",
    "partsupp": "ps_suppkey",
    "store_sales": "ss_sold_date_sk",
    "catalog_sales": "cs_sold_date_sk",
    "web_sales": "ws_sold_date_sk",
    "inventory": "inv_date_sk",
    "date_dim": "d_date_sk",
    "customer": None,
    "item": None,
}
"""The tables that get several files each, and what orders the rows over them."""
_FILES = 6


@pytest.fixture(scope="module")
def texts_and_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders ``tpch`` and ``tpcds`` with Parquet files and query texts, at scale factor 0.01."""
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        venv.create(ENVIRONMENT, with_pip=True)
        packages = ("duckdb-extension-tpch", "duckdb-extension-tpcds")
        install = [str(python), "-m", "pip", "install", "--quiet", *packages]
        subprocess.run(install, check=True, stdin=subprocess.DEVNULL)
    folder = tmp_path_factory.mktemp("tpc")
    subprocess.run([str(python), str(SOURCE), str(folder), "0.01"], check=True)
    return folder


def _publish(folder: Path, to: Path, schema: str) -> Lake:
    lake = Lake(settings=Settings(lake_uri=f"{to}/lake", temp_dir=f"{to}/tmp", threads=2))
    for file in sorted(folder.glob("*.parquet")):
        table = TableName(schema, file.stem)
        rows = pl.read_parquet(file)
        if file.stem in SORTED_BY and rows.height > 100:
            order = SORTED_BY[file.stem]
            rows = rows.sort(order) if order else rows
            size = -(-rows.height // _FILES)
            for start in range(0, rows.height, size):
                lake.publish(lake.stage(table, rows.slice(start, size)), Mode.APPEND)
        else:
            lake.publish(lake.stage(table, rows))
    return lake


def _compare(
    name: str, folder: Path, to: Path, schema: str = "main"
) -> tuple[Counter[str], list[str]]:
    """Run every text of a benchmark both ways; what rules did, and the queries that differ."""
    lake = _publish(folder / name, to, schema)
    catalog, seen, wrong = LakeCatalog(lake), Counter[str](), []
    with (
        duckdb.connect(config={"threads": 1}) as plain,
        duckdb.connect(config={"threads": 1}) as planned_session,
    ):
        for con in (plain, planned_session):
            con.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        for table in lake.names():
            plain.execute(f"CREATE TABLE {table.sql} AS SELECT * FROM {lake.relation_sql(table)}")
        for file in sorted((folder / name).glob("*.sql")):
            text = file.read_text().strip().rstrip(";")
            planned = plan(text, catalog)
            for table in planned.inputs:
                planned_session.execute(
                    f"CREATE OR REPLACE VIEW {table.table.sql} AS SELECT * FROM {table.visible_sql}"
                )
            found = planned_session.execute(planned.sql).fetchall()
            expected = plain.execute(text).fetchall()
            seen["queries"] += 1
            seen["with rows"] += bool(expected)
            seen.update(rule.rule for rule in planned.rules if rule.changed)
            if sorted(map(repr, found)) != sorted(map(repr, expected)):
                wrong.append(file.stem)
    return seen, wrong


def test_the_queries_of_tpch_return_what_duckdb_returns(tmp_path: Path) -> None:
    folder = tmp_path / "tpch"
    tool = Path(sys.executable).with_name("tpchgen-cli")
    making = [str(tool), "parquet", "--scale-factor", "0.01", "--output-dir", str(folder)]
    subprocess.run(making, check=True, capture_output=True)
    for file in (Path(__file__).parent / "tpch").glob("q*.sql"):
        (folder / file.name).write_text(file.read_text())
    seen, wrong = _compare("tpch", tmp_path, tmp_path / "platform", "tpch")
    assert not wrong
    assert (seen["queries"], seen["with rows"]) == (22, 22)
    assert seen["prune files"] > 8


@pytest.mark.stress
@pytest.mark.parametrize(("name", "queries"), [("tpch", 22), ("tpcds", 99)])
def test_every_query_returns_what_duckdb_returns(
    name: str, queries: int, texts_and_data: Path, tmp_path: Path
) -> None:
    seen, wrong = _compare(name, texts_and_data, tmp_path)
    print(f"{name}: {dict(seen)}, different: {wrong}")
    assert not wrong
    assert seen["queries"] == queries
