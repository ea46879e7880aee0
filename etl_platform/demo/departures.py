"""The departures of a month as messages of a topic, in the order in which the flights left."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

import polars as pl

from etl_platform.core.names import TableName

if TYPE_CHECKING:
    from etl_platform.lakehouse import Lake

TOPIC = "departures"
_TABLE = TableName("live", "departures")
_MONTH = 1
_ORIGINS = ("EWR", "JFK", "LGA")
_TIMEOUT_S = 60


def waiting(lake: Lake) -> pl.DataFrame:
    """The departures that earlier demos have not brought into the lake, in their order.

    Batches are loaded in order, so that what is there of an airport are its first departures,
    dead letters among them.

    Returns:
        Columns index, origin and message (JSON).
    """
    there = {str(number): 0 for number in range(len(_ORIGINS))}
    for table in (_TABLE, _TABLE.dead_letter):
        if lake.exists(table):
            rows = lake.scan(table).group_by("_source_partition").len().collect()
            for number, count in rows.iter_rows():
                there[number] += count
    first = pl.col("index").rank("ordinal").over("origin")
    held = pl.col("origin").replace_strict(
        {origin: there[str(number)] for number, origin in enumerate(_ORIGINS)}
    )
    return _departures().filter(first > held)


def produce(servers: str, departures: pl.DataFrame) -> None:
    """Make the topic, one partition for each airport, and fill it.

    Args:
        servers: ``host:port`` of a broker that has no such topic.
        departures: of :func:`waiting`.
    """
    from confluent_kafka import Producer
    from confluent_kafka.admin import (
        AdminClient,
        NewTopic,  # pyright: ignore[reportPrivateImportUsage] - documented as public
    )

    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic(TOPIC, len(_ORIGINS), 1)])[TOPIC].result(_TIMEOUT_S)
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 20})
    # Tansu takes the start of a partition's last batch for its end: the last ones come alone.
    last = departures.group_by("origin").tail(1)
    for part in (departures.join(last, on="index", how="anti"), last):
        for origin, message in part.sort("index").select("origin", "message").iter_rows():
            number = _ORIGINS.index(origin)
            producer.produce(TOPIC, message.encode(), origin.encode(), partition=number)
        producer.flush(_TIMEOUT_S)


def _departures() -> pl.DataFrame:
    """Columns index, origin and message (JSON)."""
    data = files("etl_platform.demo") / "data" / "flights.parquet"
    flown = pl.read_parquet(data.read_bytes()).filter(
        pl.col("month") == _MONTH, pl.col("dep_delay").is_not_null()
    )
    left = pl.col("time_hour") + pl.duration(minutes=pl.col("minute") + pl.col("dep_delay"))
    message = pl.struct(
        left.dt.strftime("%Y-%m-%dT%H:%M:%SZ").alias("departed_at"),
        "carrier",
        "flight",
        "origin",
        "dest",
        "dep_delay",
        (pl.col("dep_delay") > 15).cast(pl.Int8).alias("late"),
    )
    messages = message.struct.json_encode().alias("message")
    return flown.sort(left).select("origin", messages).with_row_index()
