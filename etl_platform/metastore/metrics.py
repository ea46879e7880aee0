"""Histories of what was measured of tables, and what people said about them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from etl_platform.metastore import access
from etl_platform.metastore.records import MetricFeedbackRecord, MetricPointRecord

if TYPE_CHECKING:
    from sqlalchemy import Engine

RETAINED_POINTS = 800
"""Points kept of a series: more than two years of days, a month of hours."""


@dataclass(frozen=True, slots=True)
class MetricLog:
    """Points in the order of their event times, and feedback in the order in which it was said.

    Every method raises :class:`~etl_platform.core.errors.TransientError` when the database does
    not answer.
    """

    engine: Engine
    retained: int = RETAINED_POINTS

    def record(self, record: MetricPointRecord) -> None:
        """Keep a point, in place of one of the same event time; the oldest beyond the limit go."""
        import sqlalchemy as sa

        from etl_platform.metastore.models import MetricPoint

        access.upsert(
            self.engine,
            MetricPoint,
            record.model_dump(),
            key=("lake", "table", "series", "event_time"),
        )
        same = (
            MetricPoint.lake == record.lake,
            MetricPoint.table == record.table,
            MetricPoint.series == record.series,
        )
        oldest_kept = (
            sa.select(MetricPoint.event_time)
            .where(*same)
            .order_by(MetricPoint.event_time.desc())
            .offset(self.retained - 1)
            .limit(1)
            .scalar_subquery()
        )
        # Fewer points than the limit: the comparison is with NULL, and nothing is deleted.
        access.execute(
            self.engine, sa.delete(MetricPoint).where(*same, MetricPoint.event_time < oldest_kept)
        )

    def points(
        self,
        table: str,
        *,
        lake: str = "",
        series: str = "",
        until: datetime | None = None,
        limit: int = RETAINED_POINTS,
    ) -> list[MetricPointRecord]:
        """The newest points of a series up to a time (inclusive), oldest first."""
        from sqlalchemy import select

        from etl_platform.metastore.models import MetricPoint

        query = select(MetricPoint).where(
            MetricPoint.lake == lake, MetricPoint.table == table, MetricPoint.series == series
        )
        if until is not None:
            query = query.where(MetricPoint.event_time <= until)
        query = query.order_by(MetricPoint.event_time.desc()).limit(limit)
        return access.read(self.engine, query, MetricPointRecord)[::-1]

    def series(self, table: str, *, lake: str = "") -> list[str]:
        """The names of a table's series; one empty name where time alone tells points apart."""
        from sqlalchemy import select

        from etl_platform.metastore.models import MetricPoint

        query = select(MetricPoint.series).where(
            MetricPoint.lake == lake, MetricPoint.table == table
        )
        return sorted(access.values(self.engine, query.distinct()))

    def say(self, record: MetricFeedbackRecord) -> None:
        """Keep what a person said."""
        from etl_platform.metastore.models import MetricFeedback

        access.insert(self.engine, MetricFeedback, record.model_dump())

    def feedback(self, table: str, *, lake: str = "") -> list[MetricFeedbackRecord]:
        """Everything that was said about a table's metrics, oldest first."""
        from sqlalchemy import select

        from etl_platform.metastore.models import MetricFeedback

        query = (
            select(MetricFeedback)
            .where(MetricFeedback.lake == lake, MetricFeedback.table == table)
            .order_by(MetricFeedback.id)
        )
        return access.read(self.engine, query, MetricFeedbackRecord)
