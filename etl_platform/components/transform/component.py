"""The component of declared steps: every table is an asset computed from other tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import dagster as dg
from pydantic import BaseModel, Field, PrivateAttr, field_validator

from etl_platform.components.assets import Event, TableAsset, check_contract_columns
from etl_platform.components.known_tables import KnownTables
from etl_platform.components.models import ModelsComponent
from etl_platform.components.options import schema_name
from etl_platform.components.sql_models.component import asset_key, model_metadata
from etl_platform.components.sql_models.header_options import check_view, with_key
from etl_platform.components.sql_models.running import ModelRun
from etl_platform.components.transform.reading import Reading
from etl_platform.components.transform.scaffolder import TransformScaffolder
from etl_platform.core.errors import PermanentError
from etl_platform.core.names import TableName
from etl_platform.planner.tables import Schema
from etl_platform.transforms.declared import compile_tables
from etl_platform.transforms.model import Model


@dg.scaffold_with(TransformScaffolder)
class TransformComponent(ModelsComponent):
    """Tables of the lake made from other tables by declared steps.

    The steps of a table become one SELECT. Every name and type in them is checked when definitions
    load, against the declarations and the state of the components that make the tables; nothing
    is read for that.
    """

    tables: dict[str, Any] = Field(
        description="By name: from, steps, materialization, key, partition_by, columns, contract "
        "and every other option of an asset.",
        examples=[{"late": {"from": "shop.orders", "steps": [{"filter": "delay_h > 24"}]}}],
    )
    python_steps: dict[str, str] = Field(
        default={},
        description="Functions from one Polars lazy frame to another that python steps may call.",
        examples=[{"smoothed": "my_project.frames.smoothed"}],
    )
    _folder: Path = PrivateAttr(default=Path())

    @field_validator("target_schema")
    @classmethod
    def _valid_schema(cls, value: str) -> str:
        return schema_name(value)

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> Self:
        loaded = super().load(attributes, context)
        loaded._folder = context.path  # noqa: SLF001 # its own
        return loaded

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        return dg.ComponentTypeSpec(
            description="Tables made from other tables by declared steps, as one SELECT each.",
            tags=["etl", "transform"],
            produces=["asset", "asset_check", "job", "schedule"],
        )

    def schemas(self) -> frozenset[str]:
        return frozenset({self.target_schema})

    @property
    def reads(self) -> frozenset[TableName]:
        return self._reading.reads

    def unchecked(self, known: KnownTables) -> frozenset[str]:
        return known.open_schemas - self.schemas()

    def load_models(self, known: Schema) -> tuple[Model, ...]:
        return compile_tables(self._reading.declared, known)

    @cached_property
    def _reading(self) -> Reading:
        return Reading(
            self._folder,
            self.target_schema,
            self.tables,
            self.variables,
            self.macros,
            self.python_steps,
        )

    def asset_of(self, model: Model, made: AbstractSet[TableName]) -> TableAsset:
        options = self._reading.options[model.table].over(self.defaults)
        where = self._reading.lines.at("tables", model.table.name, "contract")
        contract = with_key(options.contract_of(where), model)
        check_view(model, options, contract, where)
        if model.columns is not None:
            check_contract_columns(contract, model.columns, where=where)
        body = _waiting(model) if model.columns is None else None
        return TableAsset(
            table=model.table,
            options=options,
            side_by_side=True,
            contract=contract,
            body=body or ModelRun(model, contract, options.profile).run,
            kinds=frozenset({"duckdb", "deltalake"}),
            retries=self.retry.retries(),
            description=f"Steps from `{self._reading.options[model.table].from_}`.",
            metadata=model_metadata(model),
            deps=[dg.AssetKey(asset_key(table, made)) for table in model.inputs],
            pool=self.pool,
            default_group=self.group,
            code_version=_code_version(model),
        )


def _code_version(model: Model) -> str:
    texts = [model.sql, *(segment.logic for segment in model.segments)]
    return sha256("\n".join(texts).encode()).hexdigest()[:12]


def _waiting(model: Model) -> Callable[[dg.AssetExecutionContext], Iterator[Event]]:
    """What runs where the columns of an input were not known when definitions loaded."""

    def run(_: dg.AssetExecutionContext) -> Iterator[Event]:
        raise PermanentError(
            f"{model.table} reads {', '.join(table.sql for table in model.inputs)}, of which the "
            "columns were not known when definitions were loaded",
            fix="refresh the state of their source (dg utils refresh-defs-state), and reload",
        )
        yield

    return run
