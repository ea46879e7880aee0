"""What ``dg scaffold defs etl_platform.DatabaseSourceComponent`` writes."""

from __future__ import annotations

from dagster.components import Scaffolder, ScaffoldRequest, scaffold_component
from pydantic import BaseModel, Field


class DatabaseSourceParameters(BaseModel):
    """What the command asks for."""

    url: str = Field(default="env://DATABASE_URL", description="Secret reference of the database.")
    target_schema: str = Field(default="main", description="Schema of the lake's tables.")


class DatabaseSourceScaffolder(Scaffolder[DatabaseSourceParameters]):
    """Writes a source of every table, which passes ``dg check yaml`` as it is."""

    @classmethod
    def get_scaffold_params(cls) -> type[DatabaseSourceParameters]:
        return DatabaseSourceParameters

    def scaffold(self, request: ScaffoldRequest[DatabaseSourceParameters]) -> None:
        scaffold_component(request, request.params.model_dump())
