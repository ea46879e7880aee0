"""What the metastore keeps, as frozen records of plain values.

Times are UTC-aware, sizes bytes, durations seconds; ``table`` is the SQL name (``shop.orders``) and
``lake`` the URI of the lake that the table lives in.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


def now() -> datetime:
    """The current time in UTC."""
    return datetime.now(UTC)


class Record(BaseModel):
    """Base of the records: frozen, and a misspelt field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)


class ReceiptRecord(Record):
    """One publication of a table: what a commit changed. Unique by lake, table and version."""

    lake: str
    table: str
    version_after: int
    mode: str
    version_before: int | None = None
    rows_inserted: int = 0
    rows_updated: int = 0
    rows_deleted: int = 0
    rows_total: int = 0
    size_bytes: int = 0
    files_added: int = 0
    files_removed: int = 0
    seconds: float = 0.0
    checksum: str | None = None
    batch: str | None = None
    run_id: str | None = None
    published_at: AwareDatetime = Field(default_factory=now)


class AuditRecord(Record):
    """What the quality gate found for one batch.

    ``version`` is the version that the batch became, None when a blocking rule kept it out.
    ``outcomes`` is a JSON list with one object per rule (``rule``, ``status``, ``severity``,
    ``action``, ``failed_rows``, ...).
    """

    lake: str = ""
    table: str
    version: int | None
    run_id: str | None
    outcomes: str
    audited_at: AwareDatetime = Field(default_factory=now)


class ProfileRecord(Record):
    """The profile of one version of a table, or of one of its partitions, as JSON text."""

    lake: str = ""
    table: str
    version: int
    partition: str | None
    profile: str
    recorded_at: AwareDatetime = Field(default_factory=now)


class QueryRecord(Record):
    """One statement that the query tool was given.

    ``status`` is ``ok``, ``refused``, ``failed`` or ``cancelled``; ``tables`` is a JSON object from
    table name to the version that the query read; ``rows`` is None unless the query finished.
    ``params`` is a JSON list of the bound values (name or None, type, text). ``key`` is that of the
    plan, ``result`` the identity of the stored result, ``cached`` whether the rows were taken from
    it. ``scanned_bytes`` is the size of the files that the plan read, ``predicted_s`` what it was
    expected to take.
    """

    sql: str
    status: str = "ok"
    rows: int | None = None
    seconds: float = 0.0
    tables: str = "{}"
    error: str | None = None
    role: str | None = None
    started_at: AwareDatetime = Field(default_factory=now)
    params: str = "[]"
    key: str | None = None
    result: str | None = None
    cached: bool = False
    scanned_bytes: int | None = None
    predicted_s: float | None = None


class PastQuery(QueryRecord):
    """A statement of the history, with the number by which people name it."""

    id: int


class SavedQueryRecord(Record):
    """A query with a name; ``parameters`` is a JSON list of name, type and default."""

    name: str
    sql: str
    parameters: str = "[]"
    description: str | None = None
    saved_at: AwareDatetime = Field(default_factory=now)


class DecisionRecord(Record):
    """Which engine does a piece of work, why, and, once it has ended, how it went.

    ``candidates`` and ``rejected`` are JSON lists with one object per engine. ``size_class`` is the
    size that the estimate stands for. ``outcome`` is None while the work goes on (or forever, when
    its process was killed), then ``done``, ``engine_fault`` or ``failed``; ``rows``, ``seconds``
    and ``peak_bytes`` are what was measured, ``predicted_s`` what was expected.
    """

    decision_id: str
    task: str
    source: str = ""
    kind: str
    table: str
    shape_key: str = ""
    size_class: str = "unknown"
    engine: str
    reason: str
    candidates: str = "[]"
    rejected: str = "[]"
    attempt: int = 1
    fell_back_from: str | None = None
    connections: int = 1
    rows_estimated: int | None = None
    predicted_s: float | None = None
    run_id: str | None = None
    decided_at: AwareDatetime = Field(default_factory=now)
    outcome: str | None = None
    rows: int | None = None
    seconds: float | None = None
    peak_bytes: int | None = None
    error: str | None = None
    finished_at: AwareDatetime | None = None


