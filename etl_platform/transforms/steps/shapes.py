"""Steps that turn lists into rows, structs and names into columns, and columns into rows."""

from __future__ import annotations

from pydantic import Field
from sqlglot import exp

from etl_platform.transforms.steps.base import (
    Built,
    Step,
    StepContext,
    aliased,
    column,
    select,
)
from etl_platform.transforms.steps.constants import constant


class Explode(Step):
    """One row for each value of a list."""

    short = "column"
    column: str
    into: str | None = Field(default=None, description="Name of the value; default: the list's.")
    position: str | None = Field(default=None, description="A column for its place, from 1.")
    keep_empty: bool = Field(default=False, description="Rows with an empty or no list stay, too.")

    def build(self, context: StepContext) -> Built:
        (name,) = context.known([self.column], "column")
        if not context.columns[name].endswith("[]"):
            raise context.fail(f"column {name!r} is {context.columns[name]}, not a list")
        value = self.into or name
        kept = [one for one in context.columns if one != name]
        for new in (value, self.position):
            if new is not None and new.lower() in {one.lower() for one in kept}:
                raise context.fail(f"there is a column {new!r} already")
        if self.position is None and not self.keep_empty:
            rows = exp.func("unnest", column(name))
            return Built(
                select(
                    aliased(rows, value) if one == name else column(one) for one in context.columns
                )
            )
        length = exp.func("len", column(name))
        count: exp.Expr = exp.func("coalesce", length, exp.Literal.number(0))
        if self.keep_empty:
            count = exp.func("greatest", count, exp.Literal.number(1))
        numbers = exp.func("generate_series", exp.Literal.number(1), count)
        inner = select(
            [*(column(one) for one in context.columns), aliased(exp.func("unnest", numbers), "_at")]
        )
        picked = exp.func("list_extract", column(name), column("_at"))
        items = [aliased(picked, value) if one == name else column(one) for one in context.columns]
        if self.position is not None:
            there: exp.Expr = column("_at")
            if self.keep_empty:
                there = exp.case().when(exp.func("len", column(name)) > 0, there)
            items.append(aliased(there, self.position))
        return Built(select(items, inner.subquery("listed")))


class Unnest(Step):
    """One column for each field of a struct."""

    short = "column"
    column: str
    prefix: str = Field(default="", description="Put before the names of the fields.")

    def build(self, context: StepContext) -> Built:
        (name,) = context.known([self.column], "column")
        fields = struct_fields(context.columns[name])
        if fields is None:
            raise context.fail(f"column {name!r} is {context.columns[name]}, not a STRUCT")
        taken = {one.lower() for one in context.columns if one != name}
        items: list[exp.Expr] = []
        for one in context.columns:
            if one != name:
                items.append(column(one))
                continue
            for field in fields:
                new = f"{self.prefix}{field}"
                if new.lower() in taken:
                    raise context.fail(f"there is a column {new!r} already", fix="give a prefix")
                taken.add(new.lower())
                got = exp.func("struct_extract", column(name), exp.Literal.string(field))
                items.append(aliased(got, new))
        return Built(select(items))


class Pivot(Step):
    """One row per group, one column for each of the named values of a column."""

    by: list[str] = Field(description="What makes a row.")
    column: str = Field(description="Its values become columns.")
    values: list[str | int | bool] = Field(description="Which of them.", min_length=1)
    aggregate: str = Field(description="What stands there, such as sum(amount).")
    prefix: str = Field(default="", description="Put before the names of the columns.")

    def build(self, context: StepContext) -> Built:
        (name,) = context.known([self.column], "column")
        by = context.known(self.by, "by")
        taken = {one.lower() for one in by}
        made: list[exp.Expr] = []
        for value in self.values:
            new = f"{self.prefix}{value}"
            if new.lower() in taken:
                raise context.fail(f"two columns would be called {new!r}", fix="give a prefix")
            taken.add(new.lower())
            node = context.expression(self.aggregate, "aggregate", kind="aggregate")
            wanted = constant(value, context.columns[name], f"{context.where}: values")
            condition = column(name).eq(wanted)
            made.append(aliased(_filtered(node, condition, context), new))
        tree = select([*(column(one) for one in by), *made])
        return Built(tree.group_by(*(column(one) for one in by), copy=False) if by else tree)


class Unpivot(Step):
    """One row for each of several columns, with its name and its value."""

    columns: list[str] = Field(min_length=1)
    name: str = Field(default="name", description="The column for the names.")
    value: str = Field(default="value", description="The column for the values.")
    keep_nulls: bool = Field(default=True, description="Whether nulls give a row.")

    def build(self, context: StepContext) -> Built:
        turned = context.known(self.columns, "columns")
        kinds = {context.columns[one] for one in turned}
        if len(kinds) > 1:
            raise context.fail(
                f"the columns have different types: {', '.join(sorted(kinds))}", fix="cast before"
            )
        kept = [one for one in context.columns if one not in turned]
        for new in (self.name, self.value):
            if new.lower() in {one.lower() for one in kept}:
                raise context.fail(f"there is a column {new!r} already")
        # Two lists side by side, which DuckDB makes of UNPIVOT as well: a list of structs would be
        # put together and taken apart again.
        names = exp.Array(expressions=[exp.Literal.string(one) for one in turned])
        values = exp.Array(expressions=[column(one) for one in turned])
        tree = select(
            [
                *(column(one) for one in kept),
                aliased(exp.func("unnest", names), self.name),
                aliased(exp.func("unnest", values), self.value),
            ]
        )
        if not self.keep_nulls:
            every = (column(one) for one in (*kept, self.name, self.value))
            tree = select(every, tree.subquery("turned")).where(
                column(self.value).is_(exp.null()).not_(), copy=False
            )
        return Built(tree)


def struct_fields(kind: str) -> list[str] | None:
    """The names of a STRUCT's fields; None of another type."""
    parsed = exp.DataType.build(kind, dialect="duckdb")
    if not parsed.is_type("struct"):
        return None
    return [field.name for field in parsed.expressions]


def _filtered(node: exp.Expr, condition: exp.Expr, context: StepContext) -> exp.Expr:
    """Every aggregate of an expression, over only those rows."""
    if node.find(exp.Filter) is not None:
        raise context.fail("aggregate: FILTER is what pivot adds itself")
    calls = [one for one in node.find_all(exp.AggFunc) if one.find_ancestor(exp.AggFunc) is None]
    if not calls:
        raise context.fail("aggregate: no aggregate function is called", valid="sum(amount)")
    for call in calls:
        wrapped = exp.Filter(this=call.copy(), expression=exp.Where(this=condition.copy()))
        if call is node:
            return wrapped
        call.replace(wrapped)
    return node
