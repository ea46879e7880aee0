"""One resource of an API as it is declared: what to ask for, where its records are, what they are.

Texts of ``path``, ``params``, ``headers`` and ``body`` may hold placeholders, see
:mod:`~etl_platform.sources.api.templates`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from etl_platform.core.secrets import check_no_literal_credentials
from etl_platform.sources.api.pagination import Pagination
from etl_platform.sources.api.records.paths import checked_path
from etl_platform.sources.stream.formats.columns import ColumnDeclaration

Scalar = str | int | float | bool
JsonPathText = Annotated[str, AfterValidator(checked_path)]
"""A JSONPath (RFC 9535), checked when it is read."""


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ParentOptions(_Options):
    """The resource whose records this one is asked for, one by one."""

    resource: str = Field(description="Its name. Requests name its fields: {parent.id}.")
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="Columns that each record gets from its parent: name here, field there.",
        examples=[{"customer_id": "id"}],
    )


class IncrementalOptions(_Options):
    """Ask only for what changed since the largest value that was published."""

    cursor: str = Field(description="The column (a field of the records) that only grows.")
    param: str | None = Field(
        default=None,
        description="The query's parameter that takes the value to begin at. Without it, write "
        "{since} where the request needs it.",
        examples=["updated_since"],
    )
    initial: Scalar | None = Field(
        default=None,
        description="What the first run asks for. Without it the parameter is left out.",
        examples=["2024-01-01T00:00:00Z"],
    )
    lookback: timedelta | int | None = Field(
        default=None,
        description="How far below the largest value each run begins again (ISO 8601 duration, "
        "or a number): for records that become visible late.",
        examples=["PT10M"],
    )


class ResourceOptions(_Options):
    """What one table is read from."""

    path: str = Field(
        description="Below the connection's base_url, or a whole URL.",
        examples=["/orders", "/customers/{parent.id}/orders"],
    )
    method: Literal["GET", "POST", "PUT"] = "GET"
    params: dict[str, Scalar | list[Scalar]] = Field(
        default_factory=dict, description="The query; a list repeats its name."
    )
    headers: dict[str, str] = Field(default_factory=dict)
    body: JsonValue = Field(default=None, description="Sent as JSON.")
    repeatable: bool = Field(
        default=False, description="A POST that only asks, so that it may be sent again."
    )
    select: JsonPathText | None = Field(
        default=None,
        description="Where the records are. Default: the answer itself if it is a list, else its "
        "only list of objects, else the answer is one record.",
        examples=["$.data", "$.result.items[*].item"],
    )
    primary_key: list[str] = Field(
        default_factory=list,
        description="Columns that identify a record: repeated ones are kept once.",
    )
    duplicates: Literal["refuse", "keep"] = Field(
        default="refuse",
        description="Without primary_key: what to do where two pages hold the same record.",
    )
    columns: dict[str, ColumnDeclaration] | None = Field(
        default=None,
        description="All columns and their types. Default: found from the records.",
        examples=[{"id": {"type": "int64", "required": True}, "amount": "decimal(10, 2)"}],
    )
    types: dict[str, ColumnDeclaration] = Field(
        default_factory=dict,
        description="Types of some columns where the others are found from the records.",
        examples=[{"created_at": "timestamptz"}],
    )
    json_text: list[str] = Field(
        default_factory=list,
        description="Fields that are kept as the text of their JSON: for values now of one kind "
        "and now of another.",
    )
    nested: Literal["keep", "explode"] = Field(
        default="keep",
        description="Lists of objects: keep them as columns, or make a table of each.",
    )
    pagination: Pagination | None = Field(
        default=None, description="Default: found from the first answers, and reported."
    )
    parent: ParentOptions | None = None
    incremental: IncrementalOptions | None = None
    response_schema: dict[str, Any] | None = Field(
        default=None, description="JSON Schema that each answer has to meet."
    )
    conditional: bool = Field(
        default=False,
        description="Ask with the last answer's ETag or date, where one answer is all there is; "
        "304 means that nothing changed.",
    )
    concurrency: int = Field(
        default=10, ge=1, le=100, description="Most requests at a time, within the limits."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for where, given in (("params", self.params), ("headers", self.headers)):
            check_no_literal_credentials(given, where, "write auth: of the connection")
        if self.columns is not None and self.types:
            raise ValueError("columns names all types already: leave out types")
        if self.columns is not None and not self.columns:
            raise ValueError("columns: none is declared; leave it out to have them found")
        if self.nested == "explode" and not self.primary_key:
            raise ValueError("nested: explode needs primary_key, by which child tables point back")
        if self.method == "GET" and self.body is not None:
            raise ValueError("a GET has no body: declare method: POST, or use params")
        if self.incremental is not None:
            declared = self.incremental.cursor in (self.columns or {self.incremental.cursor: ""})
            if not declared:
                raise ValueError(
                    f"incremental: cursor {self.incremental.cursor!r} is none of the columns"
                )
        return self
