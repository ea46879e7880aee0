"""The metastore's tables, for SQLite and PostgreSQL alike.

A change here needs a migration in ``migrations/versions``; a test compares the two.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC, also where the database has no time zones (SQLite)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# SQLite numbers rows by itself only in a column of exactly type INTEGER.
RowId = BigInteger().with_variant(Integer(), "sqlite")


class Base(DeclarativeBase):
    """Base of the metastore's models."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own way to declare it
        str: Text(),
        int: BigInteger(),
        float: Float(),
        datetime: UtcDateTime(),
    }


class Receipt(Base):
    """One publication of a table."""

    __tablename__ = "receipts"
    __table_args__ = (
        UniqueConstraint("lake", "table", "version_after", name="receipts_once"),
        Index("receipts_newest", "table", "published_at"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    lake: Mapped[str]
    table: Mapped[str]
    version_after: Mapped[int]
    mode: Mapped[str]
    version_before: Mapped[int | None]
    rows_inserted: Mapped[int]
    rows_updated: Mapped[int]
    rows_deleted: Mapped[int]
    rows_total: Mapped[int]
    size_bytes: Mapped[int]
    files_added: Mapped[int]
    files_removed: Mapped[int]
    seconds: Mapped[float]
    checksum: Mapped[str | None]
    batch: Mapped[str | None]
    run_id: Mapped[str | None]
    published_at: Mapped[datetime]


class Audit(Base):
    """What the quality gate found for one batch."""

    __tablename__ = "audits"
    __table_args__ = (Index("audits_newest", "table", "id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    lake: Mapped[str]
    table: Mapped[str]
    version: Mapped[int | None]
    run_id: Mapped[str | None]
    outcomes: Mapped[str]
    audited_at: Mapped[datetime]


class Profile(Base):
    """The profile of one version of a table; ``partition`` is empty for the whole table."""

    __tablename__ = "profiles"
    __table_args__ = (
        UniqueConstraint("lake", "table", "version", "partition", name="profiles_once"),
        Index("profiles_newest", "table", "version"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    lake: Mapped[str]
    table: Mapped[str]
    version: Mapped[int]
    partition: Mapped[str]
    profile: Mapped[str]
    recorded_at: Mapped[datetime]


class Query(Base):
    """One statement that the query tool was given."""

    __tablename__ = "queries"
    __table_args__ = (Index("queries_key", "key", "id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    sql: Mapped[str]
    status: Mapped[str]
    rows: Mapped[int | None]
    seconds: Mapped[float]
    tables: Mapped[str]
    error: Mapped[str | None]
    role: Mapped[str | None]
    started_at: Mapped[datetime]
    params: Mapped[str] = mapped_column(server_default="[]")
    key: Mapped[str | None]
    result: Mapped[str | None]
    cached: Mapped[bool] = mapped_column(server_default=false())
    scanned_bytes: Mapped[int | None]
    predicted_s: Mapped[float | None]


class SavedQuery(Base):
    """A query that somebody gave a name."""

    __tablename__ = "saved_queries"

    name: Mapped[str] = mapped_column(primary_key=True)
    sql: Mapped[str]
    parameters: Mapped[str]
    description: Mapped[str | None]
    saved_at: Mapped[datetime]


class EngineDecision(Base):
    """Which engine did a piece of work, why, and how it went."""

    __tablename__ = "engine_decisions"
    __table_args__ = (
        UniqueConstraint("decision_id", name="engine_decisions_once"),
        Index("engine_decisions_table", "table", "id"),
        Index("engine_decisions_shape", "source", "shape_key", "size_class", "id"),
        Index("engine_decisions_engine", "engine", "kind", "id"),
        Index("engine_decisions_open", "source", "decided_at"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    decision_id: Mapped[str]
    task: Mapped[str]
    source: Mapped[str]
    kind: Mapped[str]
    table: Mapped[str]
    shape_key: Mapped[str]
    size_class: Mapped[str]
    engine: Mapped[str]
    reason: Mapped[str]
    candidates: Mapped[str]
    rejected: Mapped[str]
    attempt: Mapped[int]
    fell_back_from: Mapped[str | None]
    connections: Mapped[int]
    rows_estimated: Mapped[int | None]
    predicted_s: Mapped[float | None]
    run_id: Mapped[str | None]
    decided_at: Mapped[datetime]
    outcome: Mapped[str | None]
    rows: Mapped[int | None]
    seconds: Mapped[float | None]
    peak_bytes: Mapped[int | None]
    error: Mapped[str | None]
    finished_at: Mapped[datetime | None]


class MetricPoint(Base):
    """What was measured of one version of a table, at the time that its data are of."""

    __tablename__ = "metric_points"
    __table_args__ = (
        UniqueConstraint("lake", "table", "series", "event_time", name="metric_points_once"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    lake: Mapped[str]
    table: Mapped[str]
    series: Mapped[str]
    event_time: Mapped[datetime]
    version: Mapped[int]
    metrics: Mapped[str]
    recorded_at: Mapped[datetime]


class MetricFeedback(Base):
    """What a person said about a metric."""

    __tablename__ = "metric_feedback"
    __table_args__ = (Index("metric_feedback_table", "lake", "table", "id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    lake: Mapped[str]
    table: Mapped[str]
    metric: Mapped[str]
    kind: Mapped[str]
    since: Mapped[datetime]
    until: Mapped[datetime | None]
    note: Mapped[str | None]
    said_at: Mapped[datetime]


class StreamBatch(Base):
    """Which messages of a stream one partition of its asset holds."""

    __tablename__ = "stream_batches"
    __table_args__ = (
        Index(
            "stream_batches_once",
            "stream",
            "number",
            unique=True,
            sqlite_where=text("kind = 'batch'"),
            postgresql_where=text("kind = 'batch'"),
        ),
        UniqueConstraint("stream", "key", name="stream_batches_key"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    stream: Mapped[str]
    kind: Mapped[str]
    number: Mapped[int]
    key: Mapped[str]
    ranges: Mapped[str]
    incarnation: Mapped[str]
    cut_at: Mapped[datetime]
    merged_into: Mapped[str | None]
    note: Mapped[str | None]
    outcome: Mapped[str | None]
    finished_at: Mapped[datetime | None]


class StreamState(Base):
    """Where a stream ended when it was last looked at."""

    __tablename__ = "stream_states"

    stream: Mapped[str] = mapped_column(primary_key=True)
    ends: Mapped[str]
    seen_at: Mapped[datetime]
    error: Mapped[str | None]
    error_at: Mapped[datetime | None]


class AlertCursor(Base):
    """How far the rules of one set of alerts have looked; ``version`` counts its decisions."""

    __tablename__ = "alert_cursors"

    alerts: Mapped[str] = mapped_column(primary_key=True)
    cursor: Mapped[str]
    version: Mapped[int]
    decided_at: Mapped[datetime]


class Incident(Base):
    """Something that is or was wrong; of one subject at most one incident is open."""

    __tablename__ = "incidents"
    __table_args__ = (
        Index(
            "incidents_open",
            "alerts",
            "subject",
            unique=True,
            sqlite_where=text("recovered_at IS NULL"),
            postgresql_where=text("recovered_at IS NULL"),
        ),
        Index("incidents_newest", "alerts", "subject", "opened_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    alerts: Mapped[str]
    subject: Mapped[str]
    kind: Mapped[str]
    severity: Mapped[str]
    asset: Mapped[str | None]
    partition: Mapped[str | None]
    run_id: Mapped[str | None]
    message: Mapped[str]
    advice: Mapped[str]
    opened_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    times: Mapped[int]
    recovered_at: Mapped[datetime | None]
    recovery: Mapped[str | None]


class Notice(Base):
    """The outbox: a message to one channel, waiting, under way or done."""

    __tablename__ = "notices"
    __table_args__ = (Index("notices_due", "alerts", "state", "due_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    alerts: Mapped[str]
    channel: Mapped[str]
    items: Mapped[str]
    state: Mapped[str]
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]
    attempts: Mapped[int]
    claimed_until: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    error: Mapped[str | None]


class StepUse(Base):
    """What one try of an asset's step took of its machine."""

    __tablename__ = "step_uses"
    __table_args__ = (Index("step_uses_asset", "asset", "id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    run_id: Mapped[str]
    asset: Mapped[str]
    partition: Mapped[str | None]
    succeeded: Mapped[bool]
    seconds: Mapped[float]
    cpu_s: Mapped[float]
    peak_memory_bytes: Mapped[int]
    read_bytes: Mapped[int]
    written_bytes: Mapped[int]
    ended_at: Mapped[datetime]


class Failure(Base):
    """A failed try of an asset's step; ``partition`` is empty where there is none."""

    __tablename__ = "failures"
    __table_args__ = (
        UniqueConstraint("run_id", "asset", "partition", "attempt", name="failures_once"),
        Index("failures_open", "asset", "partition", "ended_at"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    run_id: Mapped[str]
    attempt: Mapped[int]
    asset: Mapped[str]
    partition: Mapped[str]
    error_type: Mapped[str]
    message: Mapped[str]
    signature: Mapped[str]
    circumstances: Mapped[str]
    advice: Mapped[str | None]
    failed_at: Mapped[datetime]
    ended_by_run: Mapped[str | None]
    ended_at: Mapped[datetime | None]
    resolution: Mapped[str | None]
