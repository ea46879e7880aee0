"""A lake of flights in many files: partitioned, sorted, unsorted, with nulls in every column."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import polars as pl

from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse.lake import Lake
from etl_platform.lakehouse.receipt import Mode

FLIGHTS = TableName("nyc", "flights")
AIRLINES = TableName("nyc", "airlines")
AIRPORTS = TableName("nyc", "airports")
PLANES = TableName("nyc", "planes")
WEATHER = TableName("nyc", "weather")
SCHEMA: dict[TableName, dict[str, str]] = {
    FLIGHTS: {
        "month": "int",
        "day": "int",
        "dep_time": "int",
        "dep_delay": "int",
        "arr_delay": "int",
        "distance": "int",
        "carrier": "text",
        "tailnum": "text",
        "origin": "text",
        "dest": "text",
        "time_hour": "time",
    },
    AIRLINES: {"carrier": "text", "name": "text"},
    AIRPORTS: {"faa": "text", "name": "text", "lat": "float", "alt": "int", "tzone": "text"},
    PLANES: {
        "tailnum": "text",
        "year": "int",
        "manufacturer": "text",
        "model": "text",
        "seats": "int",
    },
    WEATHER: {
        "origin": "text",
        "month": "int",
        "day": "int",
        "temp": "float",
        "wind_speed": "float",
        "time_hour": "time",
    },
}
"""The columns that are kept, with the kind of their values."""


def table(name: TableName, rows: int | None = None) -> pl.DataFrame:
    """Rows of a table spread over the whole year, its columns being those of ``SCHEMA``."""
    data = files("etl_platform.demo") / "data" / f"{name.name}.parquet"
    frame = pl.read_parquet(data.read_bytes()).select(list(SCHEMA[name]))
    if "time_hour" in frame.columns:
        frame = frame.with_columns(
            pl.col("time_hour").dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        )
    if rows is not None and frame.height > rows:
        frame = frame.gather_every(-(-frame.height // rows))
    return frame


def build(folder: Path, rows: int = 6000) -> Lake:
    """A lake with up to ``rows`` rows per table.

    Flights are partitioned by month (one partition is null), weather is appended week by week with
    some nulls as keys, planes are split without any order, the rest is one file each.
    """
    settings = Settings(lake_uri=str(folder / "lake"), temp_dir=str(folder / "tmp"), threads=2)
    lake = Lake(settings=settings)
    flights = table(FLIGHTS, rows).with_columns(
        month=pl.when(pl.col("day") != 31).then("month"),
        origin=pl.when(pl.col("day") != 30).then("origin"),
    )
    lake.publish(lake.stage(FLIGHTS, flights.sort("time_hour"), partition_by=("month",)))
    weather = table(WEATHER, rows).with_columns(origin=pl.when(pl.col("day") != 7).then("origin"))
    for week in weather.sort("time_hour").iter_slices(-(-weather.height // 20)):
        lake.publish(lake.stage(WEATHER, week), Mode.APPEND)
    planes = table(PLANES)
    for part in planes.iter_slices(-(-planes.height // 5)):
        lake.publish(lake.stage(PLANES, part), Mode.APPEND)
    for name in (AIRLINES, AIRPORTS):
        lake.publish(lake.stage(name, table(name)))
    return lake
