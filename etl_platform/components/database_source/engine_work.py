"""A read, as the selection of engines sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_platform.core.errors import UnknownName

if TYPE_CHECKING:
    from etl_platform.selection import Capabilities, Work
    from etl_platform.sources.database import Database, Extraction

_HELD_ROWS = 100_000
"""So many rows at most may be held in memory by an engine that cannot stream."""


def check_engine(name: str, where: str) -> None:
    """Refuse a pin to an engine that does not exist.

    Raises:
        UnknownName: with the nearest engine's name.
    """
    from etl_platform.sources.database.engines import ENGINES

    known = [engine.name for engine in ENGINES]
    if name not in known:
        raise UnknownName("engine", name, known, where=where)


def describe_read(
    database: Database,
    extraction: Extraction,
    *,
    table: str,
    rows: int | None,
    pinned: str | None,
    run_id: str | None,
) -> tuple[Work, tuple[Capabilities, ...]]:
    """The work, and what each engine for this kind of database (and a pinned one) can do with it.

    Args:
        database: where to read.
        extraction: what to read.
        table: the table in the lake.
        rows: as counted in the source; None where nobody counted.
        pinned: the engine to use.
        run_id: for the records.

    Raises:
        UnsupportedType: a column has no lossless type, in any engine, and nothing is declared.
        SourceUnavailable, PermanentError: a query has to be probed for its columns, and fails.
    """
    from etl_platform.selection import Work, shape_key
    from etl_platform.sources.database import arrow_text
    from etl_platform.sources.database.engines import ENGINES, read_columns, told_by

    columns = read_columns(database, extraction)
    kind = database.dialect.name
    told = (told_by(engine, database, extraction, columns) for engine in ENGINES)
    if rows is None:
        rows = _estimate(extraction)
    work = Work(
        kind=kind,
        table=table,
        shape_key=shape_key(arrow_text.to_text(column.type) for column in columns),
        rows_estimated=rows,
        needs_streaming=rows is None or rows > _HELD_ROWS,
        pinned=pinned,
        source=database.name,
        connection_budget=database.pool.size + database.pool.overflow,
        run_id=run_id,
    )
    # An engine for other databases is worth a word only to whoever pinned it.
    return work, tuple(one for one in told if kind in one.kinds or one.name == pinned)


def _estimate(extraction: Extraction) -> int | None:
    """The table's own statistics, which say nothing about a part of it."""
    if extraction.table is None or extraction.after is not None or extraction.window is not None:
        return None
    return extraction.table.estimated_rows
