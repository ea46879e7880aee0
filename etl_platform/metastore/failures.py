"""Failures that the metastore remembers, and what ended them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from etl_platform.metastore import access
from etl_platform.metastore.records import FailureRecord

if TYPE_CHECKING:
    from sqlalchemy import Engine, Select

    from etl_platform.metastore.models import Failure


class FailureLog:
    """Every failed try of a step. A failure is open until its asset and partition succeed."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def add(self, record: FailureRecord) -> None:
        """Keep a failure; the same try again replaces it."""
        from etl_platform.metastore.models import Failure

        key = ("run_id", "asset", "partition", "attempt")
        access.upsert(self.engine, Failure, record.model_dump(), key=key)

    def open_of(self, asset: str, partition: str) -> list[FailureRecord]:
        """Those of an asset and partition that nothing has ended yet, newest first."""
        from etl_platform.metastore.models import Failure

        query = self._newest(1_000).where(
            Failure.asset == asset, Failure.partition == partition, Failure.ended_at.is_(None)
        )
        return access.read(self.engine, query, FailureRecord)

    def has_open(self, asset: str, partition: str) -> bool:
        """Whether :meth:`open_of` would give any; asked after every success."""
        import sqlalchemy as sa

        from etl_platform.metastore.models import Failure

        query = sa.select(Failure.id).where(
            Failure.asset == asset, Failure.partition == partition, Failure.ended_at.is_(None)
        )
        return bool(access.rows(self.engine, query.limit(1)))

    def end(self, record: FailureRecord, run_id: str, at: datetime, resolution: str) -> None:
        """Say which run succeeded after a failure, and what was different then."""
        import sqlalchemy as sa

        from etl_platform.metastore.models import Failure

        access.execute(
            self.engine,
            sa.update(Failure)
            .where(
                Failure.run_id == record.run_id,
                Failure.asset == record.asset,
                Failure.partition == record.partition,
                Failure.attempt == record.attempt,
                Failure.ended_at.is_(None),
            )
            .values(ended_by_run=run_id, ended_at=at, resolution=resolution),
        )

    def all_open(self, limit: int = 1_000) -> list[FailureRecord]:
        """Those of all assets that nothing has ended yet, newest first."""
        from etl_platform.metastore.models import Failure

        query = self._newest(limit).where(Failure.ended_at.is_(None))
        return access.read(self.engine, query, FailureRecord)

    def of_run(self, run_id: str) -> list[FailureRecord]:
        """The failures of one run, newest first."""
        from etl_platform.metastore.models import Failure

        query = self._newest(1_000).where(Failure.run_id == run_id)
        return access.read(self.engine, query, FailureRecord)

    def newest(self, limit: int = 2_000) -> list[FailureRecord]:
        """The newest failures of all assets, newest first."""
        return access.read(self.engine, self._newest(limit), FailureRecord)

    def _newest(self, limit: int) -> Select[Failure]:
        import sqlalchemy as sa

        from etl_platform.metastore.models import Failure

        return sa.select(Failure).order_by(Failure.id.desc()).limit(limit)
