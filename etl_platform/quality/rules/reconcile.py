"""reconcile: a sum or count equals that of another table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from etl_platform.core.duck import quote
from etl_platform.core.errors import ConfigError, UnknownName
from etl_platform.core.names import TableName
from etl_platform.quality.binding import count_rows, only_where
from etl_platform.quality.expressions import Condition, parse_condition
from etl_platform.quality.facts import Facts
from etl_platform.quality.rules.base import Rule, as_condition, identifier
from etl_platform.quality.steps import Measured, NotRun, Settled, Step
from etl_platform.quality.values import json_safe

if TYPE_CHECKING:
    import pyarrow as pa

_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "DECIMAL", "FLOAT", "DOUBLE")


class ReconcileRule(Rule):
    """The sum of a column, or the number of rows, is that of another table of the lake.

    Rows that stay in the table beside the batch (append, other partitions) count; an upsert's batch
    is compared alone. Integers and decimals are summed exactly, nulls are left out, no rows are 0.
    The difference may be at most ``tolerance``, or ``tolerance_share`` of the other table's result,
    whichever is more. While the other table does not exist the rule cannot run.
    """

    rule: Literal["reconcile"] = "reconcile"
    can_quarantine = False
    can_tolerate = False

    aggregate: Literal["sum", "count"] = Field(default="sum", description="What is compared.")
    column: str | None = Field(default=None, description="The summed column; count needs none.")
    against: str = Field(description="The other table, as schema.table.")
    against_column: str | None = Field(
        default=None, description="Its column, when it is named differently."
    )
    against_where: str | None = Field(
        default=None, description="SQL condition over its columns: the rows that are compared."
    )
    tolerance: float = Field(default=0, ge=0, description="Largest difference, in the unit summed.")
    tolerance_share: float = Field(default=0, ge=0, le=1, description="Largest difference, 0 to 1.")

    @field_validator("against")
    @classmethod
    def _table(cls, text: str) -> str:
        try:
            return TableName.parse(text).sql
        except ConfigError as error:
            raise PydanticCustomError(
                "table", "against '{text}': {why}", {"text": text, "why": error.what}
            ) from error

    @field_validator("against_where")
    @classmethod
    def _compared(cls, text: str | None) -> str | None:
        return None if text is None else as_condition(text)

    @model_validator(mode="after")
    def _summed(self) -> Self:
        if self.aggregate == "sum" and self.column is None:
            raise PydanticCustomError("no_column", "a sum needs the key 'column'")
        return self

    @property
    def target(self) -> TableName:
        """The other table."""
        return TableName.parse(self.against)

    @property
    def references(self) -> tuple[TableName, ...]:
        return (self.target,)

    @property
    def columns(self) -> tuple[str, ...]:
        return () if self.column is None else (self.column,)

    def default_name(self) -> str:
        return "_".join((self.kind, self.aggregate, *map(identifier, self.columns)))

    def demand(self) -> str:
        what = "number of rows" if self.column is None else f"{self.aggregate} of {self.column}"
        other = f" ({self.against_column})" if self.against_column else ""
        return f"{what} equals that of {self.against}{other}"

    def _sentence(self) -> str:
        return self.demand() if self.where is None else f"{self.demand()}, where {self.where}"

    def plan(self, facts: Facts) -> Step:
        other = facts.relation_of(self.target)
        if other is None:
            return NotRun(f"table {self.against} does not exist yet; materialise it first")
        self._check_target(facts, facts.columns_of(other))
        own = self._result(self.column, self.condition)
        kept = facts.existing
        if kept is not None and set(self.reads) <= set(facts.columns_of(kept)):
            own = f"({own} + (SELECT {own} FROM {kept}))"
        against = None if self.against_where is None else parse_condition(self.against_where)
        theirs = self._result(self.against_column or self.column, against)
        theirs = f"(SELECT {theirs} FROM {other})"
        return Measured((own, theirs, self._differ(own, theirs)))

    def weigh(self, values: tuple[Any, ...], facts: Facts) -> Settled:
        own, theirs, differ = values
        reason = f"{json_safe(own)} here, {json_safe(theirs)} in {self.against}"
        return Settled(failed=bool(differ), reason=reason if differ else "")

    def _result(self, column: str | None, condition: Condition | None) -> str:
        if self.aggregate == "sum":
            return f"coalesce(sum({only_where(quote(column or ''), condition)}), 0)"
        if column is not None:
            return f"count({only_where(quote(column), condition)})"
        return "count(*)" if condition is None else count_rows(condition.sql)

    def _differ(self, own: str, theirs: str) -> str:
        if not self.tolerance and not self.tolerance_share:
            return f"({own} <> {theirs} OR isnan({own}::DOUBLE))"
        difference = f"abs(({own} - {theirs})::DOUBLE)"
        allowed = f"greatest({self.tolerance!r}, {self.tolerance_share!r} * abs({theirs}::DOUBLE))"
        return f"({difference} > {allowed} OR isnan({difference}))"

    def _check_target(self, facts: Facts, columns: Mapping[str, str]) -> None:
        where = f"contract of {facts.staged.table}, rule {self.name}"
        wanted = [self.against_column or self.column]
        if self.against_where is not None:
            wanted += parse_condition(self.against_where).columns
        for column in wanted:
            if column is not None and column not in columns:
                raise UnknownName(f"column of {self.against}", column, columns, where=where)
        summed = wanted[0]
        if self.aggregate == "sum" and summed and not columns[summed].startswith(_NUMBERS):
            raise ConfigError(
                f"{where}: {self.against}.{summed} has type {columns[summed]}", valid="numbers"
            )

    def check_schema(self, schema: pa.Schema, table: TableName) -> None:
        from pyarrow import types as t

        super().check_schema(schema, table)
        if self.aggregate == "sum" and self.column is not None:
            kind = schema.field(self.column).type
            if not (t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind)):
                raise ConfigError(
                    f"contract of {table}: rule {self.name} sums column {self.column!r} "
                    f"of type {kind}",
                    valid="numbers",
                )
