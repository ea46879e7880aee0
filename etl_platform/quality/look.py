"""A cheap look at staged files: columns with few distinct values, and frequent values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from etl_platform.core.duck import literal
from etl_platform.core.staged import Staged
from etl_platform.quality.counts import ValueCounts

if TYPE_CHECKING:
    import duckdb
    import polars as pl
    import pyarrow as pa

# Measured on TPC-H lineitem with DuckDB 2: counting a column's values costs what one pass over its
# dictionary codes costs as long as a row group has a few thousand of them, and grows beyond.
_MAX_PER_ROW_GROUP = 4_096
_MAX_OF_ONE_COLUMN = 250_000
_MAX_OF_ALL_COLUMNS = 2_000_000
_SMALL_ROWS = 8_192
_FREQUENT_SHARE = 0.01
_MAX_FREQUENT = 5
_MAX_FREQUENT_CHARACTERS = 200


def is_countable(kind: pa.DataType) -> bool:
    """Whether values of this type are worth counting one by one: neither nested nor binary."""
    from pyarrow import types as t

    return not (t.is_nested(kind) or t.is_binary(kind))


def columns_to_count(con: duckdb.DuckDBPyConnection, staged: Staged) -> frozenset[str]:
    """The columns with so few distinct values that the audit counts each of them.

    No data is read. The writer notes in each row group's footer how many entries a column's
    dictionary has; together with the range of integers and dates that bounds the number of distinct
    values from above. The bounds of the chosen columns add up to at most two million.
    """
    countable = [f.name for f in staged.schema if is_countable(f.type)]
    if not countable or not staged.rows:
        return frozenset()
    small = staged.rows <= _SMALL_ROWS
    dictionaries = {} if small else _dictionary_sizes(con, staged)
    most: dict[str, int] = {}
    for name in countable:
        largest, total = dictionaries.get(name, (None, None))
        limits = [staged.rows, *_width(staged, name)]
        if total is not None:
            limits.append(total)
        bound = min(limits)
        dense = bound <= _MAX_PER_ROW_GROUP or (
            largest is not None and largest <= _MAX_PER_ROW_GROUP and bound <= _MAX_OF_ONE_COLUMN
        )
        if small or dense:
            most[name] = bound
    chosen: set[str] = set()
    budget = _MAX_OF_ALL_COLUMNS
    for name in sorted(most, key=lambda column: most[column]):
        budget -= most[name]
        if budget < 0:
            break
        chosen.add(name)
    return frozenset(chosen)


def _dictionary_sizes(
    con: duckdb.DuckDBPyConnection, staged: Staged
) -> Mapping[str, tuple[int, int]]:
    """Per column: entries of the largest dictionary and of all, where each row group has one."""
    files = ", ".join(literal(uri) for uri in staged.uris)
    rows = con.execute(
        "SELECT path_in_schema, max(stats_distinct_count), sum(stats_distinct_count) "
        f"FROM parquet_metadata([{files}]) GROUP BY 1 HAVING count(stats_distinct_count) = count(*)"
    ).fetchall()
    return {name: (int(largest), int(total)) for name, largest, total in rows}


def _width(staged: Staged, column: str) -> Iterable[int]:
    """How many different values lie between a column's bounds, where that is a number."""
    low, high, _ = staged.bounds(column) or (None, None, False)
    if isinstance(low, bool):
        yield 2
    elif isinstance(low, int) and isinstance(high, int):
        yield high - low + 1
    elif isinstance(low, Decimal) and isinstance(high, Decimal):
        yield int((high - low).scaleb(staged.schema.field(column).type.scale)) + 1
    elif isinstance(low, date) and isinstance(high, date) and not isinstance(low, datetime):
        yield (high - low).days + 1


def frequent_values(sample: pl.DataFrame, columns: list[str]) -> Mapping[str, list[object]]:
    """Values that fill at least 1 % of a sample of rows, at most five per column."""
    return {name: _most(sample[name]) for name in columns}


def _most(values: pl.Series) -> list[object]:
    least = max(2, int(len(values) * _FREQUENT_SHARE))
    counts = values.drop_nulls().value_counts()
    counts = ValueCounts(counts.to_series(0), counts.to_series(1))
    return [
        value
        for value, count in counts.most_frequent(_MAX_FREQUENT)
        if count >= least and value == value and len(str(value)) <= _MAX_FREQUENT_CHARACTERS
    ]
