"""The component of a database: one asset per table, one per query."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

import dagster as dg
from dagster.components import DefsStateConfig, DefsStateConfigArgs, ResolvedDefsStateConfig
from dagster.components.component.state_backed_component import StateBackedComponent
from pydantic import Field, field_validator

from etl_platform.components.assets import (
    LAKE_KEY,
    TableAsset,
    build_asset,
    check_contract_columns,
)
from etl_platform.components.database_source.deletes import ACCEPT_DELETES
from etl_platform.components.database_source.describe import column_types, table_metadata
from etl_platform.components.database_source.loading import FULL_REFRESH, Load
from etl_platform.components.database_source.options import ExtractOptions, QueryOptions
from etl_platform.components.database_source.scaffolder import DatabaseSourceScaffolder
from etl_platform.components.database_source.state import SourceState
from etl_platform.components.known_tables import KnownTables, MakesTables
from etl_platform.components.options import Retrying, schema_name
from etl_platform.components.project import refresh_command, stored_state
from etl_platform.components.schedules import build_jobs
from etl_platform.components.timing import Schedule
from etl_platform.core.errors import UnknownName
from etl_platform.core.inert import fenced, prose
from etl_platform.core.names import TableName, to_identifier
from etl_platform.core.secrets import check_no_literal_secret
from etl_platform.resources import DatabaseResource
from etl_platform.sources.database.tables import SourceTable
from etl_platform.sources.database.targets import target_tables

_log = logging.getLogger(__name__)
_KINDS = {"postgresql": "postgres"}
_INCREMENTAL_CONFIG = {
    FULL_REFRESH: dg.Field(
        bool,
        is_required=False,
        default_value=False,
        description="Read the whole table again instead of what changed.",
    ),
    ACCEPT_DELETES: dg.Field(
        bool,
        is_required=False,
        default_value=False,
        description="Take rows for deleted however many of them the source lacks.",
    ),
}


@dg.scaffold_with(DatabaseSourceScaffolder)
class DatabaseSourceComponent(StateBackedComponent, MakesTables, dg.Model, dg.Resolvable):
    """Tables and queries of a database as checked, profiled assets of the lake.

    What the database has is asked by command (``dg utils refresh-defs-state``) and kept as state:
    loading definitions needs neither the database nor its secret.
    """

    url: str = Field(
        description="Where the database is: a secret reference (env://NAME, file:///path, "
        "aws-secret://name#field), or a URL without a password.",
        examples=["env://SHOP_URL"],
    )
    target_schema: str = Field(
        description="Schema of the lake's tables: the table orders becomes <target_schema>.orders."
    )
    name: str | None = Field(
        default=None,
        description="Name of jobs, schedules, resource, pool and state; default: target_schema.",
    )
    source_schemas: list[str] | None = Field(
        default=None, description="Schemas to look into; default: all but the system's."
    )
    include: list[str] = Field(
        default=["*"], description="Patterns for table or schema.table.", examples=[["sales.*"]]
    )
    exclude: list[str] = Field(default=[], description="Patterns that win over include.")
    views: bool = Field(default=False, description="Views as well as tables.")
    defaults: ExtractOptions = Field(
        default=ExtractOptions(), description="Options of every table and query."
    )
    tables: dict[str, ExtractOptions] = Field(
        default={}, description="Options by source table, named table or schema.table."
    )
    queries: dict[str, QueryOptions] = Field(
        default={}, description="Further assets by name, each the result of a query."
    )
    schedule: Schedule | None = Field(default=None, description="When all assets are loaded.")
    retry: Retrying = Field(default=Retrying(), description="After a transient error.")
    pool: str | None = Field(
        default=None,
        description="Concurrency pool that all loads share, so that the database is not "
        "overrun; default: name.",
    )
    defs_state: ResolvedDefsStateConfig = DefsStateConfigArgs(
        management_type=DefsStateConfigArgs.local_filesystem().management_type,
        refresh_if_dev=False,
    )

    @field_validator("url")
    @classmethod
    def _without_secret(cls, value: str) -> str:
        # Not a ValueError: pydantic's own report would repeat the URL with its password.
        check_no_literal_secret(value)
        return value

    _schema = field_validator("target_schema")(schema_name)

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        return dg.ComponentTypeSpec(
            description="Tables and queries of a database (PostgreSQL, SQLite) as assets.",
            tags=["etl", "source"],
            produces=["asset", "asset_check", "job", "schedule", "resource"],
        )

    @property
    def source_name(self) -> str:
        return to_identifier(self.name or self.target_schema)

    @property
    def resource_key(self) -> str:
        return f"{self.source_name}_database"

    @property
    def defs_state_config(self) -> DefsStateConfig:
        return DefsStateConfig.from_args(
            self.defs_state, default_key=f"DatabaseSource[{self.source_name}]"
        )

    def write_state_to_path(self, state_path: Path) -> None:
        """Ask the database for its tables. Raises what reaching it raises."""
        from etl_platform.sources.database import reflect

        database = self._resource.database()
        tables = reflect(
            database, self.source_schemas, self.include, self.exclude, views=self.views
        )
        SourceState(dialect=database.dialect.name, tables=tables).write(state_path)
        database.close()

    def schemas(self) -> frozenset[str]:
        return frozenset({self.target_schema})

    def known_tables(self, context: dg.ComponentLoadContext) -> KnownTables:
        state = stored_state(self, context, SourceState.read)
        columns: dict[TableName, Mapping[str, str] | None] = {
            TableName(self.target_schema, name): None for name in self.queries
        }
        for table, source in self._targets(state).items():
            options = self._options_of(source.name, source.full_name)
            columns[table] = column_types(
                source,
                options.types or {},
                partitioned=options.partition is not None,
                mark=options.incremental.marks if options.incremental else None,
            )
        unknown = frozenset({self.target_schema}) if state is None else frozenset[str]()
        return KnownTables(columns, unknown)

    def build_defs_from_state(
        self, context: dg.ComponentLoadContext, state_path: Path | None
    ) -> dg.Definitions:
        """Build assets, jobs and schedules; without state only those of queries."""
        state = SourceState.read(state_path) if state_path is not None else None
        loads = [*self._table_assets(state), *self._query_assets(state)]
        jobs, schedules = build_jobs(self.source_name, loads, self.schedule)
        return dg.Definitions(
            assets=[build_asset(load) for load in loads],
            jobs=jobs,
            schedules=schedules,
            resources={self.resource_key: self._resource},
            metadata={} if state is not None else self._hint(context),
        )

    @cached_property
    def _resource(self) -> DatabaseResource:
        return DatabaseResource(name=self.source_name, url=self.url)

    def _hint(self, context: dg.ComponentLoadContext) -> dict[str, dg.MetadataValue]:
        key = self.defs_state_config.key
        text = (
            f"{key}: the database's tables are not known yet, so there is no asset for them. "
            f"Ask it once: {refresh_command(key)}"
        )
        _log.warning("%s (%s)", text, context.path)
        return {f"etl_platform/{self.source_name}": dg.MetadataValue.text(text)}

    def _targets(self, state: SourceState | None) -> Mapping[TableName, SourceTable]:
        return {} if state is None else target_tables(state.tables, self.target_schema)

    def _options_of(self, name: str, full_name: str) -> ExtractOptions:
        own = self.tables.get(full_name) or self.tables.get(name)
        return self.defaults if own is None else own.over(self.defaults)

    def _table_assets(self, state: SourceState | None) -> Iterator[TableAsset]:
        if state is None:
            return
        targets = self._targets(state)
        names = {source.full_name: table for table, source in targets.items()}
        known = {form for source in targets.values() for form in (source.name, source.full_name)}
        for name in self.tables:
            if name not in known:
                raise UnknownName("source table", name, known, where=self.defs_state_config.key)
        for table, source in targets.items():
            options = self._options_of(source.name, source.full_name)
            contract = options.contract_of(str(table))
            columns = {column.name for column in source.columns}
            if options.incremental and options.incremental.marks:
                columns.add(options.incremental.marks)
            check_contract_columns(contract, columns, where=str(table))
            load = Load(table, options, contract, self.resource_key, source=source)
            yield self._asset(
                load,
                state,
                description=prose(
                    source.comment or f"Table {source.full_name} of {self.source_name}."
                ),
                metadata=table_metadata(source, names),
            )

    def _query_assets(self, state: SourceState | None) -> Iterator[TableAsset]:
        for name, query in self.queries.items():
            table = TableName(self.target_schema, name)
            options = query.over(self.defaults)
            load = Load(
                table,
                options,
                options.contract_of(str(table)),
                self.resource_key,
                query=query.sql,
                parameters=query.parameters,
            )
            yield self._asset(
                load,
                state,
                description=f"Result of a query on {self.source_name}.",
                metadata={"query": dg.MetadataValue.md(fenced(query.sql))},
            )

    def _asset(
        self,
        load: Load,
        state: SourceState | None,
        description: str,
        metadata: Mapping[str, object],
    ) -> TableAsset:
        options = load.options
        dialect = state.dialect if state is not None else "database"
        return TableAsset(
            table=load.table,
            options=options,
            contract=load.contract,
            body=load.run,
            kinds=frozenset({_KINDS.get(dialect, dialect), "deltalake"}),
            retries=self.retry.retries(),
            description=description,
            metadata=metadata,
            partitions=options.partition.definition() if options.partition else None,
            pool=self.pool or self.source_name,
            resource_keys=frozenset({LAKE_KEY, self.resource_key}),
            default_group=self.source_name,
            config=_INCREMENTAL_CONFIG if options.incremental else None,
        )
