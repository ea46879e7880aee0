"""monotonic: values only rise, or only fall, in an order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field

from etl_platform.core.duck import quote
from etl_platform.core.errors import ConfigError
from etl_platform.core.names import TableName
from etl_platform.quality.facts import Facts
from etl_platform.quality.rules.base import Rule, identifier, several
from etl_platform.quality.steps import Query, Settled, Step

if TYPE_CHECKING:
    import pyarrow as pa


class MonotonicRule(Rule):
    """In the order of other columns, no value is smaller (larger) than the one before it.

    ``strict`` refuses equal neighbours too. Rows with a null in the column or in its order are left
    out; where the order is equal, the values themselves decide it. ``per`` gives each of its values
    an order of its own, null being one of them. NaN is larger than any number, as in DuckDB.
    """

    rule: Literal["monotonic"] = "monotonic"
    can_quarantine = False

    column: str = Field(description="Name of the column.")
    order_by: Annotated[tuple[str, ...], BeforeValidator(several)] = Field(
        min_length=1, description="The columns that give the order."
    )
    per: Annotated[tuple[str, ...], BeforeValidator(several)] = Field(
        default=(), description="Columns whose values each have an order of their own."
    )
    direction: Literal["increasing", "decreasing"] = "increasing"
    strict: bool = Field(default=False, description="Whether equal neighbours are refused.")

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.column, *self.order_by, *self.per)))

    def default_name(self) -> str:
        return f"{self.kind}_{'_'.join(map(identifier, (self.column, *self.per)))}"

    def demand(self) -> str:
        strictly = "strictly " if self.strict else ""
        per = f" per {', '.join(self.per)}" if self.per else ""
        return f"is {strictly}{self.direction} by {', '.join(self.order_by)}{per}"

    def _sentence(self) -> str:
        where = "" if self.where is None else f", where {self.where}"
        return f"{self.column} {self.demand()}{where}"

    def plan(self, facts: Facts) -> Step:
        if facts.rows < 2:
            return Settled()
        return Query(f"SELECT count(*) FROM ({self.bad_rows_sql(facts)})")

    def bad_rows_sql(self, facts: Facts) -> str:
        before = "value_before"
        while before in (name.lower() for name in facts.staged.schema.names):
            before = "_" + before
        value, falls = quote(self.column), self.direction == "decreasing"
        order = ", ".join([*map(quote, self.order_by), f"{value}{' DESC' if falls else ''}"])
        per = f"PARTITION BY {', '.join(map(quote, self.per))} " if self.per else ""
        complete = " AND ".join(f"{quote(c)} IS NOT NULL" for c in (self.column, *self.order_by))
        bad = (">" if falls else "<") + ("=" if self.strict else "")
        return (
            f"SELECT * EXCLUDE ({quote(before)}) FROM ("
            f"SELECT *, lag({value}) OVER ({per}ORDER BY {order}) AS {quote(before)} "
            f"FROM {self.scoped(facts)} WHERE {complete}) WHERE {value} {bad} {quote(before)}"
        )

    def check_schema(self, schema: pa.Schema, table: TableName) -> None:
        from pyarrow import types as t

        super().check_schema(schema, table)
        kind = schema.field(self.column).type
        if t.is_nested(kind) or t.is_boolean(kind):
            raise ConfigError(
                f"contract of {table}: rule {self.name} does not fit column {self.column!r} "
                f"of type {kind}",
                valid="rule monotonic is for columns of numbers, dates, timestamps and text",
            )
