"""The component of the SLA: the table that tells how deadlines were met."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import cast

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
from dagster._core.definitions.assets.job.asset_job import JobScopedAssetGraph
from dagster_shared.check import CheckError
from pydantic import Field, field_validator

from etl_platform.components.assets import LAKE_KEY, Event, TableAsset, build_asset
from etl_platform.components.options import AssetOptions
from etl_platform.components.schedules import build_jobs
from etl_platform.components.sla.gathering import kept
from etl_platform.components.timing import Schedule, parse_duration
from etl_platform.core.names import TableName
from etl_platform.publishing.failures import Retries
from etl_platform.publishing.publish import Publication, publish
from etl_platform.resources import LakeResource

TABLE = TableName("main", "sla")


class SlaComponent(dg.Component, dg.Model, dg.Resolvable):
    """One asset, ``main/sla``: every deadline of every asset that declares an ``sla``, when the
    data came, and how often in time, as a table and as a picture."""

    lookback: str = Field(default="30d", description="How far back deadlines are listed.")
    options: AssetOptions = Field(default=AssetOptions(), description="Of the asset.")
    schedule: Schedule | None = Field(default=None, description="When the table is made anew.")

    @field_validator("lookback")
    @classmethod
    def _duration(cls, value: str) -> str:
        parse_duration(value)
        return value

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        return dg.ComponentTypeSpec(
            description="How deadlines of assets were met, as a table with a picture.",
            tags=["etl", "sla"],
            produces=["asset", "job", "schedule"],
        )

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build the asset, its job and its schedule."""
        asset = TableAsset(
            table=TABLE,
            options=self.options,
            contract=self.options.contract_of("main.sla"),
            body=self._run,
            kinds=frozenset({"deltalake"}),
            retries=Retries(),
            description="Every deadline of an asset: expected by, actual, and whether in time.",
            default_group="platform",
        )
        jobs, schedules = build_jobs("sla", [asset], self.schedule)
        return dg.Definitions(assets=[build_asset(asset)], jobs=jobs, schedules=schedules)

    def _run(self, context: dg.AssetExecutionContext) -> Iterator[Event]:
        """Rows: asset, partition (text), expected_by, actual (timestamps in UTC, the second null
        while nothing came), status (met, late, missed, waiting), late_s (float64)."""
        import polars as pl

        from etl_platform.lakehouse import Mode
        from etl_platform.monitoring.sla import compliance, picture

        rows = kept(
            context.instance,
            _graph(context),
            datetime.now(UTC),
            parse_duration(self.lookback),
        )
        utc = pl.Datetime("us", "UTC")
        frame = pl.DataFrame(
            [
                (one.asset, one.partition, one.expected_by, one.actual, one.status, one.late_s)
                for one in rows
            ],
            schema={
                "asset": pl.String,
                "partition": pl.String,
                "expected_by": utc,
                "actual": utc,
                "status": pl.String,
                "late_s": pl.Float64,
            },
            orient="row",
        )
        shares = {one.asset: one.share for one in compliance(rows) if one.share is not None}
        extra: dict[str, dg.MetadataValue] = {
            "sla": dg.MetadataValue.md(picture(rows).markdown()),
            "in_time": dg.MetadataValue.json({key: round(one, 4) for key, one in shares.items()}),
        }
        publication = Publication(
            table=TABLE,
            contract=self.options.contract_of("main.sla"),
            mode=Mode.REPLACE,
            extra=extra,
        )
        lake = cast("LakeResource", getattr(context.resources, LAKE_KEY))
        yield from publish(context, lake, frame, publication)


def _graph(context: dg.AssetExecutionContext) -> AssetGraph:
    try:
        return context.repository_def.asset_graph
    except CheckError:
        # A job that is executed in the process that built it knows no repository.
        found = context.job_def.asset_layer.asset_graph
        return found.source_asset_graph if isinstance(found, JobScopedAssetGraph) else found
