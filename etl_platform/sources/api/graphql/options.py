"""What may be declared about a resource that is read by a query of GraphQL."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class GraphQLOptions(BaseModel):
    """One query; its connection, if it has one, is followed page by page."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    query: str = Field(
        description="One operation that only asks. A connection, which is a field with pageInfo "
        "{ hasNextPage endCursor } beside nodes or edges { node }, is followed page by page: by "
        "the variable that its argument after takes.",
    )
    variables: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="Values of its variables; they may hold placeholders, such as {since}.",
        examples=[{"first": 100, "since": "{since}"}],
    )
    operation: str | None = Field(
        default=None, description="Which operation, where the document has several."
    )
    path: str = Field(default="/graphql", description="Below the connection's base_url.")
    partial: Literal["refuse", "accept"] = Field(
        default="refuse",
        description="What to do with an answer that has data and errors: refuse it, or take what "
        "there is; the errors are then told with the materialisation.",
    )
