"""Replacing a MariaDB or MySQL table by a twin, though RENAME TABLE ends a transaction.

The twin is filled and the load's line written into a ledger of its own, in one transaction that
touches nothing which anybody reads. Then one ``RENAME TABLE a TO old, twin TO a, line TO done``
does it all: either the twin is the table and its line counts as done, or neither (the statement is
atomic, also when the server crashes, since MariaDB 10.6 and MySQL 8.0). What is left to do after
it, copying the line and dropping tables, is done by whoever takes the next turn.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from etl_platform.sinks.database.columns import quoted
from etl_platform.sinks.database.dialects.base import Rename
from etl_platform.sinks.database.images import KIND, image_name
from etl_platform.sinks.database.ledger import Ledger
from etl_platform.sinks.database.load import Target

if TYPE_CHECKING:
    from etl_platform.sinks.database.load import Load
    from etl_platform.sinks.database.session import Session

# Triggers and partitions stay with the old table; foreign keys would point at it.
_FREE = """
SELECT count(*) FROM information_schema.tables t
WHERE t.table_schema = coalesce(:schema, DATABASE()) AND t.table_name = :name
  AND t.table_type = 'BASE TABLE' AND t.engine = 'InnoDB'
  AND NOT EXISTS (SELECT 1 FROM information_schema.triggers g
                  WHERE g.event_object_schema = t.table_schema
                    AND g.event_object_table = t.table_name)
  AND NOT EXISTS (SELECT 1 FROM information_schema.key_column_usage k
                  WHERE k.referenced_table_name IS NOT NULL
                    AND (k.table_schema = t.table_schema AND k.table_name = t.table_name
                         OR k.referenced_table_schema = t.table_schema
                            AND k.referenced_table_name = t.table_name))
"""
_IS_THERE = """
SELECT count(*) FROM information_schema.columns
WHERE table_schema = coalesce(:schema, DATABASE()) AND table_name = :name
  AND (:column = '' OR column_name = :column)
"""


@dataclass(frozen=True)
class MySqlRename(Rename):
    """Names of the helping tables are the target's own: loads of one target take turns."""

    target: Target
    twin: Target
    ledger: Ledger

    def finish(self, session: Session, keep_as: str | None) -> None:
        names = _Names(self.target)
        old = keep_as or names.old
        session.run(
            f"RENAME TABLE {_sql(session, self.target, self.target.name)} "
            f"TO {_sql(session, self.target, old)}, "
            f"{_sql(session, self.target, names.twin)} "
            f"TO {_sql(session, self.target, self.target.name)}, "
            f"{_sql(session, self.target, names.line)} TO {_sql(session, self.target, names.done)}"
        )
        complete(session, Ledger(self.target))


class _Names:
    """The tables beside a target, while it is being replaced."""

    def __init__(self, target: Target) -> None:
        digest = sha256(target.name.encode()).hexdigest()[:24]
        self.twin = f"etl_twin_{digest}"
        self.line = f"etl_line_{digest}"
        self.done = f"etl_done_{digest}"
        self.old = f"etl_old_{digest}"


def prepare(session: Session, load: Load, ledger: Ledger) -> MySqlRename | None:
    """Make the empty twin; None where exchanging the table would lose what is tied to it."""
    import sqlalchemy as sa

    target, names = load.target, _Names(load.target)
    free = sa.text(_FREE).bindparams(schema=target.schema, name=target.name)
    if not session.scalar(free):
        return None
    # A before-image of this batch is one of an attempt that failed.
    session.run(f"DROP TABLE IF EXISTS {_sql(session, target, image_name(load))}")
    for new, form in ((names.twin, target.name), (names.line, str(ledger.table.name))):
        session.run(f"CREATE TABLE {_sql(session, target, new)} LIKE {_sql(session, target, form)}")
    twin = Target(names.twin, target.schema)
    return MySqlRename(target, twin, Ledger(target, names.line))


def complete(session: Session, ledger: Ledger) -> None:
    """Enter the line of a replacement that happened, and drop what one left behind.

    Every step can be done again: a crash between two of them costs nothing.
    """
    import sqlalchemy as sa

    target, names = ledger.target, _Names(ledger.target)

    def there(name: str, column: str = "") -> bool:
        found = sa.text(_IS_THERE).bindparams(schema=target.schema, name=name, column=column)
        return bool(session.scalar(found))

    if there(names.done):
        done = Ledger(target, names.done).table
        for (image,) in session.rows(sa.select(done.c.image).where(done.c.image.is_not(None))):
            if there(image) and not there(image, KIND):
                session.run(
                    f"ALTER TABLE {_sql(session, target, image)} "
                    f"ADD COLUMN {KIND} varchar(3) DEFAULT 'was'"
                )
        line = sa.select(*done.c)
        known = (
            sa.select(sa.literal_column("1"))
            .select_from(ledger.table)
            .where(ledger.table.c.target == done.c.target, ledger.table.c.batch == done.c.batch)
        )
        with session.transaction():
            session.execute(
                sa.insert(ledger.table).from_select(
                    [c.name for c in done.c], line.where(~sa.exists(known.correlate(done)))
                )
            )
    for name in (names.done, names.line, names.twin, names.old):
        session.run(f"DROP TABLE IF EXISTS {_sql(session, target, name)}")


def _sql(session: Session, target: Target, name: str) -> str:
    import sqlalchemy as sa

    schema = quoted(target.schema) if target.schema is not None else None
    table = sa.Table(quoted(name), sa.MetaData(), schema=schema)
    return session.dialect.identifier_preparer.format_table(table)
