"""The whole demo, run as `make demo` runs it."""

from __future__ import annotations

import re
from pathlib import Path

import dagster as dg
import pytest

from etl_platform.core.names import TableName
from etl_platform.planner.lineage.recorded import read_atlas
from etl_platform_tests.demo.working_copy import WorkingCopy

ASSETS = {
    "fleet.airports": 1_456,
    "fleet.planes": 3_322,
    "live.delays": 1_758,
    "live.delays__partials": 1_769,
    "live.departures": 26_482,
    "nyc.airlines": 16,
    "nyc.airports": 1_458,
    "nyc.diversions": 569,
    "nyc.flights": 329_174,
    "nyc.planes": 3_322,
    "nyc.weather": 26_114,
    "weather.observations": 26_114,
    "weather.stations": 3,
    "marts.aircraft_delays": 66_368,
    "marts.carrier_performance": 16,
    "marts.daily_operations": 1_095,
    "marts.delay_causes": 27,
    "marts.fleet_age": 73,
    "marts.flight_delays": 320_960,
    "marts.route_performance": 216,
    "marts.weather_impact": 21,
    "marts.worst_days": 60,
}
COUNTS_OF_ROWS = {"flights", "scheduled"}
"""The columns of models that come from no column."""
COLUMNS = ("asset", "rows", "passed", "failed", "quarantined", "seconds", "version")


@pytest.mark.timeout(600)
def test_the_demo_blocks_quarantines_and_warns_and_publishes_everything_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = WorkingCopy.make(tmp_path)
    printed = copy.run("python", "-m", "etl_platform.demo")

    assert any(all(name in line for name in COLUMNS) for line in printed.splitlines())
    for table, rows in ASSETS.items():
        # A long name may be shortened to keep the table in its width.
        assert re.search(rf"{re.escape(table[:12])}\S*\s.*\b{rows:,}\b", printed), table
    assert re.search(r"nyc\.flights\s.*\b329,174\b.*\b7,602\b", printed)
    assert re.search(r"foreign_key_dest\s.*\b7,602\b.*quarantine", printed)
    assert re.search(r"foreign_key_tailnum\s.*\b50,094\b.*warn", printed)
    assert re.search(r"range_dep_delay\s.*\b1\b.*live\.departures__dead_letter", printed)
    # 27 pages of observations and the stations, each asked for once.
    assert re.search(r"28 pages of weather, 28 different ones, for \d+ tokens", printed)
    assert re.search(r"26114\s+26114\s+0\b", printed)
    assert re.search(r"a bucket at http://127\.0\.0\.1:\d+ holds 7 files", printed)
    # Every aircraft is in one of four files in as many formats, and the same in all columns asked.
    assert re.search(r"3322\s+3322\s+4\s+0\b", printed)
    assert re.search(r"bad_files\s.*\b1\b.*warn", printed)
    assert re.search(r"planes/part-4\.csv\.gz\s+4000\s+damaged gzip", printed)
    blocked = printed.index("nyc.airports: nothing was published")
    assert "Asia/Chongqing" in printed[blocked:]
    assert re.search(r"nyc\.airports\s.*\b1,458\b", printed[blocked:])

    platform = copy.platform()
    held = {table.name.sql: table.rows for table in platform.tables()}
    assert {name: held[name] for name in ASSETS} == ASSETS
    assert held["nyc.flights__quarantine"] == 7_602
    assert held["live.departures__dead_letter"] == 1
    assert held["weather.observations__quarantine"] == 1
    assert held["fleet.airports__quarantine"] == 2
    assert held["fleet.planes__bad_files"] == 1
    unknown = platform.query(
        "SELECT count(*) FROM (FROM nyc.flights UNION ALL BY NAME FROM nyc.flights__quarantine) "
        "WHERE tailnum NOT IN (SELECT tailnum FROM nyc.planes)"
    )
    assert unknown.item() == 50_094
    # The storage is that of the environment's home, wherever the configuration is read from.
    monkeypatch.setenv("DAGSTER_HOME", str(copy.home))
    check_lineage(copy)
    assert re.search(r"^\d+ passed$", copy.run("etl", "test").strip(), re.MULTILINE)


def check_lineage(copy: WorkingCopy) -> None:
    """Columns of models are traced to the source, but counts of rows; Dagster is told the same."""
    lake = copy.platform().lake
    atlas = read_atlas(lake)
    with dg.DagsterInstance.from_config(str(copy.home)) as instance:
        for table in (TableName.parse(name) for name in ASSETS if name.startswith("marts.")):
            origin = lake.origin(table)
            assert origin is not None
            assert origin.columns is not None
            event = instance.get_latest_materialization_event(dg.AssetKey(table.key))
            assert event is not None
            assert event.asset_materialization is not None
            told = event.asset_materialization.metadata["dagster/column_lineage"].value
            assert isinstance(told, dg.TableColumnLineage)
            assert origin.columns == {
                column: tuple((TableName.from_key(d.asset_key.path), d.column_name) for d in deps)
                for column, deps in told.deps_by_column.items()
            }
            for column in lake.schema(table).names:
                graph = atlas.graph(table.sql, column, down=False)
                roots = {node.name for node in graph.nodes if node.kind == "source"}
                assert bool(roots) is (column not in COUNTS_OF_ROWS), f"{table}.{column}"
