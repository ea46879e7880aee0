"""Steps that choose rows and leave the columns as they are."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from sqlglot import exp

from etl_platform.core.names import TableName
from etl_platform.transforms.steps.base import (
    Built,
    Step,
    StepContext,
    column,
    lake_table,
    ordered,
    parse_table,
    select,
)

_PARTS = 1_000_000


class Filter(Step):
    """Keep the rows for which a condition is true (neither false nor null)."""

    short = "condition"
    condition: str

    def build(self, context: StepContext) -> Built:
        condition = context.expression(self.condition, "filter")
        return Built(select(column(name) for name in context.columns).where(condition, copy=False))


class Deduplicate(Step):
    """Keep one row of those that agree in ``by``, the first in an order; or of equal rows."""

    by: list[str] = Field(default=[], description="Columns that make rows the same; default: all.")
    order: list[str] = Field(default=[], description="Which comes first; needed with by.")
    keep: Literal["first", "last"] = "first"

    def build(self, context: StepContext) -> Built:
        columns = [column(name) for name in context.columns]
        if not self.by:
            if self.order or self.keep == "last":
                raise context.fail("equal rows have no order", fix="name the columns of 'by'")
            return Built(select(columns).distinct(copy=False))
        if not self.order:
            raise context.fail(
                "deduplicate needs 'order'", fix="say which row stays, such as [updated_at desc]"
            )
        terms = ordered(self.order, context, "order")
        if self.keep == "last":
            for term in terms:
                term.set("desc", not term.args.get("desc"))
        # Among rows that the order does not tell apart, always the same one.
        rest = [
            exp.Ordered(this=column(name), nulls_first=False)
            for name in context.columns
            if name not in {one.this.name for one in terms} and name not in self.by
        ]
        rank = exp.Window(
            this=exp.RowNumber(),
            partition_by=[column(name) for name in context.known(self.by, "by")],
            order=exp.Order(expressions=[_one_key([*terms, *rest])]),
        )
        return Built(select(columns).qualify(rank.eq(1), copy=False))


def _one_key(terms: list[exp.Ordered]) -> exp.Expr:
    """Several terms of an order as one: DuckDB keeps the first row of a group without sorting all
    only where the order has a single term, which takes a sixth of the time."""
    if len(terms) == 1:
        return terms[0]
    parts: list[exp.Expr] = []
    for term in terms:
        said = "DESC NULLS LAST" if term.args.get("desc") else "ASC NULLS LAST"
        parts += [term.this, exp.Literal.string(said)]
    return exp.Ordered(this=exp.func("create_sort_key", *parts), nulls_first=False)


class Sample(Step):
    """Keep a share of the rows, always the same ones: chosen by a hash of columns."""

    share: float = Field(gt=0, le=1, description="Between 0 and 1.")
    by: list[str] = Field(
        default=[], description="Rows that agree stay or go together; default: all columns."
    )
    seed: int = Field(default=0, description="Another number chooses other rows.")

    def build(self, context: StepContext) -> Built:
        names = context.known(self.by, "by") or list(context.columns)
        hashed = exp.func("hash", exp.Literal.number(self.seed), *(column(name) for name in names))
        chosen = exp.Mod(this=exp.paren(hashed), expression=exp.Literal.number(_PARTS))
        tree = select(column(name) for name in context.columns)
        return Built(tree.where(chosen < round(self.share * _PARTS), copy=False))


class Union(Step):
    """Add the rows of other tables with the same columns, found by name."""

    short = "add"
    add: str | list[str] = Field(description="Tables.")
    distinct: bool = Field(default=False, description="Equal rows once.")
    missing: Literal["fail", "null"] = Field(default="fail", description="Columns one side lacks.")

    def tables(self) -> tuple[str, ...]:
        return (self.add,) if isinstance(self.add, str) else tuple(self.add)

    def build(self, context: StepContext) -> Built:
        others: list[tuple[TableName, dict[str, str]]] = []
        names = {name.lower(): name for name in context.columns}
        kinds = {name.lower(): kind for name, kind in context.columns.items()}
        for text in self.tables():
            table = parse_table(text, context, "union")
            columns = context.table_columns(table, context.where)
            others.append((table, {name.lower(): name for name in columns}))
            gone = [n for k, n in names.items() if k not in others[-1][1]]
            more = [n for k, n in others[-1][1].items() if k not in names]
            if self.missing == "fail" and (gone or more):
                raise context.fail(
                    f"{table} and the rows before it differ in {', '.join([*gone, *more])}",
                    fix="select the columns before, or say missing: null",
                )
            for key, name in others[-1][1].items():
                own = kinds.setdefault(key, columns[name])
                if own != columns[name]:
                    raise context.fail(
                        f"column {name} is {own} before, {columns[name]} in {table}",
                        fix="cast before, or in a table of its own",
                    )
            for name in more:
                names[name.lower()] = name
        before = {name.lower() for name in context.columns}
        tree: exp.Query = select(_each(names, before))
        for table, columns in others:
            more_rows = select(_each(names, set(columns)), lake_table(table))
            tree = exp.union(tree, more_rows, distinct=self.distinct, copy=False)
        return Built(tree)


def _each(names: dict[str, str], there: set[str]) -> list[exp.Expr]:
    return [
        column(name) if key in there else exp.alias_(exp.null(), name, quoted=True)
        for key, name in names.items()
    ]
