"""Which departures the demo sends."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.demo import departures
from etl_platform.lakehouse import Lake, Mode

TABLE = TableName("live", "departures")


def test_departures_that_are_in_the_lake_are_not_sent_a_second_time(tmp_path: Path) -> None:
    lake = Lake(settings=Settings(lake_uri=str(tmp_path / "lake"), threads=1))
    everything = departures.waiting(lake)
    assert everything.height == 26_483
    newark = everything.filter(pl.col("origin") == "EWR")
    for table, count in ((TABLE, 3), (TABLE.dead_letter, 1)):
        held = pl.DataFrame({"_source_partition": ["0"] * count})
        lake.publish(lake.stage(table, held.to_arrow()), Mode.APPEND)
    left = departures.waiting(lake)
    assert left.height == everything.height - 4
    assert left.filter(pl.col("origin") == "EWR").equals(newark[4:])
    whole = pl.DataFrame({"_source_partition": ["0"] * 20_000 + ["1"] * 20_000 + ["2"] * 20_000})
    lake.publish(lake.stage(TABLE, whole.to_arrow()), Mode.REPLACE)
    assert departures.waiting(lake).is_empty()
