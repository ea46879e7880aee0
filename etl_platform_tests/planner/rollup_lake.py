"""A lake with flights, fares of every number type, and rollups of both."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Literal

import polars as pl
import pyarrow as pa

from etl_platform.compute.duckdb_engine import run
from etl_platform.core.duck import connect
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse.lake import Lake
from etl_platform.lakehouse.origin import Origin
from etl_platform_tests.planner.flights import AIRLINES, FLIGHTS, table

FARES = TableName("nyc", "fares")
ROLLUPS = {
    "mart.daily": """
        SELECT month, carrier, origin, date_trunc('day', time_hour) AS at_day, count(*) AS n,
            count(dep_delay) AS delays, sum(dep_delay) AS delay, min(dep_delay) AS least,
            max(arr_delay) AS most, sum(distance) AS miles,
            count(*) FILTER (WHERE dep_delay > 15) AS late
        FROM nyc.flights GROUP BY ALL""",
    "mart.monthly": """
        SELECT carrier, f.month, count(*) AS n, avg(dep_delay), median(distance) AS half,
            approx_count_distinct(dest) AS places, string_agg(dest) AS every
        FROM nyc.flights AS f GROUP BY 1, 2 ORDER BY 1, 2""",
    "mart.planes": """
        SELECT f.month, count(DISTINCT tailnum) AS planes FROM nyc.flights f GROUP BY f.month""",
    "mart.long": """
        SELECT dest, carrier, extract(hour FROM time_hour) AS hour, count(*) AS n,
            sum(distance) AS miles
        FROM nyc.flights WHERE origin = 'JFK' AND distance > 500 AND dest IS NOT NULL
        GROUP BY dest, carrier, hour""",
    "mart.weekly": """
        SELECT date_trunc('week', time_hour) AS week, max(dep_time) AS latest
        FROM nyc.flights GROUP BY week""",
    "mart.arrivals": """
        SELECT arr_delay, carrier, sum(arr_delay) AS delay, count(arr_delay) AS delays
        FROM nyc.flights GROUP BY ALL""",
    "mart.named": """
        SELECT a.name, month, count(*) AS n, sum(distance) AS miles
        FROM nyc.flights AS f JOIN nyc.airlines AS a ON a.carrier = f.carrier GROUP BY ALL""",
    "mart.fares": """
        SELECT class, refunded, CAST(sold AS DATE) AS day, count(*) AS n, count(price) AS priced,
            sum(price) AS price, sum(points) AS points, count(points) AS pointed,
            sum(small) AS small, count(small) AS smalls, sum(score) AS score,
            count(score) AS scored, min(score) AS low, max(name) AS name, min(seen) AS seen
        FROM nyc.fares GROUP BY ALL""",
}


def build(folder: Path, rows: int = 2000) -> Lake:
    """Flights with null months and origins, airlines, fares, and the rollups of them."""
    settings = Settings(lake_uri=str(folder / "lake"), temp_dir=str(folder / "tmp"), threads=1)
    lake = Lake(settings=settings)
    flights = table(FLIGHTS, rows).with_columns(
        month=pl.when(pl.col("day") != 31).then("month"),
        origin=pl.when(pl.col("day") != 30).then("origin"),
    )
    lake.publish(lake.stage(FLIGHTS, flights))
    lake.publish(lake.stage(AIRLINES, table(AIRLINES)))
    lake.publish(lake.stage(FARES, fares(rows)))
    for name, sql in ROLLUPS.items():
        publish_rollup(lake, name, sql)
    return lake


def fares(rows: int) -> pa.Table:
    """Rows with nulls in every column: decimals, big and small integers, floats, moments."""
    chosen = random.Random(5)

    def some(values: list[object]) -> list[object]:
        return [None if chosen.random() < 0.1 else chosen.choice(values) for _ in range(rows)]

    start = datetime(2024, 1, 30, 22)
    moments: list[object] = [start + timedelta(hours=h) for h in range(0, 24 * 90, 7)]
    return pa.table(
        {
            "class": some(["economy", "first", ""]),
            "refunded": pa.array(some([True, False]), pa.bool_()),
            "sold": pa.array(some(moments), pa.timestamp("us")),
            "seen": pa.array(some([datetime(2024, 1, d, tzinfo=UTC) for d in range(1, 9)])),
            "due": pa.array(some([date(2024, 5, d) for d in range(1, 9)]), pa.date32()),
            "price": pa.array(
                some([Decimal(c) / 100 for c in range(-999, 10**7, 97_531)]), pa.decimal128(15, 2)
            ),
            "points": pa.array(some([2**60 - 3, 2**61 + 11, -7, 13]), pa.int64()),
            "small": pa.array(some([-128, 3, 127]), pa.int8()),
            "score": pa.array(some([0.1, 0.2, 1e17, -1e17, 3.3]), pa.float64()),
            "name": some(["Ada", "Żółć", "a'b"]),
        }
    )


def publish_rollup(
    lake: Lake, name: str, sql: str, floats: Literal["exact", "approximate"] | None = "exact"
) -> None:
    """Compute a rollup over the lake as it is, and publish it as a model's run does."""
    versions: dict[TableName, int] = {}

    def pinned(table: TableName) -> str:
        snapshot = lake.snapshot(table)
        versions[table] = snapshot.version
        return snapshot.relation_sql()

    with connect(lake.settings) as con:
        staged = lake.stage(TableName.parse(name), run(con, sql, pinned))
    notes = Origin(versions, sql=sql, rollup=floats).annotation()
    lake.publish(staged, annotations=notes, schema_change="any")
