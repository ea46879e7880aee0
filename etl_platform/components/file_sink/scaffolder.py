"""What ``dg scaffold defs etl_platform.FileSinkComponent`` writes."""

from __future__ import annotations

from dagster.components import Scaffolder, ScaffoldRequest, scaffold_component
from pydantic import BaseModel, Field


class FileSinkParameters(BaseModel):
    """What the command asks for."""

    location: str = Field(default="exports", description="s3://bucket/prefix, or a folder.")
    name: str = Field(default="exports", description="First part of the assets' keys.")
    source: str = Field(default="main.orders", description="Table of the lake to export.")


class FileSinkScaffolder(Scaffolder[FileSinkParameters]):
    """Writes a sink of one table as Parquet, which passes ``dg check yaml`` as it is."""

    @classmethod
    def get_scaffold_params(cls) -> type[FileSinkParameters]:
        return FileSinkParameters

    def scaffold(self, request: ScaffoldRequest[FileSinkParameters]) -> None:
        params = request.params
        table = params.source.rpartition(".")[2]
        scaffold_component(
            request,
            {
                "location": params.location,
                "name": params.name,
                "tables": {table: {"source": params.source}},
            },
        )
