"""What may be declared about the resources of an API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal, Self

import dagster as dg
from pydantic import Field, ValidationError, field_validator, model_validator

from etl_platform.components.options import AssetOptions
from etl_platform.components.timing import Cadence, Declaration, TimePartition
from etl_platform.core.errors import ConfigError, EtlError

_REQUEST = (
    "path", "method", "params", "headers", "body", "repeatable", "select", "primary_key",
    "duplicates", "columns", "types", "json_text", "nested", "pagination", "parent", "incremental",
    "response_schema", "conditional", "concurrency",
)  # fmt: skip
"""The options that make a :class:`~etl_platform.sources.api.resources.ResourceOptions`."""


class WindowPartition(Declaration):
    """The API is asked for one period at a time; each is a partition."""

    cadence: Cadence = Field(description="Length of a period.")
    start: str = Field(description="First period.", examples=["2024-01-01"])
    timezone: str = Field(default="UTC", description="IANA time zone in which periods begin.")
    format: str = Field(
        default="%Y-%m-%dT%H:%M:%SZ",
        description="How {window.start} and {window.end} are written in requests (strftime). A "
        "format that ends in Z gets them in UTC, others in timezone.",
        examples=["%Y-%m-%d"],
    )

    @field_validator("start", mode="before")
    @classmethod
    def _text(cls, value: object) -> str:
        # YAML reads 2024-01-01 as a date.
        return str(value)

    @model_validator(mode="after")
    def _readable(self) -> Self:
        self.definition()
        return self

    def definition(self) -> dg.TimeWindowPartitionsDefinition:
        """The same in Dagster's terms."""
        return TimePartition(
            column="-", cadence=self.cadence, start=self.start, timezone=self.timezone
        ).definition()

    def written(self, at: datetime) -> str:
        """A bound of a period, as requests take it."""
        return (at.astimezone(UTC) if self.format.endswith("Z") else at).strftime(self.format)


class ApiTableOptions(AssetOptions):
    """One resource of an API as one table.

    What the options of requests mean is written with their types, in
    :mod:`etl_platform.sources.api.resources`.
    """

    path: str | None = Field(default=None, description="Below base_url.", examples=["/orders"])
    graphql: dict[str, Any] | None = Field(
        default=None,
        description="A query instead of a path: query, variables, operation, path, partial.",
    )
    soap: dict[str, Any] | None = Field(
        default=None,
        description="An operation instead of a path: wsdl, operation, arguments, service, port.",
    )
    method: str | None = Field(default=None, description="GET, POST or PUT; default GET.")
    params: dict[str, Any] | None = Field(default=None, description="The query.")
    headers: dict[str, str] | None = Field(default=None, description="No credentials.")
    body: Any = Field(default=None, description="Sent as JSON.")
    repeatable: bool | None = Field(default=None, description="A POST that only asks.")
    select: str | None = Field(
        default=None,
        description="JSONPath of the records; found where it is not declared.",
        examples=["$.data"],
    )
    primary_key: list[str] | None = Field(
        default=None, description="Columns that identify a record: repeated ones are kept once."
    )
    duplicates: str | None = Field(
        default=None, description="Without primary_key: refuse (default) or keep repeated records."
    )
    columns: dict[str, Any] | None = Field(
        default=None, description="All columns and their types; default: found from the records."
    )
    types: dict[str, Any] | None = Field(
        default=None, description="Types of some columns where the others are found."
    )
    json_text: list[str] | None = Field(
        default=None,
        description="Fields kept as the text of their JSON: now of one kind, now of another.",
    )
    nested: str | None = Field(
        default=None,
        description="Lists of objects: keep (default) them as columns, or explode them into the "
        "tables that children names.",
    )
    children: dict[str, AssetOptions] | None = Field(
        default=None,
        description="With nested: explode, the lists that become tables of their own, an asset "
        "each, named <resource>__<list>; lists within them as outer__inner.",
    )
    pagination: dict[str, Any] | None = Field(
        default=None, description="By its type; found from the first answers where it is not said."
    )
    parent: dict[str, Any] | None = Field(
        default=None,
        description="The resource of this component whose records this one is asked for: "
        "resource, columns. Requests name its fields: {parent.id}.",
    )
    incremental: dict[str, Any] | None = Field(
        default=None,
        description="Ask for what changed: cursor, param, initial, lookback. Needs primary_key.",
    )
    partition: WindowPartition | None = Field(
        default=None, description="Ask for one period at a time: {window.start}, {window.end}."
    )
    response_schema: dict[str, Any] | None = Field(
        default=None, description="JSON Schema that each answer has to meet."
    )
    conditional: bool | None = Field(
        default=None, description="Ask with ETag or date of the last answer; 304 changes nothing."
    )
    concurrency: int | None = Field(default=None, description="Most requests at a time; 10.")
    schema_change: Literal["evolve", "freeze", "quarantine", "any"] | None = Field(
        default=None,
        description="When records have other columns than the table. evolve (default): columns may "
        "be added and widened, anything else fails. freeze: any change fails. quarantine: what "
        "fits goes on, new columns and rows that no longer fit are kept in <table>__quarantine. "
        "any: a table that is replaced follows whatever the API does.",
    )

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.path is not None or self.graphql is not None or self.soap is not None:
            try:
                self.request()
            except EtlError as error:
                raise ValueError(str(error)) from error
        return self

    def request(self) -> dict[str, Any]:
        """The fields of :class:`~etl_platform.sources.api.resources.ResourceOptions`, checked.

        Raises:
            ConfigError: they do not go together, with all that is wrong.
        """
        from etl_platform.sources.api.declared import said_wrong
        from etl_platform.sources.api.graphql.options import GraphQLOptions
        from etl_platform.sources.api.graphql.resource import graphql_resource
        from etl_platform.sources.api.resources import ResourceOptions
        from etl_platform.sources.api.soap.options import SoapOptions
        from etl_platform.sources.api.soap.pages import soap_resource

        kinds = [k for k in ("path", "graphql", "soap") if getattr(self, k) is not None]
        if len(kinds) != 1:
            raise ConfigError(
                f"{' and '.join(kinds) or 'nothing'} says what to ask for",
                valid="one of path, graphql and soap",
            )
        said = {name: found for name in _REQUEST if (found := getattr(self, name)) is not None}
        try:
            if self.graphql is not None:
                said = graphql_resource(GraphQLOptions.model_validate(self.graphql), said)
            elif self.soap is not None:
                said = soap_resource(SoapOptions.model_validate(self.soap), said)
            ResourceOptions.model_validate(said)
        except ValidationError as error:
            raise ConfigError(said_wrong(error)) from None
        if self.incremental is not None and self.partition is not None:
            raise ConfigError("incremental and partition exclude each other")
        if self.incremental is not None and not self.primary_key:
            raise ConfigError(
                "incremental: nothing identifies the records, so that changed ones replace theirs",
                fix="declare primary_key",
            )
        if self.children and self.nested != "explode":
            raise ConfigError("children are made of lists by nested: explode")
        return said
