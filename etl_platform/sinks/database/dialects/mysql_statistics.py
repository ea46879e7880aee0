"""What InnoDB believes of a target's size, put right before statements are planned by it.

The server counts a table's rows some seconds after many of them were written, and does not when it
is killed before. Until then it takes the table for empty, and reads all of it again for each row of
the stage rather than use an index: a load that takes a second takes hours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from etl_platform.sinks.database.columns import sql_table

if TYPE_CHECKING:
    from etl_platform.sinks.database.load import Target
    from etl_platform.sinks.database.session import Session

_WORTH_A_LOOK = 1_000
"""So many rows or more are not read again for each row of the stage."""
_BELIEVED = """
SELECT table_rows FROM information_schema.tables
WHERE table_schema = coalesce(:schema, DATABASE()) AND table_name = :name
  AND table_type = 'BASE TABLE' AND engine = 'InnoDB'
"""


def correct(session: Session, target: Target) -> None:
    """Count a table anew that is believed small and is not. Ends a transaction."""
    import sqlalchemy as sa

    asked = sa.text(_BELIEVED).bindparams(schema=target.schema, name=target.name)
    believed = session.scalar(asked)
    if believed is None or believed >= _WORTH_A_LOOK:
        return
    table = sql_table(target, ())
    one: sa.ColumnElement[Any] = sa.literal_column("1")
    some = sa.select(one).select_from(table).limit(sa.literal_column(str(_WORTH_A_LOOK)))
    if session.scalar(sa.select(sa.func.count()).select_from(some.subquery())) < _WORTH_A_LOOK:
        return
    name = session.dialect.identifier_preparer.format_table(table)
    session.run(f"ANALYZE LOCAL TABLE {name}")
