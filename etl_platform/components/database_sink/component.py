"""The component of a target database: one asset per table that is loaded."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
from pydantic import Field, field_validator

from etl_platform.components.assets import LAKE_KEY, TableAsset
from etl_platform.components.database_sink.loading import SinkTable
from etl_platform.components.database_sink.options import SinkOptions
from etl_platform.components.database_sink.resource import DatabaseSinkResource
from etl_platform.components.database_sink.reverting import revert_job
from etl_platform.components.database_sink.scaffolder import DatabaseSinkScaffolder
from etl_platform.components.options import Retrying
from etl_platform.components.schedules import build_jobs
from etl_platform.components.sinking import build_sent
from etl_platform.components.timing import Schedule
from etl_platform.core.errors import ConfigError
from etl_platform.core.names import TableName, to_identifier
from etl_platform.core.secrets import check_no_literal_secret
from etl_platform.publishing.declared import as_contract
from etl_platform.sinks.database.load import Target


@dg.scaffold_with(DatabaseSinkScaffolder)
class DatabaseSinkComponent(dg.Component, dg.Model, dg.Resolvable):
    """Tables of the lake as tables of a database: gated, loaded once, compared, revertible."""

    url: str = Field(
        description="Where the database is: a secret reference (env://NAME, file:///path, "
        "aws-secret://name#field), or a URL without a password.",
        examples=["env://WAREHOUSE_URL"],
    )
    name: str = Field(description="First part of the assets' keys; name of jobs and pool.")
    tables: dict[str, SinkOptions] = Field(description="What to load, by the target table's name.")
    schedule: Schedule | None = Field(default=None, description="When all tables are loaded.")
    retry: Retrying = Field(default=Retrying(), description="After a transient error.")
    pool: str | None = Field(
        default=None, description="Concurrency pool that all loads share; default: name."
    )

    @field_validator("url")
    @classmethod
    def _without_secret(cls, value: str) -> str:
        # Not a ValueError: pydantic's own report would repeat the URL with its password.
        check_no_literal_secret(value)
        return value

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        return dg.ComponentTypeSpec(
            description="Tables of the lake loaded into a database (PostgreSQL, SQLite).",
            tags=["etl", "sink"],
            produces=["asset", "asset_check", "job", "schedule", "resource"],
        )

    @property
    def sink_name(self) -> str:
        return to_identifier(self.name)

    @property
    def resource_key(self) -> str:
        return f"{self.sink_name}_sink"

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build assets, checks, jobs and schedules; nothing is connected to."""
        del context
        tables = list(self._tables())
        declared = [self._declared(table) for table in tables]
        jobs, schedules = build_jobs(self.sink_name, declared, self.schedule)
        targets = {name: t.target for name, t in zip(self.tables, tables, strict=True)}
        revert = revert_job(self.sink_name, self.resource_key, targets, self.retry.retries())
        return dg.Definitions(
            assets=[_asset(t, d) for t, d in zip(tables, declared, strict=True)],
            jobs=[*jobs, revert],
            schedules=schedules,
            resources={self.resource_key: DatabaseSinkResource(name=self.sink_name, url=self.url)},
        )

    def _tables(self) -> Iterator[SinkTable]:
        taken: dict[TableName, str] = {}
        for name, options in self.tables.items():
            asset = TableName(self.sink_name, to_identifier(name))
            if asset in taken:
                raise ConfigError(
                    f"tables {taken[asset]!r} and {name!r} would both be asset {asset}",
                    fix="load one of them from a component of its own",
                )
            taken[asset] = name
            yield SinkTable(asset, Target(name, options.table_schema), options, self.resource_key)

    def _declared(self, table: SinkTable) -> TableAsset:
        return TableAsset(
            table=table.asset,
            options=table.options,
            contract=as_contract(None, str(table.asset)),
            body=table.run,
            kinds=frozenset({"database"}),
            retries=self.retry.retries(),
            description=f"`{table.source}` as table `{table.target}` of {self.sink_name}.",
            deps=(dg.AssetKey(table.source.key),),
            pool=self.pool or self.sink_name,
            resource_keys=frozenset({LAKE_KEY, self.resource_key}),
            default_group=self.sink_name,
        )


def _asset(table: SinkTable, declared: TableAsset) -> dg.AssetsDefinition:
    metadata = {"dagster/table_name": str(table.target), "mode": table.options.mode}
    return build_sent(declared, table.check_specs(), metadata)
