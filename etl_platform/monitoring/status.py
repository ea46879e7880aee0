"""One line per table: the version that readers see, its age, and what the last audit found."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from etl_platform.core.names import TableName
from etl_platform.monitoring.published import Published, published
from etl_platform.monitoring.streams import StreamStatus, stream_statuses

if TYPE_CHECKING:
    from etl_platform.lakehouse import Lake
    from etl_platform.metastore import AuditRecord, Metastore


class State(StrEnum):
    """What a person should know first about a table."""

    PASSED = "passed"
    """Every rule passed at the last audit."""
    WARNED = "warned"
    """The last batch was published although rules failed: by contract they warn or quarantine."""
    REFUSED = "refused"
    """A blocking rule kept the last batch out: readers see an older version, or none."""
    UNAUDITED = "unaudited"
    """No audit is on record, or it had no rules."""


@dataclass(frozen=True, slots=True)
class AuditSummary:
    """The last audit in numbers of rules; ``version`` is None when the batch was refused."""

    version: int | None
    run_id: str | None
    passed: int
    failed: int
    not_run: int
    audited_at: datetime


@dataclass(frozen=True, slots=True)
class TableStatus:
    """How one table stands. Sizes are bytes, ``age_s`` seconds since the last publication.

    ``version`` and what follows from it are None for a table whose first batch was refused.
    ``quarantined_rows`` is what its quarantine table holds now. ``stream`` is how far a table that
    is made of a stream lags behind it.
    """

    table: str
    version: int | None
    rows: int | None
    size_bytes: int | None
    published_at: datetime | None
    age_s: float | None
    quarantined_rows: int
    audit: AuditSummary | None
    stream: StreamStatus | None = None

    @property
    def state(self) -> State:
        if self.audit is None:
            return State.UNAUDITED
        if self.audit.version is None:
            return State.REFUSED
        if self.audit.failed or self.audit.not_run:
            return State.WARNED
        return State.PASSED if self.audit.passed else State.UNAUDITED


def table_statuses(
    lake: Lake, metastore: Metastore, now: datetime | None = None
) -> tuple[TableStatus, ...]:
    """How every table of the lake stands, and those whose first batch was refused or waits at its
    broker, by name.

    Quarantine tables have no line of their own.

    Args:
        now: the moment that ages are counted to, default the present.
    """
    moment = now or datetime.now(UTC)
    tables = published(lake, metastore)
    audits = {TableName.parse(t): a for t, a in metastore.last_audits(lake.uri).items()}
    streams = {TableName.parse(one.stream): one for one in stream_statuses(lake, metastore, now)}
    every = tables.keys() | audits.keys() | streams.keys()
    names = sorted(name for name in every if not name.is_quarantine)
    return tuple(
        replace(
            _status(name, tables.get(name), tables.get(name.quarantine), audits.get(name), moment),
            stream=streams.get(name),
        )
        for name in names
    )


def _status(
    name: TableName,
    info: Published | None,
    quarantine: Published | None,
    audit: AuditRecord | None,
    moment: datetime,
) -> TableStatus:
    return TableStatus(
        table=name.sql,
        version=info.version if info else None,
        rows=info.rows if info else None,
        size_bytes=info.size_bytes if info else None,
        published_at=info.updated_at if info else None,
        age_s=max(0.0, (moment - info.updated_at).total_seconds()) if info else None,
        quarantined_rows=quarantine.rows if quarantine else 0,
        audit=_summary(audit) if audit else None,
    )


def _summary(audit: AuditRecord) -> AuditSummary:
    outcomes: list[dict[str, object]] = json.loads(audit.outcomes)
    counted = Counter(outcome["status"] for outcome in outcomes)
    return AuditSummary(
        version=audit.version,
        run_id=audit.run_id,
        passed=counted["passed"],
        failed=counted["failed"],
        not_run=counted["not_run"],
        audited_at=audit.audited_at,
    )
