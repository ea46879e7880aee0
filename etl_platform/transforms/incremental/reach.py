"""How rows of a table reach the rows of a query: by which values, and whether one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from sqlglot import exp

from etl_platform.core.names import TableName

Name: TypeAlias = tuple[str, str]
"""Alias of a source and name of one of its columns, as they stand in a qualified tree."""

_PLAIN = (
    exp.Column,
    exp.Identifier,
    exp.Literal,
    exp.Boolean,
    exp.Null,
    exp.Var,
    exp.Interval,
    exp.DataType,
    exp.DataTypeParam,
    exp.Paren,
    exp.Cast,
    exp.TimestampTrunc,
    exp.DateTrunc,
    exp.Extract,
    exp.Year,
    exp.Month,
    exp.Day,
    exp.Lower,
    exp.Upper,
    exp.Trim,
    exp.Substring,
    exp.Coalesce,
    exp.DPipe,
    exp.Add,
    exp.Sub,
    exp.Mul,
    exp.IntDiv,
    exp.Mod,
    exp.Neg,
)
"""What a carried value may be made with: written back by sqlglot as it was read."""


@dataclass(frozen=True, slots=True)
class Reach:
    """One reference of a table, as seen from a query that reads it.

    For any values ``k`` of the output columns in ``columns``: the query's rows with these values
    depend on no other rows of the reference than those for which the expressions give ``k`` (nulls
    being equal to nulls). The same holds for every part of these columns, and trivially for none.

    Attributes:
        table: whose rows.
        node: which reference: identity of its node in the tree.
        columns: lower-case output column to an expression over the table's own columns.
        row_wise: each row gives its rows of the output whatever the others are, and without rows
            there are none: what new rows of the table give is what the output gets.
        why: the first thing that took columns away.
    """

    table: TableName
    node: int
    columns: Mapping[str, exp.Expr] = field(default_factory=dict[str, exp.Expr])
    row_wise: bool = True
    why: str = ""

    def within(self, allowed: Iterable[str], why: str) -> Reach:
        """What remains when only some columns keep their meaning; no longer row by row."""
        kept = {name: self.columns[name] for name in allowed if name in self.columns}
        return replace(self, columns=kept, row_wise=False, why=self.why or why)

    def lost(self, why: str) -> Reach:
        """Nothing is known any more."""
        return replace(self, columns={}, row_wise=False, why=self.why or why)


@dataclass(frozen=True, slots=True)
class Visible:
    """A reach inside a SELECT, where columns have the names of its sources."""

    reach: Reach
    names: Mapping[Name, exp.Expr]

    def following(self, pairs: Iterable[tuple[Name, Name]]) -> Visible:
        """Give both names of pairs that are equal in every row what either of them carries."""
        names = dict(self.names)
        todo = [*pairs]
        while True:
            found = {
                mine: names[other]
                for left, right in todo
                for mine, other in ((left, right), (right, left))
                if mine not in names and other in names
            }
            if not found:
                return replace(self, names=names)
            names |= found

    def only(self, kept: Mapping[Name, exp.Expr], why: str) -> Visible:
        reach = replace(self.reach, row_wise=False, why=self.reach.why or why)
        return Visible(reach, kept)

    def value(self, expression: exp.Expr) -> exp.Expr | None:
        """What an expression over the sources is in terms of the table; None if it is not that."""
        if not any(True for _ in expression.find_all(exp.Column)):
            return None
        for node in expression.walk():
            if not isinstance(node, _PLAIN):
                return None
            if isinstance(node, exp.Column) and (node.table, node.name) not in self.names:
                return None
        copy = expression.copy()
        columns = [*copy.find_all(exp.Column)]
        if columns[0] is copy:
            return self.names[columns[0].table, columns[0].name].copy()
        for column in columns:
            column.replace(exp.paren(self.names[column.table, column.name].copy()))
        return copy


def name_of(node: exp.Expr | None) -> Name | None:
    """The source's column that a node is; None when it is anything else."""
    return (node.table, node.name) if isinstance(node, exp.Column) and node.table else None