class MetricPointRecord(Record):
    """What was measured of one version of a table.

    ``series`` is the partition key without its time, empty for tables that have none but time.
    ``event_time`` is the start of the partition's time, else the time of publication; unique by
    lake, table, series and event time, so that a partition made again replaces its point.
    ``metrics`` is a JSON object from the metric's key (``rows``, ``amount.mean``) to its value.
    """

    lake: str = ""
    table: str
    series: str = ""
    event_time: AwareDatetime
    version: int
    metrics: str
    recorded_at: AwareDatetime = Field(default_factory=now)


class MetricFeedbackRecord(Record):
    """What a person said about a metric.

    ``kind`` ``normal``: points before ``since`` are no longer what new ones are compared with.
    ``kind`` ``mute``: points from ``since`` until ``until`` (None: for good) are not judged.
    ``kind`` ``unmute``: takes back every mute said before.
    ``metric`` is the metric's key, ``*`` for every metric of the table.
    """

    lake: str = ""
    table: str
    metric: str
    kind: Literal["normal", "mute", "unmute"]
    since: AwareDatetime
    until: AwareDatetime | None = None
    note: str | None = None
    said_at: AwareDatetime = Field(default_factory=now)


class StreamBatchRecord(Record):
    """Which messages of a stream one partition of its asset holds.

    ``kind`` is ``batch`` for what was cut from the stream, numbered without gaps in the order of
    positions, or ``merged`` for a time partition that holds several batches, numbered as the last
    of them. ``key`` is the Dagster partition; ``ranges`` is JSON, see
    :func:`etl_platform.sources.stream.to_json`; ``incarnation`` is that of the stream.
    ``merged_into`` is the key of the partition that holds the batch now. ``note`` tells what
    people have to know of it: messages that retention took, a stream that was made again.
    ``finished_at`` is when its rows were published for the first time, None until then;
    ``outcome`` is JSON and tells what the newest publication held.
    """

    stream: str
    kind: Literal["batch", "merged"] = "batch"
    number: int
    key: str
    ranges: str
    incarnation: str = ""
    cut_at: AwareDatetime = Field(default_factory=now)
    merged_into: str | None = None
    note: str | None = None
    outcome: str | None = None
    finished_at: AwareDatetime | None = None


class StreamStateRecord(Record):
    """Where a stream ended when its sensor last looked.

    ``ends`` is a JSON object from partition to the text of its last position; ``error`` says why a
    look after ``seen_at`` failed, None when the newest one did not.
    """

    stream: str
    ends: str = "{}"
    seen_at: AwareDatetime = Field(default_factory=now)
    error: str | None = None
    error_at: AwareDatetime | None = None


class StepUseRecord(Record):
    """What one try of an asset's step took: :class:`etl_platform.core.usage.Usage`."""

    run_id: str
    asset: str
    partition: str | None = None
    succeeded: bool
    seconds: float
    cpu_s: float
    peak_memory_bytes: int
    read_bytes: int
    written_bytes: int
    ended_at: AwareDatetime = Field(default_factory=now)


class FailureRecord(Record):
    """A failed try of an asset's step, and what ended it.

    ``signature`` are the words of the message that stay the same from time to time,
    ``circumstances`` is JSON, see :class:`etl_platform.monitoring.failures.Circumstances`;
    ``resolution`` is what was different at the next success, None while there was none.
    """

    run_id: str
    attempt: int = 0
    asset: str
    partition: str = ""
    error_type: str
    message: str
    signature: str
    circumstances: str = "{}"
    advice: str | None = None
    failed_at: AwareDatetime = Field(default_factory=now)
    ended_by_run: str | None = None
    ended_at: AwareDatetime | None = None
    resolution: str | None = None
