"""The modes as statements from a stage to its target, and what each leaves to be put back.

All are the same SQL in every database but the upsert; the stage holds the load's rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl_platform.sinks.database.columns import declared_type
from etl_platform.sinks.database.load import LoadMode

if TYPE_CHECKING:
    import sqlalchemy as sa

    from etl_platform.sinks.database.columns import TargetColumn
    from etl_platform.sinks.database.dialects.base import TargetDialect
    from etl_platform.sinks.database.images import Image
    from etl_platform.sinks.database.load import Load
    from etl_platform.sinks.database.session import Session


@dataclass(frozen=True, slots=True)
class Change:
    """Rows of the target that a load touched."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0


@dataclass(frozen=True)
class Work:
    """A filled stage and where it goes.

    ``columns`` are those of the stage, in its order; ``image`` takes what has to be put back.
    """

    session: Session
    dialect: TargetDialect
    load: Load
    target: sa.Table
    stage: sa.Table
    columns: tuple[TargetColumn, ...]
    rows: int
    image: Image | None

    def staged(self, name: str) -> sa.ColumnElement[Any]:
        """A value of the stage in the target's type."""
        import sqlalchemy as sa

        column = next(c for c in self.columns if c.name == name)
        value = self.stage.c[name]
        return sa.cast(value, declared_type(column.declared)) if column.cast else value

    def staged_rows(self) -> sa.Select[Any]:
        import sqlalchemy as sa

        return sa.select(*(self.staged(c.name).label(c.name) for c in self.columns))

    def same_key(self) -> sa.ColumnElement[bool]:
        import sqlalchemy as sa

        return sa.and_(*(self.target.c[name] == self.staged(name) for name in self.load.key))

    def in_stage(self) -> sa.ColumnElement[bool]:
        """A row of the target has its key in the stage."""
        import sqlalchemy as sa

        matching = sa.select(sa.literal_column("1")).select_from(self.stage)
        return sa.exists(matching.where(self.same_key()).correlate(self.target))

    def in_target(self, *conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
        """A row of the stage has its key in the target."""
        import sqlalchemy as sa

        matching = sa.select(sa.literal_column("1")).select_from(self.target)
        return sa.exists(matching.where(self.same_key(), *conditions).correlate(self.stage))

    def insert(self, source: sa.Select[Any]) -> int:
        import sqlalchemy as sa

        names = [self.target.c[c.name] for c in source.selected_columns]
        return self.session.execute(sa.insert(self.target).from_select(names, source))


def apply(work: Work) -> Change:
    """Bring the stage into the target."""
    return {
        LoadMode.APPEND: _append,
        LoadMode.REPLACE: _replace,
        LoadMode.UPSERT: _upsert,
        LoadMode.DELETE_INSERT: _delete_insert,
        LoadMode.SCD2: _scd2,
    }[work.load.mode](work)


def _append(work: Work) -> Change:
    if work.image is not None:
        work.image.add_keys(work.staged_rows())
    work.insert(work.staged_rows())
    return Change(inserted=work.rows)


def _replace(work: Work) -> Change:
    import sqlalchemy as sa

    work.dialect.lock(work.session, work.target)
    if work.image is not None:
        work.image.add_rows(sa.select(work.target))
    deleted = work.session.execute(sa.delete(work.target))
    work.insert(work.staged_rows())
    return Change(inserted=work.rows, deleted=deleted)


def _upsert(work: Work) -> Change:
    import sqlalchemy as sa

    work.dialect.lock(work.session, work.target)
    if work.image is not None:
        work.dialect.settle(work.session, work.stage, work.load.key)
        work.image.add_rows(sa.select(work.target).where(work.in_stage()))
        work.image.add_keys(work.staged_rows().where(~work.in_target()))
    inserted = work.dialect.upsert(work)
    return Change(inserted, work.rows - inserted)


def _delete_insert(work: Work) -> Change:
    import sqlalchemy as sa

    work.dialect.settle(work.session, work.stage, work.load.key)
    work.dialect.lock(work.session, work.target)
    if work.image is not None:
        work.image.add_rows(sa.select(work.target).where(work.in_stage()))
        work.image.add_keys(work.staged_rows())
    deleted = work.session.execute(sa.delete(work.target).where(work.in_stage()))
    work.insert(work.staged_rows())
    return Change(inserted=work.rows, deleted=deleted)


def _scd2(work: Work) -> Change:
    """Close what changed or is gone, then add a version for each key without a current one."""
    import sqlalchemy as sa

    history, key = work.load.history, work.load.key
    work.dialect.settle(work.session, work.stage, work.load.key)
    work.dialect.lock(work.session, work.target)
    ending = work.target.c[history.valid_to]
    beginning = work.stage.c[history.valid_from]
    followed = [c.name for c in work.columns if c.name not in (*key, history.valid_from)]
    current = ending.is_(None)
    differs = sa.or_(
        sa.false(),
        *(work.dialect.differs(work.target.c[name], work.staged(name)) for name in followed),
    )
    newer = sa.select(sa.literal_column("1")).select_from(work.stage)
    changed = sa.and_(
        current, sa.exists(newer.where(work.same_key(), differs).correlate(work.target))
    )
    gone = sa.and_(current, ~work.in_stage())
    without_version = work.staged_rows().where(~work.in_target(current))
    # The moment is that of the stage's rows, all the same; an empty load has none and closes none.
    moment = sa.select(sa.func.min(beginning)).scalar_subquery()
    counts = {"changed": 0, "gone": 0}
    for name, condition in (("changed", changed), ("gone", gone)):
        if name == "gone" and (not history.close_missing or not work.rows):
            continue
        if work.image is not None:
            work.image.add_rows(sa.select(work.target).where(condition))
        counts[name] = work.session.execute(
            sa.update(work.target).values({ending: moment}).where(condition)
        )
    if work.image is not None:
        work.image.add_keys(without_version)
    inserted = work.insert(without_version)
    return Change(inserted, counts["changed"], counts["gone"])
