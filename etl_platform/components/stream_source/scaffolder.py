"""What ``dg scaffold defs etl_platform.StreamSourceComponent`` writes."""

from __future__ import annotations

from dagster.components import Scaffolder, ScaffoldRequest, scaffold_component
from pydantic import BaseModel, Field


class StreamSourceParameters(BaseModel):
    """What the command asks for."""

    bootstrap_servers: str = Field(
        default="env://KAFKA_SERVERS", description="Servers of Kafka, or a reference to them."
    )
    topic: str = Field(default="events", description="The topic to read.")
    target_schema: str = Field(default="main", description="Schema of the lake's tables.")


class StreamSourceScaffolder(Scaffolder[StreamSourceParameters]):
    """Writes a source of one topic, which passes ``dg check yaml`` as it is."""

    @classmethod
    def get_scaffold_params(cls) -> type[StreamSourceParameters]:
        return StreamSourceParameters

    def scaffold(self, request: ScaffoldRequest[StreamSourceParameters]) -> None:
        given = request.params
        columns = {"id": {"type": "int64", "required": True}, "at": "timestamptz"}
        scaffold_component(
            request,
            {
                "kafka": {"bootstrap_servers": given.bootstrap_servers},
                "target_schema": given.target_schema,
                "streams": {
                    "events": {
                        "topic": given.topic,
                        "decode": {"format": "json", "columns": columns},
                    }
                },
            },
        )
