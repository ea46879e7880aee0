"""A window's tables brought up to date in a lake: of one batch, or of all results."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from etl_platform.core.duck import connect, literal
from etl_platform.core.errors import PermanentError, UnknownName
from etl_platform.core.names import TableName
from etl_platform.metastore.records import StreamBatchRecord
from etl_platform.transforms.windows.compaction import compaction_sql
from etl_platform.transforms.windows.late import late_sql
from etl_platform.transforms.windows.merge import results_sql
from etl_platform.transforms.windows.numbering import NUMBER, numbered_sql
from etl_platform.transforms.windows.panes import AFTER, BATCH
from etl_platform.transforms.windows.partials import partials_sql
from etl_platform.transforms.windows.progress import Finished, finished, progress_sql
from etl_platform.transforms.windows.spec import micros
from etl_platform.transforms.windows.tables import StreamWindow
from etl_platform.transforms.windows.watermark import WatermarkRule, Watermarks, watermarks

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
        self.con = connect(self.lake.settings)

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
        sql = partials_sql(self.window.spec, rows, kinds, NUMBER)
        progress = progress_sql(self.window.spec, rows, batches, self.window.digest, versions)
        return BatchWork(self, key, pinned, self.con.sql(sql), progress)

    def results(self) -> ResultWork:
        """The results of all batches that are finished.

        Raises:
            PermanentError: no batch was aggregated yet as the window is declared now.
        """
        spec, window = self.window.spec, self.window
        if not self.lake.exists(window.progress):
            raise PermanentError(
                f"{window.results}: no batch was aggregated yet",
                fix=f"materialise partitions of {window.partials}",
            )
        # Progress first: what is committed between the two reads is not finished yet.
        progress = self.lake.relation_sql(window.progress)
        batches = self.log.batches(window.stream.sql)
        done = finished(self.con, progress, window.digest, batches)
        if not done.partitions:
            raise PermanentError(
                f"{window.results}: the window was declared otherwise when its batches were "
                "aggregated",
                fix=f"materialise all partitions of {window.partials}",
            )
        snapshot = self.lake.snapshot(window.partials)
        keys = ", ".join(literal(key) for key in sorted(done.partitions))
        partials = f"(SELECT * FROM {snapshot.relation_sql()} WHERE {PARTITION} IN ({keys}))"
        idle = spec.idle_after
        rule = WatermarkRule(micros(spec.out_of_orderness), None if idle is None else micros(idle))
        marks = watermarks(done.times, rule)
        versions = {window.partials: snapshot.version}
        return ResultWork(self, done, marks, partials, self._row_kinds(), versions)

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

    def _row_kinds(self) -> dict[str, str]:
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


@dataclass(frozen=True, slots=True)
class ResultWork:
    """The results of the batches that are finished.

    Attributes:
        versions: of the table that they are computed from.
    """

    work: Work
    done: Finished
    marks: Watermarks
    partials: str
    kinds: dict[str, str]
    versions: dict[TableName, int]

    @property
    def through(self) -> int:
        """The last batch with none missing before it."""
        return self.marks.prefix.number

    @property
    def watermark(self) -> datetime | None:
        """After that batch."""
        moment = self.marks.prefix.watermark_us
        if moment is None:
            return None
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment)

    @property
    def relation(self) -> duckdb.DuckDBPyRelation:
        """The results."""
        return self.work.con.sql(
            results_sql(self.work.window.spec, self._unplaced, self.kinds, self.marks)
        )

    @property
    def _unplaced(self) -> str:
        return f"(SELECT * EXCLUDE ({PARTITION}) FROM {self.partials})"

    @property
    def notes(self) -> dict[str, str]:
        """Annotations for the commit of the results."""
        return {LATE_THROUGH: f"{self._rules}:{self.through}"}

    @property
    def _rules(self) -> str:
        spec = self.work.window.spec
        return sha256(f"{spec.model_dump_json()} {self.work.window.digest}".encode()).hexdigest()[
            :16
        ]

    def set_late_apart(self, run_id: str | None = None) -> int:
        """Put late rows of batches that were not looked at into the dead letters of the results.

        Returns:
            How many.
        """
        from etl_platform.lakehouse import Mode

        work, window = self.work, self.work.window
        said = work.lake.annotation(window.results, LATE_THROUGH) or ""
        rules, _, number = said.partition(":")
        looked_at = int(number) if rules == self._rules else -1
        target = window.results.dead_letter
        again = looked_at < 0 and work.lake.exists(target)
        if looked_at >= self.through and not again:
            return 0
        selects = [
            late_sql(window.spec, rows, kinds, NUMBER, before)
            for rows, kinds, before in self._unseen(looked_at)
        ]
        if not selects:
            return 0
        rows = work.con.sql(" UNION ALL BY NAME ".join(f"({one})" for one in selects))
        staged = work.lake.stage(target, rows)
        if not staged.rows and not again:
            work.lake.discard(staged)
            return 0
        work.lake.publish(
            staged,
            Mode.REPLACE if again else Mode.APPEND,
            batch=f"late/{self._rules}/{looked_at}-{self.through}/{run_id if again else ''}",
            run_id=run_id,
        )
        return staged.rows

    def _unseen(
        self, looked_at: int
    ) -> Iterator[tuple[str, dict[str, str], dict[int, int | None]]]:
        work, window = self.work, self.work.window
        snapshot = work.lake.snapshot(window.stream)
        for record in work.log.partitions(window.stream.sql):
            if record.number <= looked_at or record.key not in self.done.partitions:
                continue
            batches = work.batches_of(record)
            before = {
                one.number: self.marks.before_us[one.number]
                for one in batches
                if looked_at < one.number <= self.through and one.number in self.marks.before_us
            }
            files = snapshot.within({PARTITION: record.key})
            if not before or not files:
                continue
            source = snapshot.relation_sql(files)
            rows = numbered_sql(source, work.kinds(source), batches)
            if window.enrichment is not None:
                joined = work.joined_before(record.key)
                rows = window.enrichment.joined_sql(work.con, work.lake, rows, joined)
            late = f"(SELECT * EXCLUDE ({PARTITION}) FROM {rows})"
            yield late, work.kinds(late), before

    def compact(self, run_id: str | None = None) -> Iterator[str]:
        """Compact the partial aggregates of merged partitions; yields their keys.

        After :meth:`set_late_apart` and the publication of the results.
        """
        work, window = self.work, self.work.window
        for record in work.log.partitions(window.stream.sql):
            fits = record.kind == "merged" and record.number <= self.through
            if not fits or record.key not in self.done.partitions:
                continue
            first = work.batches_of(record)[0].number
            if not self._scattered(record.key):
                continue
            sql = compaction_sql(
                window.spec, self._unplaced, self.kinds, self.marks, first, record.number
            )
            replace_partition(work, window.partials, work.con.sql(sql), record.key, run_id)
            yield record.key

    def _scattered(self, key: str) -> bool:
        found = self.work.con.execute(
            f"SELECT count(*) FILTER ({AFTER} IS NULL), count(DISTINCT {BATCH}) "
            f"FILTER (_rows > 0) FROM {self.partials} WHERE {PARTITION} = {literal(key)}"
        ).fetchall()
        return found[0][0] > 0 or found[0][1] > 1


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
