"""Where in a table its nulls are: shares by column and block of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_platform.core.duck import quote, read_parquet

if TYPE_CHECKING:
    import duckdb

    from etl_platform.core.staged import Staged

BLOCKS = 60
_MOST_COLUMNS = 40


@dataclass(frozen=True, slots=True)
class NullMap:
    """For each column that has nulls the share of null rows in blocks of equal size, in order."""

    columns: tuple[str, ...]
    shares: tuple[tuple[float, ...], ...]


def null_map(
    con: duckdb.DuckDBPyConnection, staged: Staged, columns: Sequence[str], blocks: int = BLOCKS
) -> NullMap:
    """Count nulls by block, in one pass over the given columns (the first 40 of them).

    Rows are in the order of the files as the table lists them.
    """
    names = list(columns)[:_MOST_COLUMNS]
    rows = staged.rows
    if not names or not rows:
        return NullMap((), ())
    blocks = min(blocks, rows)
    counted = ", ".join(f"count(*) - count({quote(name)})" for name in names)
    chosen = ", ".join(quote(name) for name in names)
    parts: list[str] = []
    before = 0
    for file in staged.files:
        source = read_parquet([file.uri], "file_row_number = true, ")
        parts.append(
            f"SELECT (file_row_number + {before}) * {blocks} // {rows} AS _block, {chosen} "
            f"FROM {source}"
        )
        before += file.rows
    found = con.execute(
        f"SELECT _block, count(*), {counted} FROM ({' UNION ALL '.join(parts)}) "
        "GROUP BY _block ORDER BY _block"
    ).fetchall()
    shares = tuple(tuple(row[n + 2] / row[1] for row in found) for n in range(len(names)))
    return NullMap(tuple(names), shares)
