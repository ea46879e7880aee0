"""Functions of Python steps, as a project has them."""

from __future__ import annotations

import polars as pl


def doubled(rows: pl.LazyFrame, by: int = 2) -> pl.LazyFrame:
    """The number times ``by``, beside the key."""
    return rows.select("k", pl.col("n") * by)


def nothing(rows: pl.LazyFrame) -> None:
    """No frame at all."""


def broken(rows: pl.LazyFrame) -> pl.LazyFrame:
    """It fails."""
    raise ZeroDivisionError("of its own")
