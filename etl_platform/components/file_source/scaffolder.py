"""What ``dg scaffold defs etl_platform.FileSourceComponent`` writes."""

from __future__ import annotations

from dagster.components import Scaffolder, ScaffoldRequest, scaffold_component
from pydantic import BaseModel, Field


class FileSourceParameters(BaseModel):
    """What the command asks for."""

    location: str = Field(
        default="env://FILES_LOCATION", description="A folder, s3://bucket/prefix or a reference."
    )
    path: str = Field(default="orders/*.csv", description="Pattern of keys below the location.")
    table: str = Field(default="orders", description="The first table.")
    target_schema: str = Field(default="main", description="Schema of the lake's tables.")


class FileSourceScaffolder(Scaffolder[FileSourceParameters]):
    """Writes a source of one table, which passes ``dg check yaml`` as it is."""

    @classmethod
    def get_scaffold_params(cls) -> type[FileSourceParameters]:
        return FileSourceParameters

    def scaffold(self, request: ScaffoldRequest[FileSourceParameters]) -> None:
        given = request.params
        scaffold_component(
            request,
            {
                "target_schema": given.target_schema,
                "location": given.location,
                "files": {given.table: {"path": given.path}},
            },
        )
