"""The step that asks a database outside of the lake for columns."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator
from sqlglot import exp

from etl_platform.core.secrets import check_no_literal_secret
from etl_platform.transforms.enrichment.asked import OPTION, Asked
from etl_platform.transforms.enrichment.frames import enriched
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


class Enrich(Step):
    """Columns of a database's table for the keys that the rows have.

    Only the distinct keys are sent, as bound parameters in batches. The tables of databases change
    unseen: the model runs again in each run, or with ``refresh`` when what it has is older.
    """

    database: str = Field(description="Secret reference, or a URL without password.")
    table: str = Field(description="There, with its schema.")
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
    def _no_password(cls, value: str) -> str:
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
        asked = Asked(
            database=self.database,
            table=self.table,
            on=dict(zip(own, pairs.values(), strict=True)),
            columns=taken,
            expect=self.expect,
            missing=self.missing,
            refresh_s=refresh,
        )
        # What DuckDB has in between may be wider than what the lake and Polars have.
        given = select(
            aliased(exp.cast(column(name), data_type(kind, where=context.where)), name)
            for name, kind in context.columns.items()
        )
        columns = {**context.columns, **taken}
        made = select((column(name) for name in columns), lake_table(context.between))
        options = {OPTION: asked.model_dump_json()}
        return Built(made, outside=Outside(given, enriched, options, columns))
