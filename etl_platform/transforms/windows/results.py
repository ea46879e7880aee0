"""The results of a window, brought up to date in a lake with its late rows and its partials."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from etl_platform.core.duck import literal
from etl_platform.core.errors import PermanentError
from etl_platform.core.names import TableName
from etl_platform.transforms.windows.ahead import left_out_sql
from etl_platform.transforms.windows.compaction import compaction_sql
from etl_platform.transforms.windows.late import late_sql
from etl_platform.transforms.windows.materialising import PARTITION, Work, replace_partition
from etl_platform.transforms.windows.merge import results_sql
from etl_platform.transforms.windows.numbering import NUMBER, numbered_sql
from etl_platform.transforms.windows.panes import AFTER, BATCH
from etl_platform.transforms.windows.progress import Finished, finished
from etl_platform.transforms.windows.reached import REACHED, Reached
from etl_platform.transforms.windows.spec import micros
from etl_platform.transforms.windows.watermark import WatermarkRule, Watermarks, watermarks

if TYPE_CHECKING:
    import duckdb

LATE_THROUGH = "window:late_through"
"""Annotation of the results: the last batch whose late rows are set apart, and for which rules."""


def results_of(work: Work) -> ResultWork:
    """The results of all batches that are finished.

    Raises:
        PermanentError: no batch was aggregated yet as the window is declared now.
    """
    spec, window = work.window.spec, work.window
    if not work.lake.exists(window.progress):
        raise PermanentError(
            f"{window.results}: no batch was aggregated yet",
            fix=f"materialise partitions of {window.partials}",
        )
    # Progress first: what is committed between the two reads is not finished yet.
    progress = work.lake.relation_sql(window.progress)
    batches = work.log.batches(window.stream.sql)
    done = finished(work.con, progress, window.digest, batches)
    if not done.partitions:
        raise PermanentError(
            f"{window.results}: the window was declared otherwise when its batches were aggregated",
            fix=f"materialise all partitions of {window.partials}",
        )
    snapshot = work.lake.snapshot(window.partials)
    keys = ", ".join(literal(key) for key in sorted(done.partitions))
    partials = f"(SELECT * FROM {snapshot.relation_sql()} WHERE {PARTITION} IN ({keys}))"
    idle = spec.idle_after
    rule = WatermarkRule(micros(spec.out_of_orderness), None if idle is None else micros(idle))
    marks = watermarks(done.times, rule)
    versions = {window.partials: snapshot.version}
    return ResultWork(work, done, marks, partials, work.row_kinds(), versions)


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
        reached = Reached(self.work.window.stream.sql, self.through, self.watermark)
        return {LATE_THROUGH: f"{self._rules}:{self.through}", REACHED: reached.to_json()}

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
            late_sql(window.spec, rows, kinds, NUMBER, before, left_out)
            for rows, kinds, before, left_out in self._unseen(looked_at)
        ]
        if again:
            selects.append(f"SELECT * FROM {work.lake.relation_sql(target)} WHERE false")
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
    ) -> Iterator[tuple[str, dict[str, str], dict[int, int | None], str]]:
        work, window = self.work, self.work.window
        snapshot = work.lake.snapshot(window.stream)
        for record in work.log.partitions(window.stream.sql):
            if record.number <= looked_at or record.key not in self.done.partitions:
                continue
            batches = work.batches_of(record)
            before = {
                one.number: self.marks.before_us[one.number]
                for one in batches
                if looked_at < one.number <= self.through and self._may_be_late(one.number)
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
            yield late, work.kinds(late), before, left_out_sql(window.spec, batches)

    def _may_be_late(self, number: int) -> bool:
        spec = self.work.window.spec
        closed = self.marks.before_us.get(number)
        if closed is not None:
            closed = None if spec.late == "update" else closed - spec.lateness_us
        return self.done.may_be_late(number, closed)

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
