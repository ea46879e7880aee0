"""How one batch of a stream becomes rows: exactly its messages, decoded, judged, in one commit."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import dagster as dg

from etl_platform.components.assets import LAKE_KEY, Event
from etl_platform.components.stream_source.decoding import as_format, decoder_of
from etl_platform.components.stream_source.metadata import batch_entries, lag_metadata
from etl_platform.components.stream_source.options import StreamOptions
from etl_platform.core.errors import ConfigError, PermanentError, UnknownName
from etl_platform.core.names import TableName
from etl_platform.publishing.publish import Publication, publish
from etl_platform.resources import LakeResource, StreamResource
from etl_platform.sources.stream.progress import BatchOutcome

if TYPE_CHECKING:
    from etl_platform.components.stream_source.dead_letters import DeadLetters
    from etl_platform.components.stream_source.intake import Intake
    from etl_platform.components.stream_source.messages_of import Messages
    from etl_platform.metastore import StreamBatchRecord, StreamLog
    from etl_platform.quality import Contract

ACCEPT_LOST = "accept_lost"
FROM_DEAD_LETTERS = "from_dead_letters"
RANGES_NOTE = "stream:ranges"
"""Annotation of a commit: partition, ranges and incarnation of the batch that it published."""


@dataclass(frozen=True, slots=True)
class StreamTable:
    """One topic as one table, decided when definitions load. ``system`` is the broker's name."""

    table: TableName
    options: StreamOptions
    contract: Contract
    broker_key: str
    topic: str
    system: str

    def __post_init__(self) -> None:
        if self.options.decode is None:
            raise ConfigError(
                f"{self.table}: nothing says what its messages look like",
                valid="decode: {format: json, columns: {...}}",
                fix="declare decode, for the stream or in defaults",
            )
        if self.quarantines and not as_format(self.options.decode).source:
            raise ConfigError(
                f"{self.table}: a rule keeps rows aside, and no column tells their message",
                fix="remove source: false from decode, or let the rule block or warn",
            )

    @property
    def partitions(self) -> dg.DynamicPartitionsDefinition:
        """One partition per batch; named as the table."""
        return dg.DynamicPartitionsDefinition(name=self.table.sql)

    @property
    def quarantines(self) -> bool:
        """Whether a rule of the contract may send messages to the dead letters."""
        return any(rule.action == "quarantine" for rule in self.contract.rules)

    def run(self, context: dg.AssetExecutionContext) -> Iterator[Event]:
        """Read, decode and publish the batch of a partition; doing it again gives the same rows.

        Raises:
            UnknownName: no batch was ever cut under the partition's key.
            PositionsLost: the broker no longer has all of its messages; nothing was published.
            PermanentError: the batch is part of a merged partition.
            TransientError, PermanentError: as the broker, the lake and the gate raise them.
        """
        from etl_platform.components.stream_source.dead_letters import DeadLetters
        from etl_platform.components.stream_source.intake import Intake
        from etl_platform.components.stream_source.messages_of import messages_of

        resource = cast("LakeResource", getattr(context.resources, LAKE_KEY))
        lake, log = resource.lake(), resource.metastore().streams
        broker = cast("StreamResource", getattr(context.resources, self.broker_key))
        stream = broker.stream(self.topic)
        record = self._record(log, context.partition_key)
        spill = Path(lake.settings.temp_dir)
        spill.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="stream-", dir=spill) as folder:
            letters = DeadLetters(Path(folder), record.key, self.quarantines)
            intake = Intake(decoder_of(self.options.decode), letters)
            messages = messages_of(
                stream,
                record,
                self.options,
                accept_lost=_config(context, ACCEPT_LOST),
            )
            if _config(context, FROM_DEAD_LETTERS):
                messages = messages.from_dead_letters(lake, self.table, letters)
            publication = self._publication(record, messages, letters, intake)
            for event in publish(
                context, resource, messages.rows(intake, lake, self.table), publication
            ):
                if not isinstance(event, dg.MaterializeResult):
                    yield event
                    continue
                if not messages.kept:
                    outcome = _outcome(intake, event.metadata or {})
                    log.finish(record.stream, record.key, outcome.to_json())
                yield event._replace(  # pyright: ignore[reportPrivateUsage] # public on named tuples
                    metadata={**(event.metadata or {}), **lag_metadata(log, self.table.sql)}
                )

    def _record(self, log: StreamLog, key: str) -> StreamBatchRecord:
        record = log.find(self.table.sql, key)
        if record is None:
            newest = [one.key for one in log.partitions(self.table.sql)[-5:]]
            raise UnknownName("batch", key, newest, where=self.table.sql)
        if record.merged_into is not None:
            raise PermanentError(
                f"{self.table}: batch {key} is part of partition {record.merged_into} now",
                fix=f"materialise {record.merged_into}",
            )
        if record.kind == "merged" and record.finished_at is None:
            raise PermanentError(
                f"{self.table}: the batches of {key} are not merged to the end",
                fix=f"run the job {self.system}_compact, then materialise it",
            )
        return record

    def _publication(
        self, record: StreamBatchRecord, messages: Messages, letters: DeadLetters, intake: Intake
    ) -> Publication:
        from etl_platform.lakehouse import External, Mode, Origin
        from etl_platform.lakehouse.gate import Aside
        from etl_platform.lakehouse.merging import merged_batch

        source = External(self.system, messages.kind, self.topic)
        return Publication(
            table=self.table,
            contract=self.contract,
            mode=Mode.REPLACE_PARTITION,
            partition=record.key,
            profile=self.options.profile,
            origin=Origin(source=source, source_columns=tuple(messages.schema(intake).names)),
            outcome=partial(batch_entries, intake, record, messages),
            aside=Aside(self.table.dead_letter, letters.selects),
            notes={RANGES_NOTE: messages.note},
            unless=merged_batch(record.key),
        )


def _outcome(intake: Intake, metadata: Mapping[str, Any]) -> BatchOutcome:
    set_aside = metadata.get("quarantined_rows")
    by_contract = 0
    if isinstance(set_aside, dg.IntMetadataValue):
        by_contract = max(0, (set_aside.value or 0) - intake.letters.rejected)
    return BatchOutcome(
        messages=intake.messages,
        rows=intake.rows - by_contract,
        dead_letters=intake.letters.rejected + by_contract,
        size_bytes=intake.size_bytes,
        seconds=round(intake.seconds, 3),
        newest=intake.newest,
    )


def _config(context: dg.AssetExecutionContext, name: str) -> bool:
    config = context.op_execution_context.op_config
    return bool(config and config.get(name))
