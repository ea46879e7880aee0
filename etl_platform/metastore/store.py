"""The metastore's one door: open it, record what happened, read it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_platform.core.secrets import is_reference
from etl_platform.metastore import access
from etl_platform.metastore.alerts import AlertLog
from etl_platform.metastore.decisions import DecisionLog
from etl_platform.metastore.failures import FailureLog
from etl_platform.metastore.history import QueryHistory
from etl_platform.metastore.metrics import MetricLog
from etl_platform.metastore.records import (
    AuditRecord,
    ProfileRecord,
    QueryRecord,
    ReceiptRecord,
    StepUseRecord,
)
from etl_platform.metastore.streams import StreamLog
from etl_platform.metastore.totals import Totals

if TYPE_CHECKING:
    from sqlalchemy import Engine


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
        if is_reference(url):
            engine.follow(made, lambda: engine.parse_url(url))
        with engine.reachable(parsed):
            migrate.ensure_current(made)
        return cls(made)

    def close(self) -> None:
        """Close the pooled connections; the next call opens new ones."""
        self._engine.dispose()

    def lake_moved(self, old: str, new: str) -> int:
        """Let the records of a lake name its new place: :func:`metastore.relocation.move_lake`."""
        from etl_platform.metastore.relocation import move_lake

        return move_lake(self._engine, old, new)

    def record_receipt(self, record: ReceiptRecord) -> None:
        """Keep a receipt; recording the same lake, table and version again replaces it."""
        from etl_platform.metastore.models import Receipt

        access.upsert(
            self._engine, Receipt, record.model_dump(), key=("lake", "table", "version_after")
        )

    def receipts(self, table: str | None = None, limit: int = 50) -> list[ReceiptRecord]:
        """The newest receipts first, of one table or of all."""
        from sqlalchemy import select

        from etl_platform.metastore.models import Receipt

        query = (
            select(Receipt).order_by(Receipt.published_at.desc(), Receipt.id.desc()).limit(limit)
        )
        if table is not None:
            query = query.where(Receipt.table == table)
        return access.read(self._engine, query, ReceiptRecord)

    def newest_receipts(self, lake: str) -> list[ReceiptRecord]:
        """The receipt of the newest publication of each table of a lake."""
        from sqlalchemy import func, select

        from etl_platform.metastore.models import Receipt

        newest = select(func.max(Receipt.id)).where(Receipt.lake == lake).group_by(Receipt.table)
        return access.read(
            self._engine, select(Receipt).where(Receipt.id.in_(newest)), ReceiptRecord
        )

    def record_use(self, record: StepUseRecord) -> None:
        """Keep what a step took."""
        from etl_platform.metastore.models import StepUse

        access.insert(self._engine, StepUse, record.model_dump())

    def uses(self, asset: str | None = None, limit: int = 50) -> list[StepUseRecord]:
        """What the newest steps took, newest first, of one asset or of all."""
        from sqlalchemy import select

        from etl_platform.metastore.models import StepUse

        query = select(StepUse).order_by(StepUse.id.desc()).limit(limit)
        if asset is not None:
            query = query.where(StepUse.asset == asset)
        return access.read(self._engine, query, StepUseRecord)

    def record_audit(
        self, table: str, version: int | None, run_id: str | None, outcomes: str, *, lake: str = ""
    ) -> None:
        """Keep what the gate found for a batch; ``outcomes`` is a JSON list, one object a rule."""
        from etl_platform.metastore.models import Audit

        record = AuditRecord(
            lake=lake, table=table, version=version, run_id=run_id, outcomes=outcomes
        )
        access.insert(self._engine, Audit, record.model_dump())

    def last_audit(self, table: str, lake: str | None = None) -> AuditRecord | None:
        """The newest audit of a table, also when its batch was kept out; of any lake by default."""
        from sqlalchemy import select

        from etl_platform.metastore.models import Audit

        query = select(Audit).where(Audit.table == table).order_by(Audit.id.desc()).limit(1)
        if lake is not None:
            query = query.where(Audit.lake == lake)
        return next(iter(access.read(self._engine, query, AuditRecord)), None)

    def last_audits(self, lake: str | None = None) -> dict[str, AuditRecord]:
        """The newest audit of every table, by table name; of any lake by default."""
        from sqlalchemy import func, select

        from etl_platform.metastore.models import Audit

        newest = select(func.max(Audit.id)).group_by(Audit.table)
        if lake is not None:
            newest = newest.where(Audit.lake == lake)
        found = access.read(self._engine, select(Audit).where(Audit.id.in_(newest)), AuditRecord)
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
        access.upsert(self._engine, Profile, row, key=("lake", "table", "version", "partition"))

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
        found = next(iter(access.read(self._engine, query, ProfileRecord)), None)
        if found is None or found.partition:
            return found
        return found.model_copy(update={"partition": None})

    def profiles(self, table: str, *, lake: str = "", limit: int = 50) -> list[ProfileRecord]:
        """The profiles of a table's versions and partitions, the newest version first."""
        from sqlalchemy import select

        from etl_platform.metastore.models import Profile

        query = select(Profile).where(Profile.table == table, Profile.lake == lake)
        query = query.order_by(Profile.version.desc(), Profile.id.desc()).limit(limit)
        found = access.read(self._engine, query, ProfileRecord)
        return [
            record.model_copy(update={"partition": record.partition or None}) for record in found
        ]

    def record_query(self, record: QueryRecord) -> None:
        """Add a statement to the history."""
        from etl_platform.metastore.models import Query

        access.insert(self._engine, Query, record.model_dump())

    def queries(self, limit: int = 50) -> list[QueryRecord]:
        """The newest statements first."""
        from sqlalchemy import select

        from etl_platform.metastore.models import Query

        return access.read(
            self._engine, select(Query).order_by(Query.id.desc()).limit(limit), QueryRecord
        )

    @property
    def history(self) -> QueryHistory:
        """Queries by number, and those that were saved by name."""
        return QueryHistory(self._engine)

    @property
    def decisions(self) -> DecisionLog:
        """Which engine did which work, and how it went."""
        return DecisionLog(self._engine)

    @property
    def streams(self) -> StreamLog:
        """Which messages of a stream belong to which partition."""
        return StreamLog(self._engine)

    @property
    def metrics(self) -> MetricLog:
        """What was measured of the tables over time, and what people said about it."""
        return MetricLog(self._engine)

    @property
    def failures(self) -> FailureLog:
        """What failed, and what ended it."""
        return FailureLog(self._engine)

    @property
    def totals(self) -> Totals:
        """Sums over all that is remembered."""
        return Totals(self._engine)

    @property
    def alerts(self) -> AlertLog:
        """What is wrong, and who has to be told."""
        return AlertLog(self._engine)
