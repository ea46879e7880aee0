from __future__ import annotations

from pathlib import Path

import dagster as dg
import polars as pl

from etl_platform import Platform
from etl_platform.components.catalogue_sensor import catalogue_sensor
from etl_platform.core.names import TableName


def fill(platform: Platform, table: str, frame: pl.DataFrame) -> None:
    name = TableName.parse(table)
    platform.lake.publish(platform.lake.stage(name, frame.lazy()))


def test_what_was_materialised_is_found_after_the_next_look(
    tmp_path: Path, memory_instance: dg.DagsterInstance
) -> None:
    platform = Platform.open(
        lake_uri=str(tmp_path / "lake"),
        metastore_url=f"sqlite:///{tmp_path}/metastore.db",
        catalog_dir=str(tmp_path / "catalogue"),
        temp_dir=str(tmp_path / "tmp"),
    )
    sensor = catalogue_sensor(platform=lambda: platform)
    fill(platform, "shop.orders", pl.DataFrame({"price": [1.0]}))
    context = dg.build_sensor_context(instance=memory_instance)
    sensor(context)
    assert platform.search("orders")[0].name == "shop.orders"
    fill(platform, "hr.staff", pl.DataFrame({"surname": ["Ho"]}))
    memory_instance.report_runless_asset_event(dg.AssetMaterialization(["hr", "staff"]))
    told = sensor(context)
    assert isinstance(told, dg.SkipReason)
    assert told.skip_message == "3 documents added, 0 changed, 0 removed"
    assert platform.search("employees")[0].name == "hr.staff"
    assert sensor(context).skip_message.startswith("0 documents added")
