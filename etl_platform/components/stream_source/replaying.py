"""Dead letters decoded again after a fix: their partitions are materialised anew.

A replay from the broker is an ordinary backfill of the partition: the fix holds for all of its
messages, and rows and dead letters are replaced together, so that each message is published once
however often it is done. Where the broker no longer has the messages, those whose bytes the dead
letters kept are decoded and join the rows that are published.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import dagster as dg

from etl_platform.components.stream_source.loading import FROM_DEAD_LETTERS
from etl_platform.core.duck import quote
from etl_platform.core.errors import UnknownName
from etl_platform.core.names import TableName
from etl_platform.core.sessions import session
from etl_platform.publishing.publish import PARTITION_COLUMN
from etl_platform.sources.stream.protocol import PositionsLost

if TYPE_CHECKING:
    from dagster_shared.error import SerializableErrorInfo

    from etl_platform.lakehouse import Lake

Source = Literal["broker", "bytes"]


@dataclass(frozen=True, slots=True)
class Replayed:
    """One partition: its dead letters before and after, and where its messages came from.

    ``error`` says why nothing was published, or that the change made it worse.
    """

    partition: str
    source: Source
    before: int
    after: int
    run_id: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Replay:
    """Materialises partitions of one stream in this process, as runs of the instance.

    Args:
        defs: what Dagster loads; it holds the stream.
        from_bytes: do not ask the broker.

    Raises:
        UnknownName: there is no such asset.
    """

    defs: dg.Definitions
    instance: dg.DagsterInstance
    lake: Lake
    table: TableName
    from_bytes: bool = False

    def __post_init__(self) -> None:
        known = [key.to_user_string() for key in self.defs.resolve_all_asset_keys()]
        if dg.AssetKey(self.table.key).to_user_string() not in known:
            raise UnknownName("asset", self.table.path, known)

    def run(self) -> Iterator[Replayed]:
        """Replay every partition that has dead letters, oldest first; one that fails does not keep
        the others from it."""
        for partition, before in counts(self.lake, self.table).items():
            source: Source = "bytes" if self.from_bytes else "broker"
            result = self._materialize(partition, source)
            if not result.success and source == "broker" and _lost(result):
                source = "bytes"
                result = self._materialize(partition, source)
            after = counts(self.lake, self.table).get(partition, 0)
            error = None if result.success else _reason(result)
            if error is None and after > before:
                error = f"{after - before:,} messages that were rows are dead letters now"
            yield Replayed(partition, source, before, after, result.run_id, error)

    def _materialize(self, partition: str, source: Source) -> dg.ExecuteInProcessResult:
        keys = self._together()
        op = self.defs.resolve_assets_def(dg.AssetKey(self.table.key)).node_def.name
        config = {"ops": {op: {"config": {FROM_DEAD_LETTERS: True}}}}
        with dg.partition_loading_context(dynamic_partitions_store=self.instance):
            return self.defs.resolve_implicit_global_asset_job_def().execute_in_process(
                instance=self.instance,
                asset_selection=list(keys),
                partition_key=partition,
                run_config=config if source == "bytes" else None,
                raise_on_error=False,
            )

    def _together(self) -> Sequence[dg.AssetKey]:
        """The stream, and what is computed of each of its batches."""
        graph = self.defs.resolve_asset_graph()
        own = dg.AssetKey(self.table.key)
        partitions = graph.get(own).partitions_def
        return [key for key in graph.materializable_asset_keys
                if graph.get(key).partitions_def == partitions]  # fmt: skip


def counts(lake: Lake, table: TableName) -> Mapping[str, int]:
    """Dead letters of each partition that has any, oldest first."""
    if not lake.exists(table.dead_letter):
        return {}
    column = quote(PARTITION_COLUMN)
    with session(lake.settings) as con:
        found = con.execute(
            f"SELECT {column}, count(*) FROM {lake.relation_sql(table.dead_letter)} "
            "GROUP BY 1 ORDER BY 1"
        ).fetchall()
    return dict(found)


def _errors(result: dg.ExecuteInProcessResult) -> Iterator[SerializableErrorInfo]:
    for event in result.get_step_failure_events():
        error = event.step_failure_data.error
        while error is not None:
            yield error
            error = error.cause


def _lost(result: dg.ExecuteInProcessResult) -> bool:
    return any(error.cls_name == PositionsLost.__name__ for error in _errors(result))


def _reason(result: dg.ExecuteInProcessResult) -> str:
    """The platform's own error where there is one: it says what to do."""
    messages = [error.message.strip() for error in _errors(result)]
    return messages[-1] if messages else "the run failed"
