"""A table of the lake, whole or some partitions of it, as the type that a user's function takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from etl_platform.core.duck import literal, quote
from etl_platform.core.errors import ConfigError
from etl_platform.core.names import TableName
from etl_platform.core.sessions import session
from etl_platform.publishing.publish import PARTITION_COLUMN

if TYPE_CHECKING:
    import duckdb
    import polars as pl
    import pyarrow as pa

    from etl_platform.lakehouse import Lake

_VALID = (
    "polars LazyFrame or DataFrame, pyarrow Table or RecordBatchReader, pandas DataFrame, "
    "duckdb DuckDBPyRelation"
)


def read_table(
    lake: Lake, table: TableName, partitions: Sequence[str] | None, wanted: object | None
) -> object:
    """Read a table as it is now.

    Args:
        partitions: Dagster partition keys, None for the whole of a table. The rows of partitions
            come without the column ``_partition``.
        wanted: the type of the result, a Polars lazy frame when None.

    Raises:
        UnknownName: there is no such table.
        ConfigError: the wanted type is none that a table can have.
    """
    name = "polars.LazyFrame" if wanted is None else _full_name(wanted)
    package, kind = name.partition(".")[0], name.rpartition(".")[2]
    if (package, kind) == ("duckdb", "DuckDBPyRelation"):
        return _relation(lake, table, partitions)
    frame = _rows(lake, table, partitions)
    match package, kind:
        case "polars", "LazyFrame":
            return frame
        case "polars", "DataFrame":
            return frame.collect(engine="streaming")
        case "pyarrow", "Table":
            return _reader(lake, table, frame).read_all()
        case "pyarrow", "RecordBatchReader":
            return _reader(lake, table, frame)
        case "pandas", "DataFrame":
            return frame.collect(engine="streaming").to_pandas()
        case _:
            raise ConfigError(f"an input asks for {table} as {name}", valid=_VALID)


def _full_name(wanted: object) -> str:
    return f"{wanted.__module__}.{wanted.__qualname__}" if isinstance(wanted, type) else str(wanted)


def _rows(lake: Lake, table: TableName, partitions: Sequence[str] | None) -> pl.LazyFrame:
    import polars as pl

    frame = lake.scan(table)
    if partitions is None:
        return frame
    return frame.filter(pl.col(PARTITION_COLUMN).is_in(list(partitions))).drop(PARTITION_COLUMN)


def _reader(lake: Lake, table: TableName, frame: pl.LazyFrame) -> pa.RecordBatchReader:
    import pyarrow as pa

    schema = lake.schema(table)
    names = frame.collect_schema().names()
    stream = pa.RecordBatchReader.from_stream(frame.collect_batches(engine="streaming"))
    # Polars hands out view types; the reader gets the lake's own.
    return stream.cast(pa.schema([schema.field(name) for name in names]))


def _relation(
    lake: Lake, table: TableName, partitions: Sequence[str] | None
) -> duckdb.DuckDBPyRelation:
    con = session(lake.settings)
    source = lake.relation_sql(table)
    if partitions is None:
        return con.sql(f"FROM {source}")
    keys = ", ".join(literal(key) for key in partitions) or "NULL"
    column = quote(PARTITION_COLUMN)
    return con.sql(f"SELECT * EXCLUDE ({column}) FROM {source} WHERE {column} IN ({keys})")
