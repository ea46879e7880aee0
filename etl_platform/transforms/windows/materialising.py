"""What a window adds up of one batch, brought up to date in a lake."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etl_platform.core.duck import literal
from etl_platform.core.errors import PermanentError, UnknownName
from etl_platform.core.names import TableName
from etl_platform.core.sessions import session
from etl_platform.metastore.records import StreamBatchRecord
from etl_platform.transforms.windows.ahead import left_out_sql
from etl_platform.transforms.windows.numbering import NUMBER, numbered_sql
from etl_platform.transforms.windows.partials import partials_sql
from etl_platform.transforms.windows.progress import progress_sql
from etl_platform.transforms.windows.tables import StreamWindow

if TYPE_CHECKING:
    import duckdb

    from etl_platform.lakehouse import Lake
    from etl_platform.metastore import StreamLog

PARTITION = "_partition"
LATE_THROUGH = "window:late_through"
"""Annotation of the results: the last batch whose late rows are set apart, and for which rules."""


@dataclass(slots=True)
class Work:
    """One piece of work on a window, with a DuckDB session of its own."""

    window: StreamWindow
    lake: Lake
    log: StreamLog
    con: duckdb.DuckDBPyConnection = field(init=False)

    def __post_init__(self) -> None:
        self.con = session(self.lake.settings)

    def close(self) -> None:
        """End the session; relations that came of it cannot be read any more."""
        self.con.close()

    def batch(self, key: str, *, from_newest: bool = False) -> BatchWork:
        """The partial aggregates of a partition of the stream.

        Args:
            from_newest: join the newest version of the table, not the one of an earlier run.

        Raises:
            UnknownName: no batch was ever cut under the key, or a table or column is not there.
            PermanentError: the partition is part of another one now.
        """
        stream = self.window.stream
        record = self.log.find(stream.sql, key)
        if record is None:
            known = [one.key for one in self.log.partitions(stream.sql)[-5:]]
            raise UnknownName("batch", key, known, where=stream.sql)
        if record.merged_into is not None:
            raise PermanentError(
                f"{stream}: batch {key} is part of partition {record.merged_into} now",
                fix=f"materialise {record.merged_into}",
            )
        batches = self.batches_of(record)
        snapshot = self.lake.snapshot(stream)
        source = snapshot.relation_sql(snapshot.within({PARTITION: key}))
        pinned = {stream: snapshot.version}
        rows = numbered_sql(source, self.kinds(source), batches)
        versions: dict[int, int] = {}
        enrichment = self.window.enrichment
        if enrichment is not None:
            newest = self.lake.version(enrichment.table)
            known_versions = {} if from_newest else self.joined_before(key)
            versions = {one.number: known_versions.get(one.number, newest) for one in batches}
            pinned[enrichment.table] = max(versions.values())
            rows = enrichment.joined_sql(self.con, self.lake, rows, versions)
        kinds = self.kinds(rows)
        left_out = left_out_sql(self.window.spec, batches)
        sql = partials_sql(self.window.spec, rows, kinds, NUMBER, left_out=left_out)
        progress = progress_sql(self.window.spec, rows, batches, self.window.digest, versions)
        return BatchWork(self, key, pinned, self.con.sql(sql), progress)

    def batches_of(self, record: StreamBatchRecord) -> list[StreamBatchRecord]:
        """What was cut and is in a partition now, in order."""
        if record.kind == "batch":
            return [record]
        members = self.log.members(self.window.stream.sql, record.key)
        return [batch for one in members for batch in self.batches_of(one)]

    def kinds(self, relation: str) -> dict[str, str]:
        """DuckDB type texts of a relation's columns."""
        found = self.con.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
        return {name: kind for name, kind, *_ in found}

    def row_kinds(self) -> dict[str, str]:
        """Of the rows that a batch is aggregated from, those that it is joined to with them."""
        kinds = self.kinds(self.lake.relation_sql(self.window.stream))
        enrichment = self.window.enrichment
        if enrichment is not None:
            table = self.kinds(self.lake.relation_sql(enrichment.table))
            kinds |= {name: table[name] for name in enrichment.columns if name in table}
        return kinds

    def joined_before(self, key: str) -> dict[int, int]:
        """By batch of a partition, the version that its rows were joined to when it last ran."""
        progress = self.window.progress
        if not self.lake.exists(progress):
            return {}
        found = self.con.execute(
            f"SELECT _batch, max(enriched) FROM {self.lake.relation_sql(progress)} "
            f"WHERE {PARTITION} = {literal(key)} AND enriched IS NOT NULL GROUP BY ALL"
        ).fetchall()
        return dict(found)


@dataclass(frozen=True, slots=True)
class BatchWork:
    """Partial aggregates of one partition: to be published, and then finished."""

    work: Work
    key: str
    versions: dict[TableName, int]
    partials: duckdb.DuckDBPyRelation
    progress_sql: str

    def finish(self, run_id: str | None = None) -> None:
        """Say that the partial aggregates are published."""
        relation = self.work.con.sql(self.progress_sql)
        replace_partition(self.work, self.work.window.progress, relation, self.key, run_id)


def aggregated_partitions(lake: Lake, window: StreamWindow) -> frozenset[str]:
    """Partitions whose partial aggregates are there, as the window is declared now."""
    if not lake.exists(window.progress):
        return frozenset()
    with closing(session(lake.settings)) as con:
        found = con.execute(
            f"SELECT DISTINCT {PARTITION} FROM {lake.relation_sql(window.progress)} "
            f"WHERE declared = {literal(window.digest)}"
        ).fetchall()
    return frozenset(key for (key,) in found)


def replace_partition(
    work: Work, table: TableName, rows: object, key: str, run_id: str | None
) -> None:
    """Publish what a partition holds from now on, unless it was merged into another meanwhile."""
    from etl_platform.lakehouse import Mode
    from etl_platform.lakehouse.merging import merged_batch

    staged = work.lake.stage(table, rows, (PARTITION,), {PARTITION: key})
    with work.lake.discarding(staged):
        work.lake.publish(
            staged,
            Mode.REPLACE_PARTITION,
            partition={PARTITION: key},
            run_id=run_id,
            unless=merged_batch(key),
        )
