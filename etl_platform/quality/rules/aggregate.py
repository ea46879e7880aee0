"""aggregate: a sum, mean, ... of a column lies within bounds."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from etl_platform.core.duck import quote
from etl_platform.core.errors import ConfigError
from etl_platform.core.names import TableName
from etl_platform.quality.binding import only_where
from etl_platform.quality.expressions import Condition
from etl_platform.quality.facts import Facts
from etl_platform.quality.rules.base import Rule, identifier, several
from etl_platform.quality.rules.keys import as_tuple
from etl_platform.quality.steps import Measured, Query, Settled, Step
from etl_platform.quality.values import Scalar, json_safe, sql_literal, typed

if TYPE_CHECKING:
    import pyarrow as pa

Aggregate: TypeAlias = Literal[
    "sum", "avg", "min", "max", "stddev", "variance", "median", "count", "count_distinct"
]
_ENDS = ("min", "max")


class AggregateRule(Rule):
    """An aggregate of a column lies within ``min`` and ``max``; NaN never does.

    Nulls are left out; an aggregate of no values is NULL and meets the rule (``count`` is 0).
    ``stddev`` and ``variance`` are of the sample. Sums of integers and decimals are exact. With
    ``group_by`` each group has to meet the bounds, and the rows of one that does not are bad;
    a group whose name holds a null is skipped.
    """

    rule: Literal["aggregate"] = "aggregate"

    aggregate: Aggregate = Field(description="What is computed.")
    column: str = Field(description="Name of the column.")
    min: Scalar | None = Field(default=None, description="Smallest allowed result.")
    max: Scalar | None = Field(default=None, description="Largest allowed result.")
    group_by: Annotated[tuple[str, ...], BeforeValidator(several)] = Field(
        default=(), description="Columns by which rows are grouped; each group is judged."
    )

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.min is None and self.max is None:
            raise PydanticCustomError("no_bound", "an aggregate rule needs min, max or both")
        blames_rows = {"action": self.action == "quarantine"} | {
            key: key in self.model_fields_set for key in ("max_failures", "max_share")
        }
        for key, used in blames_rows.items():
            if used and not self.group_by:
                raise PydanticCustomError(
                    "no_rows",
                    "an aggregate without group_by blames no row: leave out '{key}', "
                    "or use action block or warn",
                    {"key": key},
                )
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.column, *self.group_by)))

    def default_name(self) -> str:
        return "_".join((self.aggregate, *map(identifier, (self.column, *self.group_by))))

    def demand(self) -> str:
        low = None if self.min is None else f"at least {self.min}"
        high = None if self.max is None else f"at most {self.max}"
        per = f" per {', '.join(self.group_by)}" if self.group_by else ""
        return f"{self.aggregate} of {self.column}{per} is " + " and ".join(
            filter(None, (low, high))
        )

    def _sentence(self) -> str:
        return self.demand() if self.where is None else f"{self.demand()}, where {self.where}"

    def plan(self, facts: Facts) -> Step:
        if not self.group_by:
            result = self.result(facts.kind(self.column), self.condition)
            return Measured((result, self.outside(result, facts.kind(self.column))))
        if not facts.rows:
            return Settled()
        keys = ", ".join(map(quote, self.group_by))
        return Query(
            f"SELECT coalesce(sum(n), 0) FROM (SELECT count(*) AS n FROM {self.scoped(facts)} "
            f"WHERE {self._named_groups} GROUP BY {keys} HAVING {self._having(facts)})"
        )

    def weigh(self, values: tuple[Any, ...], facts: Facts) -> Settled:
        result, outside = values
        failed = bool(outside)
        # Only the smallest and the largest are values of the column.
        own = self.aggregate in ("min", "max")
        shown = facts.shown(self.column, result) if own else json_safe(result)
        reason = f"{self.aggregate} is {shown}" if failed else ""
        return Settled(failed=failed, reason=reason)

    def violation(self, facts: Facts) -> str | None:
        if not self.group_by:
            return None
        keys = ", ".join(map(quote, self.group_by))
        key = as_tuple([quote(column) for column in self.group_by])
        return self.within(
            f"coalesce({key} IN (SELECT {key} FROM {self.scoped(facts)} "
            f"WHERE {self._named_groups} GROUP BY {keys} HAVING {self._having(facts)}), false)"
        )

    @property
    def _named_groups(self) -> str:
        return " AND ".join(f"{quote(column)} IS NOT NULL" for column in self.group_by)

    def _having(self, facts: Facts) -> str:
        kind = facts.kind(self.column)
        return self.outside(self.result(kind), kind)

    def result(self, kind: pa.DataType, condition: Condition | None = None) -> str:
        """SQL of the aggregate over the rows that meet a condition."""
        from pyarrow import types as t

        value = f"({only_where(quote(self.column), condition)})"
        match self.aggregate:
            case "count_distinct":
                return f"count(DISTINCT {value})"
            case "stddev":
                return f"stddev_samp({value}::DOUBLE)"
            case "variance":
                return f"var_samp({value}::DOUBLE)"
            case "avg" | "median":
                return f"{self.aggregate}({value}::DOUBLE)"
            case "sum" if t.is_floating(kind):
                return f"fsum({value}::DOUBLE)"
            case _:
                return f"{self.aggregate}({value})"

    def outside(self, result: str, kind: pa.DataType) -> str:
        """SQL, true when a result is not within the bounds; false for NULL."""
        terms: list[str] = []
        for bound, sign, rounding in ((self.min, "<", ROUND_CEILING), (self.max, ">", ROUND_FLOOR)):
            if bound is not None:
                terms.append(f"{result} {sign} {self._literal(bound, kind, rounding)}")
        if self._is_double(kind):
            terms.append(f"isnan({result})")
        return f"coalesce({' OR '.join(terms)}, false)"

    def _is_double(self, kind: pa.DataType) -> bool:
        from pyarrow import types as t

        if self.aggregate in ("avg", "median", "stddev", "variance"):
            return True
        return t.is_floating(kind) and not self.aggregate.startswith("count")

    def _literal(self, bound: Scalar, kind: pa.DataType, rounding: str) -> str:
        import pyarrow as pa
        from pyarrow import types as t

        where = f"rule {self.name}"
        if self._is_double(kind):
            return sql_literal(typed(bound, pa.float64(), where), pa.float64())
        whole = self.aggregate.startswith("count") or t.is_integer(kind)
        if not whole and not t.is_decimal(kind):
            return sql_literal(typed(bound, kind, where), kind)
        # A result has no more digits than its type: rounding the bound inward changes nothing.
        scale: int = 0 if whole else getattr(kind, "scale", 0)
        exact = typed(bound, pa.decimal128(38, scale), where)
        assert isinstance(exact, Decimal)
        if exact.adjusted() + scale >= 38:
            raise ConfigError(
                f"{where}: {bound} has more than 38 digits", valid=f"bounds for {kind}"
            )
        text = format(exact.quantize(Decimal(1).scaleb(-scale), rounding, Context(prec=80)), "f")
        return f"CAST('{text}' AS {'HUGEINT' if whole else f'DECIMAL(38, {scale})'})"

    def check_schema(self, schema: pa.Schema, table: TableName) -> None:
        from pyarrow import types as t

        super().check_schema(schema, table)
        kind = schema.field(self.column).type
        number = t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind)
        ordered = not (t.is_nested(kind) or t.is_binary(kind) or t.is_boolean(kind))
        fits = number or self.aggregate.startswith("count") or (self.aggregate in _ENDS and ordered)
        if not fits:
            raise ConfigError(
                f"contract of {table}, rule {self.name}: {self.aggregate} of column "
                f"{self.column!r} of type {kind}",
                valid="sum, avg, median, stddev and variance of numbers, min and max of numbers, "
                "dates, timestamps and text, count and count_distinct of anything",
            )
        self.outside("x", kind)
