"""A lake that lies somewhere else than before: restored at another path, or copied to a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_platform.core.errors import PermanentError, UnknownName
from etl_platform.metastore.engine import reachable

if TYPE_CHECKING:
    from sqlalchemy import Engine


def move_lake(engine: Engine, old: str, new: str) -> int:
    """Let every record of the lake at ``old`` be one of the lake at ``new``, in one transaction.

    Returns: how many records that were.

    Raises:
        UnknownName: there is no record of a lake at ``old``.
        PermanentError: there are records of a lake at ``new`` already.
    """
    import sqlalchemy as sa

    from etl_platform.metastore.models import Base

    tables = [table for table in Base.metadata.sorted_tables if "lake" in table.c]
    with reachable(engine.url), engine.begin() as con:
        known = {
            lake for table in tables for lake in con.scalars(sa.select(table.c.lake).distinct())
        } - {""}
        if old not in known:
            raise UnknownName("lake", old, sorted(known))
        if new in known:
            raise PermanentError(
                f"there are records of a lake at {new} already",
                valid="a metastore that knows the lake at one place only",
                fix="give this lake a metastore of its own, or restore the one of the backup",
            )
        moves = [sa.update(table).where(table.c.lake == old).values(lake=new) for table in tables]
        return sum(con.execute(move).rowcount for move in moves)
