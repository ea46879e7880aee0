"""The metastore's one door: open it, record what happened, read it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from etl_platform.metastore.records import (
    AuditRecord,
    ProfileRecord,
    QueryRecord,
    ReceiptRecord,
    Record,
)

if TYPE_CHECKING:
    from sqlalchemy import Engine, Select

    from etl_platform.metastore.models import Base

RecordT = TypeVar("RecordT", bound=Record)


class Metastore:
    """The platform's own records. Safe to share between threads; every process opens its own.

    Every method raises :class:`~etl_platform.core.errors.TransientError` when the database does
    not answer.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, url: str) -> Metastore:
        """Open the metastore at a SQLAlchemy URL or a secret reference to one.

        Creates what does not exist yet and migrates older tables; any number of processes may do
        so at once.

        Raises:
            ConfigError: the URL is not usable.
            PermanentError: a newer release migrated the database.
            TransientError: the database does not answer.
        """
        from etl_platform.metastore import engine, migrate

        parsed = engine.parse_url(url)
        path = engine.sqlite_path(parsed)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        made = engine.create(parsed)
        with engine.reachable(parsed):
            migrate.ensure_current(made)
        return cls(made)

    def close(self) -> None:
        """Close the pooled connections; the next call opens new ones."""
        self._engine.dispose()

    def record_receipt(self, record: ReceiptRecord) -> None:
        """Keep a receipt; recording the same lake, table and version again replaces it."""
        from etl_platform.metastore.models import Receipt

        self._upsert(Receipt, record.model_dump(), key=("lake", "table", "version_after"))

    def receipts(self, table: str | None = None, limit: int = 50) -> list[ReceiptRecord]:
        """The newest receipts first, of one table or of all."""
        from sqlalchemy import select

        from etl_platform.metastore.models import Receipt

        query = (
            select(Receipt).order_by(Receipt.published_at.desc(), Receipt.id.desc()).limit(limit)
        )
        if table is not None:
            query = query.where(Receipt.table == table)
        return self._read(query, ReceiptRecord)

    def record_audit(
        self, table: str, version: int | None, run_id: str | None, outcomes: str, *, lake: str = ""
    ) -> None:
        """Keep what the gate found for a batch; ``outcomes`` is a JSON list, one object a rule."""
        from etl_platform.metastore.models import Audit

        record = AuditRecord(
            lake=lake, table=table, version=version, run_id=run_id, outcomes=outcomes
        )
        self._insert(Audit, record.model_dump())

    def last_audit(self, table: str, lake: str | None = None) -> AuditRecord | None:
        """The newest audit of a table, also when its batch was kept out; of any lake by default."""
        from sqlalchemy import select

        from etl_platform.metastore.models import Audit

        query = select(Audit).where(Audit.table == table).order_by(Audit.id.desc()).limit(1)
        if lake is not None:
            query = query.where(Audit.lake == lake)
        return next(iter(self._read(query, AuditRecord)), None)

    def last_audits(self, lake: str | None = None) -> dict[str, AuditRecord]:
        """The newest audit of every table, by table name; of any lake by default."""
        from sqlalchemy import func, select

        from etl_platform.metastore.models import Audit

        newest = select(func.max(Audit.id)).group_by(Audit.table)
        if lake is not None:
            newest = newest.where(Audit.lake == lake)
        found = self._read(select(Audit).where(Audit.id.in_(newest)), AuditRecord)
        return {record.table: record for record in found}

    def record_profile(
        self, table: str, version: int, partition: str | None, profile: str, *, lake: str = ""
    ) -> None:
        """Keep the profile (JSON text) of a version of a table or of one partition of it."""
        from etl_platform.metastore.models import Profile

        record = ProfileRecord(
            lake=lake, table=table, version=version, partition=partition, profile=profile
        )
        # NULLs never conflict in a unique constraint: "no partition" is the empty text.
        row = record.model_dump() | {"partition": partition or ""}
        self._upsert(Profile, row, key=("lake", "table", "version", "partition"))

    def profile(
        self, table: str, version: int | None = None, partition: str | None = None
    ) -> ProfileRecord | None:
        """The profile of a version, or the newest one; of a partition when one is named."""
        from sqlalchemy import select

        from etl_platform.metastore.models import Profile

        query = select(Profile).where(Profile.table == table)
        if version is not None:
            query = query.where(Profile.version == version)
        if partition is not None:
            query = query.where(Profile.partition == partition)
        query = query.order_by(Profile.version.desc(), Profile.id.desc()).limit(1)
        found = next(iter(self._read(query, ProfileRecord)), None)
        if found is None or found.partition:
            return found
        return found.model_copy(update={"partition": None})

    def record_query(self, record: QueryRecord) -> None:
        """Add a statement to the history."""
        from etl_platform.metastore.models import Query

        self._insert(Query, record.model_dump())

    def queries(self, limit: int = 50) -> list[QueryRecord]:
        """The newest statements first."""
        from sqlalchemy import select

        from etl_platform.metastore.models import Query

        return self._read(select(Query).order_by(Query.id.desc()).limit(limit), QueryRecord)

    def _insert(self, model: type[Base], row: dict[str, Any]) -> None:
        from sqlalchemy import insert

        from etl_platform.metastore.engine import reachable

        with reachable(self._engine.url), self._engine.begin() as con:
            con.execute(insert(model).values(row))

    def _upsert(self, model: type[Base], row: dict[str, Any], key: tuple[str, ...]) -> None:
        from sqlalchemy.dialects import postgresql, sqlite

        from etl_platform.metastore.engine import reachable

        kind = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        statement = kind.insert(model).values(row)
        changed = {name: value for name, value in row.items() if name not in key}
        statement = statement.on_conflict_do_update(index_elements=key, set_=changed)
        with reachable(self._engine.url), self._engine.begin() as con:
            con.execute(statement)

    def _read(self, query: Select[Any], record: type[RecordT]) -> list[RecordT]:
        from sqlalchemy.orm import Session

        from etl_platform.metastore.engine import reachable

        with reachable(self._engine.url), Session(self._engine) as session:
            return [record.model_validate(found) for found in session.scalars(query)]
