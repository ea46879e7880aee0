"""PostgreSQL's ``INSERT ... ON CONFLICT``, and how many of its rows were new."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql import Insert

    from etl_platform.sinks.database.load import Target
    from etl_platform.sinks.database.modes import Work
    from etl_platform.sinks.database.session import Session

# The rows that this transaction has inserted into a table, as the statistics of the session have
# counted them: those of rows that triggers and rules add, or of partitions, would not be ours.
_INSERTED = """
SELECT pg_stat_get_xact_tuples_inserted(c.oid) FROM pg_catalog.pg_class c
WHERE c.oid = to_regclass(:relation) AND c.relkind = 'r' AND NOT c.relhastriggers
  AND NOT c.relhasrules AND current_setting('track_counts')::boolean
"""


def upsert(work: Work) -> int:
    """Add the stage's rows; where the key is there, set the other columns.

    Returns:
        The number of rows that were added. The statement itself only tells how many it touched,
        and to let it return each row takes a tenth longer.
    """
    statement = _statement(work)
    before = _inserted(work.session, work.load.target)
    if before is None:
        return _counted(work.session, statement)
    work.session.execute(statement)
    after = _inserted(work.session, work.load.target)
    assert after is not None
    return after - before


def _statement(work: Work) -> Insert:
    from sqlalchemy.dialects.postgresql import insert

    key, names = work.load.key, [column.name for column in work.columns]
    statement = insert(work.target).from_select(names, work.staged_rows())
    elements = [work.target.c[name] for name in key]
    rest = {work.target.c[n]: statement.excluded[n] for n in names if n not in key}
    if rest:
        return statement.on_conflict_do_update(index_elements=elements, set_=rest)
    return statement.on_conflict_do_nothing(index_elements=elements)


def _inserted(session: Session, target: Target) -> int | None:
    import sqlalchemy as sa

    from etl_platform.sinks.database.dialects.postgresql_session import relation_text

    relation = relation_text(target, session.dialect)
    return session.scalar(sa.text(_INSERTED).bindparams(relation=relation))


def _counted(session: Session, statement: Insert) -> int:
    """Run the statement and let it count."""
    import sqlalchemy as sa

    # A row that was added has no transaction yet that replaced it (xmax, a system column).
    added = sa.literal_column("(xmax = 0)", sa.Boolean()).label("added")
    changed = statement.returning(added).cte("changed")
    count = sa.select(sa.func.count()).select_from(changed).where(changed.c.added)
    return int(session.scalar(count))
