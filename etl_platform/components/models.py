"""What components have in common whose tables are computed by models."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import Any

import dagster as dg
from pydantic import Field, PrivateAttr

from etl_platform.components.assets import TableAsset, build_asset
from etl_platform.components.known_tables import KnownTables, MakesTables, tables_for
from etl_platform.components.model_tests import MadeOfModels
from etl_platform.components.options import AssetOptions, Retrying
from etl_platform.components.schedules import build_jobs
from etl_platform.components.timing import Schedule
from etl_platform.core.names import TableName, to_identifier
from etl_platform.planner.tables import Schema
from etl_platform.transforms.model import Model


class ModelsComponent(dg.Component, MakesTables, MadeOfModels, dg.Model, dg.Resolvable):
    """Models that may read the tables of every component of the project.

    Their columns are known from the components' own declarations and state, never from the lake, so
    that definitions load the same on an empty one.
    """

    target_schema: str = Field(description="Schema of the tables.")
    name: str | None = Field(
        default=None, description="Of jobs, schedules and default group; default: target_schema."
    )
    defaults: AssetOptions = Field(default=AssetOptions(), description="Options of every table.")
    external_tables: dict[str, dict[str, str] | None] = Field(
        default={},
        description="Tables that Python assets make: column to DuckDB type, or null if unknown.",
        examples=[{"main.rates": {"currency": "VARCHAR", "rate": "DOUBLE"}}],
    )
    variables: dict[str, Any] = Field(
        default={},
        description="Values that expressions use as $name; with a type: {type, value}.",
        examples=[{"least": 15, "since": {"type": "DATE", "value": "2024-01-01"}}],
    )
    macros: dict[str, str] = Field(
        default={},
        description="Functions of the project's own: name(arguments) to an expression.",
        examples=[{"net(price, tax)": "price / (1 + tax)"}],
    )
    schedule: Schedule | None = Field(default=None, description="When all tables are computed.")
    retry: Retrying = Field(default=Retrying(), description="After a transient error.")
    pool: str | None = Field(
        default=None, description="Concurrency pool that all tables share; default: none."
    )

    _loading: bool = PrivateAttr(default=False)
    _models: Sequence[Model] | None = PrivateAttr(default=None)

    @property
    @abstractmethod
    def reads(self) -> AbstractSet[TableName]:
        """The tables that the models name."""

    @abstractmethod
    def load_models(self, known: Schema) -> Sequence[Model]:
        """Understand the models, over these tables and each other.

        Raises:
            PermanentError: what is wrong with one, with file and line.
        """

    @abstractmethod
    def asset_of(self, model: Model, made: AbstractSet[TableName]) -> TableAsset:
        """The asset of a model; ``made`` are the tables that components of the project make."""

    @property
    def group(self) -> str:
        """The default group, which is also the name of jobs and schedules."""
        return to_identifier(self.name or self.target_schema)

    def unchecked(self, known: KnownTables) -> frozenset[str]:
        """Schemas whose tables are taken as they are written where nobody knows them yet."""
        return known.open_schemas

    def known_tables(self, context: dg.ComponentLoadContext) -> KnownTables:
        if self._loading:
            # Two components read each other's tables: the second takes the first as it is written.
            return KnownTables(open_schemas=self.schemas())
        return KnownTables({model.table: model.columns for model in self.models(context)})

    def models(self, context: dg.ComponentLoadContext) -> Sequence[Model]:
        if self._models is None:
            self._loading = True
            try:
                known = self._known(context)
            finally:
                self._loading = False
            columns = {**known.columns, **self._external}
            for table in self.reads:
                if table.schema in self.unchecked(known):
                    columns.setdefault(table, None)
            self._models = self.load_models(columns)
        return self._models

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build an asset per model.

        Raises:
            PermanentError: what is wrong with a model, with file and line.
        """
        models = self.models(context)
        made = {model.table for model in models} | set(self._known(context).columns)
        assets = [self.asset_of(model, made) for model in models]
        jobs, schedules = build_jobs(self.group, assets, self.schedule)
        return dg.Definitions(
            assets=[build_asset(asset) for asset in assets], jobs=jobs, schedules=schedules
        )

    def _known(self, context: dg.ComponentLoadContext) -> KnownTables:
        return tables_for(context, self, set(self.reads))

    @cached_property
    def _external(self) -> dict[TableName, Mapping[str, str] | None]:
        return {TableName.parse(name): columns for name, columns in self.external_tables.items()}
