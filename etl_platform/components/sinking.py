"""What every sink does alike: an asset that reads a table of the lake and sends it elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import dagster as dg
from pydantic import Field, field_validator, model_validator

from etl_platform.components.assets import Event, TableAsset
from etl_platform.components.options import AssetOptions
from etl_platform.core.errors import EtlError
from etl_platform.core.names import TableName
from etl_platform.core.stopping import within
from etl_platform.publishing.budget import fit
from etl_platform.publishing.checks import table_value
from etl_platform.publishing.failures import run_errors
from etl_platform.publishing.requirements import check_requirements, refuse_unread

if TYPE_CHECKING:
    from etl_platform.lakehouse import Lake
    from etl_platform.lakehouse.destinations import Destination
    from etl_platform.sinks.database import GateViolation


class SentOptions(AssetOptions):
    """What may be declared about a table of the lake that is sent elsewhere."""

    source: str = Field(description="Table of the lake.", examples=["shop.orders"])
    columns: dict[str, str] | None = Field(
        default=None,
        description="Column of the target to column of the lake; default: all, by their names.",
    )

    @field_validator("source")
    @classmethod
    def _table(cls, value: str) -> str:
        try:
            TableName.parse(value)
        except EtlError as error:
            raise ValueError(str(error)) from error
        return value

    @model_validator(mode="after")
    def _without_contract(self) -> Self:
        if self.contract is not None:
            raise ValueError("a contract belongs to the lake's table; a sink checks what fits")
        return self

    def lineage(self, columns: Sequence[str]) -> Mapping[str, str]:
        """The columns of the target, and those of the lake that they hold."""
        return self.columns or {name: name for name in columns}


def build_sent(
    declared: TableAsset, checks: Sequence[dg.AssetCheckSpec], metadata: Mapping[str, Any]
) -> dg.AssetsDefinition:
    """Make the asset; the lake's table, its only dependency, has contract and anomalies."""
    body, retries, options = declared.body, declared.retries, declared.options
    key, requires = dg.AssetKey(declared.table.key), options.requirements
    refuse_unread(requires, declared.deps, declared.table.sql)

    def send(context: dg.AssetExecutionContext) -> Iterator[Event]:
        with run_errors(context.retry_number, retries):
            check_requirements(context, key, requires)
            yield from within(body(context), options.timeout_s, declared.table.sql)

    # Dagster reads this annotation and does not understand it as text.
    send.__annotations__ = {"context": dg.AssetExecutionContext}
    return dg.asset(
        key=key,
        deps=list(declared.deps),
        description=options.description or declared.description,
        metadata=metadata,
        tags=options.tags,
        owners=options.owners,
        group_name=options.group or declared.default_group,
        kinds=set(declared.kinds),
        check_specs=checks,
        automation_condition=options.condition,
        freshness_policy=options.freshness.policy() if options.freshness else None,
        required_resource_keys=set(declared.resource_keys),
        pool=declared.pool,
        retry_policy=retries.policy,
    )(send)


def note_sent(
    context: dg.AssetExecutionContext, lake: Lake, source: TableName, destination: Destination
) -> None:
    """Keep for the table's lineage where it went. What was sent stands whatever happens here."""
    from etl_platform.lakehouse.destinations import note_destination

    try:
        note_destination(lake.root, source, destination)
    except (OSError, EtlError) as error:
        context.log.warning(
            "%s: its lineage does not tell of %s: %s", source, destination.target, error
        )


def refused(
    key: dg.AssetKey, check: str, what: str, violation: GateViolation
) -> dg.AssetCheckResult:
    """A gate's answer as the result of its check."""
    rows = [
        {"column": f.column, "reason": f.reason, "rows": f.rows, "samples": "; ".join(f.samples)}
        for f in violation.findings
    ]
    return dg.AssetCheckResult(
        passed=False,
        asset_key=key,
        check_name=check,
        severity=dg.AssetCheckSeverity.ERROR,
        description=what,
        metadata=fit({"findings": table_value(rows)}),
    )
