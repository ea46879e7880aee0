"""The demo's source: a SQLite database with the five tables of the 2013 New York City flights.

The data are those of the R package nycflights13 (public domain: US Bureau of Transportation
Statistics, FAA and ASOS), with the flaws that they were published with.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import polars as pl

DATABASE = Path(".demo/nyc.db")
KEYS: dict[str, tuple[str, ...]] = {
    "airlines": ("carrier",),
    "airports": ("faa",),
    "planes": ("tailnum",),
    "weather": (),
    "flights": (),
}
"""Tables in the order in which they are filled, with their primary keys."""
_FOREIGN_KEYS = {"flights": "FOREIGN KEY (carrier) REFERENCES airlines (carrier)"}
_TYPES: dict[type[pl.DataType], str] = {pl.String: "TEXT", pl.Int64: "INTEGER", pl.Float64: "REAL"}
_BATCH_ROWS = 50_000


def build(database: Path = DATABASE) -> Iterator[tuple[str, int]]:
    """Make the database anew, in one transaction per table.

    Yields:
        Each table's name and number of rows when it is filled.
    """
    database.parent.mkdir(parents=True, exist_ok=True)
    fresh = database.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with sqlite3.connect(fresh) as con:
        for table, key in KEYS.items():
            frame = _frame(table)
            con.execute(_ddl(table, frame, key))
            insert = f"INSERT INTO {table} VALUES ({', '.join('?' * frame.width)})"
            for part in frame.iter_slices(_BATCH_ROWS):
                con.executemany(insert, part.rows())
            con.commit()
            yield table, frame.height
    con.close()
    fresh.replace(database)


def repair(database: Path = DATABASE) -> int:
    """Put the two airports that stand in China back where they are; returns the rows changed.

    Deer Valley is in Phoenix, Montgomery Field in San Diego.
    """
    with sqlite3.connect(database) as con:
        changed = con.executemany(
            "UPDATE airports SET lon = -abs(lon), tz = ?, tzone = ? WHERE faa = ?",
            [(-7, "America/Phoenix", "DVT"), (-8, "America/Los_Angeles", "MYF")],
        ).rowcount
    con.close()
    return changed


def _frame(table: str) -> pl.DataFrame:
    data = files("etl_platform.demo") / "data" / f"{table}.parquet"
    frame = pl.read_parquet(data.read_bytes())
    moments = [name for name, kind in frame.schema.items() if kind == pl.Datetime]
    return frame.with_columns(
        pl.col(name).dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%d %H:%M:%S")
        for name in moments
    )


def _ddl(table: str, frame: pl.DataFrame, key: tuple[str, ...]) -> str:
    columns = [
        f"{name} {'TIMESTAMP' if name == 'time_hour' else _TYPES[kind.base_type()]}"
        for name, kind in frame.schema.items()
    ]
    if key:
        columns.append(f"PRIMARY KEY ({', '.join(key)})")
    if table in _FOREIGN_KEYS:
        columns.append(_FOREIGN_KEYS[table])
    return f"CREATE TABLE {table} ({', '.join(columns)})"
