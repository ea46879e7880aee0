"""Windows over a stream: partial aggregates in the stream's own partitions, and their results."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, cast

import dagster as dg

from etl_platform.components.assets import LAKE_KEY, Event, TableAsset
from etl_platform.components.options import AssetOptions
from etl_platform.components.stream_source.decoding import as_format
from etl_platform.components.stream_source.lost_runs import RESULTS_TAG, begun_anew
from etl_platform.components.stream_source.missing import ATTEMPTS, WINDOW_TAG, missing
from etl_platform.components.stream_source.options import Looking
from etl_platform.components.stream_source.window_options import WindowOptions
from etl_platform.components.timing import parse_duration
from etl_platform.core.errors import ConfigError
from etl_platform.core.names import TableName
from etl_platform.metastore.records import now
from etl_platform.publishing.publish import Publication, publish
from etl_platform.resources import LakeResource

if TYPE_CHECKING:
    from etl_platform.components.stream_source.loading import StreamTable
    from etl_platform.lakehouse import Origin
    from etl_platform.publishing.failures import Retries
    from etl_platform.transforms.windows.materialising import Work
    from etl_platform.transforms.windows.tables import StreamWindow

FROM_NEWEST = "enrich_from_newest"


@dataclass(frozen=True, slots=True)
class WindowAssets:
    """A window of a stream as definitions know it: two assets and a sensor.

    ``system`` is the broker's name, ``sourced`` whether rows tell their message, ``looking`` how
    the stream's own sensor works.

    Raises:
        ConfigError: rows of the stream do not tell their message, so that nothing orders them.
    """

    stream: TableName
    name: str
    options: WindowOptions
    partitions: dg.DynamicPartitionsDefinition
    system: str
    sourced: bool
    looking: Looking

    def __post_init__(self) -> None:
        if not self.sourced:
            raise ConfigError(
                f"{self.stream}: window {self.name!r} needs columns that tell a row's message",
                fix="remove source: false from decode",
            )

    @property
    def window(self) -> StreamWindow:
        from etl_platform.transforms.windows.tables import StreamWindow

        spec = self.options.spec(self.name)
        return StreamWindow(self.stream, spec, self.options.enrichment)

    @property
    def tables(self) -> tuple[TableName, ...]:
        """Tables that are partitioned as the stream is."""
        window = self.window
        return (window.partials, window.progress)

    @property
    def partials_key(self) -> dg.AssetKey:
        return dg.AssetKey(self.window.partials.key)

    def assets(self, retries: Retries) -> tuple[TableAsset, TableAsset]:
        """The partial aggregates of each batch, and the results of all."""
        window, options = self.window, self.options
        reads = [dg.AssetKey(self.stream.key)]
        if window.enrichment is not None:
            reads.append(dg.AssetKey(window.enrichment.table.key))
        partials = TableAsset(
            table=window.partials,
            options=AssetOptions(),
            contract=AssetOptions().contract_of(str(window.partials)),
            body=self._aggregate,
            kinds=frozenset({"duckdb", "deltalake"}),
            retries=retries,
            description=f"Of each batch of {self.stream}, what window {self.name} adds up.",
            deps=reads,
            partitions=self.partitions,
            default_group=self.system,
            config={
                FROM_NEWEST: dg.Field(
                    bool,
                    is_required=False,
                    default_value=False,
                    description="Join the newest version of the table again, not the one that "
                    "the batch was joined to before.",
                )
            },
        )
        results = TableAsset(
            table=window.results,
            options=options,
            contract=options.contract_of(str(window.results)),
            body=self._merge,
            kinds=frozenset({"duckdb", "deltalake"}),
            retries=retries,
            description=f"{options.kind.capitalize()} windows over {self.stream}.",
            deps=[self.partials_key],
            # Two runs at once would do the same work, and one of them in vain.
            pool=f"{self.system}_{self.name}",
            default_group=self.system,
        )
        return partials, results

    def sensor(self) -> dg.SensorDefinition:
        """Computes the results when partial aggregates have changed, and requests those that are
        not there although their batch is published."""
        key = dg.AssetKey(self.window.results.key)

        def look(context: dg.SensorEvaluationContext) -> dg.SensorResult:
            from etl_platform.transforms.windows.materialising import aggregated_partitions

            resource = cast("LakeResource", getattr(context.resources, LAKE_KEY))
            lake, log, window = resource.lake(), resource.metastore().streams, self.window
            version = str(lake.version(window.progress)) if lake.exists(window.progress) else None
            lacks = missing(
                context.instance,
                log,
                self.stream.sql,
                self._run_tag,
                aggregated_partitions(lake, window),
                self.looking.max_unfinished,
            )
            if lacks.given_up:
                context.log.warning(
                    "%s waits for batches that could not be aggregated in %s more runs: %s; see "
                    "why the last one failed, then materialise these partitions of %s",
                    *(window.results, ATTEMPTS, ", ".join(lacks.given_up), window.partials),
                )
            requests = [
                dg.RunRequest(
                    run_key=run_key,
                    partition_key=partition,
                    asset_selection=[self.partials_key],
                    tags={WINDOW_TAG: self._run_tag},
                )
                for partition, run_key in lacks.request.items()
            ]
            tag = (RESULTS_TAG, str(self.window.results))
            patience = parse_duration(self.looking.give_up_after)
            run_keys = [*begun_anew(context.instance, *tag, now(), patience)]
            if version is not None and version != context.cursor:
                run_keys.append(version)
            requests += [
                dg.RunRequest(run_key=one, asset_selection=[key], tags=dict([tag]))
                for one in run_keys
            ]
            reason = None if requests else f"nothing has changed since version {version}"
            return dg.SensorResult(
                run_requests=requests, skip_reason=reason, cursor=version or context.cursor
            )

        return dg.SensorDefinition(
            name=f"{self.system}_{self.name}_results",
            description=f"Computes {self.window.results} when a batch was aggregated, and has "
            "batches aggregated whose aggregation failed.",
            evaluation_fn=look,
            asset_selection=dg.AssetSelection.assets(key, self.partials_key),
            minimum_interval_seconds=30,
            default_status=self.looking.status,
            required_resource_keys={LAKE_KEY},
        )

    @property
    def _run_tag(self) -> str:
        return f"{self.window.results}:{self.window.digest}"

    def _aggregate(self, context: dg.AssetExecutionContext) -> Iterator[Event]:
        from etl_platform.lakehouse import Mode
        from etl_platform.lakehouse.merging import merged_batch

        resource, work = self._work(context)
        config = context.op_execution_context.op_config
        newest = bool(config and config.get(FROM_NEWEST))
        key = context.partition_key
        with closing(work):
            batch = work.batch(key, from_newest=newest)
            publication = Publication(
                table=self.window.partials,
                contract=AssetOptions().contract_of(str(self.window.partials)),
                mode=Mode.REPLACE_PARTITION,
                partition=key,
                profile="off",
                origin=self._origin(batch.versions),
                unless=merged_batch(key),
            )
            yield from publish(context, resource, batch.partials, publication)
            batch.finish(context.run.run_id)

    def _merge(self, context: dg.AssetExecutionContext) -> Iterator[Event]:
        from etl_platform.lakehouse import Mode
        from etl_platform.transforms.windows.results import results_of

        resource, work = self._work(context)
        with closing(work):
            found = results_of(work)
            late = found.set_late_apart(context.run.run_id)
            value = dg.MetadataValue
            moment = found.watermark
            publication = Publication(
                table=self.window.results,
                contract=self.options.contract_of(str(self.window.results)),
                mode=Mode.REPLACE,
                schema_change="any",
                profile=self.options.profile,
                origin=self._origin(found.versions),
                notes=found.notes,
                extra={
                    "late_rows": value.int(late),
                    "batches": value.int(found.through + 1),
                    **({} if moment is None else _watermark(moment)),
                },
            )
            yield from publish(context, resource, found.relation, publication)
            for key in found.compact(context.run.run_id):
                context.log.info("%s: partition %s was compacted", self.window.partials, key)

    def _work(self, context: dg.AssetExecutionContext) -> tuple[LakeResource, Work]:
        from etl_platform.transforms.windows.materialising import Work

        resource = cast("LakeResource", getattr(context.resources, LAKE_KEY))
        return resource, Work(self.window, resource.lake(), resource.metastore().streams)

    def _origin(self, versions: dict[TableName, int]) -> Origin:
        from etl_platform.lakehouse import Origin

        return Origin(versions)


def _watermark(moment: datetime) -> dict[str, dg.MetadataValue]:
    delay = (now() - moment).total_seconds()
    return {
        "watermark": dg.MetadataValue.timestamp(moment),
        "watermark_delay_seconds": dg.MetadataValue.float(round(delay, 1)),
    }


def windows_of(declared: StreamTable) -> list[WindowAssets]:
    """The windows over a stream."""
    sourced = as_format(declared.options.decode).source
    return [
        WindowAssets(
            declared.table,
            name,
            said,
            declared.partitions,
            declared.system,
            sourced,
            declared.options.sensor,
        )
        for name, said in declared.options.windows.items()
    ]
