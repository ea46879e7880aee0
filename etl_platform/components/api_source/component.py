"""The component of an API: one asset per resource, and per list that becomes a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import dagster as dg
from pydantic import Field, field_validator

from etl_platform.components.api_source.children import ChildTableOf
from etl_platform.components.api_source.loading import FULL_REFRESH, ApiTable
from etl_platform.components.api_source.options import ApiTableOptions
from etl_platform.components.api_source.scaffolder import ApiSourceScaffolder
from etl_platform.components.assets import (
    LAKE_KEY,
    TableAsset,
    build_asset,
    build_together,
    check_contract_columns,
)
from etl_platform.components.known_tables import KnownTables, MakesTables
from etl_platform.components.options import Retrying, schema_name
from etl_platform.components.schedules import build_jobs
from etl_platform.components.timing import Schedule, parse_duration
from etl_platform.core.errors import ConfigError, EtlError, UnknownName
from etl_platform.core.names import TableName, to_identifier
from etl_platform.resources import ApiResource

_CONFIG = {
    FULL_REFRESH: dg.Field(
        bool,
        is_required=False,
        default_value=False,
        description="Ask for everything again instead of what changed.",
    )
}


@dg.scaffold_with(ApiSourceScaffolder)
class ApiSourceComponent(dg.Component, MakesTables, dg.Model, dg.Resolvable):
    """Resources of an API (REST, GraphQL, SOAP) as checked, profiled tables of the lake."""

    target_schema: str = Field(
        description="Schema of the lake's tables: the resource orders becomes "
        "<target_schema>.orders."
    )
    connection: dict[str, Any] = Field(
        description="base_url (or a reference to it), headers, auth, limits, retry, timeout_s, "
        "verify; secrets as references.",
        examples=[
            {
                "base_url": "https://api.example.com",
                "auth": {"type": "bearer", "token": "env://SHOP_TOKEN"},
                "limits": {"per_second": 5, "concurrent": 4},
            }
        ],
    )
    resources: dict[str, ApiTableOptions] = Field(
        description="What is asked for, by the name of its table."
    )
    name: str | None = Field(
        default=None,
        description="Name of the API: of jobs, schedules, resource and pool, and of its limits, "
        "which all components that give this name share; default: target_schema.",
    )
    defaults: ApiTableOptions = Field(
        default=ApiTableOptions(), description="Options of every resource."
    )
    schedule: Schedule | None = Field(default=None, description="When all assets are loaded.")
    retry: Retrying = Field(
        default=Retrying(),
        description="Of runs, after a transient error; requests are tried again by connection.",
    )
    pool: str | None = Field(
        default=None, description="Concurrency pool that all loads share; default: name."
    )
    resume_within: str = Field(
        default="1h",
        description="How long complete pages of a run that failed are good, so that the next run "
        "asks only for the rest.",
    )

    _schema = field_validator("target_schema")(schema_name)

    @field_validator("connection")
    @classmethod
    def _connects(cls, value: dict[str, Any]) -> dict[str, Any]:
        from etl_platform.sources.api.declared import as_connection

        # Not a ValueError: pydantic's own report would repeat what may hold a secret.
        as_connection(value, "connection", used=False)
        return value

    @field_validator("resume_within")
    @classmethod
    def _readable(cls, value: str) -> str:
        parse_duration(value)
        return value

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        return dg.ComponentTypeSpec(
            description="Resources of an API (REST, GraphQL, SOAP) as assets.",
            tags=["etl", "source", "api"],
            produces=["asset", "asset_check", "job", "schedule", "resource"],
        )

    @property
    def source_name(self) -> str:
        return to_identifier(self.name or self.target_schema)

    @property
    def resource_key(self) -> str:
        return f"{self.source_name}_api"

    def schemas(self) -> frozenset[str]:
        return frozenset({self.target_schema})

    def known_tables(self, context: dg.ComponentLoadContext) -> KnownTables:
        """Names of all tables; columns are known once there are records."""
        del context
        return KnownTables(
            {
                one: None
                for table in self._tables()
                for one in (table.table, *(child.table for child in table.children))
            }
        )

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build assets, jobs and schedules; nothing is connected to and no secret is read."""
        del context
        loads = [[self._asset(one), *self._child_assets(one)] for one in self._tables()]
        jobs, schedules = build_jobs(
            self.source_name, [asset for one in loads for asset in one], self.schedule
        )
        return dg.Definitions(
            assets=[build_together(one) if len(one) > 1 else build_asset(one[0]) for one in loads],
            jobs=jobs,
            schedules=schedules,
            resources={self.resource_key: self._resource},
        )

    @cached_property
    def _resource(self) -> ApiResource:
        return ApiResource(name=self.source_name, connection=self.connection)

    def _tables(self) -> Iterator[ApiTable]:
        for name, said in self.resources.items():
            table = TableName(self.target_schema, name)
            options = said.over(self.defaults)
            try:
                options.request()
            except EtlError as error:
                raise ConfigError(
                    f"{table}: {error.what}", valid=error.valid, fix=error.fix
                ) from None
            contract = options.contract_of(str(table))
            if options.columns is not None and options.nested != "explode":
                check_contract_columns(contract, set(options.columns), where=str(table))
            yield ApiTable(
                table,
                options,
                contract,
                self.resource_key,
                self.source_name,
                parse_duration(self.resume_within).total_seconds(),
                self._parent(table, options),
                tuple(self._children(table, options)),
            )

    def _parent(self, table: TableName, options: ApiTableOptions) -> TableName | None:
        if options.parent is None:
            return None
        name = str(options.parent["resource"])
        if name not in self.resources or name == table.name:
            others = set(self.resources) - {table.name}
            raise UnknownName("parent resource", name, others, where=str(table))
        return TableName(self.target_schema, name)

    def _children(self, table: TableName, options: ApiTableOptions) -> Iterator[ChildTableOf]:
        for lists, said in (options.children or {}).items():
            child = TableName(self.target_schema, f"{table.name}__{lists}")
            yield ChildTableOf(
                child,
                lists,
                said,
                said.contract_of(str(child)),
                self.source_name,
                "api",
                tuple(options.primary_key or ()),
                options.schema_change or "evolve",
            )

    def _asset(self, declared: ApiTable) -> TableAsset:
        options = declared.options
        where = (
            f"`{options.path}`" if options.path else f"{declared.table.name}, by {declared.kind},"
        )
        metadata: dict[str, Any] = {"resource": options.path or declared.kind}
        if options.primary_key:
            metadata["primary_key"] = ", ".join(options.primary_key)
        return TableAsset(
            table=declared.table,
            options=options,
            contract=declared.contract,
            body=declared.run,
            kinds=frozenset({declared.kind, "deltalake"}),
            retries=self.retry.retries(),
            description=f"{where} of {self.source_name}.",
            metadata=metadata,
            deps=() if declared.parent is None else (dg.AssetKey(declared.parent.key),),
            partitions=options.partition.definition() if options.partition else None,
            pool=self.pool or self.source_name,
            resource_keys=frozenset({LAKE_KEY, self.resource_key}),
            default_group=self.source_name,
            config=_CONFIG if options.incremental else None,
        )

    def _child_assets(self, declared: ApiTable) -> Iterator[TableAsset]:
        first = self._asset(declared)
        for child in declared.children:
            yield TableAsset(
                table=child.table,
                options=child.options.over(_shared(declared.options)),
                contract=child.contract,
                body=first.body,
                kinds=first.kinds,
                retries=first.retries,
                description=f"`{child.lists}` of each record of {declared.table}.",
                metadata={"primary_key_of_parent": ", ".join(child.key)},
                partitions=first.partitions,
                pool=first.pool,
                resource_keys=first.resource_keys,
                default_group=self.source_name,
            )


def _shared(options: ApiTableOptions) -> ApiTableOptions:
    """What the tables of lists have in common with the resource's own, unless they say more."""
    shared: Mapping[str, Any] = {
        name: getattr(options, name)
        for name in ("owners", "group", "tags", "automation", "freshness", "schedule")
        if name in options.model_fields_set
    }
    return ApiTableOptions(**shared)
