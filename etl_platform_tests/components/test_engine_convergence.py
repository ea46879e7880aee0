"""Real engines on TPC-H lineitem (scale factor 1): tried once each, the fastest from run five.

``make stress PYTEST_ARGS="-k convergence"`` prints what was chosen and measured.
"""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from benchmarks import tpch
from etl_platform.core.settings import Settings
from etl_platform.metastore import DecisionRecord, Metastore
from etl_platform.selection import ranking
from etl_platform.sources.database import ENGINES
from etl_platform_tests.components.conftest import Project
from etl_platform_tests.components.test_database_source import failures, source
from etl_platform_tests.servers.postgres import PostgresDatabase

RUNS = 7
LINEITEM = """
CREATE TABLE lineitem (
    l_orderkey bigint, l_partkey bigint, l_suppkey bigint, l_linenumber int,
    l_quantity numeric(15, 2), l_extendedprice numeric(15, 2), l_discount numeric(15, 2),
    l_tax numeric(15, 2), l_returnflag text, l_linestatus text, l_shipdate date,
    l_commitdate date, l_receiptdate date, l_shipinstruct text, l_shipmode text, l_comment text
)
"""


@pytest.mark.stress
@pytest.mark.postgres
@pytest.mark.timeout(1800)
def test_convergence_on_lineitem_with_every_engine_there_is(
    project: Project,
    postgres: PostgresDatabase,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("SHOP_URL", postgres.url)
    postgres.execute(LINEITEM)
    _fill(postgres, tmp_path / "lineitem.csv")
    project.write("shop/defs.yaml", source())
    project.refresh()
    for _ in range(RUNS):
        _load(project)
    chosen = _history(settings)
    refused = {one["engine"] for one in json.loads(chosen[0].rejected)}
    # What would have been: every engine that was allowed, pinned.
    able = {one.name for one in ENGINES if "postgresql" in one.capabilities(()).kinds}
    for engine in sorted(able - refused):
        project.write("shop/defs.yaml", source(defaults={"engine": engine}))
        _load(project)
    everything = _history(settings)
    for one in everything:
        print(
            f"{one.engine:12} {one.outcome:12} {_rows_per_s(one):12,.0f} rows/s "
            f"{(one.peak_bytes or 0) / 1e6:8,.0f} MB  {one.reason}"
        )
    for one in json.loads(chosen[0].rejected):
        print(f"{one['engine']:12} refused, because it {one['reason']}")
    best: dict[str, float] = {}
    for one in everything:
        best[one.engine] = max(best.get(one.engine, 0), _rows_per_s(one))
    settled = {one.engine for one in chosen[4:] if "measured again" not in one.reason}
    assert {one.outcome for one in everything} == {"done"}
    assert len(settled) == 1
    assert best[settled.pop()] >= max(best.values()) * ranking.EQUAL


@pytest.mark.postgres
def test_engines_that_would_change_a_nan_are_refused_with_the_reason(
    project: Project,
    postgres: PostgresDatabase,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Declared as text, it arrives; as a number it has no place, and the run says so."""
    monkeypatch.setenv("SHOP_URL", postgres.url)
    postgres.execute(
        "CREATE TABLE prices (id int PRIMARY KEY, price numeric(12, 2))",
        "INSERT INTO prices VALUES (1, 'NaN'), (2, 0.5)",
    )
    project.write("shop/defs.yaml", source())
    project.refresh()
    result = project.materialize("shop/prices")
    assert not result.success
    assert "column 'price' (numeric(12,2)), row 1: the value 'NaN'" in failures(result)
    refused = {one["engine"]: one["reason"] for one in json.loads(_history(settings)[-1].rejected)}
    assert (
        "'price': numerics are rounded to 10 decimals or refused, and NaN fails"
        in (refused["connectorx"])
    )
    project.write("shop/defs.yaml", source(defaults={"types": {"price": "string"}}))
    result = project.materialize("shop/prices")
    assert result.success, failures(result)
    assert [row["price"] for row in project.rows("shop.prices")] == ["NaN", "0.50"]


def _fill(postgres: PostgresDatabase, csv: Path) -> None:
    """All 6,001,215 rows of scale factor 1."""
    duckdb.sql(f"COPY (FROM '{tpch.source('lineitem')}') TO '{csv}' (FORMAT csv, HEADER false)")
    with (
        csv.open("rb") as text,
        postgres.connect() as session,
        session.cursor().copy("COPY lineitem FROM STDIN (FORMAT csv)") as copy,
    ):
        while block := text.read(1 << 22):
            copy.write(block)
    csv.unlink()
    postgres.execute("VACUUM ANALYZE lineitem")


def _load(project: Project) -> None:
    result = project.materialize("shop/lineitem")
    assert result.success, failures(result)


def _history(settings: Settings) -> list[DecisionRecord]:
    """Oldest first."""
    metastore = Metastore.open(settings.metastore_url)
    try:
        return list(reversed(metastore.decisions.newest(limit=100)))
    finally:
        metastore.close()


def _rows_per_s(one: DecisionRecord) -> float:
    return (one.rows or 0) / (one.seconds or 1)
