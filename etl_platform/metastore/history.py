"""The history of queries, and the queries that people gave a name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_platform.metastore import access
from etl_platform.metastore.records import PastQuery, QueryRecord, SavedQueryRecord

if TYPE_CHECKING:
    from sqlalchemy import Engine


@dataclass(frozen=True, slots=True)
class QueryHistory:
    """Every statement that the query tool was given, and the saved ones.

    Every method raises :class:`~etl_platform.core.errors.TransientError` when the database does
    not answer.
    """

    engine: Engine

    def newest(
        self, limit: int = 50, *, status: str | None = None, role: str | None = None
    ) -> list[PastQuery]:
        """The newest statements first, of one status and role or of all."""
        import sqlalchemy as sa

        from etl_platform.metastore.models import Query

        query = sa.select(Query).order_by(Query.id.desc()).limit(limit)
        if status is not None:
            query = query.where(Query.status == status)
        if role is not None:
            query = query.where(Query.role == role)
        return access.read(self.engine, query, PastQuery)

    def get(self, query_id: int) -> PastQuery | None:
        """One statement by its number."""
        import sqlalchemy as sa

        from etl_platform.metastore.models import Query

        query = sa.select(Query).where(Query.id == query_id)
        return next(iter(access.read(self.engine, query, PastQuery)), None)

    def after(self, query_id: int, limit: int) -> list[PastQuery]:
        """The statements with higher numbers, lowest first."""
        import sqlalchemy as sa

        from etl_platform.metastore.models import Query

        query = sa.select(Query).where(Query.id > query_id).order_by(Query.id).limit(limit)
        return access.read(self.engine, query, PastQuery)

    def runs(self, key: str, limit: int = 20) -> list[QueryRecord]:
        """What running the plan of a key took before, newest first; not answers from the cache."""
        import sqlalchemy as sa

        from etl_platform.metastore.models import Query

        query = (
            sa.select(Query)
            .where(Query.key == key, Query.status == "ok", sa.not_(Query.cached))
            .order_by(Query.id.desc())
            .limit(limit)
        )
        return access.read(self.engine, query, QueryRecord)

    def save(self, record: SavedQueryRecord) -> None:
        """Keep a query under its name, in place of one that had it."""
        from etl_platform.metastore.models import SavedQuery

        access.upsert(self.engine, SavedQuery, record.model_dump(), key=("name",))

    def saved(self) -> list[SavedQueryRecord]:
        """The saved queries by name."""
        import sqlalchemy as sa

        from etl_platform.metastore.models import SavedQuery

        query = sa.select(SavedQuery).order_by(SavedQuery.name)
        return access.read(self.engine, query, SavedQueryRecord)

    def forget(self, name: str) -> None:
        """Remove a saved query; nothing happens when there is none of that name."""
        import sqlalchemy as sa

        from etl_platform.metastore.models import SavedQuery

        access.execute(self.engine, sa.delete(SavedQuery).where(SavedQuery.name == name))
