"""Some rows of the staged files, from everywhere, for what need not be asked of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_platform.core.duck import quote, read_parquet
from etl_platform.quality.profiles.sketch import Family

if TYPE_CHECKING:
    import duckdb
    import polars as pl

    from etl_platform.quality.facts import Facts

SAMPLE_ROWS = 4_096
_RUN_ROWS = 128
_CELLS = 400_000
_LEAST_ROWS = 256
_FIRST_PLACE = 0.37


def sample_rows(con: duckdb.DuckDBPyConnection, facts: Facts) -> pl.DataFrame:
    """At most 4,096 rows of all columns that are neither nested nor binary.

    Systematic: runs of 128 neighbouring rows at equal distances, the first one 37 % of a distance
    from the start, so that the same files give the same sample and only the row groups that hold a
    run are opened. Neighbours may be alike: what comes from it is marked as sampled.
    """
    import polars as pl

    plain = (Family.NESTED, Family.BINARY)
    names = [f.name for f in facts.staged.schema if Family.of(f.type) not in plain]
    if not names or not facts.rows:
        empty = facts.staged.schema.empty_table().select(names)
        return pl.DataFrame(empty)
    columns = ", ".join(map(quote, names))
    wanted = max(_LEAST_ROWS, min(SAMPLE_ROWS, _CELLS // len(names)))
    if facts.rows <= wanted:
        return pl.DataFrame(con.sql(f"SELECT {columns} FROM {facts.relation}").to_arrow_table())
    runs = wanted // _RUN_ROWS
    distance = facts.rows / runs
    starts = [int((i + _FIRST_PLACE) * distance) for i in range(runs)]
    parts: list[str] = []
    passed = 0
    for file in facts.staged.files:
        here = [s - passed for s in starts if passed <= s < passed + file.rows]
        passed += file.rows
        if here:
            ranges = " OR ".join(
                f"file_row_number BETWEEN {s} AND {s + _RUN_ROWS - 1}" for s in here
            )
            source = read_parquet([file.uri], "file_row_number = true, ")
            parts.append(f"SELECT {columns} FROM {source} WHERE {ranges}")
    return pl.DataFrame(con.sql(" UNION ALL ".join(parts)).to_arrow_table())
