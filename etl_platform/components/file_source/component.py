"""The component of a place of files: one asset per pattern of keys."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import dagster as dg
from pydantic import Field, ValidationError, field_validator

from etl_platform.components.assets import (
    LAKE_KEY,
    TableAsset,
    build_asset,
    check_contract_columns,
)
from etl_platform.components.file_source.bad_files import bad_files_spec
from etl_platform.components.file_source.loading import FULL_REFRESH, RETRY_BAD, FileTable
from etl_platform.components.file_source.options import FileTableOptions
from etl_platform.components.file_source.scaffolder import FileSourceScaffolder
from etl_platform.components.file_source.sensor import file_sensor
from etl_platform.components.known_tables import KnownTables, MakesTables
from etl_platform.components.options import Retrying, schema_name
from etl_platform.components.schedules import build_jobs
from etl_platform.components.timing import Schedule
from etl_platform.core.errors import ConfigError
from etl_platform.core.names import TableName, to_identifier
from etl_platform.resources import FilesResource

_CONFIG = {
    FULL_REFRESH: dg.Field(
        bool,
        is_required=False,
        default_value=False,
        description="Load every object again, and replace the table by what they hold.",
    ),
    RETRY_BAD: dg.Field(
        bool,
        is_required=False,
        default_value=False,
        description="Try objects again that were found bad and have not changed since.",
    ),
}


@dg.scaffold_with(FileSourceScaffolder)
class FileSourceComponent(dg.Component, MakesTables, dg.Model, dg.Resolvable):
    """Files in a bucket or a folder as checked, profiled tables of the lake, each object once."""

    target_schema: str = Field(
        description="Schema of the lake's tables: the table orders becomes <target_schema>.orders."
    )
    location: str = Field(
        description="A folder, s3://bucket/prefix, or a secret reference to one of these.",
        examples=["s3://landing/shop", "/data/incoming", "env://SHOP_FILES"],
    )
    files: dict[str, FileTableOptions] = Field(
        description="Which objects are loaded, by the name of their table."
    )
    connection: dict[str, Any] | None = Field(
        default=None,
        description="Of s3://: region, endpoint_url, profile, access_key_id, secret_access_key, "
        "session_token; keys as references. Default: AWS's own configuration.",
        examples=[{"region": "eu-central-1", "profile": "landing"}],
    )
    s3_resource: str | None = Field(
        default=None,
        description="Instead of connection: the key of the project's dagster_aws.s3.S3Resource.",
    )
    name: str | None = Field(
        default=None,
        description="Name of the place: of jobs, schedules, sensors, resource and pool; default: "
        "target_schema.",
    )
    defaults: FileTableOptions = Field(
        default=FileTableOptions(), description="Options of every table."
    )
    schedule: Schedule | None = Field(default=None, description="When all assets are loaded.")
    retry: Retrying = Field(default=Retrying(), description="Of runs, after a transient error.")
    pool: str | None = Field(
        default=None, description="Concurrency pool that all loads share; default: name."
    )

    _schema = field_validator("target_schema")(schema_name)

    @field_validator("connection")
    @classmethod
    def _connects(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        from etl_platform.core.objects import S3Connection

        try:
            S3Connection.model_validate(value or {})
        except ValidationError as error:
            # pydantic's own report would repeat what may hold a secret.
            wrong = "; ".join(
                f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()
            )
            raise ConfigError(f"connection: {wrong}") from None
        return value

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        return dg.ComponentTypeSpec(
            description="Files in buckets and folders as assets, each version of an object once.",
            tags=["etl", "source", "files"],
            produces=["asset", "asset_check", "job", "schedule", "sensor", "resource"],
        )

    @property
    def source_name(self) -> str:
        return to_identifier(self.name or self.target_schema)

    @property
    def resource_key(self) -> str:
        return f"{self.source_name}_files"

    def schemas(self) -> frozenset[str]:
        return frozenset({self.target_schema})

    def known_tables(self, context: dg.ComponentLoadContext) -> KnownTables:
        """Names of all tables; columns are known once there are rows."""
        del context
        return KnownTables({one.table: None for one in self._tables()})

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build assets, jobs and schedules; nothing is connected to and no secret is read."""
        del context
        tables = list(self._tables())
        assets = [self._asset(one) for one in tables]
        # Groups are loaded when the sensor finds objects of them, not at a time.
        timed = [a for a in assets if not isinstance(a.partitions, dg.DynamicPartitionsDefinition)]
        jobs, schedules = build_jobs(self.source_name, timed, self.schedule)
        return dg.Definitions(
            sensors=[
                file_sensor(table, asset.partitions)
                for table, asset in zip(tables, assets, strict=True)
            ],
            assets=[build_asset(one) for one in assets],
            jobs=jobs,
            schedules=schedules,
            resources={self.resource_key: self._resource},
        )

    @cached_property
    def _resource(self) -> FilesResource:
        if self.connection and self.s3_resource:
            raise ConfigError(f"{self.source_name}: connection and s3_resource exclude each other")
        return FilesResource(location=self.location, connection=self.connection or {})

    def _tables(self) -> Iterator[FileTable]:
        for name, said in self.files.items():
            table = TableName(self.target_schema, name)
            options = said.over(self.defaults)
            if options.path is None:
                raise ConfigError(f"{table}: path does not say which objects it is made of")
            contract = options.contract_of(str(table))
            declared = options.file_options.columns
            if declared is not None:
                check_contract_columns(contract, {*declared, "_file"}, where=str(table))
            yield FileTable(
                table, options, contract, self.resource_key, self.source_name, self.s3_resource
            )

    def _asset(self, declared: FileTable) -> TableAsset:
        options = declared.options
        return TableAsset(
            table=declared.table,
            options=options,
            contract=declared.contract,
            body=declared.run,
            kinds=frozenset({"file", "deltalake"}),
            retries=self.retry.retries(),
            description=f"Objects `{declared.pattern}` of {self.source_name}.",
            metadata={"path": declared.pattern},
            partitions=(
                options.partition.definition(f"{declared.table.sql}/files")
                if options.partition
                else None
            ),
            pool=self.pool or self.source_name,
            resource_keys=declared.resource_keys | {LAKE_KEY},
            default_group=self.source_name,
            config=_CONFIG,
            checks=(bad_files_spec(declared.table),),
        )
