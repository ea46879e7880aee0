"""Steps that look at many rows: groups, rows beside a row, and sessions."""

from __future__ import annotations

from pydantic import Field
from sqlglot import exp

from etl_platform.transforms.steps.base import (
    Built,
    Step,
    StepContext,
    aliased,
    column,
    ordered,
    select,
)
from etl_platform.transforms.steps.durations import interval


class Aggregate(Step):
    """One row per group."""

    by: list[str] | dict[str, str] = Field(
        default=[], description="Columns that make a group, or {name: expression}; none: one row."
    )
    values: dict[str, str] = Field(default={}, description="Column to expression over the group.")

    def build(self, context: StepContext) -> Built:
        if isinstance(self.by, dict):
            keys = {n: context.expression(str(text), f"by.{n}") for n, text in self.by.items()}
        else:
            keys = {name: column(name) for name in context.known(self.by, "by")}
        if not keys and not self.values:
            raise context.fail("aggregate needs 'by' or 'values'")
        made = {
            name: context.expression(str(text), f"values.{name}", kind="aggregate")
            for name, text in self.values.items()
        }
        names = [*keys, *made]
        twice = {name for name in names if [n.lower() for n in names].count(name.lower()) > 1}
        if twice:
            raise context.fail(f"two columns would be called {min(twice)!r}")
        tree = select(aliased(node, name) for name, node in {**keys, **made}.items())
        if keys:
            places = [exp.Literal.number(number) for number in range(1, len(keys) + 1)]
            tree = tree.group_by(*places, copy=False)
        return Built(tree)


class Window(Step):
    """Columns computed from the rows around a row: ranks, sums so far, the row before."""

    by: list[str] = Field(default=[], description="Only rows that agree in these are looked at.")
    order: list[str] = Field(default=[], description="In this order.")
    rows: str | None = Field(
        default=None, description="How many rows: all, so_far, or N (the row and N before it)."
    )
    values: dict[str, str] = Field(description="New column to function, without OVER.")

    def build(self, context: StepContext) -> Built:
        context.new(self.values, "values")
        by = context.known(self.by, "by")
        items: list[exp.Expr] = [column(name) for name in context.columns]
        for name, text in self.values.items():
            node = context.expression(f"{text} OVER ()", f"values.{name}", kind="window")
            if not isinstance(node, exp.Window):
                raise context.fail(
                    f"values.{name}: {text!r} is not one window function",
                    valid="row_number(), lag(amount), sum(amount)",
                    fix="compute with its result in a derive step",
                )
            node.set("partition_by", [column(one) for one in by])
            if self.order:
                node.set("order", exp.Order(expressions=ordered(self.order, context, "order")))
            node.set("spec", self._spec(context))
            items.append(aliased(node, name))
        return Built(select(items))

    def _spec(self, context: StepContext) -> exp.WindowSpec | None:
        if self.rows is None:
            return None
        before = "UNBOUNDED" if self.rows in ("all", "so_far") else self.rows
        if before != "UNBOUNDED" and not (before.isdigit() and int(before) <= 1_000_000):
            raise context.fail(f"rows: {self.rows!r}", valid="all, so_far, or a number")
        whole = self.rows == "all"
        return exp.WindowSpec(
            kind="ROWS",
            start=before if before == "UNBOUNDED" else exp.Literal.number(before),
            start_side="PRECEDING",
            end="UNBOUNDED" if whole else "CURRENT ROW",
            end_side="FOLLOWING" if whole else None,
        )


class Sessionise(Step):
    """Number the sessions of each key: a new one begins when nothing came for longer than a gap."""

    by: list[str] = Field(default=[], description="What has sessions, such as a user.")
    at: str = Field(description="The time of a row; rows without one are in no session.")
    gap: str = Field(description="The longest silence within a session, such as 30m.")
    column: str = Field(default="session", description="The new column: 1, 2, ... for each key.")
    start: str | None = Field(default=None, description="A column for when the session began.")

    def build(self, context: StepContext) -> Built:
        context.new([name for name in (self.column, self.start) if name], "column")
        (at,) = context.known([self.at], "at")
        if not context.columns[at].startswith(("TIMESTAMP", "DATE")):
            raise context.fail(f"at: {at} is {context.columns[at]}, not a time")
        by = [column(name) for name in context.known(self.by, "by")]
        order = exp.Order(expressions=[exp.Ordered(this=column(at), nulls_first=False)])
        before = exp.Window(
            this=exp.Lag(this=column(at)),
            partition_by=[one.copy() for one in by],
            order=order.copy(),
        )
        kept = [column(name) for name in context.columns]
        inner = select([*kept, aliased(before, "_before")])
        silent = column(at) > exp.Add(
            this=column("_before"), expression=interval(self.gap, context, "gap")
        )
        begins = exp.or_(column("_before").is_(exp.null()), silent)
        number = exp.Window(
            this=exp.CountIf(this=begins),
            partition_by=[one.copy() for one in by],
            order=order.copy(),
            # RANGE: rows of one moment are in one session, in whatever order they come.
            spec=exp.WindowSpec(
                kind="RANGE", start="UNBOUNDED", start_side="PRECEDING", end="CURRENT ROW"
            ),
        )
        timed = exp.case().when(column(at).is_(exp.null()).not_(), number)
        items = [
            *(one.copy() for one in kept),
            aliased(exp.cast(timed, "BIGINT"), self.column),
        ]
        tree = select(items, inner.subquery("timed"))
        if self.start is None:
            return Built(tree)
        first = exp.Window(
            this=exp.Min(this=column(at)),
            partition_by=[*(one.copy() for one in by), column(self.column)],
        )
        shown = exp.case().when(column(at).is_(exp.null()).not_(), first)
        outer = [*(one.copy() for one in kept), column(self.column), aliased(shown, self.start)]
        return Built(select(outer, tree.subquery("numbered")))
