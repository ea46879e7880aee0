"""Compaction of a stream's partitions: batches of a period that is over become one.

The order of steps makes every kill harmless, because the next run goes on where this one ended:
the metastore says which partitions are one from now on; then each table gives their rows the new
partition, in one commit; then Dagster's partitions are exchanged; then the merge is finished.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import dagster as dg

from etl_platform.components.stream_source.options import Compaction
from etl_platform.components.timing import parse_duration
from etl_platform.core.names import TableName
from etl_platform.metastore.records import StreamBatchRecord, now
from etl_platform.publishing.publish import PARTITION_COLUMN
from etl_platform.sources.stream.merging import Merge, Mergeable, plan_merges
from etl_platform.sources.stream.progress import BatchOutcome
from etl_platform.sources.stream.ranges import from_json, to_json

if TYPE_CHECKING:
    from etl_platform.lakehouse import Lake
    from etl_platform.metastore import StreamLog


@dataclass(frozen=True, slots=True)
class Merged:
    """A partition that holds others now."""

    key: str
    members: tuple[str, ...]
    rows: int


@dataclass(frozen=True, slots=True)
class Compactor:
    """Merges partitions of one stream.

    Args:
        tables: the stream's table first, then others that are partitioned as it is; those that do
            not exist are passed over, dead letters and quarantines are found by themselves.
        partitions: of the assets.
        assets: their keys, which get a materialisation of the merged partition.
    """

    tables: tuple[TableName, ...]
    partitions: dg.DynamicPartitionsDefinition
    assets: tuple[dg.AssetKey, ...]
    options: Compaction

    def run(
        self,
        lake: Lake,
        log: StreamLog,
        instance: dg.DagsterInstance,
        moment: datetime | None = None,
        run_id: str | None = None,
    ) -> Iterator[Merged]:
        """Finish merges that were begun, then do those whose period is over.

        Raises:
            ConcurrentWrite: a table was written too often meanwhile; run again.
        """
        for record in self._begun(log):
            yield self._complete(lake, log, instance, record, run_id)
        for merge in self.plan(log, moment or now()):
            record = _merged_record(self._stream, merge)
            log.merge(record, [one.key for one in merge.members])
            yield self._complete(lake, log, instance, record, run_id)

    def plan(self, log: StreamLog, moment: datetime) -> tuple[Merge, ...]:
        """What would be merged at a moment."""
        return plan_merges(
            _mergeable(log.partitions(self._stream)),
            moment,
            periods=self.options.periods,
            after=parse_duration(self.options.after),
            max_rows=self.options.max_rows,
        )

    @property
    def _stream(self) -> str:
        return self.tables[0].sql

    def _begun(self, log: StreamLog) -> list[StreamBatchRecord]:
        return [one for one in log.unfinished(self._stream) if one.kind == "merged"]

    def _complete(
        self,
        lake: Lake,
        log: StreamLog,
        instance: dg.DagsterInstance,
        record: StreamBatchRecord,
        run_id: str | None,
    ) -> Merged:
        from etl_platform.lakehouse.merging import merge_partitions

        members = log.members(self._stream, record.key)
        keys = [one.key for one in members]
        for table in self._with_asides():
            if lake.exists(table):
                merge_partitions(lake, table, PARTITION_COLUMN, keys, record.key, run_id)
        outcome = _together([one.outcome for one in members])
        name = self.partitions.name
        assert name is not None
        instance.add_dynamic_partitions(name, [record.key])
        for asset in self.assets:
            instance.report_runless_asset_event(self._event(asset, record.key, keys, outcome))
        for key in keys:
            if instance.has_dynamic_partition(name, key):
                instance.delete_dynamic_partition(name, key)
        log.finish(self._stream, record.key, outcome.to_json())
        return Merged(record.key, tuple(keys), outcome.rows)

    def _with_asides(self) -> Iterator[TableName]:
        # As the gate commits them: what is kept aside before what is published.
        for table in self.tables:
            yield table.dead_letter
            yield table.quarantine
            yield table

    def _event(
        self, asset: dg.AssetKey, key: str, members: Sequence[str], outcome: BatchOutcome
    ) -> dg.AssetMaterialization:
        value = dg.MetadataValue
        return dg.AssetMaterialization(
            asset_key=asset,
            partition=key,
            description=f"{len(members)} partitions became one, their rows are the same",
            metadata={
                "merged_partitions": value.int(len(members)),
                "dagster/partition_row_count": value.int(outcome.rows),
                "messages": value.int(outcome.messages),
                "dead_letters": value.int(outcome.dead_letters),
            },
        )


def _mergeable(records: Sequence[StreamBatchRecord]) -> list[Mergeable]:
    found: list[Mergeable] = []
    first = 0
    for one in records:
        outcome = BatchOutcome.from_json(one.outcome) if one.outcome is not None else None
        done = outcome if one.finished_at is not None else None
        found.append(
            Mergeable(
                key=one.key,
                first=first,
                last=one.number,
                ranges=from_json(one.ranges),
                incarnation=one.incarnation,
                cut_at=one.cut_at,
                rows=None if done is None else done.rows,
            )
        )
        first = one.number + 1
    return found


def _merged_record(stream: str, merge: Merge) -> StreamBatchRecord:
    first, last = merge.members[0], merge.members[-1]
    return StreamBatchRecord(
        stream=stream,
        kind="merged",
        number=last.last,
        key=merge.key,
        ranges=to_json(merge.ranges),
        incarnation=last.incarnation,
        cut_at=first.cut_at,
    )


def _together(outcomes: Sequence[str | None]) -> BatchOutcome:
    read = [BatchOutcome.from_json(one) for one in outcomes if one is not None]
    newest: dict[str, datetime] = {}
    for one in read:
        for name, moment in one.newest.items():
            newest[name] = max(moment, newest.get(name, moment))
    return BatchOutcome(
        messages=sum(one.messages for one in read),
        rows=sum(one.rows for one in read),
        dead_letters=sum(one.dead_letters for one in read),
        size_bytes=sum(one.size_bytes for one in read),
        seconds=round(sum(one.seconds for one in read), 3),
        newest=newest,
    )
