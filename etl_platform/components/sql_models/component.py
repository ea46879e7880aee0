"""The component of SQL models: every ``.sql`` file of a folder is an asset."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import dagster as dg
from pydantic import BaseModel, Field, PrivateAttr

from etl_platform.components.assets import TableAsset, check_contract_columns
from etl_platform.components.lines import Lines
from etl_platform.components.models import ModelsComponent
from etl_platform.components.sql_models.header_options import (
    check_view,
    header_options,
    with_key,
)
from etl_platform.components.sql_models.running import ModelRun
from etl_platform.components.sql_models.scanning import scan
from etl_platform.core.inert import fenced
from etl_platform.core.names import DEFAULT_SCHEMA, TableName
from etl_platform.planner.tables import Schema
from etl_platform.transforms.expressions import Macro, Variable
from etl_platform.transforms.sql_models import Model, load_models


class SqlModelsComponent(ModelsComponent):
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
    _folder: Path = PrivateAttr(default=Path())
    _root: Path = PrivateAttr(default=Path())

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> Self:
        loaded = super().load(attributes, context)
        loaded._find(context)  # noqa: SLF001 # its own
        return loaded

    def _find(self, context: dg.ComponentLoadContext) -> None:
        self._folder = context.path
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

    @property
    def reads(self) -> frozenset[TableName]:
        return self._names[1]

    def load_models(self, known: Schema) -> tuple[Model, ...]:
        at = Lines(self._folder, variables=self.variables, macros=self.macros).at
        macros = [
            Macro.parse(signature, body, where=at("macros", signature))
            for signature, body in self.macros.items()
        ]
        return load_models(
            self._root,
            known,
            default_schema=self.target_schema,
            variables={
                name: Variable.parse(name, value, where=at("variables", name))
                for name, value in self.variables.items()
            },
            macros={macro.name: macro for macro in macros},
        )

    @cached_property
    def _names(self) -> tuple[frozenset[str], frozenset[TableName]]:
        """The schemas that the files make tables in, and the tables that they read."""
        return scan(self._root, self.target_schema)

    def asset_of(self, model: Model, made: AbstractSet[TableName]) -> TableAsset:
        options = header_options(model).over(self.defaults)
        contract = with_key(options.contract_of(str(model.path)), model)
        check_view(model, options, contract, str(model.path))
        if model.columns is not None:
            check_contract_columns(contract, model.columns, where=str(model.path))
        return TableAsset(
            table=model.table,
            options=options,
            side_by_side=True,
            contract=contract,
            body=ModelRun(model, contract, options.profile).run,
            kinds=frozenset({"sql", "duckdb", "deltalake"}),
            retries=self.retry.retries(),
            description=f"Computed by `{model.path.name}`.",
            metadata=model_metadata(model),
            deps=[dg.AssetKey(asset_key(table, made)) for table in model.inputs],
            pool=self.pool,
            default_group=self.group,
            code_version=sha256(model.sql.encode()).hexdigest()[:12],
        )


def asset_key(table: TableName, made: AbstractSet[TableName]) -> tuple[str, ...]:
    """The asset of a table: a Python asset's key may be the bare name of a table in ``main``."""
    if table.schema == DEFAULT_SCHEMA and table not in made:
        return (table.name,)
    return table.key


def model_metadata(model: Model) -> dict[str, Any]:
    """What an asset shows of its model before it runs."""
    metadata: dict[str, Any] = {
        "query": dg.MetadataValue.md(fenced(model.sql)),
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
