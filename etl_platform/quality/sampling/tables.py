"""Samples of Arrow tables, and of Parquet files of which only the rows in question are kept."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from etl_platform.core.duck import quote, read_parquet
from etl_platform.core.errors import UnknownName
from etl_platform.core.sessions import session
from etl_platform.quality.sampling.design import Design, Sample
from etl_platform.quality.sampling.drawing import Drawing, draw
from etl_platform.quality.sampling.spec import Strategy
from etl_platform.quality.sampling.totals import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb
    import pyarrow as pa
    from numpy.typing import NDArray

    from etl_platform.core.settings import Settings
    from etl_platform.quality.sampling.spec import SampleSpec

_POSITION = "etl_position"


def sample_table(table: pa.Table, spec: SampleSpec, name: str = "table") -> Sample:
    """Sample an Arrow table in memory.

    Raises:
        UnknownName: there is no column of the name ``spec.by``.
        ConfigError: it has too many values.
    """
    import pyarrow as pa

    strata = None
    if spec.by is not None:
        if spec.by not in table.column_names:
            raise UnknownName("column", spec.by, table.column_names, where=name)
        codes = table.column(spec.by).combine_chunks().dictionary_encode("encode").indices
        strata = codes.to_numpy(zero_copy_only=False).astype(np.int64)
    drawing = draw(spec, table.num_rows, strata=strata)
    return _sample(
        name, table.take(pa.array(drawing.positions, pa.int64())), drawing, spec, table.num_rows
    )


def sample_files(
    uris: Sequence[str], spec: SampleSpec, name: str, settings: Settings | None = None
) -> Sample:
    """Sample the rows of Parquet files as one table.

    ``blocks`` opens only the row groups that were drawn; row groups are large, so that only large
    tables have enough of them for intervals. The others read all row groups.

    Raises:
        UnknownName: there is no column of the name ``spec.by``.
        ConfigError: it has too many values.
    """
    con = session(settings)
    try:
        groups = _row_groups(con, uris)
        rows = sum(size for sizes in groups for size in sizes)
        strata = None if spec.by is None else _strata(con, uris, spec.by, name)
        blocks = [size for sizes in groups for size in sizes]
        drawing = draw(spec, rows, blocks, strata)
        if spec.strategy is Strategy.BLOCKS:
            drawing = replace(drawing, words=drawing.words.replace("blocks of", "row groups of"))
        ends = np.cumsum([sum(sizes) for sizes in groups])
        data = _read(con, uris, ends, drawing.positions, whole=spec.strategy is Strategy.BLOCKS)
        return _sample(name, data, drawing, spec, rows)
    finally:
        con.close()


def _sample(name: str, data: pa.Table, drawing: Drawing, spec: SampleSpec, rows: int) -> Sample:
    design = Design(
        strategy=spec.strategy,
        seed=spec.seed,
        rows=counted(rows),
        population=float(rows),
        probability=drawing.probability,
        words=drawing.words,
        units=drawing.units,
    )
    return Sample(name, data, design, drawing.unit)


def _row_groups(con: duckdb.DuckDBPyConnection, uris: Sequence[str]) -> list[list[int]]:
    """Rows of each row group of each file."""
    found: list[list[int]] = []
    for uri in uris:
        groups = con.execute(
            "SELECT row_group_id, any_value(row_group_num_rows) FROM parquet_metadata(?)"
            " GROUP BY ALL ORDER BY 1",
            [uri],
        ).fetchall()
        found.append([int(size) for _, size in groups])
    return found


def _strata(
    con: duckdb.DuckDBPyConnection, uris: Sequence[str], by: str, name: str
) -> NDArray[np.int64]:
    """The stratum of every row, in the order of files and rows; reads one column."""
    known = [row[0] for row in con.execute(f"DESCRIBE FROM {read_parquet(uris)}").fetchall()]
    if by not in known:
        raise UnknownName("column", by, known, where=name)
    parts = [
        con.sql(f"SELECT {quote(by)} AS v FROM {read_parquet([uri])}").to_arrow_table().column("v")
        for uri in uris
    ]
    import pyarrow as pa

    values = pa.chunked_array([chunk for part in parts for chunk in part.chunks], parts[0].type)
    codes = values.combine_chunks().dictionary_encode("encode").indices
    return codes.to_numpy(zero_copy_only=False).astype(np.int64)


def _read(
    con: duckdb.DuckDBPyConnection,
    uris: Sequence[str],
    ends: NDArray[np.int64],
    positions: NDArray[np.int64],
    *,
    whole: bool,
) -> pa.Table:
    """The rows at these positions, in order. ``whole``: they are ranges that fill row groups."""
    import pyarrow as pa

    parts: list[str] = []
    for number, uri in enumerate(uris):
        first = int(ends[number - 1]) if number else 0
        here = positions[(positions >= first) & (positions < ends[number])] - first
        if not len(here) and (parts or number + 1 < len(uris)):
            continue
        if whole:
            wanted = f"WHERE {_ranges(here)}"
        else:
            con.register(f"picked_{number}", pa.table({"picked": pa.array(here, pa.int64())}))
            wanted = f"SEMI JOIN picked_{number} ON file_row_number = picked"
        source = read_parquet([uri], "file_row_number = true, ")
        parts.append(
            f"SELECT * EXCLUDE (file_row_number), file_row_number + {first} AS {_POSITION}"
            f" FROM {source} {wanted}"
        )
    data = con.sql(" UNION ALL BY NAME ".join(parts)).to_arrow_table()
    return data.sort_by(_POSITION).drop_columns(_POSITION)


def _ranges(here: NDArray[np.int64]) -> str:
    """Runs of neighbouring positions as conditions; only their row groups are opened."""
    if not len(here):
        return "false"
    cuts = np.flatnonzero(np.diff(here) > 1) + 1
    return " OR ".join(
        f"file_row_number BETWEEN {run[0]} AND {run[-1]}" for run in np.split(here, cuts)
    )
