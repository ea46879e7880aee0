"""A shop with profiles: orders, lines, customers, visits in a file per month, a wide table."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import polars as pl

from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse.gate import admit
from etl_platform.lakehouse.lake import Lake
from etl_platform.quality import Contract

ORDERS, LINES, CUSTOMERS, VISITS, WIDE = (
    TableName("shop", name) for name in ("orders", "lines", "customers", "visits", "wide")
)
FIRST = date(2013, 1, 1)


def frames() -> dict[TableName, pl.DataFrame]:
    """400 orders of 50 customers over a year, five lines each; 3,650 visits, ten a day."""
    days = [FIRST + timedelta(days=n % 365) for n in range(3650)]
    return {
        ORDERS: pl.DataFrame(
            {
                "id": range(400),
                "customer": [n % 50 for n in range(400)],
                "total": [float(n % 97) for n in range(400)],
                "day": [FIRST + timedelta(days=n % 365) for n in range(400)],
            }
        ),
        LINES: pl.DataFrame(
            {
                "order_id": [n // 5 for n in range(2000)],
                "line": [n % 5 for n in range(2000)],
                "price": [float(n % 89) for n in range(2000)],
            }
        ),
        CUSTOMERS: pl.DataFrame(
            {
                "id": range(50),
                "zip": [f"{n:05}" for n in range(50)],
                "country": [("DE", "FR", "NL", "AT", "BE")[n % 5] for n in range(50)],
                "referred_by": [None if n < 10 else n % 10 for n in range(50)],
            }
        ),
        VISITS: pl.DataFrame(
            {
                "day": days,
                "month": [day.month for day in days],
                "code": [f"{day:%m}-{n:04}" for n, day in enumerate(days)],
                "customer": [n % 50 for n in range(3650)],
                "seconds": [n % 600 for n in range(3650)],
            }
        ),
        WIDE: pl.DataFrame({f"c{n}": [n, n + 1] for n in range(25)}),
    }


def build(folder: Path) -> Lake:
    """The lake; visits are partitioned by month."""
    settings = Settings(lake_uri=f"{folder}/lake", temp_dir=f"{folder}/tmp", threads=2)
    lake = Lake(settings=settings)
    for table, frame in frames().items():
        by = ("month",) if table == VISITS else ()
        admit(lake, table, frame, Contract(), partition_by=by, profile="full")
    return lake
