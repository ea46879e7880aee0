"""Expressions over a table's columns, written over the columns that a rollup keeps of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlglot import exp

from etl_platform.core.names import TableName
from etl_platform.planner.rollups.expressions import text, with_children
from etl_platform.planner.rollups.names import table_of
from etl_platform.planner.rollups.reasons import NotUsable, Stage

_YEARS = frozenset({"YEAR", "DECADE", "CENTURY", "MILLENNIUM"})
_MONTHS = _YEARS | {"QUARTER", "MONTH"}
_DAYS = _MONTHS | {"WEEK", "DAY"}
_COARSER: Mapping[str, frozenset[str]] = {
    "YEAR": _YEARS,
    "QUARTER": _YEARS | {"QUARTER"},
    "MONTH": _MONTHS,
    "WEEK": frozenset({"WEEK"}),
    "DAY": _DAYS,
    "HOUR": _DAYS | {"HOUR"},
    "MINUTE": _DAYS | {"HOUR", "MINUTE"},
}
"""What follows from a moment that was cut off at a unit. Weeks do not end with months or years."""
ROLLUP_ALIAS = "r"


@dataclass(frozen=True, slots=True)
class Cover:
    """What a rollup keeps of the rows it was made of.

    Attributes:
        keys: text of a normal expression to the rollup's column that holds it.
        extra: tables of the statement beside the rollup, with the alias that each gets.
        table: the rollup's name, for reasons.
    """

    keys: Mapping[str, exp.Column]
    extra: Mapping[TableName, str]
    table: TableName

    def over(self, node: exp.Expr) -> exp.Expr:
        """A row's expression over the rollup's columns.

        >>> from etl_platform.core.names import TableName
        >>> import sqlglot
        >>> day = 'DATE_TRUNC(\\'DAY\\', "main.t"."at")'
        >>> cover = Cover({day: exp.column("day", "r")}, {}, TableName("main", "daily"))
        >>> month = sqlglot.parse_one('date_trunc(\\'month\\', "main.t"."at")', dialect="duckdb")
        >>> cover.over(month).sql("duckdb")
        "DATE_TRUNC('MONTH', r.day)"

        Raises:
            NotUsable: it depends on a column that the rollup does not keep.
        """
        key = self.keys.get(text(node))
        if key is not None:
            return key.copy()
        if isinstance(node, exp.Column) and not isinstance(node.this, exp.Star):
            alias = self.extra.get(table_of(node))
            if alias is None:
                raise NotUsable(
                    f"{self.table} does not keep {table_of(node)}.{node.name}", Stage.KEYS
                )
            return exp.column(node.this.copy(), alias)
        coarser = self._from_finer(node)
        if coarser is not None:
            return coarser
        return with_children(node, self.over)

    def _from_finer(self, node: exp.Expr) -> exp.Expr | None:
        """A date part of a moment that the rollup keeps cut off at a finer unit."""
        if isinstance(node, exp.TimestampTrunc | exp.DateTrunc):
            unit, moment = node.args.get("unit"), node.this
        elif isinstance(node, exp.Extract):
            unit, moment = node.this, node.expression
        elif isinstance(node, exp.Cast) and node.to.is_type("date"):
            unit, moment = exp.var("DAY"), node.this
        else:
            return None
        if not isinstance(unit, exp.Var):
            return None
        for finer, reach in _COARSER.items():
            for cut in _cut(moment, finer):
                key = self.keys.get(text(cut))
                if key is not None and unit.name.upper() in reach:
                    copy = node.copy()
                    copy.set("expression" if isinstance(node, exp.Extract) else "this", key.copy())
                    return copy
        return None


def columns_at(places: Mapping[str, int], columns: Collection[str]) -> dict[str, exp.Column]:
    """The rollup's columns at some places, by the text of what they hold."""
    names = [exp.to_identifier(name, quoted=True) for name in columns]
    return {found: exp.column(names[i].copy(), ROLLUP_ALIAS) for found, i in places.items()}


def _cut(moment: exp.Expr, unit: str) -> list[exp.Expr]:
    """How a rollup may have written a moment cut off at a unit."""
    forms: list[exp.Expr] = [
        kind(this=moment.copy(), unit=exp.var(unit)) for kind in (exp.TimestampTrunc, exp.DateTrunc)
    ]
    if unit == "DAY":
        forms.append(exp.Cast(this=moment.copy(), to=exp.DataType.build("DATE")))
    return forms
