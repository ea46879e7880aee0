"""The step that asks somebody outside of the lake for columns: a database, an API or files."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from sqlglot import exp

from etl_platform.core.errors import EtlError
from etl_platform.core.secrets import check_no_literal_secret
from etl_platform.transforms.enrichment.asked import (
    OPTION,
    Asked,
    OfApi,
    OfDatabase,
    OfFiles,
    Who,
)
from etl_platform.transforms.enrichment.frames import answer_schema, enriched
from etl_platform.transforms.expressions.types import data_type, type_text
from etl_platform.transforms.steps.base import (
    Built,
    Outside,
    Step,
    StepContext,
    aliased,
    column,
    lake_table,
    select,
)
from etl_platform.transforms.steps.durations import seconds


class ApiOptions(BaseModel):
    """A resource of an API over HTTP that answers with JSON, asked for the keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    connection: dict[str, Any] = Field(
        description="As of ApiSourceComponent: base_url, auth, limits; secrets as references."
    )
    path: str = Field(
        description="Below base_url; {key.NAME} is a key.", examples=["/airports/{key.faa}"]
    )
    method: Literal["GET", "POST"] = "GET"
    params: dict[str, Any] = Field(default={}, examples=[{"codes": "{key.faa}"}])
    headers: dict[str, str] = {}
    body: Any = None
    repeatable: bool = Field(default=True, description="A POST that only asks may be sent again.")
    select: str | None = Field(default=None, description="JSONPath of the records.")
    pagination: dict[str, Any] | None = None
    concurrency: int = Field(default=10, description="Most requests at a time, within the limits.")
    keys_per_request: int = Field(
        default=1,
        ge=1,
        le=10_000,
        description="More than one are joined by commas; where a body has only the placeholder, "
        "they are a list.",
    )

    def who(self) -> OfApi:
        """Who is asked."""
        request = self.model_dump(exclude={"connection", "keys_per_request"}, exclude_none=True)
        return OfApi(
            connection=self.connection, request=request, keys_per_request=self.keys_per_request
        )


class FilesOptions(BaseModel):
    """Files that a pattern means, each read whole."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    location: str = Field(description="A folder, s3://bucket/prefix, or a reference to one.")
    path: str = Field(description="Pattern of keys below it.", examples=["ref/airports*.csv"])
    connection: dict[str, Any] = Field(
        default={}, description="Region, endpoint_url, profile, keys as references."
    )
    read: dict[str, Any] = Field(
        default={}, description="format, encoding, csv ... as of FileSourceComponent."
    )

    def who(self) -> OfFiles:
        """Who is asked."""
        return OfFiles(
            location=self.location, path=self.path, connection=self.connection, read=self.read
        )


class Enrich(Step):
    """Columns of a table, an API or files outside of the lake, for the keys that the rows have.

    Only the distinct keys are sent, as bound parameters in batches. What is outside changes unseen:
    the model runs again in each run, or with ``refresh`` when what it has is older; until then the
    answer for each key of a database or an API is kept, and only other keys are asked for.
    """

    database: str | None = Field(
        default=None, description="Secret reference, or a URL without password."
    )
    table: str | None = Field(default=None, description="In the database, with its schema.")
    api: ApiOptions | None = Field(default=None, description="Instead of database and table.")
    files: FilesOptions | None = Field(default=None, description="Instead of database and table.")
    on: list[str] | dict[str, str] = Field(
        description="Columns of equal name, or {own: other}.", min_length=1
    )
    columns: dict[str, str] = Field(description="What is taken: column to type.", min_length=1)
    expect: Literal["many_to_one", "many_to_many"] = Field(
        default="many_to_one", description="Rows that a key may have there; more fail the run."
    )
    missing: Literal["null", "fail", "drop"] = Field(
        default="null", description="What becomes of rows whose key is not there."
    )
    refresh: str | None = Field(
        default=None, description="How long an answer is good, such as 1h; default: one run."
    )

    @field_validator("database")
    @classmethod
    def _no_password(cls, value: str | None) -> str | None:
        if value is not None:
            check_no_literal_secret(value)
        return value

    def build(self, context: StepContext) -> Built:
        pairs = self.on if isinstance(self.on, dict) else dict(zip(self.on, self.on, strict=True))
        own = context.known(pairs, "on")
        context.new(self.columns, "columns")
        again = sorted({*self.columns} & {*pairs.values()})
        if again:
            raise context.fail(
                f"columns: {again[0]!r} is what the rows are found by",
                fix=f"derive {again[0]} from the rows' own column in a step behind",
            )
        taken = {
            name: type_text(kind, where=f"{context.where}: columns.{name}")
            for name, kind in self.columns.items()
        }
        refresh = None if self.refresh is None else seconds(self.refresh, context, "refresh")
        others = dict(zip(own, pairs.values(), strict=True))
        asked = Asked(
            who=self._who(context),
            on=others,
            keys={there: context.columns[here] for here, there in others.items()},
            columns=taken,
            expect=self.expect,
            missing=self.missing,
            refresh_s=refresh,
        )
        _check(asked, context)
        # What DuckDB has in between may be wider than what the lake and Polars have.
        given = select(
            aliased(exp.cast(column(name), data_type(kind, where=context.where)), name)
            for name, kind in context.columns.items()
        )
        columns = {**context.columns, **taken}
        made = select((column(name) for name in columns), lake_table(context.between))
        options = {OPTION: asked.model_dump_json()}
        return Built(made, outside=Outside(given, enriched, options, columns))

    def _who(self, context: StepContext) -> Who:
        given = [name for name in ("database", "api", "files") if getattr(self, name) is not None]
        if len(given) != 1 or (self.table is not None) != (self.database is not None):
            raise context.fail(
                "who is asked?", valid="database and table, or api, or files: one of these"
            )
        if self.api is not None:
            return self.api.who()
        if self.files is not None:
            return self.files.who()
        assert self.database is not None
        assert self.table is not None
        return OfDatabase(database=self.database, table=self.table)


def _check(asked: Asked, context: StepContext) -> None:
    """Let what is declared about an API or files be wrong now, not when somebody is asked."""
    from etl_platform.sources.api.declared import as_connection
    from etl_platform.transforms.enrichment.api import resource_of
    from etl_platform.transforms.enrichment.files import check_files

    try:
        if isinstance(asked.who, OfApi):
            as_connection(asked.who.connection, "api: connection", used=False)
            resource_of(asked, asked.who, answer_schema(asked))
        elif isinstance(asked.who, OfFiles):
            check_files(asked.who)
    except EtlError as error:
        raise context.fail(error.what, valid=error.valid, fix=error.fix) from None
