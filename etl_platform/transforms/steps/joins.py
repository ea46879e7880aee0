"""Steps that bring in columns of other tables; what a join may do to the rows is said and held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from pydantic import Field
from sqlglot import exp

from etl_platform.core.names import TableName
from etl_platform.transforms.steps.base import (
    Built,
    Guard,
    Step,
    StepContext,
    aliased,
    all_of,
    column,
    lake_table,
    parse_table,
    select,
    source,
)
from etl_platform.transforms.steps.constants import constant
from etl_platform.transforms.steps.durations import interval

Expect: TypeAlias = Literal["many_to_one", "one_to_one", "one_to_many", "many_to_many"]
Names: TypeAlias = "list[str] | dict[str, str]"
_LEFT, _RIGHT = "l", "r"


class Join(Step):
    """Columns of a table whose keys are equal. More matches than expected are an error."""

    table: str = Field(description="Another table of the lake.")
    on: list[str] | dict[str, str] = Field(description="Columns of equal name, or {own: other}.")
    kind: Literal["inner", "left", "semi", "anti"] = "left"
    expect: Expect = Field(
        default="many_to_one", description="How many rows of each side agree; held at run time."
    )
    columns: list[str] | dict[str, str] = Field(
        default=[], description="What is taken from the table: names, or {its name: new name}."
    )

    def tables(self) -> tuple[str, ...]:
        return (self.table,)

    def build(self, context: StepContext) -> Built:
        table = parse_table(self.table, context, "table")
        columns = context.table_columns(table, f"{context.where}: table")
        pairs = key_pairs(self.on, columns, context)
        if not pairs:
            raise context.fail("on: no column", fix="name the columns that have to be equal")
        taken = taken_columns(self.columns, columns, context)
        if self.kind in ("semi", "anti"):
            if taken:
                raise context.fail(f"a {self.kind} join takes no columns", fix="leave them out")
            return Built(self._half(table, pairs, context))
        tree = select(
            [
                *(column(name, _LEFT) for name in context.columns),
                *(aliased(column(name, _RIGHT), new) for name, new in taken.items()),
            ],
            source(_LEFT),
        ).join(
            lake_table(table, _RIGHT),
            on=all_of(*(column(a, _LEFT).eq(column(b, _RIGHT)) for a, b in pairs)),
            join_type=self.kind,
            copy=False,
        )
        return Built(tree, tuple(self._guards(table, pairs)))

    def _half(
        self, table: TableName, pairs: list[tuple[str, str]], context: StepContext
    ) -> exp.Select:
        inner = select([exp.Literal.number(1)], lake_table(table, _RIGHT)).where(
            all_of(*(column(b, _RIGHT).eq(column(a, _LEFT)) for a, b in pairs)), copy=False
        )
        exists: exp.Expr = exp.Exists(this=inner)
        rows = select((column(name, _LEFT) for name in context.columns), source(_LEFT))
        return rows.where(exists if self.kind == "semi" else exists.not_(), copy=False)

    def _guards(self, table: TableName, pairs: list[tuple[str, str]]) -> list[Guard]:
        found: list[Guard] = []
        if self.expect in ("many_to_one", "one_to_one"):
            others = [b for _, b in pairs]
            found.append(
                Guard(
                    repeated(lake_table(table), others),
                    f"join with {table}: {self.expect} was expected, but ({', '.join(others)}) "
                    "occurs more than once there, so that rows would be doubled",
                )
            )
        if self.expect in ("one_to_many", "one_to_one"):
            own = [a for a, _ in pairs]
            found.append(
                Guard(
                    repeated(source(), own),
                    f"join with {table}: {self.expect} was expected, but ({', '.join(own)}) "
                    "occurs more than once before the join",
                )
            )
        return found


class Lookup(Step):
    """Columns of the one row of a table with the same key; a default where there is none."""

    table: str = Field(description="Another table of the lake.")
    on: list[str] | dict[str, str] = Field(description="Columns of equal name, or {own: other}.")
    columns: list[str] | dict[str, str] = Field(description="What is taken from the table.")
    default: dict[str, str | int | float | bool] = Field(
        default={}, description="Values for rows that are not found, by new name."
    )
    missing: Literal["keep", "fail"] = Field(default="keep", description="Of rows not found.")

    def tables(self) -> tuple[str, ...]:
        return (self.table,)

    def build(self, context: StepContext) -> Built:
        join = Join(table=self.table, on=self.on, columns=self.columns)
        built = join.build(context)
        table = parse_table(self.table, context, "table")
        columns = context.table_columns(table, f"{context.where}: table")
        taken = taken_columns(self.columns, columns, context)
        pairs = key_pairs(self.on, columns, context)
        tree = built.tree
        guards = built.guards
        if self.default:
            names = {new: name for name, new in taken.items()}
            defaults = dict(
                zip(
                    context.among(self.default, list(names), "default"),
                    self.default.values(),
                    strict=True,
                )
            )
            found = column(pairs[0][1], _RIGHT).is_(exp.null()).not_()
            items = [
                *(column(name, _LEFT) for name in context.columns),
                *(
                    aliased(_or_default(name, new, columns[name], defaults, found, context), new)
                    for name, new in taken.items()
                ),
            ]
            tree.set("expressions", items)
        if self.missing == "fail":
            lost = select((column(a, _LEFT) for a, _ in pairs), source(_LEFT)).where(
                exp.Exists(
                    this=select([exp.Literal.number(1)], lake_table(table, _RIGHT)).where(
                        all_of(*(column(b, _RIGHT).eq(column(a, _LEFT)) for a, b in pairs))
                    )
                ).not_(),
                copy=False,
            )
            guards = (*guards, Guard(lost, f"lookup in {table}: there is no row for"))
        return Built(tree, guards)


class AsofJoin(Step):
    """Columns of the newest row of a table that is not later, among rows with equal keys."""

    table: str = Field(description="Another table of the lake.")
    at: str = Field(description="The time of a row before the step.")
    with_: str = Field(alias="with", description="The time of the table's rows.")
    on: list[str] | dict[str, str] = Field(default=[], description="Keys that have to be equal.")
    within: str | None = Field(default=None, description="Not older than this, such as 1h.")
    columns: list[str] | dict[str, str] = Field(description="What is taken from the table.")
    kind: Literal["left", "inner"] = "left"

    def tables(self) -> tuple[str, ...]:
        return (self.table,)

    def build(self, context: StepContext) -> Built:
        table = parse_table(self.table, context, "table")
        columns = context.table_columns(table, f"{context.where}: table")
        pairs = key_pairs(self.on, columns, context)
        taken = taken_columns(self.columns, columns, context)
        (at,) = context.known([self.at], "at")
        (then,) = context.among([self.with_], columns, "with")
        if _family(context.columns[at]) != _family(columns[then]):
            raise context.fail(
                f"{at} is {context.columns[at]}, {then} is {columns[then]}",
                fix="cast one of them before",
            )
        items: list[exp.Expr] = [column(name, _LEFT) for name in context.columns]
        recent: exp.Expr | None = None
        if self.within is not None:
            oldest = exp.Sub(
                this=column(at, _LEFT), expression=interval(self.within, context, "within")
            )
            recent = column(then, _RIGHT) >= oldest
        for name, new in taken.items():
            value: exp.Expr = column(name, _RIGHT)
            if recent is not None and self.kind == "left":
                # Too old is as if there were none; the row itself stays.
                value = exp.case().when(recent.copy(), value)
            items.append(aliased(value, new))
        tree = select(items, source(_LEFT))
        condition = all_of(
            *(column(a, _LEFT).eq(column(b, _RIGHT)) for a, b in pairs),
            column(at, _LEFT) >= column(then, _RIGHT),
        )
        joined = exp.Join(
            this=lake_table(table, _RIGHT),
            method="ASOF",
            side="LEFT" if self.kind == "left" else None,
            on=condition,
        )
        tree.append("joins", joined)
        if recent is not None and self.kind == "inner":
            tree = tree.where(recent, copy=False)
        keys = [*(b for _, b in pairs), then]
        return Built(
            tree,
            (
                Guard(
                    repeated(lake_table(table), keys),
                    f"as-of join with {table}: ({', '.join(keys)}) occurs more than once there, so "
                    "that it is not said which row is the newest",
                ),
            ),
        )


def repeated(table: exp.Table, keys: list[str]) -> exp.Select:
    """Keys without nulls that occur more than once in a relation."""
    columns = [column(name) for name in keys]
    return (
        select([*columns, aliased(exp.Count(this=exp.Star()), "rows")], table)
        .where(all_of(*(one.copy().is_(exp.null()).not_() for one in columns)), copy=False)
        .group_by(*(one.copy() for one in columns), copy=False)
        .having(exp.Count(this=exp.Star()) > 1, copy=False)
    )


def key_pairs(on: Names, columns: Mapping[str, str], context: StepContext) -> list[tuple[str, str]]:
    """Own and other columns that have to be equal.

    Raises:
        UnknownName: of a column, with the nearest.
        ConfigError: types that DuckDB would compare only after turning one into the other.
    """
    pairs = on.items() if isinstance(on, dict) else ((name, name) for name in on)
    found: list[tuple[str, str]] = []
    for own, other in pairs:
        (a,) = context.known([own], "on")
        (b,) = context.among([other], columns, "on")
        if _family(context.columns[a]) != _family(columns[b]):
            raise context.fail(
                f"on: {a} is {context.columns[a]}, {b} is {columns[b]}",
                fix="cast one of them before",
            )
        found.append((a, b))
    return found


def taken_columns(taken: Names, columns: Mapping[str, str], context: StepContext) -> dict[str, str]:
    """Columns of the other table and the names they get."""
    olds = context.among(taken, columns, "columns")
    news = list(taken.values()) if isinstance(taken, dict) else olds
    context.new(news, "columns")
    return dict(zip(olds, news, strict=True))


def _or_default(
    name: str,
    new: str,
    kind: str,
    defaults: Mapping[str, str | int | float | bool],
    found: exp.Expr,
    context: StepContext,
) -> exp.Expr:
    if new not in defaults:
        return column(name, _RIGHT)
    value = constant(defaults[new], kind, f"{context.where}: default.{new}")
    return exp.case().when(found.copy(), column(name, _RIGHT)).else_(value)


def _family(kind: str) -> str:
    if kind.startswith("DECIMAL") or kind.endswith("INT") or kind in ("INTEGER", "FLOAT", "DOUBLE"):
        return "number"
    if kind.startswith(("TIMESTAMP", "DATE")):
        return "TIMESTAMPTZ" if "TZ" in kind or "TIME ZONE" in kind else "time"
    return kind
