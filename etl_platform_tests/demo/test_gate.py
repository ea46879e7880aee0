"""Bad rows in the source of the demo's own definitions: what readers see, before and after."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from dagster.components.testing.utils import DefsFolderSandbox, create_defs_folder_sandbox

import etl_platform
from etl_platform import Platform
from etl_platform.core.settings import Settings
from etl_platform.demo import source
from etl_platform.io_manager import LakeIOManager
from etl_platform.resources import LakeResource
from etl_platform_tests.demo.working_copy import change, fill

PLANES = "nyc.planes"
FLIGHTS = "nyc.flights"
DEST_RULE = "foreign_key_dest"


@dataclass(frozen=True)
class Nyc:
    """The demo's database, its definitions, and who reads the tables that they fill."""

    sandbox: DefsFolderSandbox
    instance: dg.DagsterInstance
    platform: Platform

    def change(self, *statements: str) -> None:
        change(source.DATABASE, *statements)

    def source_rows(self, sql: str) -> list[dict[str, object]]:
        with sqlite3.connect(source.DATABASE) as con:
            con.row_factory = sqlite3.Row
            rows = [dict(row) for row in con.execute(sql)]
        con.close()
        return rows

    def refresh(self) -> None:
        with self.sandbox.build_component_tree() as tree:
            for component in tree.get_all_components(dg.StateBackedComponent):
                asyncio.run(component.refresh_state(self.sandbox.project_root))

    def load(self, *tables: str) -> dg.ExecuteInProcessResult:
        with self.sandbox.build_all_defs() as found:
            lake = dg.Definitions(resources={"lake": LakeResource()})
            job = dg.Definitions.merge(found, lake).resolve_implicit_global_asset_job_def()
            return job.execute_in_process(
                instance=self.instance,
                asset_selection=[dg.AssetKey(table.split(".")) for table in tables],
                raise_on_error=False,
            )

    def check(self, table: str, rule: str) -> bool:
        """Whether the last result that Dagster keeps of a check is a pass."""
        key = dg.AssetCheckKey(dg.AssetKey(table.split(".")), rule)
        (last,) = self.instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
        evaluation = last.event.dagster_event.asset_check_evaluation_data
        return evaluation.passed

    def read_as_input(self, table: str) -> pl.DataFrame:
        """What an asset of a user gets that takes the table as its input."""
        received: list[pl.DataFrame] = []

        @dg.asset(
            ins={"rows": dg.AssetIn(table.split("."), input_manager_key="lake_io_manager")},
        )
        def reader(rows: pl.DataFrame) -> None:
            received.append(rows)

        resources = {"lake_io_manager": LakeIOManager(lake=LakeResource())}
        assets = [reader, dg.AssetSpec(table.split("."))]
        assert dg.materialize(assets, instance=self.instance, resources=resources).success
        return received[0]

    def readings(self, table: str, column: str) -> list[list[object]]:
        """A column as each of the three ways to read a table shows it, sorted."""
        lazy = self.platform.scan(table).select(column).collect()
        queried = self.platform.query(f"SELECT {column} FROM {table}")
        taken = self.read_as_input(table)
        return [frame[column].sort().to_list() for frame in (lazy, queried, taken)]


@pytest.fixture
def nyc(
    dagster_once: None, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Nyc]:
    monkeypatch.chdir(tmp_path)
    fill(source.DATABASE)
    home = tmp_path / "home"
    home.mkdir()
    package = Path(etl_platform.__file__).parent
    (home / "dagster.yaml").symlink_to(package.parent / "dagster.yaml")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with (
        dg.DagsterInstance.get() as instance,
        create_defs_folder_sandbox() as sandbox,
    ):
        shutil.copytree(package / "defs" / "nyc", sandbox.defs_folder_path / "nyc")
        loaded = Nyc(sandbox, instance, Platform.open(settings))
        loaded.refresh()
        yield loaded


def failure_message(result: dg.ExecuteInProcessResult) -> str:
    (event,) = result.get_step_failure_events()
    assert event.step_failure_data.error is not None
    return event.step_failure_data.error.message


def test_bad_rows_under_a_blocking_rule_reach_no_reader_until_the_source_is_repaired(
    nyc: Nyc,
) -> None:
    assert nyc.load(PLANES).success
    good = nyc.readings(PLANES, "seats")
    assert [len(seats) for seats in good] == [3322] * 3

    worst = "(SELECT tailnum FROM planes ORDER BY tailnum LIMIT 3)"
    before = nyc.source_rows(f"SELECT tailnum, seats FROM planes WHERE tailnum IN {worst}")
    nyc.change(f"UPDATE planes SET seats = 9999 WHERE tailnum IN {worst}")
    result = nyc.load(PLANES)

    assert not result.success
    message = failure_message(result)
    tails = [str(row["tailnum"]) for row in before]
    for told in (PLANES, "range_seats", "3 of 3,322 rows", "9999", *tails):
        assert told in message, message
    assert not nyc.check(PLANES, "range_seats")
    assert nyc.check(PLANES, "unique_tailnum")
    assert nyc.readings(PLANES, "seats") == good
    assert [table.version for table in nyc.platform.tables()] == [0]

    for row in before:
        nyc.change(f"UPDATE planes SET seats = {row['seats']} WHERE tailnum = '{row['tailnum']}'")
    assert nyc.load(PLANES).success
    assert nyc.check(PLANES, "range_seats")
    assert nyc.readings(PLANES, "seats") == good
    assert [table.version for table in nyc.platform.tables()] == [1]


def test_bad_rows_under_a_quarantining_rule_are_kept_whole_and_all_others_published(
    nyc: Nyc,
) -> None:
    # One that the contract knows: destinations missing in airports.
    nyc.change(
        "DELETE FROM flights WHERE dest NOT IN (SELECT faa FROM airports)",
        "UPDATE flights SET dest = 'XXX' WHERE rowid IN (SELECT rowid FROM flights LIMIT 3)",
    )
    bad = nyc.source_rows("SELECT * FROM flights WHERE dest = 'XXX'")
    every = nyc.source_rows("SELECT dest FROM flights ORDER BY dest")
    result = nyc.load("nyc.airlines", "nyc.airports", PLANES, FLIGHTS)

    assert result.success
    assert not nyc.check(FLIGHTS, DEST_RULE)
    published = sorted(str(row["dest"]) for row in every if row["dest"] != "XXX")
    assert nyc.readings(FLIGHTS, "dest") == [published] * 3
    kept = nyc.platform.query(
        "SELECT * REPLACE (strftime(time_hour, '%Y-%m-%d %H:%M:%S') AS time_hour) "
        f"FROM {FLIGHTS}__quarantine"
    )
    assert kept["_rule"].unique().to_list() == [DEST_RULE]
    assert kept["_reason"].str.contains("dest is in nyc.airports.*XXX").all()
    assert kept["_run_id"].unique().to_list() == [result.run_id]
    whole = kept.select(list(bad[0])).to_dicts()
    assert sorted(whole, key=str) == sorted(bad, key=str)

    nyc.change("UPDATE flights SET dest = 'ATL' WHERE dest = 'XXX'")
    assert nyc.load(FLIGHTS).success
    assert nyc.check(FLIGHTS, DEST_RULE)
    assert nyc.platform.scan(FLIGHTS).collect().height == len(every)
    assert nyc.platform.scan(f"{FLIGHTS}__quarantine").collect().is_empty()
