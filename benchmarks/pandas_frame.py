"""Lineitem as the peers that work on pandas need it; imports nothing of the platform."""

from __future__ import annotations

from typing import Any

from benchmarks.tpch import source


def lineitem_frame(rows: int | None = None) -> Any:
    """Lineitem as a pandas frame, decimals as doubles and days as timestamps.

    Otherwise pandas holds Python objects, which takes those peers many times longer.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    def kind(declared: pa.DataType) -> pa.DataType:
        if pa.types.is_decimal(declared):
            return pa.float64()
        return pa.timestamp("ns") if pa.types.is_date(declared) else declared

    table = pq.read_table(source("lineitem"))
    table = table if rows is None else table.slice(0, rows)
    return table.cast(pa.schema([(f.name, kind(f.type)) for f in table.schema])).to_pandas()
