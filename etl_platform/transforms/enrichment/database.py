"""Rows of a database by their keys: only the keys that are wanted are sent, bound, in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_platform.sources.database import Database, Extraction
from etl_platform.sources.database.engines import extract

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from etl_platform.transforms.enrichment.asked import Asked, OfDatabase

_PARAMETERS = 1_000
"""Values in one statement: every database takes so many."""


def rows_of_database(asked: Asked, who: OfDatabase, keys: pl.DataFrame) -> pa.Table:
    """The rows that have one of the keys: the other's key columns, then what is taken.

    Each batch of keys is a statement, and a moment, of its own.

    Args:
        keys: the distinct ones, in the order of ``asked.on``; not empty.

    Raises:
        SourceUnavailable: a later try may succeed.
        UnsupportedType: a column has no lossless type.
        PermanentError: a missing table or column, no permission, keys of another type.
    """
    import pyarrow as pa

    database = Database(who.source.system, who.database)
    try:
        quoted = database.engine().dialect.identifier_preparer.quote_identifier
        others = [quoted(name) for name in asked.on.values()]
        names = ", ".join([*others, *(quoted(name) for name in asked.columns)])
        table = ".".join(quoted(part) for part in who.table.split("."))
        types = {n: kind.lower() for n, kind in asked.columns.items() if kind.startswith("DECIMAL")}
        found: list[pa.Table] = []
        for batch in keys.iter_slices(max(1, _PARAMETERS // len(others))):
            columns = [batch.get_column(name).to_list() for name in batch.columns]
            places = [[f"k{i}_{row}" for row in range(batch.height)] for i in range(len(columns))]
            params = {
                place: value
                for there, values in zip(places, columns, strict=True)
                for place, value in zip(there, values, strict=True)
            }
            sql = f"SELECT {names} FROM {table} WHERE {_among(others, places)}"
            reader = extract(database, Extraction(query=sql, params=params, types=types))
            found.append(reader.read_all())
        return pa.concat_tables(found)
    finally:
        database.close()


def _among(names: list[str], places: list[list[str]]) -> str:
    if len(names) == 1:
        return f"{names[0]} IN ({', '.join(f':{place}' for place in places[0])})"
    rows = zip(*places, strict=True)
    return " OR ".join(
        "(" + " AND ".join(f"{n} = :{p}" for n, p in zip(names, row, strict=True)) + ")"
        for row in rows
    )
