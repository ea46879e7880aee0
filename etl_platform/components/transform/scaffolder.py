"""What ``dg scaffold defs etl_platform.TransformComponent`` writes."""

from __future__ import annotations

from dagster.components import Scaffolder, ScaffoldRequest, scaffold_component
from pydantic import BaseModel, Field


class TransformParameters(BaseModel):
    """What the command asks for."""

    source: str = Field(default="shop.orders", description="The table that the steps begin with.")
    table: str = Field(default="clean_orders", description="The table that they make.")
    target_schema: str = Field(default="marts", description="Its schema.")


class TransformScaffolder(Scaffolder[TransformParameters]):
    """Writes one table of one step, which passes ``dg check yaml`` as it is."""

    @classmethod
    def get_scaffold_params(cls) -> type[TransformParameters]:
        return TransformParameters

    def scaffold(self, request: ScaffoldRequest[TransformParameters]) -> None:
        given = request.params
        scaffold_component(
            request,
            {
                "target_schema": given.target_schema,
                "tables": {
                    given.table: {"from": given.source, "steps": [{"sample": {"share": 0.1}}]}
                },
            },
        )
