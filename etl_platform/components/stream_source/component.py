"""The component of a broker: one asset per topic, one partition per batch of exact ranges."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import dagster as dg
from pydantic import Field, field_validator

from etl_platform.components.assets import LAKE_KEY, TableAsset, build_asset
from etl_platform.components.options import Retrying, schema_name
from etl_platform.components.stream_source.compacting import Compactor
from etl_platform.components.stream_source.compaction_job import (
    compaction_job,
    compaction_schedule,
)
from etl_platform.components.stream_source.loading import (
    ACCEPT_LOST,
    FROM_DEAD_LETTERS,
    StreamTable,
)
from etl_platform.components.stream_source.options import Compaction, StreamOptions
from etl_platform.components.stream_source.scaffolder import StreamSourceScaffolder
from etl_platform.components.stream_source.sensor import stream_sensor
from etl_platform.components.stream_source.windows import windows_of
from etl_platform.core.errors import ConfigError
from etl_platform.core.names import TableName, to_identifier
from etl_platform.resources import StreamResource

_CONFIG = {
    ACCEPT_LOST: dg.Field(
        bool,
        is_required=False,
        default_value=False,
        description="Read what is left of a batch whose messages are partly gone.",
    ),
    FROM_DEAD_LETTERS: dg.Field(
        bool,
        is_required=False,
        default_value=False,
        description="Decode the bytes that the dead letters kept, and leave the other rows.",
    ),
}


@dg.scaffold_with(StreamSourceScaffolder)
class StreamSourceComponent(dg.Component, dg.Model, dg.Resolvable):
    """Topics of a broker as checked, profiled tables: each message once, replayed by backfill."""

    target_schema: str = Field(
        description="Schema of the lake's tables: the stream clicks becomes <target_schema>.clicks."
    )
    kafka: dict[str, Any] | None = Field(
        default=None,
        description="Where Kafka is: bootstrap_servers, and how it is secured: security.",
        examples=[{"bootstrap_servers": "env://KAFKA_SERVERS"}],
    )
    kinesis: dict[str, Any] | None = Field(
        default=None, description="Where Kinesis is, and who asks."
    )
    name: str | None = Field(
        default=None, description="Name of jobs, sensors and resource; default: target_schema."
    )
    defaults: StreamOptions = Field(default=StreamOptions(), description="Options of every stream.")
    streams: dict[str, StreamOptions] = Field(description="Options of each, by its table's name.")
    compaction: Compaction = Field(
        default=Compaction(), description="How batches become time partitions."
    )
    retry: Retrying = Field(default=Retrying(), description="After a transient error.")
    pool: str | None = Field(
        default=None, description="Concurrency pool that all loads share; default: name."
    )

    _schema = field_validator("target_schema")(schema_name)

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        return dg.ComponentTypeSpec(
            description="Topics of a broker (Kafka, Kinesis) as assets in exactly-once batches.",
            tags=["etl", "source", "stream"],
            produces=["asset", "asset_check", "sensor", "job", "schedule", "resource"],
        )

    @property
    def source_name(self) -> str:
        return to_identifier(self.name or self.target_schema)

    @property
    def resource_key(self) -> str:
        return f"{self.source_name}_broker"

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build assets, sensors and the compaction; nothing is connected to."""
        del context
        tables = list(self._tables())
        compactors = [self._compactor(one) for one in tables]
        jobs: list[dg.JobDefinition] = []
        schedules: list[dg.ScheduleDefinition] = []
        if self.compaction.enabled and tables:
            job = compaction_job(self.source_name, compactors, self.retry.retries())
            jobs.append(job)
            schedules.append(compaction_schedule(job, self.compaction.schedule))
        return dg.Definitions(
            assets=[build_asset(asset) for one in tables for asset in self._table_assets(one)],
            sensors=[
                *(self._sensor(one) for one in tables),
                *(window.sensor() for one in tables for window in windows_of(one)),
            ],
            jobs=jobs,
            schedules=schedules,
            resources={self.resource_key: self._resource},
        )

    @cached_property
    def _broker(self) -> tuple[str, dict[str, Any]]:
        """The kind of broker and how it is reached."""
        said = {"kafka": self.kafka, "kinesis": self.kinesis}
        given = [(kind, options) for kind, options in said.items() if options is not None]
        if len(given) != 1:
            raise ConfigError(
                f"{self.source_name}: {len(given)} brokers are declared",
                valid="one of kafka and kinesis",
            )
        return given[0]

    @cached_property
    def _resource(self) -> StreamResource:
        kind, connection = self._broker
        return StreamResource(kind=kind, connection=connection)

    def _tables(self) -> Iterator[StreamTable]:
        from etl_platform.sources.stream.brokers import open_stream

        kind, connection = self._broker
        for name, said in self.streams.items():
            table = TableName(self.target_schema, name)
            options = said.over(self.defaults)
            topic = options.topic or name
            # What is wrong with the connection is told now, not at the first look.
            open_stream(kind, connection, topic)
            options.batch.check_effect(kind, str(table))
            yield StreamTable(
                table,
                options,
                options.contract_of(str(table)),
                self.resource_key,
                topic,
                self.source_name,
            )

    def _table_assets(self, declared: StreamTable) -> Iterator[TableAsset]:
        yield self._asset(declared)
        for window in windows_of(declared):
            yield from window.assets(self.retry.retries())

    def _asset(self, declared: StreamTable) -> TableAsset:
        kind, _ = self._broker
        return TableAsset(
            table=declared.table,
            options=declared.options,
            contract=declared.contract,
            body=declared.run,
            kinds=frozenset({kind, "deltalake"}),
            retries=self.retry.retries(),
            description=f"Messages of `{declared.topic}` of {self.source_name}.",
            metadata={"topic": declared.topic},
            partitions=declared.partitions,
            pool=self.pool or self.source_name,
            resource_keys=frozenset({LAKE_KEY, self.resource_key}),
            default_group=self.source_name,
            config=_CONFIG,
        )

    def _sensor(self, declared: StreamTable) -> dg.SensorDefinition:
        name = f"{self.source_name}_{declared.table.name}_batches"
        return stream_sensor(name, declared, declared.partitions, self._assets(declared))

    def _compactor(self, declared: StreamTable) -> Compactor:
        others = [table for window in windows_of(declared) for table in window.tables]
        tables = (declared.table, *others)
        return Compactor(tables, declared.partitions, self._assets(declared), self.compaction)

    def _assets(self, declared: StreamTable) -> tuple[dg.AssetKey, ...]:
        partials = [window.partials_key for window in windows_of(declared)]
        return (dg.AssetKey(declared.table.key), *partials)
