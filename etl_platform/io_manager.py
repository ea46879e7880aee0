"""The IO manager of the lake: what an asset returns passes the gate, what it takes is read back.

A partitioned asset's table carries the partition key in the text column ``_partition``; inputs are
handed over without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, cast

import dagster as dg
from pydantic import Field

from etl_platform.core.errors import ConfigError
from etl_platform.core.names import TableName
from etl_platform.publishing.anomaly_checks import anomaly_results, judge_version, not_judged
from etl_platform.publishing.checks import check_results
from etl_platform.publishing.declared import Declared
from etl_platform.publishing.failures import Retries, run_errors
from etl_platform.publishing.publish import (
    Publication,
    admit,
    materialization_metadata,
    violation_failure,
)
from etl_platform.publishing.reading import read_table
from etl_platform.resources import LakeResource

if TYPE_CHECKING:
    from etl_platform.quality import Audit


class LakeIOManager(dg.ConfigurableIOManager):
    """Keeps the values of assets as tables of the lake.

    Outputs: Polars frames and lazy frames, Arrow tables and streams, pandas frames, DuckDB
    relations; for a run over several partitions a mapping from partition key to one of these.
    Inputs arrive as the type their annotation names, as a Polars lazy frame without one.

    Contract, mode, merge key, profile and anomalies come from the asset's metadata, where
    :func:`~etl_platform.publishing.lake_asset.lake_asset` puts them.
    """

    lake: LakeResource
    retry_attempts: int = Field(default=3, description="Retries after a transient error.")
    retry_delay_s: float = Field(default=10.0, description="Seconds before the first retry.")

    def handle_output(  # pyright: ignore[reportIncompatibleMethodOverride] # may be a generator
        self, context: dg.OutputContext, obj: object
    ) -> Iterator[dg.DagsterEvent]:
        """Send what an asset returned through the gate.

        Raises:
            dagster.Failure: a blocking rule is broken, or the value cannot become a table.
        """
        from etl_platform.quality import ContractViolation

        step = context.step_context
        with run_errors(step.previous_attempt_count, self._retries):
            lake = self.lake.lake()
            results: list[tuple[str | None, dg.AssetCheckResult]] = []
            for publication, data in _publications(context, obj):
                try:
                    admission = admit(self.lake, lake, data, publication, step.dagster_run)
                except ContractViolation as violation:
                    results += _of_partition(context, violation.audit, publication.partition)
                    yield from _evaluations(context, results)
                    raise violation_failure(violation) from violation
                results += _of_partition(context, admission.audit, publication.partition)
                metadata = materialization_metadata(
                    lake, publication, admission, metastore=self.lake.metastore()
                )
                if not admission.receipt.skipped:
                    watch = _declared(context).watch
                    judged = judge_version(
                        self.lake,
                        publication.table,
                        watch,
                        admission.receipt.version_after,
                        publication.partition,
                        context.log,
                    )
                    results += [
                        (publication.partition, result)
                        for result in anomaly_results(context.asset_key, watch, judged)
                    ]
                    metadata |= not_judged(watch, judged)
                # Metadata of the output would be stored once more, with the event HANDLED_OUTPUT.
                step.add_asset_metadata(
                    metadata,
                    asset_key=context.asset_key,
                    partition_key=publication.partition,
                )
            yield from _evaluations(context, results)

    def load_input(self, context: dg.InputContext) -> object:
        """Read an asset's table, or the partitions of it that this step depends on.

        Raises:
            dagster.Failure: there is no such table, or no such type of input.
        """
        with run_errors(_attempt(context), self._retries):
            return read_table(
                self.lake.lake(),
                TableName.from_key(context.asset_key.path),
                context.asset_partition_keys if context.has_asset_partitions else None,
                None if context.dagster_type.is_any else context.dagster_type.typing_type,
            )

    @property
    def _retries(self) -> Retries:
        return Retries(self.retry_attempts, self.retry_delay_s)


def _attempt(context: dg.InputContext) -> int:
    try:
        return context.step_context.previous_attempt_count
    except dg.DagsterInvariantViolationError:
        return 0  # loaded outside a run, as `Definitions.load_asset_value` does


def _declared(context: dg.OutputContext) -> Declared:
    table = TableName.from_key(context.asset_key.path)
    return Declared.from_metadata(context.definition_metadata or {}, where=str(table))


def _publications(context: dg.OutputContext, obj: object) -> Iterator[tuple[Publication, object]]:
    from etl_platform.lakehouse import Mode

    table = TableName.from_key(context.asset_key.path)
    declared = _declared(context)
    if not context.has_asset_partitions:
        # A replaced table follows its code: its author changes both.
        change = "any" if declared.mode is Mode.REPLACE else "evolve"
        yield (
            Publication(
                table,
                declared.contract,
                declared.mode,
                declared.merge_key,
                schema_change=change,
                profile=declared.profile,
            ),
            obj,
        )
        return
    keys = list(context.asset_partition_keys)
    parts = cast("Mapping[str, object]", obj) if isinstance(obj, Mapping) else None
    if parts is None and len(keys) > 1:
        raise ConfigError(
            f"{table}: one value for {len(keys)} partitions",
            valid="a mapping from partition key to rows",
            fix="return a mapping, or run one partition at a time (BackfillPolicy.multi_run())",
        )
    if parts is not None and set(parts) != set(keys):
        raise ConfigError(
            f"{table}: the value has partitions {sorted(parts)}", valid=", ".join(keys)
        )
    for key in keys:
        publication = Publication(
            table,
            declared.contract,
            Mode.REPLACE_PARTITION,
            partition=key,
            profile=declared.profile,
        )
        yield publication, obj if parts is None else parts[key]


def _of_partition(
    context: dg.OutputContext, audit: Audit, partition: str | None
) -> list[tuple[str | None, dg.AssetCheckResult]]:
    return [(partition, result) for result in check_results(context.asset_key, audit)]


def _evaluations(
    context: dg.OutputContext, results: Sequence[tuple[str | None, dg.AssetCheckResult]]
) -> Iterator[dg.DagsterEvent]:
    """Record results of checks that the asset has; failures last, since the last is shown."""
    step = context.step_context
    assets_def = step.job_def.asset_layer.get(context.asset_key).assets_def
    specs = {spec.name: spec for spec in assets_def.check_specs}
    for partition, result in sorted(results, key=lambda found: not found[1].passed):
        spec = specs.get(result.check_name or "")
        if spec is None:
            continue
        yield dg.DagsterEvent.asset_check_evaluation(
            step,
            dg.AssetCheckEvaluation(
                asset_key=context.asset_key,
                check_name=spec.name,
                passed=result.passed,
                metadata=result.metadata,
                severity=result.severity,
                description=result.description,
                blocking=spec.blocking,
                partition=partition if spec.partitions_def is not None else None,
            ),
        )
