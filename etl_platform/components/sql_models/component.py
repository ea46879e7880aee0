"""The component of SQL models: every ``.sql`` file of a folder is an asset."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import dagster as dg
from pydantic import BaseModel, Field, PrivateAttr

from etl_platform.components.assets import (
    TableAsset,
    build_asset,
    check_contract_columns,
)
from etl_platform.components.known_tables import KnownTables, MakesTables, tables_for
from etl_platform.components.options import AssetOptions, Retrying
from etl_platform.components.schedules import build_jobs
from etl_platform.components.sql_models.header_options import header_options
from etl_platform.components.sql_models.running import ModelRun
from etl_platform.components.sql_models.scanning import scan
from etl_platform.components.timing import Schedule
from etl_platform.core.names import DEFAULT_SCHEMA, TableName, to_identifier
from etl_platform.transforms.sql_models import SqlModel, load_models


class SqlModelsComponent(dg.Component, MakesTables, dg.Model, dg.Resolvable):
    """A folder of SELECT statements, each kept as a checked, profiled table of the lake.

    Dependencies, columns and column lineage come from the text. A model may read the tables of
    every component of the project; their columns are known from the components' own declarations
    and state, never from the lake, so that definitions load the same on an empty one. A table of a
    source that has not been asked yet is taken as it is written; any other unknown name is an
    error.

    A model with ``rollup: true`` in its header also answers queries that aggregate the tables it
    reads, by the same keys or by fewer; the query's plan says when, and why not.
    """

    folder: str = Field(
        default=".", description="Where the .sql files are, relative to this file's folder."
    )
    target_schema: str = Field(
        default=DEFAULT_SCHEMA,
        description="Schema of files directly in the folder; a subfolder is a schema of its own.",
    )
    name: str | None = Field(
        default=None,
        description="Name of jobs, schedules and default group; default: target_schema.",
    )
    defaults: AssetOptions = Field(
        default=AssetOptions(), description="Options of every model that its header does not set."
    )
    external_tables: dict[str, dict[str, str] | None] = Field(
        default={},
        description="Tables that Python assets make: column to DuckDB type, or null if unknown.",
        examples=[{"main.rates": {"currency": "VARCHAR", "rate": "DOUBLE"}}],
    )
    schedule: Schedule | None = Field(default=None, description="When all models are computed.")
    retry: Retrying = Field(default=Retrying(), description="After a transient error.")
    pool: str | None = Field(
        default=None, description="Concurrency pool that all models share; default: none."
    )

    _root: Path = PrivateAttr(default=Path())
    _loading: bool = PrivateAttr(default=False)
    _models: tuple[SqlModel, ...] | None = PrivateAttr(default=None)

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> Self:
        loaded = super().load(attributes, context)
        loaded._find(context)  # noqa: SLF001 # its own
        return loaded

    def _find(self, context: dg.ComponentLoadContext) -> None:
        self._root = (context.path / self.folder).resolve()

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        return dg.ComponentTypeSpec(
            description="A folder of .sql files, each an asset computed by DuckDB over the lake.",
            tags=["etl", "transform"],
            produces=["asset", "asset_check", "job", "schedule"],
        )

    def schemas(self) -> frozenset[str]:
        return self._names[0]

    def known_tables(self, context: dg.ComponentLoadContext) -> KnownTables:
        if self._loading:
            # Two folders read each other's tables: the second takes the first as it is written.
            return KnownTables(open_schemas=self.schemas())
        return KnownTables({model.table: model.columns for model in self._load_models(context)})

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build an asset per file.

        Raises:
            PermanentError: what is wrong with a model, with file and line.
        """
        models = self._load_models(context)
        made = {model.table for model in models} | set(self._known(context).columns)
        assets = [self._asset(model, made) for model in models]
        name = to_identifier(self.name or self.target_schema)
        jobs, schedules = build_jobs(name, assets, self.schedule)
        return dg.Definitions(
            assets=[build_asset(asset) for asset in assets], jobs=jobs, schedules=schedules
        )

    def _load_models(self, context: dg.ComponentLoadContext) -> tuple[SqlModel, ...]:
        if self._models is None:
            self._loading = True
            try:
                known = self._known(context)
            finally:
                self._loading = False
            columns = {**known.columns, **self._external}
            for table in self._names[1]:
                if table.schema in known.open_schemas:
                    columns.setdefault(table, None)
            self._models = load_models(self._root, columns, default_schema=self.target_schema)
        return self._models

    def _known(self, context: dg.ComponentLoadContext) -> KnownTables:
        return tables_for(context, self, set(self._names[1]))

    @cached_property
    def _external(self) -> dict[TableName, Mapping[str, str] | None]:
        return {TableName.parse(name): columns for name, columns in self.external_tables.items()}

    @cached_property
    def _names(self) -> tuple[frozenset[str], frozenset[TableName]]:
        """The schemas that the files make tables in, and the tables that they read."""
        return scan(self._root, self.target_schema)

    def _asset(self, model: SqlModel, made: set[TableName]) -> TableAsset:
        options = header_options(model).over(self.defaults)
        contract = options.contract_of(str(model.path))
        if model.columns is not None:
            check_contract_columns(contract, model.columns, where=str(model.path))
        group = to_identifier(self.name or self.target_schema)
        return TableAsset(
            table=model.table,
            options=options,
            contract=contract,
            body=ModelRun(model, contract, options.profile).run,
            kinds=frozenset({"sql", "duckdb", "deltalake"}),
            retries=self.retry.retries(),
            description=f"Computed by `{model.path.name}`.",
            metadata=_metadata(model),
            deps=[dg.AssetKey(_asset_key(table, made)) for table in model.inputs],
            pool=self.pool,
            default_group=group,
            code_version=sha256(model.sql.encode()).hexdigest()[:12],
        )


def _asset_key(table: TableName, made: set[TableName]) -> tuple[str, ...]:
    """The asset of a table: a Python asset's key may be the bare name of a table in ``main``."""
    if table.schema == DEFAULT_SCHEMA and table not in made:
        return (table.name,)
    return table.key


def _metadata(model: SqlModel) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "query": dg.MetadataValue.md(f"```sql\n{model.sql}\n```"),
        "materialization": model.materialization,
        "dagster/code_references": dg.CodeReferencesMetadataValue(
            code_references=[dg.LocalFileCodeReference(file_path=str(model.path))]
        ),
    }
    if model.columns is not None:
        metadata["dagster/column_schema"] = dg.TableSchema(
            columns=[
                dg.TableColumn(name, kind, description=model.column_descriptions.get(name))
                for name, kind in model.columns.items()
            ]
        )
    return metadata
