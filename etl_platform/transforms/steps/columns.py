"""Steps that change columns and leave the rows as they are."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from sqlglot import exp

from etl_platform.transforms.expressions.types import data_type
from etl_platform.transforms.steps.base import (
    Built,
    Step,
    StepContext,
    aliased,
    column,
    ordered,
    select,
)
from etl_platform.transforms.steps.casting import cast_exactly, fits, never_loses
from etl_platform.transforms.steps.constants import Scalar, constant


class Select(Step):
    """Keep these columns, in this order; a mapping renames: ``{new: old}``."""

    short = "columns"
    columns: list[str] | dict[str, str] = Field(description="Columns that stay.")

    def build(self, context: StepContext) -> Built:
        pairs = (
            list(self.columns.items())
            if isinstance(self.columns, dict)
            else [(name, name) for name in self.columns]
        )
        olds = context.known([old for _, old in pairs], "select")
        if not pairs:
            raise context.fail("no column would be left")
        news = [
            new if isinstance(self.columns, dict) else old
            for (new, _), old in zip(pairs, olds, strict=True)
        ]
        if len({new.lower() for new in news}) != len(news):
            raise context.fail("a column stands twice", fix="name each once")
        return Built(select(aliased(column(old), new) for new, old in zip(news, olds, strict=True)))


class Drop(Step):
    """Leave these columns out."""

    short = "columns"
    columns: list[str] = Field(description="Columns that go.")

    def build(self, context: StepContext) -> Built:
        gone = set(context.known(self.columns, "drop"))
        left = [name for name in context.columns if name not in gone]
        if not left:
            raise context.fail("no column would be left")
        return Built(select(column(name) for name in left))


class Rename(Step):
    """Give columns other names: ``{old: new}``."""

    short = "columns"
    columns: dict[str, str] = Field(description="Old name to new name.")

    def build(self, context: StepContext) -> Built:
        olds = context.known(self.columns, "rename")
        names = dict(zip(olds, self.columns.values(), strict=True))
        after = [names.get(name, name) for name in context.columns]
        twice = {name for name in after if [a.lower() for a in after].count(name.lower()) > 1}
        if twice:
            raise context.fail(f"two columns would be called {min(twice)!r}")
        return Built(
            select(
                aliased(column(name), names[name]) if name in names else column(name)
                for name in context.columns
            )
        )


class Cast(Step):
    """Give columns other types, exactly: a value that does not fit is never rounded or cut."""

    short = "columns"
    columns: dict[str, str] = Field(description="Column to DuckDB type.")
    on_error: Literal["fail", "null", "drop"] = Field(
        default="fail", description="What becomes of a value (or its row) that does not fit."
    )

    def build(self, context: StepContext) -> Built:
        olds = context.known(self.columns, "cast")
        types = {
            old: data_type(kind, where=f"{context.where}: {name}")
            for old, (name, kind) in zip(olds, self.columns.items(), strict=True)
        }
        items = [
            aliased(
                cast_exactly(
                    name, context.columns[name], types[name], fail=self.on_error == "fail"
                ),
                name,
            )
            if name in types
            else column(name)
            for name in context.columns
        ]
        tree = select(items)
        if self.on_error == "drop":
            for name, kind in types.items():
                old = context.columns[name]
                if not never_loses(old, kind):
                    tree = tree.where(
                        exp.or_(column(name).is_(exp.null()), fits(name, old, kind)), copy=False
                    )
        return Built(tree)


class Derive(Step):
    """Add columns, or replace those of the same name, each computed from the columns before."""

    short = "columns"
    columns: dict[str, str] = Field(description="Column to expression.")

    def build(self, context: StepContext) -> Built:
        folded = {name.lower(): name for name in context.columns}
        made = {
            folded.get(name.lower(), name): context.expression(str(text), name)
            for name, text in self.columns.items()
        }
        kept = [
            aliased(made.pop(name), name) if name in made else column(name)
            for name in context.columns
        ]
        return Built(select([*kept, *(aliased(node, name) for name, node in made.items())]))


class Fill(Step):
    """Give nulls a value: a constant, or the last or next one that is there."""

    short = "values"
    values: dict[str, Scalar] = Field(default={}, description="Column to the value nulls get.")
    forward: list[str] = Field(default=[], description="Columns that take the last value.")
    backward: list[str] = Field(default=[], description="Columns that take the next value.")
    by: list[str] = Field(default=[], description="Only from rows that agree in these.")
    order: list[str] = Field(default=[], description="What last and next mean.")

    def build(self, context: StepContext) -> Built:
        values = dict(zip(context.known(self.values, "values"), self.values.values(), strict=True))
        forward = context.known(self.forward, "forward")
        backward = context.known(self.backward, "backward")
        if (forward or backward) and not self.order:
            raise context.fail("forward and backward need 'order'", fix="name the columns of time")
        both = [*values, *forward, *backward]
        if len(set(both)) != len(both) or not both:
            raise context.fail(
                "each column is filled in one way", valid="values, forward, backward"
            )
        by = [column(name) for name in context.known(self.by, "by")]
        items: list[exp.Expr] = []
        for name in context.columns:
            if name in values:
                value = constant(
                    values[name], context.columns[name], f"{context.where}: values.{name}"
                )
                node: exp.Expr = exp.func("coalesce", column(name), value)
            elif name in forward or name in backward:
                ahead = name in backward
                spec = exp.WindowSpec(
                    kind="ROWS",
                    start="CURRENT ROW" if ahead else "UNBOUNDED",
                    start_side=None if ahead else "PRECEDING",
                    end="UNBOUNDED" if ahead else "CURRENT ROW",
                    end_side="FOLLOWING" if ahead else None,
                )
                pick = exp.FirstValue if ahead else exp.LastValue
                node = exp.Window(
                    this=exp.IgnoreNulls(this=pick(this=column(name))),
                    partition_by=[one.copy() for one in by],
                    order=exp.Order(expressions=ordered(self.order, context, "order")),
                    spec=spec,
                )
            else:
                items.append(column(name))
                continue
            items.append(aliased(node, name))
        return Built(select(items))


class Split(Step):
    """Take a text apart at a delimiter into columns of its own; missing parts are null."""

    column: str
    by: str = Field(description="The delimiter.", min_length=1)
    into: list[str] = Field(description="Names of the new columns.", min_length=1)
    more: Literal["fail", "join", "drop"] = Field(
        default="fail", description="Of a text with more parts: join leaves them in the last."
    )
    keep: bool = Field(default=False, description="Whether the column itself stays.")

    def build(self, context: StepContext) -> Built:
        (name,) = context.known([self.column], "column")
        if not context.columns[name].startswith("VARCHAR"):
            raise context.fail(f"column {name!r} is {context.columns[name]}, not VARCHAR")
        kept = [one for one in context.columns if self.keep or one != name]
        taken = {one.lower() for one in kept}
        for new in self.into:
            if new.lower() in taken:
                raise context.fail(f"there is a column {new!r} already")
            taken.add(new.lower())
        parts = exp.func("string_split", column(name), exp.Literal.string(self.by))
        count = len(self.into)
        items: list[exp.Expr] = [column(one) for one in kept]
        for number, new in enumerate(self.into, 1):
            part: exp.Expr = exp.func("list_extract", parts.copy(), exp.Literal.number(number))
            if number == count and self.more == "join":
                rest = exp.func(
                    "list_slice",
                    parts.copy(),
                    exp.Literal.number(count),
                    exp.func("len", parts.copy()),
                )
                part = exp.case().when(
                    exp.func("len", parts.copy()) >= count,
                    exp.func("array_to_string", rest, exp.Literal.string(self.by)),
                )
            elif number == count and self.more == "fail":
                said = exp.Literal.string(f"column {name}: more than {count} parts in: ")
                part = (
                    exp.case()
                    .when(
                        exp.func("len", parts.copy()) > count,
                        exp.cast(
                            exp.func("error", exp.DPipe(this=said, expression=column(name))),
                            "VARCHAR",
                        ),
                    )
                    .else_(part)
                )
            items.append(aliased(part, new))
        return Built(select(items))


class Mask(Step):
    """Make personal values unreadable: hash, redact, null, or only the last characters."""

    short = "columns"
    columns: dict[str, str] = Field(
        description="Column to hash (SHA-256, the same for the same value), redact, null or last:N."
    )
    salt: str = Field(default="", description="Put before a value that is hashed; no secret.")

    def build(self, context: StepContext) -> Built:
        olds = context.known(self.columns, "mask")
        how = dict(zip(olds, self.columns.values(), strict=True))
        return Built(
            select(
                aliased(self._masked(name, how[name], context), name)
                if name in how
                else column(name)
                for name in context.columns
            )
        )

    def _masked(self, name: str, how: str, context: StepContext) -> exp.Expr:
        text = exp.cast(column(name), "VARCHAR")
        if how == "null":
            kind = data_type(context.columns[name], where=context.where)
            return exp.cast(exp.null(), kind)
        if how == "hash":
            salted = exp.DPipe(this=exp.Literal.string(self.salt), expression=text)
            return exp.func("sha256", salted if self.salt else text)
        if how == "redact":
            shown = exp.Literal.string("***")
            return exp.case().when(column(name).is_(exp.null()).not_(), shown)
        kind, _, number = how.partition(":")
        if kind == "last" and number.isdigit() and 0 < int(number) <= 100:
            tail = exp.func("right", text, exp.Literal.number(int(number)))
            # A value that is not longer would be shown whole.
            shown = exp.DPipe(this=exp.Literal.string("***"), expression=tail)
            return (
                exp.case()
                .when(exp.func("length", text.copy()) > int(number), shown)
                .when(column(name).is_(exp.null()).not_(), exp.Literal.string("***"))
            )
        raise context.fail(f"{name}: {how!r} is no way to mask", valid="hash, redact, null, last:4")
