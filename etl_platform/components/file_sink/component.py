"""The component of files: one asset per table that is exported."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
from pydantic import Field, field_validator, model_validator

from etl_platform.components.assets import LAKE_KEY, TableAsset
from etl_platform.components.file_sink.exporting import SinkFiles
from etl_platform.components.file_sink.options import FileOptions, S3Options
from etl_platform.components.file_sink.scaffolder import FileSinkScaffolder
from etl_platform.components.options import Retrying
from etl_platform.components.schedules import build_jobs
from etl_platform.components.sinking import build_sent
from etl_platform.components.timing import Schedule
from etl_platform.core.errors import ConfigError, EtlError
from etl_platform.core.names import TableName, to_identifier
from etl_platform.core.objects import open_store
from etl_platform.core.secrets import check_no_literal_secret
from etl_platform.publishing.declared import as_contract
from etl_platform.resources import FilesResource


@dg.scaffold_with(FileSinkScaffolder)
class FileSinkComponent(dg.Component, dg.Model, dg.Resolvable):
    """Tables of the lake as Parquet, CSV or NDJSON: whole versions, published by a manifest."""

    location: str = Field(
        description="Where the files go: s3://bucket/prefix, file:///folder or a path.",
        examples=["s3://partner/exports"],
    )
    name: str = Field(description="First part of the assets' keys; name of jobs and pool.")
    tables: dict[str, FileOptions] = Field(description="What to export, by the asset's name.")
    connection: S3Options | None = Field(default=None, description="How a bucket is reached.")
    schedule: Schedule | None = Field(default=None, description="When all tables are exported.")
    retry: Retrying = Field(default=Retrying(), description="After a transient error.")
    pool: str | None = Field(
        default=None, description="Concurrency pool that all exports share; default: name."
    )

    @field_validator("location")
    @classmethod
    def _place(cls, value: str) -> str:
        check_no_literal_secret(value)
        try:
            open_store(value)
        except EtlError as error:
            raise ValueError(str(error)) from error
        return value

    @model_validator(mode="after")
    def _in_a_bucket(self) -> FileSinkComponent:
        if self.connection is not None and not self.location.startswith("s3://"):
            raise ValueError("connection is for s3://, a folder needs none")
        return self

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        return dg.ComponentTypeSpec(
            description="Tables of the lake as files in a bucket or a folder.",
            tags=["etl", "sink"],
            produces=["asset", "asset_check", "job", "schedule", "resource"],
        )

    @property
    def sink_name(self) -> str:
        return to_identifier(self.name)

    @property
    def resource_key(self) -> str:
        return f"{self.sink_name}_exports"

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build assets, checks, jobs and schedules; nothing is connected to."""
        del context
        tables = list(self._tables())
        declared = [self._declared(table) for table in tables]
        jobs, schedules = build_jobs(self.sink_name, declared, self.schedule)
        said = self.connection.model_dump(exclude_none=True) if self.connection else {}
        resource = FilesResource(location=self.location, connection=said)
        return dg.Definitions(
            assets=[_asset(t, d) for t, d in zip(tables, declared, strict=True)],
            jobs=jobs,
            schedules=schedules,
            resources={self.resource_key: resource},
        )

    def _tables(self) -> Iterator[SinkFiles]:
        taken: dict[str, str] = {}
        for name, options in self.tables.items():
            asset = TableName(self.sink_name, to_identifier(name))
            folder = options.export(asset.name).folder
            for place in (f"asset {asset}", f"folder {folder!r}"):
                if place in taken:
                    raise ConfigError(
                        f"tables {taken[place]!r} and {name!r} would both be {place}",
                        fix="give one of them another name or folder",
                    )
                taken[place] = name
            yield SinkFiles(asset, asset.name, options, self.resource_key)

    def _declared(self, table: SinkFiles) -> TableAsset:
        return TableAsset(
            table=table.asset,
            options=table.options,
            contract=as_contract(None, str(table.asset)),
            body=table.run,
            kinds=frozenset({table.options.format}),
            retries=self.retry.retries(),
            description=f"`{table.source}` as {table.options.format} below {self.location}.",
            deps=(dg.AssetKey(table.source.key),),
            pool=self.pool or self.sink_name,
            resource_keys=frozenset({LAKE_KEY, self.resource_key}),
            default_group=self.sink_name,
        )


def _asset(table: SinkFiles, declared: TableAsset) -> dg.AssetsDefinition:
    metadata = {"format": table.options.format}
    return build_sent(declared, table.check_specs(), metadata)
