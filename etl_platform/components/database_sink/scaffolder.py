"""What ``dg scaffold defs etl_platform.DatabaseSinkComponent`` writes."""

from __future__ import annotations

from dagster.components import Scaffolder, ScaffoldRequest, scaffold_component
from pydantic import BaseModel, Field


class DatabaseSinkParameters(BaseModel):
    """What the command asks for."""

    url: str = Field(default="env://WAREHOUSE_URL", description="Secret reference of the database.")
    name: str = Field(default="warehouse", description="First part of the assets' keys.")
    source: str = Field(default="main.orders", description="Table of the lake to load.")


class DatabaseSinkScaffolder(Scaffolder[DatabaseSinkParameters]):
    """Writes a sink of one table, replaced as a whole, which passes ``dg check yaml`` as it is."""

    @classmethod
    def get_scaffold_params(cls) -> type[DatabaseSinkParameters]:
        return DatabaseSinkParameters

    def scaffold(self, request: ScaffoldRequest[DatabaseSinkParameters]) -> None:
        params = request.params
        table = params.source.rpartition(".")[2]
        scaffold_component(
            request,
            {"url": params.url, "name": params.name, "tables": {table: {"source": params.source}}},
        )
