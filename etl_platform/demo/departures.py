"""The departures of a month as messages of a topic, in the order in which the flights left."""

from __future__ import annotations

from importlib.resources import files

import polars as pl

TOPIC = "departures"
_MONTH = 1
_ORIGINS = ("EWR", "JFK", "LGA")
_TIMEOUT_S = 60


def produce(servers: str) -> int:
    """Make the topic, one partition for each airport, and fill it; returns the messages.

    Args:
        servers: ``host:port`` of a broker that has no such topic.
    """
    from confluent_kafka import Producer
    from confluent_kafka.admin import (
        AdminClient,
        NewTopic,  # pyright: ignore[reportPrivateImportUsage] - documented as public
    )

    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic(TOPIC, len(_ORIGINS), 1)])[TOPIC].result(_TIMEOUT_S)
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 20})
    departures = _departures()
    # Tansu takes the start of a partition's last batch for its end: the last ones come alone.
    last = departures.group_by("origin").tail(1)
    for part in (departures.join(last, on="index", how="anti"), last):
        for origin, message in part.sort("index").select("origin", "message").iter_rows():
            number = _ORIGINS.index(origin)
            producer.produce(TOPIC, message.encode(), origin.encode(), partition=number)
        producer.flush(_TIMEOUT_S)
    return departures.height


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
