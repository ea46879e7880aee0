"""Several connections read one PostgreSQL table, each its own pages, all on one snapshot.

A leader exports its snapshot (``pg_export_snapshot``) and every worker takes it over, so that
together they see what one connection would have seen
(https://www.postgresql.org/docs/current/functions-admin.html, "Snapshot Synchronization
Functions"). A row version has one address (``ctid``) for as long as the table is not rewritten: the
leader's lock forbids that until the last row was read. The first range has no lower and the last no
upper end, so nothing depends on the table's size staying as it was.

One connection reads what has no addresses or may not be shared out: queries, views, foreign tables,
parents of partitions or of inherited tables (they may get and lose children meanwhile), tables with
row security (its conditions hide the address from the planner), and servers before version 14,
which would read the whole table for every range.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_platform.core.settings import get_settings

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from etl_platform.sources.database.database import Database
    from etl_platform.sources.database.extraction import Extraction
    from etl_platform.sources.database.statements import ReadPlan

_RANGES_EACH = 4
"""More ranges than connections: one that is slow holds up a small part only."""
_WORTH_IT_BYTES = 128 * 1024 * 1024
_OLDEST_VERSION = 140_000
_LAYOUT = """
SELECT pg_catalog.pg_relation_size(c.oid), pg_catalog.current_setting('block_size')::int
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_am a ON a.oid = c.relam
WHERE n.nspname = :schema AND c.relname = :name AND c.relkind IN ('r', 'm') AND a.amname = 'heap'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid)
  AND NOT pg_catalog.row_security_active(c.oid)
  AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
  AND pg_catalog.current_setting('server_version_num')::int >= :version
"""


@dataclass(frozen=True, slots=True)
class PageRange:
    """Pages ``first`` to before ``end``; None: from the first page, to whatever is the last."""

    first: int | None
    end: int | None

    def __str__(self) -> str:
        return f"pages {self.first or 0} to {'the last' if self.end is None else self.end - 1}"


def most_connections(database: Database, extraction: Extraction) -> int:
    """How many connections a read may hold where the database can share a snapshot.

    As declared, within what the pool can give; else one for every two processors of this process,
    because parsing and writing a row cost about twice what the server's part of it does: more
    would wait for each other.
    """
    if extraction.table is None or extraction.after is not None or extraction.window is not None:
        return 1  # a part of a table is found by its index
    pool = database.pool
    if extraction.parallel is not None:
        return min(extraction.parallel, max(1, pool.size + pool.overflow))
    return max(1, min(pool.size, get_settings().threads // 2))


def page_ranges(
    connection: Connection, extraction: Extraction, plan: ReadPlan, most: int
) -> tuple[PageRange, ...]:
    """The ranges that make up the table; empty where one connection has to read it, or should.

    From here on the leader's lock keeps the table from being rewritten.

    Args:
        connection: the leader, in its transaction.
        most: connections that will read.
    """
    import sqlalchemy as sa

    table = extraction.table
    if table is None or most < 2:
        return ()
    wanted = {"schema": table.schema, "name": table.name, "version": _OLDEST_VERSION}
    lock = sa.select(sa.literal(1)).select_from(plan.source).limit(0)
    connection.execute(lock)
    layout = connection.execute(sa.text(_LAYOUT), wanted).one_or_none()
    if layout is None or (extraction.parallel is None and layout[0] < _WORTH_IT_BYTES):
        return ()
    pages = layout[0] // layout[1]
    count = min(most * _RANGES_EACH, pages)
    if count < 2:
        return ()
    ends = [pages * number // count for number in range(1, count)]
    return tuple(
        PageRange(first, end) for first, end in zip([None, *ends], [*ends, None], strict=True)
    )


def within(plan: ReadPlan, pages: PageRange) -> ReadPlan:
    """The plan for one range, and never for the table's children."""
    import sqlalchemy as sa
    from sqlalchemy.types import UserDefinedType

    class Tid(UserDefinedType[str]):
        def get_col_spec(self, **kw: object) -> str:
            del kw
            return "tid"

    def address(page: int) -> sa.ColumnElement[str]:
        return sa.cast(sa.literal(f"({page},0)", sa.Text()), Tid())

    ctid: sa.ColumnElement[str] = sa.literal_column("ctid", Tid())
    statement = plan.statement.with_hint(plan.source, "ONLY", "postgresql")
    if pages.first is not None:
        statement = statement.where(ctid >= address(pages.first))
    if pages.end is not None:
        statement = statement.where(ctid < address(pages.end))
    return type(plan)(statement, plan.columns, plan.source)


def export_snapshot(connection: Connection) -> str:
    """The name by which others can take over this transaction's snapshot while it lasts."""
    import sqlalchemy as sa

    return str(connection.execute(sa.select(sa.func.pg_export_snapshot())).scalar_one())
