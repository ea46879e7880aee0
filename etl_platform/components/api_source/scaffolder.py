"""What ``dg scaffold defs etl_platform.ApiSourceComponent`` writes."""

from __future__ import annotations

from dagster.components import Scaffolder, ScaffoldRequest, scaffold_component
from pydantic import BaseModel, Field


class ApiSourceParameters(BaseModel):
    """What the command asks for."""

    base_url: str = Field(default="https://api.example.com", description="What paths follow.")
    token: str = Field(default="env://API_TOKEN", description="Secret reference of a bearer token.")
    resource: str = Field(default="orders", description="The first resource: its path and table.")
    target_schema: str = Field(default="main", description="Schema of the lake's tables.")


class ApiSourceScaffolder(Scaffolder[ApiSourceParameters]):
    """Writes a source of one resource, which passes ``dg check yaml`` as it is."""

    @classmethod
    def get_scaffold_params(cls) -> type[ApiSourceParameters]:
        return ApiSourceParameters

    def scaffold(self, request: ScaffoldRequest[ApiSourceParameters]) -> None:
        given = request.params
        scaffold_component(
            request,
            {
                "target_schema": given.target_schema,
                "connection": {
                    "base_url": given.base_url,
                    "auth": {"type": "bearer", "token": given.token},
                    "limits": {"per_second": 5, "concurrent": 4},
                },
                "resources": {
                    given.resource: {"path": f"/{given.resource}", "primary_key": ["id"]}
                },
            },
        )
